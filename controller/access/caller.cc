#include "controller/access/caller.h"

#include <grpcpp/server_context.h>

namespace kindling::controller {

absl::StatusOr<Caller> Access::Admit(const grpc::ServerContextBase& context) const {
  return Caller{.name = "anonymous",
                .address = context.peer(),
                .tenant = kDefaultTenant,
                .cluster = cluster_};
}

}  // namespace kindling::controller
