#include <utility>

#include "base/status_macros.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/completeness.h"
#include "ui/cli/format.h"
#include "ui/cli/rows.h"
#include "ui/cli/selector.h"
#include "ui/cli/session.h"
#include "ui/cli/table.h"

namespace kindling::ui {
namespace {

constexpr char kNameLabel[] = "__name__";

absl::StatusOr<ExitCode> AskAndPrint(Session& session, v1::ListLabelValuesRequest request,
                                     const std::string& counted) {
  *request.mutable_time() = session.time_range();
  request.set_limit(static_cast<uint32_t>(session.globals().limit));
  v1::ListLabelValuesResponse response;
  RETURN_IF_ERROR(session.Ask(request, &response));
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) {
    return IsPartial(response.completeness()) ? ExitCode::kPartial : ExitCode::kOk;
  }
  if (response.values().empty()) {
    session.out() << NothingFound(session, "values");
  } else {
    Table table({{.name = "VALUE", .flexible = 12}, {.name = counted, .right = true}});
    for (const v1::LabelValue& value : response.values()) {
      table.AddRow({{value.value()}, {FormatCount(value.count())}});
    }
    session.out() << table.Render(session.style(), session.width());
  }
  session.out() << LimitNote(response.values_size(), static_cast<size_t>(response.total()),
                             "values");
  return session.PrintCompleteness(response.completeness());
}

absl::StatusOr<ExitCode> RunValues(Session& session) {
  v1::ListLabelValuesRequest request;
  request.set_field(session.arguments()[0]);
  request.set_filter(session.globals().filter);
  return AskAndPrint(session, std::move(request), "REQUESTS");
}

absl::StatusOr<ExitCode> RunLabels(Session& session) {
  v1::ListLabelValuesRequest request;
  const auto arguments = session.arguments();
  request.set_label(arguments.empty() ? kNameLabel : arguments[0]);
  if (arguments.size() > 1) {
    ASSIGN_OR_RETURN(const std::vector<v1::LabelMatcher> matchers, ParseSelector(arguments[1]));
    request.mutable_matchers()->Assign(matchers.begin(), matchers.end());
  }
  return AskAndPrint(session, std::move(request), "SERIES");
}

}  // namespace

Command GetValuesCommand() {
  return {
      .name = "get values",
      .arguments = "FIELD",
      .summary = "the values of a field of requests, with counts",
      .details =
          "FIELD is service, endpoint, protocol, status or host. Services and hosts count the "
          "requests that they served.",
      .formats = {"table", "json", "yaml"},
      .takes_time = true,
      .takes_filter = true,
      .takes_limit = true,
      .least_arguments = 1,
      .most_arguments = 1,
      .examples = {{"kindlingctl get values status -f 'server=shop:8080'", "how a service answers"},
                   {"kindlingctl get values host --since 1d", "where requests are served"}},
      .run = RunValues};
}

Command GetLabelsCommand() {
  return {.name = "get labels",
          .arguments = "[LABEL [SELECTOR]]",
          .summary = "the values of a label of metric series, with counts",
          .details =
              "Without LABEL the names of metrics. SELECTOR picks series as Prometheus does: "
              "name{label=\"value\"}.",
          .formats = {"table", "json", "yaml"},
          .takes_time = true,
          .takes_limit = true,
          .most_arguments = 2,
          .examples = {{"kindlingctl get labels", "which metrics there are"},
                       {"kindlingctl get labels host 'tcp_srtt_seconds{peer=~\"10[.].*\"}'",
                        "which hosts have one"}},
          .run = RunLabels};
}

}  // namespace kindling::ui
