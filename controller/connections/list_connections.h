#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "controller/query/query_context.h"
#include "controller/tasks/task_hub.h"

namespace kindling::v1 {
class ListConnectionsRequest;
class ListConnectionsResponse;
}  // namespace kindling::v1

namespace kindling::controller {

// Asks every agent that is connected and waits at most until `deadline`. What one did not answer is
// said in the answer's completeness.
absl::Status ListConnections(const QueryContext& context, TaskHub& tasks, absl::Time deadline,
                             const v1::ListConnectionsRequest& request,
                             v1::ListConnectionsResponse* response);

}  // namespace kindling::controller
