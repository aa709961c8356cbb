#include <algorithm>
#include <vector>

#include "ui/cli/graph.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

// Deeper chains go on at the top level, so that a line stays readable.
constexpr size_t kMaxDepth = 12;

class TreeWriter {
 public:
  TreeWriter(const Graph& graph, const Style& style)
      : graph_(graph), style_(style), written_(graph.nodes.size()) {}

  std::string Write() {
    std::vector<bool> is_called(graph_.nodes.size());
    for (const GraphEdge& edge : graph_.edges) {
      if (edge.client != edge.server) is_called[edge.server] = true;
    }
    for (size_t node = 0; node < graph_.nodes.size(); ++node) {
      if (!is_called[node]) WriteRoot(node);
    }
    // What is left hangs on a cycle, or was too deep.
    for (size_t node = 0; node < graph_.nodes.size(); ++node) {
      if (!written_[node] && HasEdges(node)) WriteRoot(node);
    }
    return std::move(out_);
  }

 private:
  bool HasEdges(size_t node) const {
    return std::any_of(graph_.edges.begin(), graph_.edges.end(),
                       [node](const GraphEdge& edge) { return edge.client == node; });
  }

  void WriteRoot(size_t node) {
    out_ += style_.Paint(Tone::kBold, CleanText(graph_.nodes[node])) + "\n";
    WriteChildren(node, "", 0);
  }

  void WriteChildren(size_t node, const std::string& indent, size_t depth) {
    written_[node] = true;
    std::vector<const GraphEdge*> edges;
    for (const GraphEdge& edge : graph_.edges) {
      if (edge.client == node) edges.push_back(&edge);
    }
    for (size_t i = 0; i < edges.size(); ++i) {
      const GraphEdge& edge = *edges[i];
      const bool is_last = i + 1 == edges.size();
      // Several protocols to one server: opened below the last of them.
      const bool repeats = !is_last && edges[i + 1]->server == edge.server;
      const bool opens = !repeats && !written_[edge.server] && depth + 1 < kMaxDepth;
      out_ += indent + Branch(is_last) + CleanText(edge.protocol) + Arrow() +
              style_.Paint(Tone::kBold, CleanText(graph_.nodes[edge.server])) + "  " +
              style_.Paint(edge.errors > 0 ? Tone::kBad : Tone::kDim, DescribeEdge(edge));
      if (!opens && !repeats && HasEdges(edge.server)) {
        out_ += written_[edge.server] ? "  (see above)" : "  (see below)";
      }
      out_ += "\n";
      if (opens) WriteChildren(edge.server, indent + Trunk(is_last), depth + 1);
    }
  }

  std::string Branch(bool is_last) const {
    if (!style_.unicode) return is_last ? "`- " : "|- ";
    return is_last ? "\xe2\x94\x94\xe2\x94\x80 " : "\xe2\x94\x9c\xe2\x94\x80 ";
  }
  std::string Trunk(bool is_last) const {
    if (is_last) return "   ";
    return style_.unicode ? "\xe2\x94\x82  " : "|  ";
  }
  std::string Arrow() const { return style_.unicode ? " \xe2\x86\x92 " : " -> "; }

  const Graph& graph_;
  const Style& style_;
  std::vector<bool> written_;
  std::string out_;
};

}  // namespace

std::string ToTree(const Graph& graph, const Style& style) {
  return TreeWriter(graph, style).Write();
}

}  // namespace kindling::ui
