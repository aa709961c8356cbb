#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "controller/access/caller.h"
#include "controller/fleet/agent_registry.h"
#include "model/records.h"

namespace kindling::storage {
class Store;
}
namespace kindling::v1 {
class Batch;
class Health;
class Hello;
class Welcome;
}  // namespace kindling::v1

namespace kindling::controller {

// Batches an agent may have unacknowledged.
inline constexpr uint32_t kIngestCredit = 16;

// One agent's stream: checks what the agent says and in which order, holds the agent id while it
// lives. Knows nothing of gRPC.
//
// Threads:  one at a time, but OnDurable from any.
// Lifetime: what is given to the constructor must outlive this.
class Session {
 public:
  Session(storage::Store& store, AgentRegistry& registry, const base::Clock& clock, Caller caller);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // The first message. `evict` is called when a newer stream of the same agent run takes over.
  absl::Status OnHello(const v1::Hello& hello, std::function<void()> evict, v1::Welcome* welcome);
  // A batch came: the time by which its records must be.
  absl::StatusOr<int64_t> OnBatch();
  // Its records, labelled with the agent, tenant and cluster, ready to be stored.
  absl::Status Label(model::Batch& batch);
  absl::Status OnHealth(const v1::Health& health);

  // Every batch of `boot_epoch` up to `sequence` is durable.
  void OnDurable(uint64_t boot_epoch, uint64_t sequence);

 private:
  storage::Store& store_;
  AgentRegistry& registry_;
  const base::Clock& clock_;
  const Caller caller_;
  std::string agent_id_;  // empty before Hello
  std::string tenant_;
  uint64_t boot_epoch_ = 0;
  AgentRegistry::Lease lease_ = 0;
  std::map<uint64_t, uint64_t> last_sequence_;  // by epoch, of this stream
};

}  // namespace kindling::controller
