#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace grpc {
class ServerContextBase;
}

namespace kindling::controller {

// On whose behalf an RPC runs. Every RPC asks for it first, so that identity and roles can come
// without changing a signature.
struct Caller {
  std::string name;     // "anonymous": there are no identities yet
  std::string address;  // as gRPC names the peer
  std::string tenant;
  std::string cluster;
};

// Tenant of what carries none.
inline constexpr char kDefaultTenant[] = "default";

// Decides who is calling, and whether it may.
//
// Threads: safe from any.
class Access {
 public:
  // `cluster` is the controller's own.
  explicit Access(std::string cluster) : cluster_(std::move(cluster)) {}

  absl::StatusOr<Caller> Admit(const grpc::ServerContextBase& context) const;

  const std::string& cluster() const { return cluster_; }

 private:
  const std::string cluster_;
};

}  // namespace kindling::controller
