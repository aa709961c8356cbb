#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/completeness.h"
#include "ui/cli/format.h"
#include "ui/cli/rows.h"
#include "ui/cli/session.h"
#include "ui/cli/table.h"

namespace kindling::ui {
namespace {

constexpr size_t kDefaultLimit = 100;
constexpr size_t kLargestPage = 10000;

Table SpanTable(const v1::ListSpansResponse& response, const Session& session) {
  std::vector<Column> columns = {{.name = "TIME"},
                                 {.name = "SPAN"},
                                 {.name = "SIDE"},
                                 {.name = "CLIENT", .flexible = 6},
                                 {.name = "SERVER", .flexible = 6},
                                 {.name = "ENDPOINT", .flexible = 8},
                                 {.name = "STATUS", .flexible = 6},
                                 {.name = "TOOK", .right = true}};
  if (session.is_wide()) {
    for (const char* name : {"PROTOCOL", "HOST"}) columns.push_back({.name = name});
    for (const char* name : {"PID", "WAIT", "SENT", "RECEIVED", "WEIGHT"}) {
      columns.push_back({.name = name, .right = true});
    }
  }
  Table table(std::move(columns));
  for (const v1::Span& span : response.spans()) {
    const bool is_error = span.outcome() != "ok" && !span.outcome().empty();
    std::string status = span.status_code().empty() ? span.outcome() : span.status_code();
    if (is_error && !span.status_code().empty()) status += " error";
    if (span.slow()) status += " slow";
    std::vector<Cell> row = {
        {FormatTimeShort(span.start_ns(), session.now_ns(), session.globals().zone)},
        {span.id()},
        {span.side()},
        {span.client()},
        {span.server()},
        {span.endpoint()},
        {status, is_error ? Tone::kBad : (span.slow() ? Tone::kWarning : Tone::kPlain)},
        {FormatMs(span.duration_ms())}};
    if (session.is_wide()) {
      row.emplace_back(FormatProtocol(span.protocol(), span.transport()));
      row.emplace_back(span.host());
      row.emplace_back(std::to_string(span.pid()));
      row.emplace_back(FormatMs(span.wait_ms()));
      row.emplace_back(base::FormatBytes(span.request_bytes()));
      row.emplace_back(base::FormatBytes(span.response_bytes()));
      row.emplace_back(FormatRate(span.sample_weight()));
    }
    table.AddRow(std::move(row));
  }
  return table;
}

// Page by page until there are `limit` spans or no more.
absl::Status AskForPages(Session& session, size_t limit, v1::ListSpansResponse* response) {
  v1::ListSpansRequest request;
  *request.mutable_time() = session.time_range();
  request.set_filter(session.globals().filter);
  request.set_order(session.args().value("order").value_or("newest") == "slowest"
                        ? v1::ListSpansRequest::ORDER_SLOWEST
                        : v1::ListSpansRequest::ORDER_NEWEST);
  while (true) {
    const size_t have = response->spans_size();
    request.set_page_size(static_cast<uint32_t>(std::min(limit - have, kLargestPage)));
    v1::ListSpansResponse page;
    RETURN_IF_ERROR(session.Ask(request, &page));
    response->mutable_spans()->MergeFrom(page.spans());
    *response->mutable_completeness() = page.completeness();
    response->set_sampled(response->sampled() || page.sampled());
    response->set_next_page_token(page.next_page_token());
    const bool is_last = page.next_page_token().empty() || page.spans().empty();
    if (is_last || static_cast<size_t>(response->spans_size()) >= limit) return absl::OkStatus();
    request.set_page_token(page.next_page_token());
  }
}

absl::StatusOr<ExitCode> Run(Session& session) {
  const size_t limit = session.globals().limit == 0 ? kDefaultLimit : session.globals().limit;
  v1::ListSpansResponse response;
  RETURN_IF_ERROR(AskForPages(session, limit, &response));
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) {
    return IsPartial(response.completeness()) ? ExitCode::kPartial : ExitCode::kOk;
  }
  if (response.spans().empty()) {
    session.out() << NothingFound(session, "spans");
  } else {
    session.out() << SpanTable(response, session).Render(session.style(), session.width());
  }
  if (!response.next_page_token().empty()) {
    session.out() << absl::StrFormat("%d spans shown, there are more; raise --limit\n",
                                     response.spans_size());
  }
  if (response.sampled()) {
    session.out() << "a sample: errors, slow requests and some of the others; \"get edges\" counts "
                     "all\n";
  }
  return session.PrintCompleteness(response.completeness());
}

}  // namespace

Command GetSpansCommand() {
  return {
      .name = "get spans",
      .summary = "single requests",
      .details =
          "Agents keep errors, slow requests and a sample of the others, so this is no "
          "place to count. STATUS is the protocol's own code, marked where it is an "
          "error or slow. Where both ends are watched, each has its own span: SIDE says "
          "whose it is. \"describe span ID\" shows one in full.",
      .options = {{.name = "order",
                   .value = "ORDER",
                   .help = "which come first (default newest)",
                   .choices = {"newest", "slowest"}}},
      .formats = {"table", "wide", "json", "yaml"},
      .takes_time = true,
      .takes_filter = true,
      .takes_limit = true,
      .examples = {{"kindlingctl get spans -f 'status=error' --limit 20", "the 20 latest failures"},
                   {"kindlingctl get spans --order slowest --since 1h -f 'server=shop:8080'",
                    "the slowest requests of one service"}},
      .run = Run};
}

}  // namespace kindling::ui
