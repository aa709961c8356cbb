#include "controller/query/trace_queries.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "controller/query/completeness.h"
#include "controller/query/flow_cache.h"
#include "controller/query/span_closure.h"
#include "controller/query/span_queries.h"
#include "kindling/v1/query.pb.h"
#include "model/filter.h"

namespace kindling::controller {
namespace {

constexpr size_t kDigits = 16;

std::optional<uint64_t> ParseHex(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Tells the closure where to begin.
absl::Status Begin(std::string_view id, SpanClosure& closure) {
  if (id.size() == kDigits) {
    if (const auto span = ParseHex(id); span && *span != 0) {
      closure.AddSpan(*span);
      return absl::OkStatus();
    }
  }
  if (id.size() == 2 * kDigits) {
    const auto high = ParseHex(id.substr(0, kDigits));
    const auto low = ParseHex(id.substr(kDigits));
    if (high && low && (*high != 0 || *low != 0)) {
      closure.AddTrace({*high, *low});
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError(
      "id: 32 hexadecimal digits of a trace are expected, or 16 of a span");
}

}  // namespace

absl::Status GetTrace(const QueryContext& context, const v1::GetTraceRequest& request,
                      v1::GetTraceResponse* response) {
  SpanClosure closure(context);
  RETURN_IF_ERROR(Begin(request.id(), closure));
  RETURN_IF_ERROR(closure.Find());
  const std::vector<model::Span> spans = closure.spans();
  if (spans.empty()) {
    return absl::NotFoundError(absl::StrFormat(
        "no kept span belongs to %s: most requests are counted but not kept, and old spans go",
        request.id()));
  }
  int64_t end_ns = 0;
  for (const model::Span& span : spans) {
    end_ns = std::max(end_ns, span.start_ns + span.duration_ns());
  }
  const Range range{spans.front().start_ns, end_ns};
  ASSIGN_OR_RETURN(const std::shared_ptr<const NamedFlows> flows,
                   context.sources.flows.GetAround(context, range));
  for (const model::Span& span : spans) {
    WriteSpan({span, flows->NamesOf(span)}, response->add_spans());
  }
  CompletenessSum completeness;
  completeness.AddReport(closure.report());
  flows->AddCompleteness(context, model::Filter(), range, completeness);
  completeness.WriteTo(response->mutable_completeness());
  return absl::OkStatus();
}

}  // namespace kindling::controller
