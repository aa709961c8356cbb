#include "storage/engine/block_reader.h"

#include <rocksdb/db.h>

#include <algorithm>

#include "absl/strings/str_format.h"
#include "storage/engine/rocks_status.h"

namespace kindling::storage {
namespace {

constexpr size_t kMaxNotes = 10;

std::string_view Name(BlockClass block_class) {
  switch (block_class) {
    case BlockClass::kSpans:
      return "spans";
    case BlockClass::kEdges:
      return "edges";
    case BlockClass::kMetrics:
      return "metrics";
    case BlockClass::kProcesses:
      return "process events";
    case BlockClass::kLosses:
      return "losses";
    case BlockClass::kFlows:
      return "flows";
  }
  return "records";
}

}  // namespace

void Damage::Add(std::string what) {
  ++report_.damaged_blocks;
  if (report_.notes.size() >= kMaxNotes) return;
  report_.notes.push_back("The store could not read " + std::move(what) + ".");
}

void Damage::Add(const Block& block, const absl::Status& status) {
  report_.damaged_rows += block.rows;
  Add(BlockFault(block, status));
}

void Damage::AddFaults(const View& view, std::optional<Tier> tier, int64_t start_ns,
                       int64_t end_ns) {
  for (const Fault& fault : view.faults) {
    if (!fault.Concerns(tier, start_ns, end_ns) || view.IsPast(fault)) continue;
    if (std::find(told_.begin(), told_.end(), &fault) != told_.end()) continue;
    told_.push_back(&fault);
    Add(fault.what);
  }
}

absl::Status StillWanted(const Cancelled& cancelled) {
  if (cancelled == nullptr || !cancelled()) return absl::OkStatus();
  return absl::DeadlineExceededError("the answer is no longer wanted");
}

absl::Status ReadPart(rocksdb::DB& db, const View& view, const Bucket& bucket, const Block& block,
                      BlockPart part, rocksdb::PinnableSlice* out) {
  rocksdb::ReadOptions options;
  options.snapshot = view.snapshot.get();
  return FromRocks(db.Get(options, bucket.family->handle(), block.KeyOf(part), out),
                   "read the store");
}

std::string BlockFault(const Block& block, const absl::Status& status) {
  return absl::StrFormat("a block of %s from %s: %s", Name(block.key.block_class),
                         TimeText(block.first_ns), std::string(status.message()));
}

}  // namespace kindling::storage
