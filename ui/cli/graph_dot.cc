#include "absl/strings/str_format.h"
#include "ui/cli/graph.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

// A label: in quotes, without dot's own escapes (\N, \l, ...) and HTML entities.
std::string Label(const std::string& text) {
  std::string out = "\"";
  for (const char c : CleanText(text)) {
    switch (c) {
      case '"':
      case '\\':
        out += '\\';
        out += c;
        break;
      case '&':
        out += "&amp;";
        break;
      default:
        out += c;
    }
  }
  return out + "\"";
}

// A comment is one line.
std::string Comment(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    out += "// " + CleanText(text.substr(at, end - at)) + "\n";
    at = end + 1;
  }
  return out;
}

}  // namespace

std::string ToDot(const Graph& graph, const std::string& comment) {
  std::string out = Comment(comment);
  out +=
      "digraph kindling {\n"
      "  rankdir=LR;\n"
      "  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n"
      "  edge [fontname=\"sans-serif\", fontsize=10];\n";
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    out += absl::StrFormat("  n%d [label=%s];\n", i, Label(graph.nodes[i]));
  }
  for (const GraphEdge& edge : graph.edges) {
    // The line break between the two labels is dot's own \n.
    std::string label = Label(edge.protocol);
    label.pop_back();
    label += "\\n" + Label(DescribeEdge(edge)).substr(1);
    out += absl::StrFormat("  n%d -> n%d [label=%s%s];\n", edge.client, edge.server, label,
                           edge.errors > 0 ? ", color=red" : "");
  }
  return out + "}\n";
}

}  // namespace kindling::ui
