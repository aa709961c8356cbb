#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/completeness.h"
#include "ui/cli/format.h"
#include "ui/cli/rows.h"
#include "ui/cli/selector.h"
#include "ui/cli/series_text.h"
#include "ui/cli/session.h"
#include "ui/cli/table.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

std::string Number(double value) { return absl::StrFormat("%.6g", value); }

// A table of the windows of one series.
Table WindowTable(const v1::RangeSeries& series, const Session& session) {
  const std::string& kind = series.series().kind();
  const auto column = [](const char* name) { return Column{.name = name, .right = true}; };
  std::vector<Column> columns = {{.name = "TIME"}};
  if (kind == "histogram") {
    for (const char* name : {"COUNT", "P50", "P95", "P99"}) columns.push_back(column(name));
  } else if (kind == "delta") {
    for (const char* name : {"SUM", "PER SECOND"}) columns.push_back(column(name));
  } else {
    for (const char* name : {"MEAN", "LEAST", "MOST", "LAST"}) columns.push_back(column(name));
  }
  Table table(std::move(columns));
  for (const v1::RangeWindow& window : series.windows()) {
    std::vector<Cell> row = {
        {FormatTimeShort(window.time_ns(), session.now_ns(), session.globals().zone)}};
    if (kind == "histogram") {
      row.emplace_back(FormatCount(window.count()));
      for (const double ms : {window.p50_ms(), window.p95_ms(), window.p99_ms()}) {
        row.emplace_back(FormatMs(ms));
      }
    } else if (kind == "delta") {
      row.emplace_back(Number(window.sum()));
      row.emplace_back(Number(window.sum() * 1e9 / static_cast<double>(series.step_ns())));
    } else {
      row.emplace_back(window.count() > 0 ? Number(window.sum() / window.count()) : "-");
      for (const double value : {window.least(), window.most(), window.last()}) {
        row.emplace_back(Number(value));
      }
    }
    table.AddRow(std::move(row));
  }
  return table;
}

absl::StatusOr<v1::QueryRangeRequest> RequestOf(const Session& session) {
  v1::QueryRangeRequest request;
  *request.mutable_time() = session.time_range();
  ASSIGN_OR_RETURN(const std::vector<v1::LabelMatcher> matchers,
                   ParseSelector(session.arguments()[0]));
  request.mutable_matchers()->Assign(matchers.begin(), matchers.end());
  if (const auto text = session.args().value("step")) {
    const auto step_ns = base::ParseDurationNs(*text);
    if (!step_ns || *step_ns < 1'000'000'000) {
      return absl::InvalidArgumentError(
          absl::StrFormat("--step: \"%s\" is no duration of a second or more; write 1m", *text));
    }
    request.set_step_ns(*step_ns);
  }
  return request;
}

absl::StatusOr<ExitCode> Run(Session& session) {
  ASSIGN_OR_RETURN(const v1::QueryRangeRequest request, RequestOf(session));
  v1::Completeness completeness;
  const bool is_table = session.format() == "table";
  size_t shown = 0;
  size_t total = 0;
  RETURN_IF_ERROR(session.Ask(request, [&](const v1::QueryRangeResponse& response) -> absl::Status {
    if (!is_table) {
      const size_t limit = session.globals().limit;
      if (response.has_series() && limit > 0 && ++total > limit) return absl::OkStatus();
      if (response.has_end()) completeness = response.end().completeness();
      // A document for each series, and one for the end.
      if (session.format() == "yaml") session.out() << "---\n";
      return session.PrintMessage(response).status();
    }
    if (response.has_end()) {
      completeness = response.end().completeness();
      return absl::OkStatus();
    }
    if (session.globals().limit > 0 && ++total > session.globals().limit) return absl::OkStatus();
    const v1::RangeSeries& series = response.series();
    session.out() << (shown++ > 0 ? "\n" : "")
                  << session.style().Paint(Tone::kBold, CleanText(SeriesText(series.series())))
                  << "\n"
                  << WindowTable(series, session).Render(session.style(), session.width());
    return absl::OkStatus();
  }));
  if (!is_table) return IsPartial(completeness) ? ExitCode::kPartial : ExitCode::kOk;
  if (shown == 0) session.out() << NothingFound(session, "points");
  if (total > shown) session.out() << LimitNote(shown, total, "series");
  return session.PrintCompleteness(completeness);
}

}  // namespace

Command GetMetricCommand() {
  return {
      .name = "get metric",
      .arguments = "SELECTOR",
      .summary = "the values of metric series over time",
      .details =
          "SELECTOR picks series as Prometheus does: name{label=\"value\"}, with = != =~ and !~. "
          "--limit is of series. -o json and yaml print a document for each series and a last "
          "one that says how complete they are.",
      .options = {{.name = "step",
                   .value = "DURATION",
                   .help = "length of a window: 10s, 1m, 1h (default: about 300 windows)"}},
      .formats = {"table", "json", "yaml"},
      .takes_time = true,
      .takes_limit = true,
      .least_arguments = 1,
      .most_arguments = 1,
      .examples = {{"kindlingctl get metric 'tcp_srtt_seconds{host=\"node-1\"}' --since 1h",
                    "one metric of one host"},
                   {"kindlingctl get metric tcp_retransmits_total --since 7d --step 1h",
                    "hour by hour"}},
      .run = Run};
}

}  // namespace kindling::ui
