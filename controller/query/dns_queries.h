#pragma once

#include "absl/status/status.h"
#include "controller/query/query_context.h"

namespace kindling::v1 {
class ListDnsRequest;
class ListDnsResponse;
}  // namespace kindling::v1

namespace kindling::controller {

// What became of DNS queries, by edge and observer, as the metric series of model/dns_metrics.h
// have it. INVALID_ARGUMENT, RESOURCE_EXHAUSTED: as EdgeSeries, for names as for edges.
absl::Status ListDns(const QueryContext& context, const v1::ListDnsRequest& request,
                     v1::ListDnsResponse* response);

}  // namespace kindling::controller
