#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/records.h"
#include "storage/blocks/metric_block.h"
#include "storage/store.h"
#include "storage/testing/crash_records.h"

namespace kindling::storage {

// What has been sent and acknowledged, in a file that is mapped into memory: it outlives the
// process, and a loss of power that is only the store's.
class CrashLedger {
 public:
  struct Stream {
    std::atomic<uint64_t> sent = 0;   // last sequence given to Append
    std::atomic<uint64_t> acked = 0;  // last sequence the store said was durable
  };

  static absl::StatusOr<std::unique_ptr<CrashLedger>> Open(const std::string& path);
  ~CrashLedger();
  CrashLedger(const CrashLedger&) = delete;
  CrashLedger& operator=(const CrashLedger&) = delete;

  Stream& stream(int number) { return parts_->streams[static_cast<size_t>(number)]; }
  // The latest time of day that Retain was told; 0: none.
  std::atomic<int64_t>& now_ns() { return parts_->now_ns; }
  // How often something happened, so that a test knows that it did.
  enum Counter { kAppends, kRefusedAppends, kRefusedOpens, kReads, kRetains, kBackups, kCounters };
  std::atomic<uint64_t>& counter(Counter counter) { return parts_->counters[counter]; }
  // Of the store; empty until it has been opened.
  std::string store_id() const { return parts_->store_id; }
  void set_store_id(const std::string& id);

 private:
  struct Parts {
    std::array<Stream, CrashRecords::kStreams> streams;
    std::atomic<int64_t> now_ns;
    std::array<std::atomic<uint64_t>, kCounters> counters;
    char store_id[128];
  };
  explicit CrashLedger(Parts* parts) : parts_(parts) {}
  Parts* const parts_;
};

// Compares a store with what it was sent. The first difference is an INTERNAL status that says
// which record.
class CrashOracle {
 public:
  // What Retain may drop: what is older than this, or anything.
  struct Options {
    int64_t spans_age_ns = INT64_MAX;
    int64_t series_10s_age_ns = INT64_MAX;
    int64_t series_1m_age_ns = INT64_MAX;
    int64_t events_age_ns = INT64_MAX;
    bool all_may_go = false;
  };

  CrashOracle(const CrashRecords& records, CrashLedger& ledger, const Options& options)
      : records_(records), ledger_(ledger), options_(options) {}

  // After a store was opened: it is the same store, no acknowledged sequence is missing and none is
  // there that was not sent. What it says counts as acknowledged, for agents delete by it.
  absl::Status CheckOpened(Store& store);
  // While nothing is appended: everything up to the durable sequences is there once, and every
  // roll-up is the sum of its rows.
  absl::Status CheckAll(Store& store);
  // While appends go on.
  absl::Status CheckBeside(Store& store);
  // Of a store whose files were damaged: what it gives is right and there once. Returns how many
  // rows and windows of what was acknowledged it does not give; `report` is what it says about
  // that.
  absl::StatusOr<uint64_t> CheckDamaged(Store& store, ScanReport& report);

 private:
  using Sequences = std::array<uint64_t, CrashRecords::kStreams>;
  using Batches = std::vector<const model::Batch*>;

  Sequences Acked() const;
  int64_t Horizon(int64_t age_ns) const;
  // Everything that a store gives; series in windows of about `step_ns`.
  struct Found {
    model::Batch rows;
    std::vector<MetricRun> runs;
    ScanReport report;
  };
  absl::StatusOr<Found> Read(Store& store, int64_t step_ns, bool rows);
  absl::StatusOr<Found> ReadWhole(Store& store, int64_t step_ns, bool rows);
  Batches Expected(const Sequences& last) const;
  // Returns how many windows are less than they should be, where they may.
  absl::StatusOr<uint64_t> CheckSums(const Batches& expected, const Found& found, int64_t step_ns,
                                     bool damaged) const;
  // The same spans by search and by id, and the contents that chunks refer to.
  absl::Status CheckLookups(Store& store, const Batches& expected, const model::Batch& found);

  const CrashRecords& records_;
  CrashLedger& ledger_;
  const Options options_;
};

}  // namespace kindling::storage
