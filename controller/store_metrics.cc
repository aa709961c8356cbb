#include "controller/store_metrics.h"

#include <algorithm>
#include <map>
#include <string>

#include "storage/store_admin.h"

namespace kindling::controller {
namespace {

using base::MetricType;

// Sums over the buckets of one record class.
struct ClassSums {
  uint64_t buckets = 0;
  uint64_t blocks = 0;
  uint64_t rows = 0;
  uint64_t bytes = 0;
};

class Writer {
 public:
  explicit Writer(base::MetricsText& text) : text_(text) {}

  void Gauge(const std::string& name, const char* help, double value) {
    One(name, MetricType::kGauge, help, value);
  }
  void Counter(const std::string& name, const char* help, double value) {
    One(name, MetricType::kCounter, help, value);
  }
  void ByClass(const std::string& name, const char* help,
               const std::map<std::string, ClassSums>& classes, uint64_t ClassSums::*member) {
    if (classes.empty()) return;
    text_.Family(kPrefix + name, MetricType::kGauge, help);
    for (const auto& [record_class, sums] : classes) {
      text_.Sample(base::RenderLabels({{"class", record_class}}), sums.*member);
    }
  }

 private:
  static constexpr char kPrefix[] = "kindling_controller_store_";

  void One(const std::string& name, MetricType type, const char* help, double value) {
    text_.Family(kPrefix + name, type, help);
    text_.Sample("", value);
  }

  base::MetricsText& text_;
};

double Number(uint64_t value) { return static_cast<double>(value); }

double SealLagSeconds(const storage::StoreStatus& status, int64_t now_ns) {
  if (status.oldest_unsealed_ns == 0) return 0;
  return static_cast<double>(std::max<int64_t>(now_ns - status.oldest_unsealed_ns, 0)) / 1e9;
}

void WriteBuckets(const storage::StoreStatus& status, Writer& writer) {
  std::map<std::string, ClassSums> classes;
  for (const storage::BucketStatus& bucket : status.buckets) {
    ClassSums& sums = classes[bucket.record_class];
    ++sums.buckets;
    sums.blocks += bucket.blocks;
    sums.rows += bucket.rows;
    sums.bytes += bucket.bytes;
  }
  writer.ByClass("buckets", "Time buckets, further parts of one included, by record class.",
                 classes, &ClassSums::buckets);
  writer.ByClass("blocks", "Compressed blocks by record class.", classes, &ClassSums::blocks);
  writer.ByClass("rows", "Records in blocks by record class.", classes, &ClassSums::rows);
  writer.ByClass("class_bytes", "Size of the buckets on disk by record class.", classes,
                 &ClassSums::bytes);
}

void Write(const storage::StoreStatus& status, int64_t now_ns, base::MetricsText& text) {
  Writer writer(text);
  writer.Gauge("max_bytes", "The oldest records go when the store is larger.",
               Number(status.max_bytes));
  writer.Gauge("free_bytes", "Free space of the file system that the store is on.",
               Number(status.free_bytes));
  writer.Gauge("ingest_stopped", "1 while the store takes no records, else 0.",
               status.stopped.empty() ? 0 : 1);
  writer.Gauge("unsealed_batches", "Batches that are durable but not in blocks yet.",
               Number(status.unsealed_batches));
  writer.Gauge("unsealed_bytes", "Size of the batches that are not in blocks yet.",
               Number(status.unsealed_bytes));
  writer.Gauge("seal_lag_seconds", "Age of the oldest batch that is not in blocks yet.",
               SealLagSeconds(status, now_ns));
  writer.Counter("late_records_total", "Records refused because their bucket was gone.",
                 Number(status.late_refused));
  writer.Counter("write_stalls_total", "Writes that had to wait.", Number(status.write_stalls));
  writer.Counter("write_stall_seconds_total", "Time that writes had to wait.",
                 status.write_stall_seconds);
  writer.Counter("cache_hits_total", "Reads that the cache answered.", Number(status.cache_hits));
  writer.Counter("cache_misses_total", "Reads that went to the disk.", Number(status.cache_misses));
  writer.Gauge("memory_bytes", "Caches, write buffers, unsealed records and the list of blocks.",
               Number(status.memory_bytes));
  writer.Gauge("memory_limit_bytes", "What the store may take of memory.",
               Number(status.memory_limit_bytes));
  WriteBuckets(status, writer);
}

}  // namespace

void AddStoreMetrics(base::Metrics& metrics, storage::StoreAdmin& admin, const base::Clock& clock) {
  metrics.AddWriter([&admin, &clock](base::MetricsText& text) {
    const absl::StatusOr<storage::StoreStatus> status = admin.GetStatus();
    // Absent rather than zero.
    if (status.ok()) Write(*status, clock.WallNs(), text);
  });
}

}  // namespace kindling::controller
