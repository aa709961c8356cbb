#include "base/status_macros.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/completeness.h"
#include "ui/cli/graph.h"
#include "ui/cli/rows.h"
#include "ui/cli/session.h"

namespace kindling::ui {
namespace {

absl::StatusOr<ExitCode> Run(Session& session) {
  v1::ListEdgesRequest request;
  *request.mutable_time() = session.time_range();
  request.set_filter(session.globals().filter);
  v1::ListEdgesResponse response;
  RETURN_IF_ERROR(session.Ask(request, &response));
  const bool is_partial = IsPartial(response.completeness());
  const ExitCode code = is_partial ? ExitCode::kPartial : ExitCode::kOk;
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) return code;

  const Graph graph = MakeGraph(response);
  if (session.format() == "table") {
    session.out() << (graph.edges.empty() ? NothingFound(session, "edges")
                                          : ToTree(graph, session.style()));
    return session.PrintCompleteness(response.completeness());
  }
  const std::string comment = DescribeCompleteness(response.completeness(), Style());
  session.out() << (session.format() == "dot" ? ToDot(graph, comment) : ToMermaid(graph, comment));
  return code;
}

}  // namespace

Command MapCommand() {
  return {.name = "map",
          .summary = "the service map: who talks to whom",
          .details =
              "As a tree by default, from those that nobody calls. -o dot is for Graphviz, "
              "-o mermaid for Markdown, -o json has the same rows as \"get edges\".",
          .formats = {"table", "dot", "mermaid", "json", "yaml"},
          .takes_time = true,
          .takes_filter = true,
          .examples = {{"kindlingctl map", "as a tree"},
                       {"kindlingctl map --since 1h -o dot | dot -Tsvg > map.svg", "as a picture"},
                       {"kindlingctl map -o mermaid -f 'service=shop:8080'",
                        "one service and its neighbours, for a README"}},
          .run = Run};
}

}  // namespace kindling::ui
