#include <map>
#include <utility>

#include "base/status_macros.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/completeness.h"
#include "ui/cli/rows.h"
#include "ui/cli/selector.h"
#include "ui/cli/series_text.h"
#include "ui/cli/session.h"
#include "ui/cli/table.h"

namespace kindling::ui {
namespace {

absl::StatusOr<ExitCode> Run(Session& session) {
  v1::ListSeriesRequest request;
  *request.mutable_time() = session.time_range();
  request.set_limit(static_cast<uint32_t>(session.globals().limit));
  if (!session.arguments().empty()) {
    ASSIGN_OR_RETURN(const std::vector<v1::LabelMatcher> matchers,
                     ParseSelector(session.arguments()[0]));
    request.mutable_matchers()->Assign(matchers.begin(), matchers.end());
  }
  v1::ListSeriesResponse response;
  RETURN_IF_ERROR(session.Ask(request, &response));
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) {
    return IsPartial(response.completeness()) ? ExitCode::kPartial : ExitCode::kOk;
  }
  if (response.series().empty()) {
    session.out() << NothingFound(session, "metric series");
  } else {
    Table table({{.name = "SERIES", .flexible = 20}, {.name = "KIND"}});
    for (const v1::Series& series : response.series()) {
      table.AddRow({{SeriesText(series)}, {series.kind()}});
    }
    session.out() << table.Render(session.style(), session.width());
  }
  session.out() << LimitNote(response.series_size(), static_cast<size_t>(response.total()),
                             "series");
  return session.PrintCompleteness(response.completeness());
}

}  // namespace

Command GetSeriesCommand() {
  return {
      .name = "get series",
      .arguments = "[SELECTOR]",
      .summary = "the metric series that there are",
      .details =
          "SELECTOR picks series as Prometheus does: name{label=\"value\"}, with = != =~ and !~; "
          "regular expressions match whole values.",
      .formats = {"table", "json", "yaml"},
      .takes_time = true,
      .takes_limit = true,
      .most_arguments = 1,
      .examples = {{"kindlingctl get series '{host=\"node-1\"}'", "all of one host"},
                   {"kindlingctl get series tcp_srtt_seconds --since 1d", "all of one metric"}},
      .run = Run};
}

}  // namespace kindling::ui
