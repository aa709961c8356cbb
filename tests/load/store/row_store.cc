// row_store --directory DIR --load FILE --queries FILE [--window-s 900]
// The baseline: spans in a plain RocksDB layout, a row each, without Kindling's store. Reads the
// spans of a load file, writes them, compacts, asks, and prints rates, sizes and times as JSON.
//
//     "P" start | trace | span | side       -> the span as kindling.v1.Span
//     "S" service | start | span | side     -> key of the row
//     "T" trace | span | side               -> key of the row
//
// Every group of messages is one synced write, as the controller's group commit makes them. RocksDB
// has its defaults, with zstd and ten bits of Bloom filter a key. There is no network here, and one
// thread: what it is compared with has TLS, streams and acknowledgements to pay.
//
// A question is a line of fields with tabs between: LABEL service NAME | LABEL duration NS | LABEL
// attribute NAME VALUE | LABEL trace HEX. All but the last are the newest 100 of the window.

#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "controller/ingest/decode.h"
#include "kindling/v1/ingest.pb.h"
#include "kindling/v1/query.pb.h"
#include "tests/load/store/flags.h"
#include "tests/load/store/load_file.h"

namespace {

using kindling::load::Flags;
using kindling::load::LoadFile;
using kindling::load::LoadRecord;
namespace model = kindling::model;
namespace v1 = kindling::v1;

constexpr size_t kGroupBytes = 4 << 20;  // encoded; of what the controller takes together
constexpr size_t kPage = 100;

double NowSeconds() { return static_cast<double>(kindling::base::SystemClock().BootNs()) / 1e9; }

void Check(const rocksdb::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "row_store: %s\n", status.ToString().c_str());
  std::exit(1);
}
void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "row_store: %s\n", std::string(status.message()).c_str());
  std::exit(1);
}

void PutNumber(std::string& out, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}
void PutText(std::string& out, std::string_view text) {
  out += text;
  out += '\0';
}

