// store_probe --directory STORE --load FILE [--max-bytes N] [--seconds 2]
// Opens a store without a controller and drops its oldest bucket by age, while the batches of a
// load file are appended one group after another. Prints as JSON how long that took, when the disk
// had the space again, and how long appends took before and meanwhile. The load's time must be
// later than the bucket's.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "controller/ingest/decode.h"
#include "kindling/v1/ingest.pb.h"
#include "storage/rocks_store.h"
#include "tests/load/store/flags.h"
#include "tests/load/store/load_file.h"

namespace {

using kindling::load::Flags;
using kindling::load::LoadFile;
using kindling::load::LoadRecord;
namespace model = kindling::model;
namespace storage = kindling::storage;

constexpr size_t kGroup = 4;  // batches an append
constexpr int64_t kHourNs = int64_t{3600} * 1'000'000'000;
constexpr int64_t kFreeWithinNs = 10'000'000'000;

int64_t NowNs() { return kindling::base::SystemClock().BootNs(); }
double Ms(int64_t ns) { return static_cast<double>(ns) / 1e6; }

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "store_probe: %s\n", std::string(status.message()).c_str());
  std::exit(1);
}

uint64_t BytesIn(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code gone;  // files may go meanwhile
  for (const auto& entry : std::filesystem::directory_iterator(directory, gone)) {
    const auto size = entry.is_regular_file(gone) ? entry.file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

struct Appended {
  int64_t at_ns;
  int64_t took_ns;
};

std::vector<std::vector<model::Batch>> ReadGroups(const LoadFile& file) {
  std::vector<std::vector<model::Batch>> out;
  kindling::v1::IngestRequest request;
  for (const LoadRecord& record : file.records()) {
    if (!request.ParseFromArray(record.message.data(), static_cast<int>(record.message.size())))
      std::exit(1);
    absl::StatusOr<model::Batch> batch =
        kindling::controller::DecodeBatch(request.batch(), INT64_MAX);
    Check(batch.status());
    batch->id.agent_id = absl::StrFormat("probe-%03d", record.agent);
    batch->cluster = "default";
    if (out.empty() || out.back().size() == kGroup) out.emplace_back();
    out.back().push_back(*std::move(batch));
  }
  return out;
}

int64_t Quantile(std::vector<int64_t> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv);
  storage::RocksStoreOptions options{.directory = flags.Text("directory")};
  const std::string load = flags.Text("load");
  options.max_bytes = static_cast<uint64_t>(flags.Whole("max-bytes", 64 << 30));
  const auto seconds = std::chrono::duration<double>(flags.Number("seconds", 2));
  flags.CheckAllUsed();
  absl::StatusOr<std::unique_ptr<LoadFile>> file = LoadFile::Open(load);
  Check(file.status());
  const auto groups = ReadGroups(**file);

  const int64_t opening_ns = NowNs();
  auto store = storage::OpenRocksStore(options);
  Check(store.status());
  const int64_t opened_ns = NowNs();
  const int64_t oldest_ns = (*store)->OldestNs();
  const int64_t bucket_end_ns = oldest_ns / kHourNs * kHourNs + kHourNs;

  std::atomic<bool> stop = false;
  std::vector<Appended> appended;
  std::thread appender([&] {
    // Epochs make the same batches new ones.
    for (uint64_t turn = 0; !stop; ++turn) {
      for (size_t i = 0; i < groups.size() && !stop; ++i) {
        std::vector<model::Batch> group = groups[i];
        for (model::Batch& batch : group) batch.id.boot_epoch += turn * 16;
        const int64_t before_ns = NowNs();
        Check((*store)->Append(group));
        appended.push_back({before_ns, NowNs() - before_ns});
      }
    }
  });
  std::this_thread::sleep_for(seconds);
  const uint64_t bytes_before = BytesIn(options.directory);
  const int64_t dropping_ns = NowNs();
  Check((*store)->Retain(bucket_end_ns + options.max_age_ns + 1));
  const int64_t dropped_ns = NowNs();
  // Appends go on to need room, so that less than before is what tells.
  int64_t free_ns = 0;
  uint64_t least_bytes = bytes_before;
  while (NowNs() - dropping_ns < kFreeWithinNs) {
    const uint64_t bytes = BytesIn(options.directory);
    if (bytes < least_bytes) {
      least_bytes = bytes;
      free_ns = NowNs() - dropping_ns;
    }
    if (free_ns != 0 && NowNs() - dropping_ns > 2 * free_ns + 1'000'000'000) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::this_thread::sleep_for(seconds);
  stop = true;
  appender.join();

  std::vector<int64_t> calm;
  std::vector<int64_t> meanwhile;
  for (const Appended& each : appended) {
    const bool near =
        each.at_ns + each.took_ns > dropping_ns && each.at_ns < dropped_ns + 1'000'000'000;
    (near ? meanwhile : calm).push_back(each.took_ns);
  }
  absl::PrintF(
      R"({"open_ms": %.1f, "drop_bucket_ms": %.2f, "free_ms": %.1f, "freed_mb": %.1f, "appends": %d, )"
      R"("append_p50_ms": %.2f, "append_max_ms": %.2f, "append_max_while_dropping_ms": %.2f})"
      "\n",
      Ms(opened_ns - opening_ns), Ms(dropped_ns - dropping_ns), Ms(free_ns),
      static_cast<double>(bytes_before - least_bytes) / 1e6, appended.size(),
      Ms(Quantile(calm, 0.5)), Ms(Quantile(calm, 1)), Ms(Quantile(meanwhile, 1)));
  return 0;
}
