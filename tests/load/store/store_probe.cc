// store_probe --directory STORE --load FILE [--queries FILE] [--max-bytes N] [--seconds 2]
// Opens a store without a controller. Asks it the questions (as row_store takes them) without
// network, names and completeness, then drops its oldest bucket of spans by age while the batches
// of a load file are appended one group after another. Prints as JSON how long each took, when the
// disk had the space again, and how long appends took before and meanwhile. The load's time must be
// later than the bucket's.
//
// store_probe --directory STORE --compact yes
// Seals and merges everything, and prints the bytes by record class.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <sstream>
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
constexpr size_t kPage = 100;
constexpr int64_t kWindowNs = int64_t{900} * 1'000'000'000;
constexpr char kTenant[] = "default";
constexpr char kCluster[] = "default";
constexpr int64_t kFreeWithinNs = 10'000'000'000;

int64_t NowNs() { return kindling::base::SystemClock().BootNs(); }
double Ms(int64_t ns) { return static_cast<double>(ns) / 1e6; }

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "store_probe: %s\n", std::string(status.message()).c_str());
  std::exit(1);
}

// The tables of the store and their bytes.
std::map<std::string, uint64_t> TablesIn(const std::string& directory) {
  std::map<std::string, uint64_t> out;
  std::error_code gone;  // files may go meanwhile
  for (const auto& entry : std::filesystem::directory_iterator(directory, gone)) {
    if (entry.path().extension() != ".sst") continue;
    const auto size = entry.file_size(gone);
    if (!gone) out[entry.path().filename()] = size;
  }
  return out;
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
    batch->tenant = kTenant;
    batch->cluster = kCluster;
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

model::TraceId TraceOf(const std::string& hex) {
  return {std::stoull(hex.substr(0, 16), nullptr, 16), std::stoull(hex.substr(16), nullptr, 16)};
}

// The newest hundred, as a page has them. Returns how many there were.
size_t Search(storage::Store& store, storage::SpanSearch search) {
  std::priority_queue<int64_t, std::vector<int64_t>, std::greater<>> page;
  const absl::Status status =
      store
          .SearchSpans(search,
                       [&](const model::Span& span) {
                         page.push(storage::RankOf(span, search.order));
                         if (page.size() > kPage) page.pop();
                         return page.size() == kPage ? page.top() : INT64_MIN;
                       })
          .status();
  Check(status);
  return page.size();
}

size_t Ask(storage::Store& store, const std::vector<std::string>& fields, int64_t end_ns) {
  const std::string& kind = fields.at(1);
  if (kind == "trace") {
    std::vector<model::Span> spans;
    Check(
        store
            .FindSpans({.tenant = kTenant, .cluster = kCluster, .traces = {TraceOf(fields.at(2))}},
                       &spans)
            .status());
    return spans.size();
  }
  storage::SpanSearch search{
      .tenant = kTenant, .cluster = kCluster, .start_ns = end_ns - kWindowNs};
  if (kind == "service") {
    search.ends = [&](const storage::SpanEnds& ends) { return ends.server.workload == fields[2]; };
  } else if (kind == "duration") {
    search.min_duration_ns = std::atoll(fields.at(2).c_str()) + 1;
  } else {
    search.attributes = {{fields.at(2), fields.at(3)}};
  }
  return Search(store, std::move(search));
}

// Times by label.
std::string AskAll(storage::Store& store, const std::string& queries) {
  // The window ends with the newest span.
  storage::SpanSearch newest{.tenant = kTenant, .cluster = kCluster};
  int64_t last_ns = 0;
  Check(store
            .SearchSpans(newest,
                         [&](const model::Span& span) {
                           last_ns = std::max(last_ns, span.start_ns);
                           return last_ns;
                         })
            .status());
  std::map<std::string, std::vector<int64_t>> times;
  std::map<std::string, size_t> rows;
  std::ifstream in(queries);
  for (std::string line; std::getline(in, line);) {
    std::vector<std::string> fields;
    std::stringstream parts(line);
    for (std::string field; std::getline(parts, field, '\t');) fields.push_back(field);
    const int64_t before_ns = NowNs();
    rows[fields[0]] += Ask(store, fields, last_ns);
    times[fields[0]].push_back(NowNs() - before_ns);
  }
  std::string out;
  for (const auto& [label, each] : times) {
    absl::StrAppendFormat(
        &out, R"(%s"%s": {"questions": %d, "p50_ms": %.3f, "p99_ms": %.3f, "rows": %d})",
        out.empty() ? "" : ", ", label, each.size(), Ms(Quantile(each, 0.5)),
        Ms(Quantile(each, 0.99)), rows[label]);
  }
  return "{" + out + "}";
}

int Compact(storage::Store& store) {
  const int64_t before_ns = NowNs();
  Check(store.admin().Compact());
  absl::StatusOr<storage::StoreStatus> status = store.admin().GetStatus();
  Check(status.status());
  std::map<std::string, uint64_t> bytes;
  uint64_t blocks = 0;
  for (const storage::BucketStatus& bucket : status->buckets) {
    bytes[bucket.record_class] += bucket.bytes;
    blocks += bucket.blocks;
  }
  std::string by_class;
  for (const auto& [name, sum] : bytes) {
    absl::StrAppendFormat(&by_class, R"(%s"%s": %d)", by_class.empty() ? "" : ", ", name, sum);
  }
  absl::PrintF(
      R"({"by_class": {%s}, "blocks": %d, "buckets": %d, "memory_bytes": %d, "compact_ms": %.1f})"
      "\n",
      by_class, blocks, status->buckets.size(), status->memory_bytes, Ms(NowNs() - before_ns));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv);
  storage::RocksStoreOptions options{.directory = flags.Text("directory")};
  const std::string load = flags.Text("load");
  const std::string queries = flags.Text("queries");
  const bool compact = flags.Text("compact") == "yes";
  options.max_bytes = static_cast<uint64_t>(flags.Whole("max-bytes", 64 << 30));
  const auto seconds = std::chrono::duration<double>(flags.Number("seconds", 2));
  flags.CheckAllUsed();

  const int64_t opening_ns = NowNs();
  auto store = storage::OpenRocksStore(options);
  Check(store.status());
  const int64_t opened_ns = NowNs();
  if (compact) return Compact(**store);
  const std::string answers = queries.empty() ? "{}" : AskAll(**store, queries);
  absl::StatusOr<std::unique_ptr<LoadFile>> file = LoadFile::Open(load);
  Check(file.status());
  const auto groups = ReadGroups(**file);
  absl::StatusOr<storage::StoreStatus> status = (*store)->admin().GetStatus();
  Check(status.status());
  int64_t bucket_end_ns = INT64_MAX;
  for (const storage::BucketStatus& bucket : status->buckets) {
    if (bucket.record_class == "spans") bucket_end_ns = std::min(bucket_end_ns, bucket.end_ns);
  }
  if (bucket_end_ns == INT64_MAX) Check(absl::NotFoundError("the store has no bucket of spans"));

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
  const std::map<std::string, uint64_t> before = TablesIn(options.directory);
  const int64_t dropping_ns = NowNs();
  Check((*store)->Retain(bucket_end_ns + options.spans.max_age_ns + 1));
  const int64_t dropped_ns = NowNs();
  int64_t free_ns = 0;
  uint64_t freed_bytes = 0;
  while (NowNs() - dropping_ns < kFreeWithinNs) {
    const std::map<std::string, uint64_t> now = TablesIn(options.directory);
    uint64_t bytes = 0;
    for (const auto& [name, size] : before) bytes += now.contains(name) ? 0 : size;
    if (bytes > freed_bytes) {
      freed_bytes = bytes;
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
      R"("append_p50_ms": %.2f, "append_max_ms": %.2f, "append_max_while_dropping_ms": %.2f, )"
      R"("queries": %s})"
      "\n",
      Ms(opened_ns - opening_ns), Ms(dropped_ns - dropping_ns), Ms(free_ns),
      static_cast<double>(freed_bytes) / 1e6, appended.size(), Ms(Quantile(calm, 0.5)),
      Ms(Quantile(calm, 1)), Ms(Quantile(meanwhile, 1)), answers);
  return 0;
}
