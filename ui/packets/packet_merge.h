#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <queue>
#include <vector>

#include "absl/status/status.h"
#include "kindling/v1/packets.pb.h"

namespace kindling::ui {

// One packet on its way to the file.
// Lifetime: the batch lives during the visit.
struct MergedPacket {
  uint32_t stream = 0;
  int64_t time_ns = 0;
  const v1::PacketBatch* batch = nullptr;
  int index = 0;      // in its columns
  size_t offset = 0;  // in its data
};

// Puts the packets of several streams in the order of their times. A packet waits until every other
// stream has said that it has none from before; a stream that ended, or that said nothing for
// Options::patience_ns, no longer holds the others back.
//
// Threads: one.
// Limits:  holds about Options::max_bytes; beyond, the oldest packets go without waiting. A packet
//          that comes after a later one has gone is not kept back, and counted as late.
class PacketMerge {
 public:
  struct Options {
    size_t max_bytes = 256 << 20;
    int64_t patience_ns = 3'000'000'000;
  };
  using Visit = std::function<void(const MergedPacket&)>;

  explicit PacketMerge(const Options& options) : options_(options) {}

  // From now on the others wait for this stream. `now_ns` here and below: any clock that goes on.
  void Begin(uint32_t stream, int64_t now_ns);
  // InvalidArgument for a batch whose columns do not fit together, which is left out.
  absl::Status Add(uint32_t stream, std::shared_ptr<const v1::PacketBatch> batch, int64_t now_ns);
  // The stream has no packet from before `time_ns` any more.
  void CaughtUp(uint32_t stream, int64_t time_ns, int64_t now_ns);
  void End(uint32_t stream);

  // Gives what need not wait.
  void Emit(int64_t now_ns, const Visit& visit);
  // Gives everything.
  void EmitAll(const Visit& visit);

  size_t held_bytes() const { return held_bytes_; }
  uint64_t late() const { return late_; }

 private:
  struct Stream {
    int64_t caught_up_ns = INT64_MIN;
    int64_t heard_ns = 0;
  };
  // A batch of which packets wait.
  struct Held {
    std::shared_ptr<const v1::PacketBatch> batch;
    uint32_t stream = 0;
    int left = 0;
  };
  struct Waiting {
    int64_t time_ns;
    uint64_t sequence;  // of its coming: equal times stay in this order
    std::list<Held>::iterator held;
    uint32_t index;
    uint32_t offset;
  };
  struct Later {
    bool operator()(const Waiting& a, const Waiting& b) const {
      return a.time_ns != b.time_ns ? a.time_ns > b.time_ns : a.sequence > b.sequence;
    }
  };

  static size_t CostOf(const Waiting& packet);
  void Give(const Visit& visit);

  const Options options_;
  std::map<uint32_t, Stream> streams_;  // that have not ended
  std::list<Held> held_;
  std::priority_queue<Waiting, std::vector<Waiting>, Later> waiting_;
  size_t held_bytes_ = 0;
  uint64_t sequence_ = 0;
  int64_t given_ns_ = INT64_MIN;  // the latest
  uint64_t late_ = 0;
};

}  // namespace kindling::ui
