#pragma once

#include "absl/status/status.h"
#include "controller/query/query_context.h"

namespace kindling::v1 {
class ListEndpointsRequest;
class ListEndpointsResponse;
}  // namespace kindling::v1

namespace kindling::controller {

absl::Status ListEndpoints(const QueryContext& context, const v1::ListEndpointsRequest& request,
                           v1::ListEndpointsResponse* response);

}  // namespace kindling::controller
