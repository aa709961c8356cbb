#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/hash.h"

namespace kindling::controller {

// What an agent last said of itself.
struct AgentHealth {
  uint32_t rung = 0;
  uint64_t rss_bytes = 0;
  uint64_t bpf_bytes = 0;
  double cpu_seconds = 0;
  uint64_t connections = 0;
  uint64_t spool_bytes = 0;
  uint64_t unacknowledged_batches = 0;
  uint64_t events = 0;
  uint64_t lost_events = 0;
};

struct AgentInfo {
  // From its Hello.
  std::string id;
  uint64_t boot_epoch = 0;
  std::string host;
  std::string version;
  std::string kernel;
  std::string capture_hook;
  std::string scope;
  bool replay = false;
  int64_t clock_offset_ns = 0;  // its wall clock minus ours, transit included

  bool connected = false;
  int64_t last_seen_ns = 0;
  uint64_t last_sequence = 0;  // durable, of its present run
  AgentHealth health;
};

// Which agents there are, which stream holds which agent id, and what they said last.
//
// Threads: safe from any.
// Limits:  kMaxAgents; when full, the agent that has been silent longest is forgotten.
class AgentRegistry {
 public:
  static constexpr size_t kMaxAgents = 10'000;

  // Names one stream's hold on an agent id.
  using Lease = uint64_t;

  // Takes the agent id for a stream. A second agent with the same id is refused with
  // ALREADY_EXISTS, naming the holder's host; the same run of the same agent takes over from its
  // older stream, which is told by its `evict`. `evict` is called without locks, at most once.
  absl::StatusOr<Lease> Connect(AgentInfo info, int64_t now_ns, std::function<void()> evict);
  // The calls below do nothing when the lease has been taken over.
  void Seen(const std::string& id, Lease lease, int64_t now_ns);
  void SetHealth(const std::string& id, Lease lease, const AgentHealth& health, int64_t now_ns);
  void SetDurable(const std::string& id, Lease lease, uint64_t sequence);
  void Disconnect(const std::string& id, Lease lease, int64_t now_ns);

  std::vector<AgentInfo> List() const;

 private:
  struct Entry {
    AgentInfo info;
    Lease lease = 0;  // 0: held by no stream
    std::function<void()> evict;
  };
  Entry* Held(const std::string& id, Lease lease) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status MakeRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable absl::Mutex mu_;
  base::StringMap<Entry> agents_ ABSL_GUARDED_BY(mu_);
  Lease last_lease_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace kindling::controller
