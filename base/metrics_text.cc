#include "base/metrics_text.h"

#include <charconv>
#include <cmath>

#include "base/utf8.h"

namespace kindling::base {
namespace {

std::string Number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  return std::string(buffer, end);
}

std::string_view Name(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "untyped";
}

void AppendEscaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

}  // namespace

std::string RenderLabels(const MetricLabels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out += name;
    out += "=\"";
    AppendEscaped(out, ToValidUtf8(value), true);
    out += '"';
  }
  return out;
}

void MetricsText::Family(std::string_view name, MetricType type, std::string_view help) {
  name_ = name;
  text_ += "# HELP ";
  text_ += name;
  text_ += ' ';
  AppendEscaped(text_, help, false);
  text_ += "\n# TYPE ";
  text_ += name;
  text_ += ' ';
  text_ += Name(type);
  text_ += '\n';
}

void MetricsText::Sample(std::string_view labels, uint64_t value) {
  Line("", labels, "", std::to_string(value));
}

void MetricsText::Sample(std::string_view labels, double value) {
  Line("", labels, "", Number(value));
}

void MetricsText::Histogram(std::string_view labels, std::span<const double> bounds,
                            std::span<const uint64_t> cumulative, uint64_t count, double sum) {
  for (size_t i = 0; i < bounds.size(); ++i) {
    Line("_bucket", labels, "le=\"" + Number(bounds[i]) + '"', std::to_string(cumulative[i]));
  }
  Line("_bucket", labels, "le=\"+Inf\"", std::to_string(count));
  Line("_sum", labels, "", Number(sum));
  Line("_count", labels, "", std::to_string(count));
}

void MetricsText::Line(std::string_view suffix, std::string_view labels,
                       std::string_view more_labels, std::string_view value) {
  text_ += name_;
  text_ += suffix;
  if (!labels.empty() || !more_labels.empty()) {
    text_ += '{';
    text_ += labels;
    if (!labels.empty() && !more_labels.empty()) text_ += ',';
    text_ += more_labels;
    text_ += '}';
  }
  text_ += ' ';
  text_ += value;
  text_ += '\n';
}

}  // namespace kindling::base