std::string RowKey(const model::Span& span) {
  std::string key = "P";
  PutNumber(key, static_cast<uint64_t>(span.start_ns));
  PutNumber(key, span.trace_id.high);
  PutNumber(key, span.trace_id.low);
  PutNumber(key, span.id);
  key += static_cast<char>(span.side);
  return key;
}
std::string TraceKey(std::string_view hex) {
  std::string key = "T";
  for (size_t i = 0; i + 2 <= hex.size(); i += 2) {
    key += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return key;
}
std::string Hex(uint64_t id) { return id == 0 ? "" : absl::StrFormat("%016x", id); }

std::string ServiceOf(const model::Span& span) {
  if (!span.server.workload.empty()) return span.server.workload;
  return absl::StrFormat("%s:%d", span.server.address, span.server.port);
}

void ToRow(const model::Span& span, v1::Span* out) {
  out->Clear();
  out->set_id(Hex(span.id));
  out->set_trace_id(absl::StrFormat("%016x%016x", span.trace_id.high, span.trace_id.low));
  out->set_parent_id(Hex(span.parent_id));
  out->set_client(span.client.workload);
  out->set_server(ServiceOf(span));
  out->set_side(std::string(Name(span.side)));
  out->set_protocol(std::string(Name(span.protocol)));
  out->set_transport(std::string(Name(span.transport)));
  out->set_endpoint(span.endpoint);
  out->set_status_code(span.status_code);
  out->set_outcome(std::string(Name(span.outcome)));
  out->set_slow(span.slow);
  out->set_start_ns(span.start_ns);
  out->set_duration_ms(static_cast<double>(span.duration_ns()) / 1e6);
  out->set_request_ms(static_cast<double>(span.request_duration_ns) / 1e6);
  out->set_wait_ms(static_cast<double>(span.wait_duration_ns) / 1e6);
  out->set_response_ms(static_cast<double>(span.response_duration_ns) / 1e6);
  out->set_connect_ms(static_cast<double>(span.connect_duration_ns) / 1e6);
  out->set_request_bytes(static_cast<double>(span.request_bytes));
  out->set_response_bytes(static_cast<double>(span.response_bytes));
  out->set_host(span.side == model::Side::kServer ? span.server.host : span.client.host);
  out->set_pid(span.pid);
  out->set_request_tid(span.request_tid);
  out->set_response_tid(span.response_tid);
  out->set_client_address(absl::StrFormat("%s:%d", span.client.address, span.client_port));
  out->set_server_address(absl::StrFormat("%s:%d", span.server.address, span.server.port));
  out->set_request_tcp_seq(span.request_tcp_seq);
  out->set_response_tcp_seq(span.response_tcp_seq);
  out->set_sample_weight(span.sample_weight);
  for (const auto& [key, value] : span.attributes) (*out->mutable_attributes())[key] = value;
}

class RowStore {
 public:
  explicit RowStore(const std::string& directory) {
    rocksdb::Options options;
    options.create_if_missing = true;
    options.error_if_exists = true;
    options.compression = rocksdb::kZSTD;
    options.max_background_jobs = 2;
    rocksdb::BlockBasedTableOptions table;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    rocksdb::DB* db = nullptr;
    Check(rocksdb::DB::Open(options, directory, &db));
    db_.reset(db);
  }

  void Add(const model::Span& span) {
    const std::string key = RowKey(span);
    ToRow(span, &row_);
    row_.SerializeToString(&value_);
    Check(batch_.Put(key, value_));
    index_ = "S";
    PutText(index_, row_.server());
    PutNumber(index_, static_cast<uint64_t>(span.start_ns));
    PutNumber(index_, span.id);
    index_ += static_cast<char>(span.side);
    Check(batch_.Put(index_, key));
    index_ = "T";
    PutNumber(index_, span.trace_id.high);
    PutNumber(index_, span.trace_id.low);
    PutNumber(index_, span.id);
    index_ += static_cast<char>(span.side);
    Check(batch_.Put(index_, key));
    last_ns_ = std::max(last_ns_, span.start_ns);
  }
  void Commit() {
    rocksdb::WriteOptions options;
    options.sync = true;
    Check(db_->Write(options, &batch_));
    batch_.Clear();
  }
  void Compact() { Check(db_->CompactRange({}, nullptr, nullptr)); }
  uint64_t Bytes() {
    uint64_t bytes = 0;
    Check(db_->GetIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &bytes)
              ? rocksdb::Status()
              : rocksdb::Status::NotSupported());
    return bytes;
  }

  // Rows found.
  size_t Ask(const std::vector<std::string>& fields, int64_t window_ns) {
    const std::string& kind = fields.at(1);
    const int64_t start_ns = last_ns_ - window_ns;
    if (kind == "trace") return Trace(fields.at(2));
    if (kind == "service") return Service(fields.at(2), start_ns);
    if (kind == "duration") {
      const double ms = std::atof(fields.at(2).c_str()) / 1e6;
      return Rows(start_ns, [&](const v1::Span& row) { return row.duration_ms() > ms; });
    }
    return Rows(start_ns, [&](const v1::Span& row) {
      const auto found = row.attributes().find(fields.at(2));
      return found != row.attributes().end() && found->second == fields.at(3);
    });
  }

 private:
  size_t Trace(const std::string& hex) {
    const std::string prefix = TraceKey(hex);
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
    size_t found = 0;
    for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
      found += Get(it->value());
    }
    return found;
  }
  size_t Service(const std::string& name, int64_t start_ns) {
    std::string prefix = "S";
    PutText(prefix, name);
    std::string first = prefix;
    PutNumber(first, static_cast<uint64_t>(start_ns));
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
    size_t found = 0;
    for (it->SeekForPrev(prefix + "\xff");
         it->Valid() && found < kPage && it->key().compare(first) >= 0; it->Prev()) {
      found += Get(it->value());
    }
    return found;
  }
  template <typename Wanted>
  size_t Rows(int64_t start_ns, Wanted wanted) {
    std::string first = "P";
    PutNumber(first, static_cast<uint64_t>(start_ns));
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}));
    size_t found = 0;
    for (it->SeekForPrev("P\xff"); it->Valid() && found < kPage && it->key().compare(first) >= 0;
         it->Prev()) {
      if (!row_.ParseFromArray(it->value().data(), static_cast<int>(it->value().size())))
        std::exit(1);
      found += wanted(row_) ? 1 : 0;
    }
    return found;
  }
  size_t Get(const rocksdb::Slice& key) {
    Check(db_->Get({}, key, &value_));
    return row_.ParseFromString(value_) ? 1 : 0;
  }

  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteBatch batch_;
  v1::Span row_;
  std::string value_;
  std::string index_;
  int64_t last_ns_ = 0;
};

