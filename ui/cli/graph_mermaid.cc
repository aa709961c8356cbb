#include "absl/strings/str_format.h"
#include "ui/cli/graph.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

// Text in quotes: what Mermaid or the HTML around it could take for markup becomes an entity, which
// Mermaid writes #name; instead of &name;.
std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : CleanText(text)) {
    switch (c) {
      case '"':
      case '#':
      case '&':
      case '<':
      case '>':
      case '`':
      case '\\':
      case ';':
        out += absl::StrFormat("#%d;", static_cast<int>(c));
        break;
      default:
        out += c;
    }
  }
  return out + "\"";
}

}  // namespace

std::string ToMermaid(const Graph& graph, const std::string& comment) {
  std::string out = "flowchart LR\n";
  for (size_t at = 0; at < comment.size();) {
    const size_t end = std::min(comment.find('\n', at), comment.size());
    // Braces would make the comment a directive.
    std::string line = CleanText(comment.substr(at, end - at));
    for (char& c : line) c = c == '{' || c == '}' ? ' ' : c;
    out += "  %% " + line + "\n";
    at = end + 1;
  }
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    out += absl::StrFormat("  n%d[%s]\n", i, Quoted(graph.nodes[i]));
  }
  for (const GraphEdge& edge : graph.edges) {
    out += absl::StrFormat("  n%d -->|%s| n%d\n", edge.client,
                           Quoted(edge.protocol + ": " + DescribeEdge(edge)), edge.server);
  }
  for (size_t i = 0; i < graph.edges.size(); ++i) {
    if (graph.edges[i].errors > 0) out += absl::StrFormat("  linkStyle %d stroke:red\n", i);
  }
  return out;
}

}  // namespace kindling::ui
