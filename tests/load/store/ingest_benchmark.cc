// ingest_benchmark --load FILE [--directory DIR] [--turns 1] [--seal-rows N]
// What the controller does with each batch of a load file (make_load), step by step on one thread,
// without network. Prints as JSON the processor time a record of each step. With a directory the
// batches are also appended to a store that is made there; its sealing, on another thread, is not
// counted.

#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "controller/ingest/committer.h"
#include "controller/ingest/decode.h"
#include "kindling/v1/ingest.pb.h"
#include "storage/blocks/edge_block.h"
#include "storage/blocks/raw_batch.h"
#include "storage/blocks/span_block.h"
#include "storage/engine/sealer.h"
#include "storage/rocks_store.h"
#include "tests/load/store/flags.h"
#include "tests/load/store/load_file.h"

namespace kindling::load {
namespace {

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "ingest_benchmark: %s\n", std::string(status.message()).c_str());
  std::exit(1);
}

// Processor time of this thread by step: others may be at work on the machine.
class Steps {
 public:
  template <typename Work>
  auto Time(const std::string& name, Work work) {
    struct Stop {
      double& sum;
      double start = Now();
      ~Stop() { sum += Now() - start; }
    } stop{seconds_[name]};
    return work();
  }

  std::string Json(double records) const {
    std::string out;
    for (const auto& [name, seconds] : seconds_) {
      absl::StrAppendFormat(&out, R"(, "%s_ns": %.0f)", name, 1e9 * seconds / records);
    }
    return out;
  }

 private:
  static double Now() {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
  std::map<std::string, double> seconds_;
};

// Seals as the store does: a block's worth at a time.
class Sealing {
 public:
  Sealing(Steps& steps, size_t rows_at_once)
      : steps_(steps),
        rows_at_once_(rows_at_once),
        limiter_(storage::SeriesLimits()),
        gate_(limiter_, [](const auto&, int64_t, auto&) {}),
        writer_(dictionaries_, next_number_) {
    constexpr int64_t kHourNs = storage::RocksStoreOptions::kHourNs;
    options_.bucket_ns.fill(kHourNs);
    options_.bucket_ns[static_cast<size_t>(storage::Tier::kSeries1m)] = 6 * kHourNs;
    options_.bucket_ns[static_cast<size_t>(storage::Tier::kSeries1h)] = 7 * 24 * kHourNs;
  }

  void Add(std::shared_ptr<const model::Batch> batch) {
    rows_ += batch->spans.size() + batch->edges.size() + batch->points.size();
    batches_.push_back({.arrival = ++arrival_, .batch = std::move(batch)});
    if (rows_ >= rows_at_once_) Seal();
  }
  void Seal() {
    const storage::BucketWrites writes = steps_.Time("seal", [&] {
      return storage::Seal(batches_, view_, options_, gate_, writer_, next_number_, refused_);
    });
    for (const auto& [where, write] : writes) {
      for (const auto& row : write.values) bytes += row.key.size() + row.value.size();
    }
    steps_.Time("free", [&] { batches_.clear(); });
    rows_ = 0;
  }

  uint64_t bytes = 0;

 private:
  Steps& steps_;
  const size_t rows_at_once_;
  const storage::ZstdDictionaries dictionaries_;
  std::atomic<uint64_t> next_number_{1};
  uint64_t refused_ = 0;
  uint64_t arrival_ = 0;
  storage::SealOptions options_;
  storage::View view_;
  storage::SeriesLimiter limiter_;
  storage::SeriesGate gate_;
  storage::BlockWriter writer_;
  std::vector<storage::UnsealedBatch> batches_;
  size_t rows_ = 0;
};

void Run(Flags& flags) {
  const std::string path = flags.Text("load");
  storage::RocksStoreOptions options{.directory = flags.Text("directory")};
  const auto turns = static_cast<uint64_t>(flags.Whole("turns", 1));
  const auto seal_rows = static_cast<size_t>(flags.Whole("seal-rows", storage::kSpanBlockRows));
  flags.CheckAllUsed();
  auto file = LoadFile::Open(path);
  Check(file.status());
  std::unique_ptr<storage::Store> store;
  if (!options.directory.empty()) {
    auto opened = storage::OpenRocksStore(options);
    Check(opened.status());
    store = *std::move(opened);
  }

  Steps steps;
  Sealing sealing(steps, seal_rows);
  uint64_t records = 0;
  uint64_t wire_bytes = 0;
  uint64_t raw_bytes = 0;
  v1::IngestRequest request;
  for (uint64_t turn = 0; turn < turns; ++turn) {
    for (const LoadRecord& record : (*file)->records()) {
      records += uint64_t{record.spans} + record.histograms + record.points;
      wire_bytes += record.message.size();
      if (!steps.Time("parse", [&] {
            return request.ParseFromArray(record.message.data(),
                                          static_cast<int>(record.message.size()));
          })) {
        Check(absl::DataLossError("a message that cannot be parsed"));
      }
      absl::StatusOr<model::Batch> decoded =
          steps.Time("decode", [&] { return controller::DecodeBatch(request.batch(), INT64_MAX); });
      Check(decoded.status());
      // Epochs make the same batches new ones.
      decoded->id.boot_epoch += turn * 16;
      decoded->id.agent_id = absl::StrFormat("node-%03d", record.agent);
      steps.Time("weigh", [&] { return model::MemoryBytes(*decoded); });
      auto batch = std::make_shared<const model::Batch>(*std::move(decoded));
      raw_bytes += steps.Time("encode", [&] { return storage::EncodeRawBatch(*batch).size(); });
      if (store != nullptr) {
        Check(steps.Time("append", [&] { return store->Append({batch}); }));
      }
      sealing.Add(std::move(batch));
    }
  }
  sealing.Seal();
  const auto n = static_cast<double>(records);
  absl::PrintF(R"({"records": %d, "wire_bytes": %.1f, "raw_bytes": %.1f, "sealed_bytes": %.2f%s})"
               "\n",
               records, static_cast<double>(wire_bytes) / n, static_cast<double>(raw_bytes) / n,
               static_cast<double>(sealing.bytes) / n, steps.Json(n));
}

}  // namespace
}  // namespace kindling::load

int main(int argc, char** argv) {
  kindling::load::Flags flags(argc, argv);
  kindling::load::Run(flags);
  return 0;
}
