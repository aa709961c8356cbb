#pragma once

#include "absl/status/status.h"
#include "controller/query/query_context.h"

namespace kindling::v1 {
class ListDropsRequest;
class ListDropsResponse;
}  // namespace kindling::v1

namespace kindling::controller {

absl::Status ListDrops(const QueryContext& context, const v1::ListDropsRequest& request,
                       v1::ListDropsResponse* response);

}  // namespace kindling::controller
