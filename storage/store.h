#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/records.h"

namespace kindling::storage {

// What a scan should visit. Times select records by their own time (Span::start_ns,
// EdgeStats::window_start_ns, ProcessEvent::time_ns, Loss::time_ns): start <= time < end.
// AddressBinding rows are given whenever they may matter to the range: first_ns < end.
struct ScanPlan {
  std::string tenant;
  std::string cluster;
  int64_t start_ns = 0;
  int64_t end_ns = INT64_MAX;
  // EdgeStats and metric points may be given in windows this long or shorter, where such windows
  // lie wholly within the range: the store then reads its roll-ups. 0: as they were sent.
  int64_t step_ns = 0;
  bool spans = false;
  bool edges = false;
  bool processes = false;
  bool addresses = false;
  bool losses = false;
  bool metrics = false;  // series and points
};

// What a scan could not read.
struct ScanReport {
  uint64_t damaged_blocks = 0;
  std::vector<std::string> notes;  // one sentence per damaged block, at most 10
};

// Durable records of one controller. The seam behind which another engine can stand.
//
// Threads: safe from any.
class Store {
 public:
  virtual ~Store() = default;

  // Makes all `batches` durable with one synced write, each exactly once: a batch whose sequence is
  // not greater than the last durable one of its agent and epoch is skipped. On return every batch
  // is durable. Errors: RESOURCE_EXHAUSTED disk full; nothing of the call is stored then.
  virtual absl::Status Append(const std::vector<model::Batch>& batches) = 0;

  // Last durable sequence per epoch of an agent; empty when it is not known.
  struct Durable {
    uint64_t boot_epoch = 0;
    uint64_t sequence = 0;
  };
  virtual absl::StatusOr<std::vector<Durable>> DurableSequences(std::string_view agent_id) = 0;

  // Gives the selected records of `plan` to `visit` in blocks, in no particular order; each block
  // holds only the selected classes. `visit` returns false to stop.
  virtual absl::StatusOr<ScanReport> Scan(
      const ScanPlan& plan, const std::function<bool(const model::Batch&)>& visit) = 0;

  // Drops what is older or larger than the limits; called about once a minute with the time of day.
  virtual absl::Status Retain(int64_t now_ns) = 0;

  // Random identity made when the store was created; a restored or new store has another.
  virtual const std::string& id() const = 0;
  virtual uint64_t ApproximateBytes() const = 0;
  // Time of the oldest record kept; 0 when empty.
  virtual int64_t OldestNs() const = 0;
};

}  // namespace kindling::storage