double Quantile(const std::vector<double>& sorted, double q) {
  return sorted[static_cast<size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5)];
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv);
  const std::string directory = flags.Text("directory");
  const std::string load = flags.Text("load");
  const std::string queries = flags.Text("queries");
  const int64_t window_ns = flags.Whole("window-s", 900) * 1'000'000'000;
  flags.CheckAllUsed();
  absl::StatusOr<std::unique_ptr<LoadFile>> file = LoadFile::Open(load);
  Check(file.status());
  RowStore store(directory);

  const double began = NowSeconds();
  uint64_t spans = 0;
  size_t group = 0;
  v1::IngestRequest request;
  for (const LoadRecord& record : (*file)->records()) {
    if (record.spans == 0) continue;
    if (!request.ParseFromArray(record.message.data(), static_cast<int>(record.message.size()))) {
      return 1;
    }
    absl::StatusOr<model::Batch> batch =
        kindling::controller::DecodeBatch(request.batch(), INT64_MAX);
    Check(batch.status());
    for (const model::Span& span : batch->spans) store.Add(span);
    spans += batch->spans.size();
    group += record.message.size();
    if (group < kGroupBytes) continue;
    store.Commit();
    group = 0;
  }
  store.Commit();
  const double seconds = NowSeconds() - began;
  store.Compact();
  const double compacted = NowSeconds() - began - seconds;

  std::map<std::string, std::vector<double>> times;
  std::map<std::string, size_t> rows;
  std::ifstream in(queries);
  for (std::string line; std::getline(in, line);) {
    std::vector<std::string> fields;
    std::stringstream parts(line);
    for (std::string field; std::getline(parts, field, '\t');) fields.push_back(field);
    const double before = NowSeconds();
    rows[fields[0]] += store.Ask(fields, window_ns);
    times[fields[0]].push_back((NowSeconds() - before) * 1e3);
  }
  std::string asked;
  for (auto& [label, ms] : times) {
    std::sort(ms.begin(), ms.end());
    absl::StrAppendFormat(
        &asked, R"(%s"%s": {"questions": %d, "p50_ms": %.3f, "p99_ms": %.3f, "rows": %d})",
        asked.empty() ? "" : ", ", label, ms.size(), Quantile(ms, 0.5), Quantile(ms, 0.99),
        rows[label]);
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  absl::PrintF(
      R"({"spans": %d, "seconds": %.3f, "spans_per_s": %.0f, "compaction_seconds": %.3f, "bytes": %d, )"
      R"("bytes_per_span": %.2f, "rss_mb": %.1f, "queries": {%s}})"
      "\n",
      spans, seconds, static_cast<double>(spans) / seconds, compacted, store.Bytes(),
      static_cast<double>(store.Bytes()) / static_cast<double>(std::max<uint64_t>(1, spans)),
      static_cast<double>(usage.ru_maxrss) / 1024, asked);
  return 0;
}
