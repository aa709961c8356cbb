#include <string>
#include <vector>

#include "base/status_macros.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/completeness.h"
#include "ui/cli/counts.h"
#include "ui/cli/format.h"
#include "ui/cli/rows.h"
#include "ui/cli/session.h"
#include "ui/cli/table.h"

namespace kindling::ui {
namespace {

// What is no failure, nor known to be one.
bool IsFailure(const std::string& result) {
  return result != "NOERROR" && result != "unknown" && result != "(other)";
}

Counts FailuresOf(const v1::DnsEdge& edge) {
  Counts failures;
  for (const auto& [result, count] : edge.results()) {
    if (IsFailure(result)) failures[result] = count;
  }
  return failures;
}

// That a name is not there is an answer too, and often the right one.
bool IsBad(const Counts& failures) {
  return SumOf(failures) > (failures.contains("NXDOMAIN") ? failures.at("NXDOMAIN") : 0);
}

std::vector<Column> Columns(bool by_name, bool is_wide) {
  std::vector<Column> columns = {
      {.name = "CLIENT", .flexible = 10}, {.name = "SERVER", .flexible = 10}, {.name = "SEEN BY"}};
  const auto add = [&](std::initializer_list<const char*> names) {
    for (const char* name : names) columns.push_back({.name = name, .right = true});
  };
  if (by_name) columns.push_back({.name = "NAME", .flexible = 16});
  add({"QUERIES"});
  columns.push_back({.name = "FAILED", .flexible = 18});
  add({"LATENCY", "RETRIES", "WASTED", "TRUNCATED"});
  if (!is_wide) return columns;
  add({"OVER TCP", "LATE"});
  for (const char* name : {"TYPES", "RESULTS", "ADDRESS"}) columns.push_back({.name = name});
  return columns;
}

std::vector<Cell> Row(const v1::DnsEdge& edge, bool by_name, bool is_wide) {
  const Counts failures = FailuresOf(edge);
  std::vector<Cell> row = {{edge.client()}, {edge.server()}, {edge.observer()}};
  if (by_name) row.emplace_back(edge.name());
  row.emplace_back(FormatCount(edge.queries()));
  row.push_back({ByName(failures), BadIf(IsBad(failures))});
  row.emplace_back(Both(edge.latency_p50_ms(), edge.latency_p99_ms(), FormatMs));
  row.push_back({CountOrDash(edge.retries()), BadIf(edge.retries() > 0)});
  row.emplace_back(CountOrDash(edge.search_waste()));
  row.emplace_back(CountOrDash(edge.truncated()));
  if (!is_wide) return row;
  row.emplace_back(CountOrDash(edge.tcp_fallbacks()));
  row.emplace_back(CountOrDash(edge.late_answers()));
  row.emplace_back(ByName(edge.types()));
  row.emplace_back(ByName(edge.results()));
  row.emplace_back(edge.server_address());
  return row;
}

absl::StatusOr<ExitCode> Run(Session& session) {
  const bool by_name = session.args().has("by-name");
  v1::ListDnsRequest request;
  *request.mutable_time() = session.time_range();
  request.set_filter(session.globals().filter);
  request.set_by_name(by_name);
  request.set_name(session.args().value("name").value_or(""));
  v1::ListDnsResponse response;
  RETURN_IF_ERROR(session.Ask(request, &response));
  const size_t total = LimitRows(session, response.mutable_edges());
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) {
    return IsPartial(response.completeness()) ? ExitCode::kPartial : ExitCode::kOk;
  }
  if (response.edges().empty()) {
    session.out() << NothingFound(session, "DNS queries");
  } else {
    Table table(Columns(by_name, session.is_wide()));
    for (const v1::DnsEdge& edge : response.edges()) {
      table.AddRow(Row(edge, by_name, session.is_wide()));
    }
    session.out() << table.Render(session.style(), session.width());
  }
  session.out() << LimitNote(response.edges_size(), total, "rows");
  return session.PrintCompleteness(response.completeness());
}

}  // namespace

Command GetDnsCommand() {
  return {
      .name = "get dns",
      .summary = "queries, failures, retries and latency between clients and resolvers",
      .details =
          "What became of DNS queries, as the end in SEEN BY saw it. QUERIES are messages, "
          "repeated "
          "ones too; FAILED those without NOERROR, by the code of the response, timeout for none "
          "in "
          "5 s or until the client closed its socket. LATENCY is median and 99th percentile of "
          "those "
          "that were answered. RETRIES are queries for what had got no answer; WASTED the "
          "NXDOMAINs "
          "on the way through a search list to a name that was there; TRUNCATED the answers that "
          "did "
          "not fit. -o wide adds queries over TCP that followed such an answer, answers that came "
          "after the timeout, and types of records. Names are templates, and of many names of one "
          "edge the rest is (other).",
      .options = {{.name = "by-name", .help = "one row per name that was asked for"},
                  {.name = "name",
                   .value = "NAME",
                   .help = "only this name, as --by-name shows it"}},
      .formats = {"table", "wide", "json", "yaml"},
      .takes_time = true,
      .takes_filter = true,
      .takes_limit = true,
      .examples = {{"kindlingctl get dns", "every resolver of the last 15 minutes"},
                   {"kindlingctl get dns --by-name -f client=shop:8080",
                    "what one workload asks for"},
                   {"kindlingctl get dns --name db.internal --since 1h",
                    "who asks for one name, and what they get"}},
      .run = Run};
}

}  // namespace kindling::ui
