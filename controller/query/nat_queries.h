#pragma once

#include "absl/status/status.h"
#include "controller/query/query_context.h"

namespace kindling::v1 {
class ListNatRequest;
class ListNatResponse;
}  // namespace kindling::v1

namespace kindling::controller {

absl::Status ListNat(const QueryContext& context, const v1::ListNatRequest& request,
                     v1::ListNatResponse* response);

}  // namespace kindling::controller
