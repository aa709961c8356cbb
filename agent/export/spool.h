#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "agent/export/spool_segment.h"
#include "base/unique_fd.h"

namespace kindling::agent {

struct SpoolOptions {
  std::string directory;  // made if missing
  uint64_t max_bytes = 256ULL << 20;
  int64_t max_age_ns = 86'400'000'000'000;
  uint64_t segment_bytes = 0;  // 0: a sixteenth of max_bytes, within 64 KiB and 16 MiB
};

// Batches on disk that the controller has not acknowledged yet.
//
// A directory holds segment files of two lanes. Aggregates are read before spans, and spans are
// dropped before aggregates. Within a lane batches come back in the order of their epochs and
// sequences, across restarts. A batch is durable (written and fdatasync()ed) when Append() returns.
//
// Threads:  safe from any; one thread appends.
// Lifetime: holds the directory's LOCK file; a second spool on the same directory is refused.
// Failure:  a damaged or torn record is skipped and counted, what follows it is found again. After
// a
//           failed write or sync the segment is abandoned and the next Append() starts a new one.
// Limits:   max_bytes of files, max_age_ns, and 100,000 batches per lane: the oldest segments go,
//           and what they held unacknowledged is counted by cause.
class Spool {
 public:
  enum class DropCause : uint8_t { kBytes = 0, kAge = 1, kDamage = 2, kRefused = 3 };
  static constexpr size_t kDropCauses = 4;
  static std::string_view Name(DropCause cause);

  struct Dropped {
    uint64_t batches = 0;
    uint64_t requests = 0;
    uint64_t spans = 0;
    uint64_t bytes = 0;
    Dropped& operator+=(const Dropped& other);
  };

  struct Item {
    SpoolRecord record;
    std::string payload;
  };

  // A reader's place; a new one stands at the oldest batch.
  struct Cursor {
    std::array<uint64_t, kSpoolLanes> next{};
  };

  // Errors: FAILED_PRECONDITION another process holds the directory; others from the file system.
  static absl::StatusOr<std::unique_ptr<Spool>> Open(SpoolOptions options, int64_t now_ns);
  ~Spool();

  // Makes the batch durable. record.lane, epoch, sequence, time_ns, requests and spans are the
  // caller's; sequences rise within an epoch. Drops old segments first where they are in the way.
  // Errors: RESOURCE_EXHAUSTED it is larger than the whole spool, or the disk is full; others from
  // the file system. The batch is not in the spool then.
  absl::Status Append(const SpoolRecord& record, std::string_view payload);

  // The batch at the cursor, which moves past it; nullopt at the end. Aggregates come first, even
  // when the cursor has already passed spans.
  std::optional<Item> Next(Cursor* cursor);
  bool AtEnd(const Cursor& cursor) const;

  // Every batch of the epoch up to `sequence` is durable elsewhere. Finished segments are deleted.
  void Acknowledge(uint64_t epoch, uint64_t sequence);
  // Acknowledged batches that are still on disk wait to be sent again: the store that took them is
  // not the one there is now.
  void ForgetAcknowledgements();
  // Gives up on one batch.
  void Refuse(uint64_t epoch, uint64_t sequence);
  // Drops segments older than the age cap. `now_ns` as in SpoolRecord::time_ns.
  void DropOld(int64_t now_ns);

  uint64_t bytes() const;
  uint64_t unacknowledged() const;
  // Since Open().
  std::array<Dropped, kDropCauses> dropped() const;
  // What was dropped since the last call, all causes together; for a Loss record.
  Dropped TakeDropped();

 private:
  enum class State : uint8_t { kWaiting, kAcknowledged, kGone };
  struct Segment {
    std::string path;
    SpoolLane lane = SpoolLane::kAggregates;
    uint64_t number = 0;
    uint64_t bytes = 0;
    int64_t newest_ns = 0;
    uint64_t entries = 0;
    uint64_t unacknowledged = 0;
    base::UniqueFd fd;  // open while it is being written
  };
  struct Entry {
    SpoolRecord record;
    uint64_t offset = 0;
    Segment* segment = nullptr;
    State state = State::kWaiting;
  };
  struct Lane {
    std::deque<std::unique_ptr<Segment>> segments;  // oldest first
    std::deque<Entry> entries;                      // oldest first, of all segments
    uint64_t first_ordinal = 0;                     // of entries[0]; Cursor counts these
    uint64_t first_waiting = 0;                     // no earlier ordinal waits
    bool writing = false;                           // to the last segment
  };

  Spool(SpoolOptions options, base::UniqueFd lock);

  absl::Status Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status LoadSegment(Lane& lane, std::unique_ptr<Segment> segment)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status StartSegment(SpoolLane id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void MakeRoom(uint64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DropFirst(Lane& lane, DropCause cause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DeleteFinished(Lane& lane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RemoveFirst(Lane& lane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CloseWriting(Lane& lane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool ReadPayload(const Entry& entry, std::string* payload) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Finish(Entry& entry, State state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CountDrop(DropCause cause, const SpoolRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const SpoolOptions options_;
  const base::UniqueFd lock_;
  mutable absl::Mutex mu_;
  std::array<Lane, kSpoolLanes> lanes_ ABSL_GUARDED_BY(mu_);
  uint64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t unacknowledged_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t next_segment_ ABSL_GUARDED_BY(mu_) = 1;
  std::array<Dropped, kDropCauses> dropped_ ABSL_GUARDED_BY(mu_);
  Dropped untold_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kindling::agent
