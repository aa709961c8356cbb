#include "storage/rocks_scan.h"

#include <rocksdb/db.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "storage/address_rows.h"
#include "storage/batch_blocks.h"
#include "storage/block.h"
#include "storage/keys.h"
#include "storage/rocks_status.h"

namespace kindling::storage {
namespace {

constexpr size_t kMaxNotes = 10;
constexpr size_t kAddressesPerVisit = 4096;

int64_t MinusBucket(int64_t time_ns) {
  return time_ns < INT64_MIN + kLongestBucketNs ? INT64_MIN : time_ns - kLongestBucketNs;
}

std::string TimeText(int64_t ns) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", absl::FromUnixNanos(ns), absl::UTCTimeZone());
}

// One scan: goes through the tables of the plan with one iterator.
class Scanner {
 public:
  Scanner(rocksdb::DB& db, const ScanPlan& plan,
          const std::function<bool(const model::Batch&)>& visit)
      : plan_(plan), visit_(visit) {
    rocksdb::ReadOptions options;
    options.readahead_size = 1 << 20;
    options.fill_cache = false;
    iterator_.reset(db.NewIterator(options));
  }

  template <typename Row>
  void Blocks(Table table, std::vector<Row> model::Batch::*rows) {
    const BlockSpace space{table, plan_.tenant, plan_.cluster};
    const std::string prefix = space.Encode();
    const std::string end = space.BucketStart(plan_.end_ns);
    int64_t bucket_ns = MinusBucket(plan_.start_ns);
    for (int failures = 0; !stopped_; ++failures) {
      for (iterator_->Seek(space.BucketStart(bucket_ns)); Usable(prefix) && !stopped_;
           iterator_->Next()) {
        if (iterator_->key().ToStringView() >= end) return;
        const std::optional<BlockKey> key = BlockKey::Parse(iterator_->key().ToStringView());
        if (!key) {
          Damaged("a block with an unreadable key");
          continue;
        }
        failures = 0;
        bucket_ns = key->bucket_start_ns;
        if (key->last_ns < plan_.start_ns || key->first_ns >= plan_.end_ns) continue;
        Visit(*key, rows);
      }
      if (iterator_->status().ok()) return;
      if (!iterator_->status().IsCorruption()) {
        status_ = FromRocks(iterator_->status(), "read the store");
        return;
      }
      // The database cannot read on from here: try a later bucket, further away each time.
      Damaged("a part of the database: " + iterator_->status().ToString());
      const int64_t step = kShortestBucketNs << std::min(failures, 26);
      if (bucket_ns >= plan_.end_ns - step) return;
      bucket_ns += step;
    }
  }

  void Addresses() {
    const std::string prefix = AddressKey::Prefix(plan_.tenant, plan_.cluster);
    model::Batch batch = Selected();
    for (iterator_->Seek(prefix); Usable(prefix) && !stopped_; iterator_->Next()) {
      std::optional<model::AddressBinding> row =
          ParseAddressRow(iterator_->key().ToStringView(), iterator_->value().ToStringView());
      if (!row) {
        Damaged("an address binding");
        continue;
      }
      if (row->first_ns >= plan_.end_ns) continue;
      batch.addresses.push_back(*std::move(row));
      if (batch.addresses.size() < kAddressesPerVisit) continue;
      stopped_ = !visit_(std::exchange(batch, Selected()));
    }
    if (iterator_->status().IsCorruption()) {
      Damaged("a part of the address table: " + iterator_->status().ToString());
    } else if (!iterator_->status().ok()) {
      status_ = FromRocks(iterator_->status(), "read the store");
    }
    if (!stopped_ && !batch.addresses.empty()) stopped_ = !visit_(batch);
  }

  absl::StatusOr<ScanReport> Finish() {
    if (!status_.ok()) return status_;
    return std::move(report_);
  }

 private:
  bool Usable(const std::string& prefix) const {
    return iterator_->Valid() && iterator_->key().starts_with(prefix);
  }

  model::Batch Selected() const {
    model::Batch batch;
    batch.tenant = plan_.tenant;
    batch.cluster = plan_.cluster;
    return batch;
  }

  template <typename Row>
  void Visit(const BlockKey& key, std::vector<Row> model::Batch::*rows) {
    absl::StatusOr<std::vector<Row>> decoded = DecodeBlock<Row>(iterator_->value().ToStringView());
    if (!decoded.ok()) {
      Damaged(absl::StrFormat("a block of agent %s from %s: %s", key.agent_id,
                              TimeText(key.first_ns), decoded.status().ToString()));
      return;
    }
    std::erase_if(*decoded, [&](const Row& row) {
      return TimeOf(row) < plan_.start_ns || TimeOf(row) >= plan_.end_ns;
    });
    if (decoded->empty()) return;
    model::Batch batch = Selected();
    batch.id = {key.agent_id, key.boot_epoch, key.sequence};
    batch.first_ns = key.first_ns;
    batch.last_ns = key.last_ns;
    batch.*rows = *std::move(decoded);
    stopped_ = !visit_(batch);
  }

  void Damaged(std::string what) {
    ++report_.damaged_blocks;
    if (report_.notes.size() >= kMaxNotes) return;
    report_.notes.push_back("The store could not read " + std::move(what) + ".");
  }

  const ScanPlan& plan_;
  const std::function<bool(const model::Batch&)>& visit_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
  bool stopped_ = false;
  absl::Status status_;
  ScanReport report_;
};

}  // namespace

absl::StatusOr<ScanReport> ScanBlocks(rocksdb::DB& db, const ScanPlan& plan,
                                      const std::function<bool(const model::Batch&)>& visit) {
  Scanner scanner(db, plan, visit);
  if (plan.addresses) scanner.Addresses();
  if (plan.edges) scanner.Blocks(Table::kEdges, &model::Batch::edges);
  if (plan.spans) scanner.Blocks(Table::kSpans, &model::Batch::spans);
  if (plan.processes) scanner.Blocks(Table::kProcesses, &model::Batch::processes);
  if (plan.losses) scanner.Blocks(Table::kLosses, &model::Batch::losses);
  return scanner.Finish();
}

}  // namespace kindling::storage
