#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "controller/access/caller.h"

namespace grpc {
class Service;
}
namespace kindling::storage {
class StoreAdmin;
}

namespace kindling::controller {

// StoreService on gRPC.
//
// Threads:  gRPC's for the status, one of its own for what takes long.
// Lifetime: what is given to it must outlive this; this must outlive the gRPC server. The
//           destructor waits for the operation that runs.
class StoreService {
 public:
  // `backup_directory`: backups are written below it; empty: they are refused.
  StoreService(storage::StoreAdmin& admin, std::string backup_directory, const Access& access,
               const base::Clock& clock);
  ~StoreService();

  // To be registered with the server's builder.
  grpc::Service* service();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kindling::controller
