#include "controller/query/span_queries.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "controller/query/completeness.h"
#include "controller/query/flow_cache.h"
#include "controller/query/span_page.h"
#include "controller/query/span_search_plan.h"
#include "controller/topology/service_map.h"
#include "kindling/v1/query.pb.h"
#include "model/filter.h"
#include "model/record_fields.h"

namespace kindling::controller {
namespace {

constexpr uint32_t kDefaultPage = 100;
constexpr uint32_t kMaxPage = 10'000;

double Ms(int64_t ns) { return static_cast<double>(ns) / 1e6; }

std::string Hex(uint64_t id) { return id == 0 ? "" : absl::StrFormat("%016x", id); }

absl::StatusOr<SpanPage> PageFor(const v1::ListSpansRequest& request) {
  if (request.page_size() > kMaxPage) {
    return absl::InvalidArgumentError(
        absl::StrFormat("page_size: %d is more than %d", request.page_size(), kMaxPage));
  }
  const bool slowest = request.order() == v1::ListSpansRequest::ORDER_SLOWEST;
  SpanPosition after{.rank = std::numeric_limits<int64_t>::max(),
                     .id = UINT64_MAX,
                     .side = UINT8_MAX,
                     .pid = UINT32_MAX};
  if (!request.page_token().empty()) {
    ASSIGN_OR_RETURN(after, SpanPosition::FromToken(request.page_token(), slowest));
  }
  return SpanPage(request.page_size() == 0 ? kDefaultPage : request.page_size(), slowest, after);
}

}  // namespace

void WriteSpan(const NamedSpan& named, v1::Span* out) {
  const model::Span& span = named.span;
  out->set_id(Hex(span.id));
  if (span.trace_id != model::TraceId{}) {
    out->set_trace_id(absl::StrFormat("%016x%016x", span.trace_id.high, span.trace_id.low));
  }
  out->set_parent_id(Hex(span.parent_id));
  out->set_client(named.ends.client.name);
  out->set_server(named.ends.server.name);
  out->set_side(std::string(Name(span.side)));
  out->set_protocol(ProtocolText(span.protocol, span.transport));
  out->set_transport(std::string(Name(span.transport)));
  out->set_endpoint(span.endpoint);
  out->set_status_code(span.status_code);
  out->set_outcome(std::string(Name(span.outcome)));
  out->set_slow(span.slow);
  out->set_start_ns(span.start_ns);
  out->set_duration_ms(Ms(span.duration_ns()));
  out->set_request_ms(Ms(span.request_duration_ns));
  out->set_wait_ms(Ms(span.wait_duration_ns));
  out->set_response_ms(Ms(span.response_duration_ns));
  out->set_connect_ms(Ms(span.connect_duration_ns));
  out->set_request_bytes(static_cast<double>(span.request_bytes));
  out->set_response_bytes(static_cast<double>(span.response_bytes));
  out->set_host(span.side == model::Side::kServer ? span.server.host : span.client.host);
  out->set_pid(span.pid);
  out->set_request_tid(span.request_tid);
  out->set_response_tid(span.response_tid);
  out->set_client_address(AddressText(span.client.address, span.client_port));
  out->set_server_address(AddressText(span.server.address, span.server.port));
  out->set_request_tcp_seq(span.request_tcp_seq);
  out->set_response_tcp_seq(span.response_tcp_seq);
  out->set_stream_id(span.stream_id);
  out->set_sample_weight(span.sample_weight);
  for (const auto& [key, value] : span.attributes) (*out->mutable_attributes())[key] = value;
  if (span.blame.empty()) return;
  constexpr const char* kCauses[model::kCauseCount] = {"cpu",  "run_queue", "lock",  "disk",
                                                       "file", "network",   "sleep", "other"};
  for (size_t i = 0; i < model::kCauseCount; ++i) {
    (*out->mutable_blame_ms())[kCauses[i]] = static_cast<double>(span.blame.ns[i]) / 1e6;
  }
}

absl::Status ListSpans(const QueryContext& context, const v1::ListSpansRequest& request,
                       v1::ListSpansResponse* response) {
  absl::StatusOr<model::Filter> filter =
      model::Filter::Parse(request.filter(), model::RecordKind::kSpan);
  if (!filter.ok()) return FilterFault(filter.status());
  ASSIGN_OR_RETURN(SpanPage page, PageFor(request));
  ASSIGN_OR_RETURN(const Range range, ResolveRange(context, request.time()));
  ASSIGN_OR_RETURN(const std::shared_ptr<const NamedFlows> flows,
                   context.sources.flows.Get(context, range));

  CompletenessSum completeness;
  bool sampled = false;
  bool cancelled = false;
  const auto visit = [&](const model::Span& span) {
    cancelled = context.cancelled();
    if (cancelled) return std::numeric_limits<int64_t>::max();
    if (!page.Wants(span)) return page.lowest_rank();
    NamedSpan named{span, flows->NamesOf(span)};
    if (!filter->Matches(model::SpanFields(span, NamesOf(named.ends)))) return page.lowest_rank();
    sampled |= span.sample_weight != 1;
    page.Offer(std::move(named));
    return page.lowest_rank();
  };
  ASSIGN_OR_RETURN(
      const storage::ScanReport report,
      context.sources.store.SearchSpans(PlanSearch(context, *filter, *flows, range, page), visit));
  if (cancelled) return NoLongerWanted();
  completeness.AddReport(report);
  std::string next_token;
  for (const NamedSpan& named : page.Take(&next_token)) WriteSpan(named, response->add_spans());
  response->set_next_page_token(next_token);
  response->set_sampled(sampled);

  flows->AddCompleteness(context, *filter, range, completeness);
  completeness.WriteTo(response->mutable_completeness());
  return absl::OkStatus();
}

absl::Status GetSpan(const QueryContext& context, const v1::GetSpanRequest& request,
                     v1::GetSpanResponse* response) {
  uint64_t id = 0;
  const std::string& text = request.id();
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), id, 16);
  if (text.size() != 16 || parsed.ec != std::errc() || parsed.ptr != text.data() + 16 || id == 0) {
    return absl::InvalidArgumentError("id: 16 hexadecimal digits are expected");
  }
  std::vector<model::Span> found;
  RETURN_IF_ERROR(context.sources.store
                      .FindSpans({.tenant = context.caller.tenant,
                                  .cluster = context.caller.cluster,
                                  .spans = {id},
                                  .cancelled = context.cancelled},
                                 &found)
                      .status());
  if (found.empty()) {
    return absl::NotFoundError(absl::StrFormat(
        "no kept span has the id %s: most requests are counted but not kept, and old spans go",
        text));
  }
  const model::Span& span = found.front();
  ASSIGN_OR_RETURN(const std::shared_ptr<const NamedFlows> flows,
                   context.sources.flows.GetAround(
                       context, {span.start_ns, span.start_ns + span.duration_ns()}));
  WriteSpan({span, flows->NamesOf(span)}, response->mutable_span());
  return absl::OkStatus();
}

}  // namespace kindling::controller
