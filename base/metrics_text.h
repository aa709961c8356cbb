#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kindling::base {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

enum class MetricType { kCounter, kGauge, kHistogram };

// `name="value",...` as it stands between the braces of a sample; values are escaped and made
// UTF-8.
std::string RenderLabels(const MetricLabels& labels);

// Writes the Prometheus text format, version 0.0.4: each family once, its samples right after it.
class MetricsText {
 public:
  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

  void Family(std::string_view name, MetricType type, std::string_view help);

  // Samples of the family last begun; `labels` as RenderLabels() gives them.
  void Sample(std::string_view labels, uint64_t value);
  void Sample(std::string_view labels, double value);
  // `cumulative[i]` values are at most bounds[i]; `count` is all of them.
  void Histogram(std::string_view labels, std::span<const double> bounds,
                 std::span<const uint64_t> cumulative, uint64_t count, double sum);

  std::string Take() { return std::move(text_); }

 private:
  void Line(std::string_view suffix, std::string_view labels, std::string_view more_labels,
            std::string_view value);

  std::string text_;
  std::string name_;
};

}  // namespace kindling::base
