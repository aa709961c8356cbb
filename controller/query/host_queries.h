#pragma once

#include "absl/status/status.h"
#include "controller/query/query_context.h"

namespace kindling::v1 {
class ListAgentsResponse;
class ListProcessesRequest;
class ListProcessesResponse;
class GetServerInfoResponse;
}  // namespace kindling::v1

// Questions about the hosts, their agents and processes, and this controller.
namespace kindling::controller {

absl::Status ListProcesses(const QueryContext& context, const v1::ListProcessesRequest& request,
                           v1::ListProcessesResponse* response);
absl::Status ListAgents(const QueryContext& context, v1::ListAgentsResponse* response);
absl::Status GetServerInfo(const QueryContext& context, v1::GetServerInfoResponse* response);

}  // namespace kindling::controller
