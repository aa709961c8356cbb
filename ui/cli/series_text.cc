#include "ui/cli/series_text.h"

#include <map>

#include "kindling/v1/query.pb.h"

namespace kindling::ui {
namespace {

std::string Quoted(const std::string& value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace

std::string SeriesText(const v1::Series& series) {
  std::string labels;
  for (const auto& [name, value] :
       std::map<std::string, std::string>(series.labels().begin(), series.labels().end())) {
    labels += (labels.empty() ? "" : ",") + name + "=" + Quoted(value);
  }
  return labels.empty() ? series.name() : series.name() + "{" + labels + "}";
}

}  // namespace kindling::ui
