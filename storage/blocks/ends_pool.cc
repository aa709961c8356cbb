#include "storage/blocks/ends_pool.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/container/node_hash_map.h"
#include "absl/synchronization/mutex.h"

namespace kindling::storage {
namespace {

struct EndsHash {
  size_t operator()(const SpanEnds& ends) const {
    const auto of = [](const model::Party& party) {
      return absl::HashOf(party.workload, party.workload_kind, party.host, party.address,
                          party.port, party.dns_name);
    };
    return absl::HashOf(ends.side, ends.protocol, ends.transport, of(ends.client), of(ends.server));
  }
};

class EndsPool {
 public:
  std::shared_ptr<const SpanEnds> Get(SpanEnds ends) {
    absl::MutexLock lock(&mutex_);
    std::weak_ptr<const SpanEnds>& known = known_[ends];
    std::shared_ptr<const SpanEnds> shared = known.lock();
    if (shared == nullptr) {
      shared = std::make_shared<const SpanEnds>(std::move(ends));
      known = shared;
    }
    if (known_.size() > sweep_at_) Sweep();
    return shared;
  }

 private:
  void Sweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    absl::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = std::max(kLeastSweep, 2 * known_.size());
  }

  static constexpr size_t kLeastSweep = 4096;
  absl::Mutex mutex_;
  absl::node_hash_map<SpanEnds, std::weak_ptr<const SpanEnds>, EndsHash> known_
      ABSL_GUARDED_BY(mutex_);
  size_t sweep_at_ ABSL_GUARDED_BY(mutex_) = kLeastSweep;
};

}  // namespace

std::shared_ptr<const SpanEnds> SharedEnds(SpanEnds ends) {
  // Never destroyed: summaries may outlive statics.
  static EndsPool& pool = *new EndsPool;
  return pool.Get(std::move(ends));
}

}  // namespace kindling::storage
