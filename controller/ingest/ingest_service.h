#pragma once

#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "base/clock.h"
#include "controller/access/caller.h"
#include "controller/fleet/agent_registry.h"
#include "controller/ingest/committer.h"

namespace grpc {
class Service;
}
namespace kindling::storage {
class Store;
}

namespace kindling::controller {

// IngestService: any number of agents' streams, without a thread for each.
//
// Threads:  gRPC's.
// Lifetime: what is given to the constructor must outlive this; this must outlive the gRPC server.
// Limits:   kMaxStreams streams; each has at most kIngestCredit batches in memory, further ones
// stay in
//           the connection.
class IngestService {
 public:
  static constexpr size_t kMaxStreams = 4096;
  // Agents are told to send less at once; a larger message ends their stream.
  static constexpr int kMaxMessageBytes = 8 << 20;

  struct Counters {
    uint64_t streams = 0;  // open now
    uint64_t opened = 0;
    uint64_t refused = 0;
    uint64_t batches = 0;
    uint64_t bytes = 0;
    uint64_t invalid = 0;
  };

  IngestService(storage::Store& store, Committer& committer, AgentRegistry& registry,
                const Access& access, const base::Clock& clock);
  ~IngestService();

  // To be registered with the server's builder.
  grpc::Service* service();

  // Ends every stream once what it sent is durable and acknowledged; true when all have ended
  // within `timeout`. New streams are refused.
  bool Drain(absl::Duration timeout);

  Counters counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kindling::controller
