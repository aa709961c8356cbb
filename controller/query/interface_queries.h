#pragma once

#include "absl/status/status.h"
#include "controller/query/query_context.h"

namespace kindling::v1 {
class ListInterfacesRequest;
class ListInterfacesResponse;
}  // namespace kindling::v1

namespace kindling::controller {

// RESOURCE_EXHAUSTED for more than 20,000 devices and namespaces.
absl::Status ListInterfaces(const QueryContext& context, const v1::ListInterfacesRequest& request,
                            v1::ListInterfacesResponse* response);

}  // namespace kindling::controller
