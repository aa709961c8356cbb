#include "storage/rocks_store.h"

#include <glog/logging.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "storage/engine/engine.h"
#include "storage/engine/find_spans.h"
#include "storage/engine/flow_scan.h"
#include "storage/engine/helper_threads.h"
#include "storage/engine/inspect.h"
#include "storage/engine/open_span_blocks.h"
#include "storage/engine/room.h"
#include "storage/engine/scan.h"
#include "storage/engine/search.h"
#include "storage/engine/sequences.h"
#include "storage/engine/verify.h"

namespace kindling::storage {
namespace {

// How often the threads look for work that nobody told them of.
constexpr absl::Duration kLongestSealPause = absl::Seconds(1);
constexpr absl::Duration kShortestSealPause = absl::Milliseconds(5);
constexpr absl::Duration kMergePause = absl::Seconds(2);
// After a failure: the disk may be full.
constexpr absl::Duration kFailurePause = absl::Seconds(1);
// A bucket that has not been written to for this long is merged to the end.
constexpr absl::Duration kQuiet = absl::Minutes(10);

// Threads that help searches: few, as all searches share them with what is being written.
size_t HelpersHere() {
  constexpr unsigned kMost = 3;
  return std::min(kMost, std::max(std::thread::hardware_concurrency(), 1U) - 1);
}

class RocksSpanFinder final : public Store::SpanFinder {
 public:
  explicit RocksSpanFinder(Engine& engine) : reading_(engine) {}

  absl::StatusOr<ScanReport> Find(const Store::SpanIds& ids,
                                  std::vector<model::Span>* spans) override {
    RETURN_IF_ERROR(reading_.status());
    return FindSpansIn(reading_.db(), reading_.view(), ids, blocks_, spans);
  }

 private:
  const Engine::Reading reading_;
  OpenSpanBlocks blocks_;  // goes before what it reads from
};

class RocksStore final : public Store, public StoreAdmin {
 public:
  using StoreAdmin::Verify;

  explicit RocksStore(const RocksStoreOptions& options)
      : engine_(options), helpers_(HelpersHere()) {}

  ~RocksStore() override {
    stop_ = true;
    engine_.WakeUp();
    if (sealer_.joinable()) sealer_.join();
    if (merger_.joinable()) merger_.join();
    if (started_) engine_.Flush();
  }

  absl::Status Start() {
    RETURN_IF_ERROR(engine_.Open());
    started_ = true;
    sealer_ = std::thread([this] { SealLoop(); });
    merger_ = std::thread([this] { MergeLoop(); });
    return absl::OkStatus();
  }

  absl::Status Append(const std::vector<BatchPtr>& batches) override {
    return engine_.Append(batches);
  }

  absl::StatusOr<std::vector<Durable>> DurableSequences(std::string_view agent_id) override {
    const Engine::Reading reading(engine_);
    RETURN_IF_ERROR(reading.status());
    // Until the database has been opened anew, what can be read need not be on the disk.
    if (engine_.WriteFailed()) return absl::ResourceExhaustedError(engine_.stopped());
    return ReadSequences(reading.db(), agent_id);
  }

  absl::StatusOr<ScanReport> Scan(const ScanPlan& plan,
                                  const std::function<bool(const model::Batch&)>& visit) override {
    const Engine::Reading reading(engine_);
    RETURN_IF_ERROR(reading.status());
    return ScanView(reading.db(), reading.view(), plan, visit);
  }

  absl::StatusOr<ScanReport> QueryFlows(const FlowQuery& query,
                                        const std::function<bool(const FlowRun&)>& visit) override {
    const Engine::Reading reading(engine_);
    RETURN_IF_ERROR(reading.status());
    return QueryFlowsIn(reading.db(), reading.view(), query, visit);
  }

  uint64_t ChangesIn(int64_t start_ns, int64_t end_ns) const override {
    return engine_.changes().LastIn(start_ns, end_ns);
  }

  absl::StatusOr<ScanReport> SearchSpans(const SpanSearch& search,
                                         const SpanVisitor& visit) override {
    const Engine::Reading reading(engine_);
    RETURN_IF_ERROR(reading.status());
    return SearchSpansIn(reading.db(), reading.view(), search, visit, helpers_);
  }

  std::unique_ptr<SpanFinder> NewSpanFinder() override {
    return std::make_unique<RocksSpanFinder>(engine_);
  }

