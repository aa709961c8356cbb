#pragma once

#include "absl/status/status.h"
#include "controller/query/query_context.h"

namespace kindling::v1 {
class GetTraceRequest;
class GetTraceResponse;
}  // namespace kindling::v1

namespace kindling::controller {

absl::Status GetTrace(const QueryContext& context, const v1::GetTraceRequest& request,
                      v1::GetTraceResponse* response);

}  // namespace kindling::controller
