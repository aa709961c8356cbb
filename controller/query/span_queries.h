#pragma once

#include "absl/status/status.h"
#include "controller/query/query_context.h"
#include "controller/query/span_page.h"
#include "controller/topology/edge_groups.h"
#include "model/records.h"

namespace kindling::v1 {
class GetSpanRequest;
class GetSpanResponse;
class ListSpansRequest;
class ListSpansResponse;
class Span;
}  // namespace kindling::v1

namespace kindling::controller {

void WriteSpan(const NamedSpan& named, v1::Span* out);

absl::Status ListSpans(const QueryContext& context, const v1::ListSpansRequest& request,
                       v1::ListSpansResponse* response);
absl::Status GetSpan(const QueryContext& context, const v1::GetSpanRequest& request,
                     v1::GetSpanResponse* response);

}  // namespace kindling::controller
