#pragma once

#include <cstddef>
#include <functional>

#include "absl/status/statusor.h"
#include "agent/connections/open_connection.h"
#include "agent/tasks/task.h"
#include "kindling/v1/connections.pb.h"

namespace kindling::agent {

// Connections beyond are counted, not told of.
inline constexpr size_t kMaxListedConnections = 20'000;

// Tells which connections are open now. `list` gives them, at most so many; it is called on the
// task's thread.
using ListConnections = std::function<absl::StatusOr<OpenConnections>(size_t most)>;
TaskKind ConnectionsTaskKind(ListConnections list);

// As it is sent.
v1::FoundConnection ToProto(const OpenConnection& connection);

}  // namespace kindling::agent