  absl::StatusOr<ScanReport> QuerySeries(
      const SeriesQuery& query, const std::function<bool(const MetricRun&)>& visit) override {
    const Engine::Reading reading(engine_);
    RETURN_IF_ERROR(reading.status());
    return QuerySeriesIn(reading.db(), reading.view(), query, visit);
  }

  absl::StatusOr<ScanReport> QueryChunks(
      const ChunkQuery& query, const std::function<bool(const model::Chunk&)>& visit) override {
    const Engine::Reading reading(engine_);
    RETURN_IF_ERROR(reading.status());
    return QueryChunksIn(reading.db(), reading.view(), query, visit);
  }

  absl::StatusOr<std::string> GetContent(std::string_view tenant, std::string_view cluster,
                                         const model::ContentHash& hash) override {
    const Engine::Reading reading(engine_);
    RETURN_IF_ERROR(reading.status());
    return GetContentIn(reading.db(), reading.view(), {std::string(tenant), std::string(cluster)},
                        hash);
  }

  absl::Status Retain(int64_t now_ns) override { return engine_.Retain(now_ns); }
  const std::string& id() const override { return engine_.id(); }
  uint64_t ApproximateBytes() const override { return DirectoryBytes(engine_.options().directory); }
  int64_t OldestNs() const override {
    const Engine::Reading reading(engine_);
    return reading.status().ok() ? OldestRecord(reading.view()) : 0;
  }
  StoreAdmin& admin() override { return *this; }

  absl::StatusOr<StoreStatus> GetStatus() override { return StatusOf(engine_); }

  absl::Status Compact() override {
    for (;;) {
      ASSIGN_OR_RETURN(const bool sealed, engine_.SealSome(INT64_MAX));
      if (!sealed) break;
    }
    for (;;) {
      ASSIGN_OR_RETURN(const bool merged, engine_.MergeSome(INT64_MAX));
      if (!merged) break;
    }
    return engine_.CompactAll();
  }

  absl::Status Backup(const std::string& directory) override {
    std::error_code error;
    if (std::filesystem::exists(directory, error)) {
      // RocksDB makes the directory itself.
      if (!std::filesystem::is_directory(directory, error) ||
          !std::filesystem::is_empty(directory, error) ||
          !std::filesystem::remove(directory, error)) {
        return absl::FailedPreconditionError(absl::StrFormat(
            "backup directory %s is not empty: give one that is, or does not exist", directory));
      }
    }
    return engine_.Checkpoint(directory);
  }

  absl::StatusOr<VerifyReport> Verify(const VerifyProgress& progress) override {
    const Engine::Reading reading(engine_);
    RETURN_IF_ERROR(reading.status());
    return VerifyView(reading.db(), reading.view(), progress);
  }

 private:
  void SealLoop() {
    const absl::Duration pause = std::clamp(absl::Nanoseconds(engine_.options().seal_after_ns) / 4,
                                            kShortestSealPause, kLongestSealPause);
    while (!stop_) {
      engine_.WaitForWork(pause, stop_);
      if (stop_) return;
      const absl::StatusOr<bool> sealed =
          engine_.SealSome(absl::GetCurrentTimeNanos() - engine_.options().seal_after_ns);
      if (sealed.ok()) continue;
      LOG_EVERY_N(ERROR, 60) << "store: sealing: " << sealed.status();
      Pause(kFailurePause);
    }
  }

  void MergeLoop() {
    while (!stop_) {
      const int64_t quiet_before_ns =
          absl::GetCurrentTimeNanos() - absl::ToInt64Nanoseconds(kQuiet);
      absl::StatusOr<bool> worked = engine_.MergeSome(quiet_before_ns);
      if (worked.ok() && !*worked) worked = engine_.TidySome();
      if (!worked.ok()) {
        LOG_EVERY_N(ERROR, 60) << "store: merging: " << worked.status();
      }
      if (!worked.ok() || !*worked) Pause(kMergePause);
    }
  }

  // Ends early when the store is closed.
  void Pause(absl::Duration duration) {
    const absl::Time end = absl::Now() + duration;
    while (!stop_ && absl::Now() < end) absl::SleepFor(absl::Milliseconds(20));
  }

  mutable Engine engine_;
  HelperThreads helpers_;
  bool started_ = false;
  std::atomic<bool> stop_{false};
  std::thread sealer_;
  std::thread merger_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenRocksStore(const RocksStoreOptions& options) {
  auto store = std::make_unique<RocksStore>(options);
  RETURN_IF_ERROR(store->Start());
  return store;
}

}  // namespace kindling::storage
