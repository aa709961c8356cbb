#pragma once

#include <string>
#include <vector>

#include "ui/cli/style.h"

namespace kindling::v1 {
class ListEdgesResponse;
}

// A service map as text.
namespace kindling::ui {

struct GraphEdge {
  size_t client = 0;  // index of Graph::nodes
  size_t server = 0;
  std::string protocol;  // with its transport where that is not the usual one
  double requests = 0;
  double errors = 0;
  double p95_ms = 0;
  double connections = 0;
};

struct Graph {
  std::vector<std::string> nodes;  // names as they came, sorted
  std::vector<GraphEdge> edges;    // sorted by client, server, protocol
};

Graph MakeGraph(const v1::ListEdgesResponse& response);

// "1234 requests, 5 errors, p95 3.4ms", or what can be said of a connection that is not parsed.
std::string DescribeEdge(const GraphEdge& edge);

// A tree from those that nobody calls; a workload that came before is not opened again.
std::string ToTree(const Graph& graph, const Style& style);
// Graphviz.
std::string ToDot(const Graph& graph, const std::string& comment);
// Mermaid flowchart.
std::string ToMermaid(const Graph& graph, const std::string& comment);

}  // namespace kindling::ui
