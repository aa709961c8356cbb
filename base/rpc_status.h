#pragma once

#include "absl/status/status.h"

namespace grpc {
class Status;
}

namespace kindling::base {

// The only conversions between gRPC's status and abseil's; the codes are the same.
grpc::Status ToRpcStatus(const absl::Status& status);
absl::Status FromRpcStatus(const grpc::Status& status);

}  // namespace kindling::base
