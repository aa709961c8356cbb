#pragma once

#include "absl/status/status.h"
#include "controller/query/query_context.h"

namespace kindling::v1 {
class ListLabelValuesRequest;
class ListLabelValuesResponse;
}  // namespace kindling::v1

namespace kindling::controller {

absl::Status ListLabelValues(const QueryContext& context, const v1::ListLabelValuesRequest& request,
                             v1::ListLabelValuesResponse* response);

}  // namespace kindling::controller
