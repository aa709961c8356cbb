#include "ui/cli/graph.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "absl/strings/str_format.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/format.h"

namespace kindling::ui {

Graph MakeGraph(const v1::ListEdgesResponse& response) {
  Graph graph;
  std::map<std::string, size_t> indexes;
  for (const v1::Edge& edge : response.edges()) {
    indexes.emplace(edge.client(), 0);
    indexes.emplace(edge.server(), 0);
  }
  for (auto& [name, index] : indexes) {
    index = graph.nodes.size();
    graph.nodes.push_back(name);
  }
  for (const v1::Edge& edge : response.edges()) {
    graph.edges.push_back({.client = indexes[edge.client()],
                           .server = indexes[edge.server()],
                           .protocol = FormatProtocol(edge.protocol(), edge.transport()),
                           .requests = edge.request_count(),
                           .errors = edge.error_count(),
                           .p95_ms = edge.p95_ms(),
                           .connections = edge.connections()});
  }
  std::sort(graph.edges.begin(), graph.edges.end(), [](const GraphEdge& a, const GraphEdge& b) {
    return std::tie(a.client, a.server, a.protocol) < std::tie(b.client, b.server, b.protocol);
  });
  return graph;
}

std::string DescribeEdge(const GraphEdge& edge) {
  if (edge.requests == 0) {
    return edge.connections > 0 ? Plural(edge.connections, "connection") : "connected";
  }
  std::string text = Plural(edge.requests, "request");
  if (edge.errors > 0) text += ", " + Plural(edge.errors, "error");
  // Of requests that were told apart by their number only, the times are not known.
  return edge.p95_ms > 0 ? text + ", p95 " + FormatMs(edge.p95_ms) : text;
}

}  // namespace kindling::ui
