#pragma once

#include "absl/status/status.h"
#include "controller/query/query_context.h"

namespace kindling::v1 {
class ListTcpRequest;
class ListTcpResponse;
}  // namespace kindling::v1

namespace kindling::controller {

absl::Status ListTcp(const QueryContext& context, const v1::ListTcpRequest& request,
                     v1::ListTcpResponse* response);

}  // namespace kindling::controller
