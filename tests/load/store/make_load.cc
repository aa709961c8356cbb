// make_load --out FILE --content spans|edges|both|points --count N [--seed 1] [--start-ns T]
// [--epoch E]
//     [--rate SPANS/S] [--services 1000] [--hosts 50] [--series 20000] [--foreign 0] ...
// Writes what the agents of a cluster would send, encoded, for send_load: at least N spans (spans,
// both), N rows (edges) or N points (points), whole windows; or with --windows so many of them.
// With --samples FILE also a list of what is in it to ask for. Prints the options and totals as
// JSON.

#include <malloc.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_format.h"
#include "agent/export/encode.h"
#include "agent/export/split.h"
#include "kindling/v1/ingest.pb.h"
#include "tests/load/store/flags.h"
#include "tests/load/store/load_file.h"
#include "tests/load/store/metric_traffic.h"
#include "tests/load/store/traffic.h"

namespace {

using kindling::load::Flags;
using kindling::load::LoadRecord;
using kindling::load::LoadWriter;
using kindling::load::MetricTraffic;
using kindling::load::MetricTrafficOptions;
using kindling::load::Traffic;
using kindling::load::TrafficOptions;
namespace model = kindling::model;

// As the exporter cuts them.
constexpr size_t kBatchBytes = 1 << 20;
constexpr size_t kSamples = 2000;  // of each kind

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "make_load: %s\n", std::string(status.message()).c_str());
  std::exit(1);
}

// What queries may ask for: a sample of what was made, evenly over time.
class Samples {
 public:
  void Add(const model::Span& span) {
    if (++seen_ < next_) return;
    next_ = seen_ + step_;
    if (lines_.size() > 4 * kSamples) {
      // Every other goes.
      std::vector<std::string> kept;
      for (size_t i = 0; i < lines_.size(); i += 2) kept.push_back(std::move(lines_[i]));
      lines_ = std::move(kept);
      step_ *= 2;
    }
    std::string line = absl::StrFormat("span\t%016x\ttrace\t%016x%016x\tlatency\t%d", span.id,
                                       span.trace_id.high, span.trace_id.low, span.duration_ns());
    if (span.side == model::Side::kServer) line += "\tservice\t" + span.server.workload;
    for (const auto& [key, value] : span.attributes) {
      if (key == "url.path" || key == "enduser.id" || key == "db.statement") {
        line += "\tattr." + key + "\t" + value;
      }
    }
    lines_.push_back(std::move(line));
  }

  void Write(const std::string& path) const {
    std::FILE* file = std::fopen(path.c_str(), "w");
    if (file == nullptr) Check(absl::InternalError("cannot write " + path));
    for (const std::string& line : lines_) std::fprintf(file, "%s\n", line.c_str());
    if (std::fclose(file) != 0) Check(absl::InternalError("cannot write " + path));
  }

 private:
  std::vector<std::string> lines_;
  uint64_t seen_ = 0;
  uint64_t next_ = 0;
  uint64_t step_ = 1;
};

struct Totals {
  uint64_t batches = 0;
  uint64_t spans = 0;
  uint64_t histograms = 0;
  uint64_t points = 0;
  uint64_t requests = 0;               // that the rows count
  uint64_t buckets = 0;                // of the rows' histograms
  absl::flat_hash_set<size_t> series;  // of the rows, hashed
  uint64_t bytes = 0;
};

class Maker {
 public:
  Maker(std::unique_ptr<LoadWriter> writer, uint64_t epoch)
      : writer_(std::move(writer)), epoch_(epoch) {}

  void Write(std::vector<model::Batch> batches) {
    for (model::Batch& batch : batches) {
      for (const model::Span& span : batch.spans) samples.Add(span);
      for (const auto lane :
           {kindling::agent::SpoolLane::kAggregates, kindling::agent::SpoolLane::kSpans}) {
        const bool of_spans = lane == kindling::agent::SpoolLane::kSpans;
        for (model::Batch& part : kindling::agent::TakeLane(batch, lane, kBatchBytes)) {
          WritePart(part, of_spans ? epoch_ - 1 : epoch_);
        }
      }
    }
  }
  void Close() { Check(writer_->Close()); }

  Totals totals;
  Samples samples;

 private:
  void WritePart(model::Batch& part, uint64_t epoch) {
    const auto agent = static_cast<uint32_t>(
        std::atoi(part.id.agent_id.substr(part.id.agent_id.find('-') + 1).c_str()));
    part.id.boot_epoch = epoch;
    part.id.sequence = ++sequences_[{agent, epoch}];
    request_.Clear();
    kindling::agent::EncodeBatch(part, request_.mutable_batch());
    const std::string message = request_.SerializeAsString();
    const LoadRecord record{.agent = agent,
                            .boot_epoch = epoch,
                            .sequence = part.id.sequence,
                            .spans = static_cast<uint32_t>(part.spans.size()),
                            .histograms = static_cast<uint32_t>(part.edges.size()),
                            .points = static_cast<uint32_t>(part.points.size()),
                            .message = message};
    Check(writer_->Add(record));
    ++totals.batches;
    totals.spans += record.spans;
    totals.histograms += record.histograms;
    totals.points += record.points;
    totals.bytes += message.size();
    for (const model::EdgeStats& edge : part.edges) {
      totals.requests += edge.count;
      totals.buckets += edge.latency.counts().size();
      totals.series.insert(absl::HashOf(edge.observer, edge.client.address, edge.server.address,
                                        edge.server.port, edge.endpoint, edge.outcome,
                                        edge.status_code));
    }
  }

  const std::unique_ptr<LoadWriter> writer_;
  const uint64_t epoch_;
  std::map<std::pair<uint32_t, uint64_t>, uint64_t> sequences_;
  kindling::v1::IngestRequest request_;
};

std::string Describe(const TrafficOptions& o) {
  const auto& t = o.topology;
  return absl::StrFormat(
      R"("services": %d, "service_zipf": %g, "hosts": %d, "max_replicas": %d, "threads": %d, )"
      R"("mysql_share": %g, "redis_share": %g, "unwatched_share": %g, "entry_services": %d, "callees": %d, "endpoints": %d, "endpoints_called": %d, )"
      R"("endpoint_zipf": %g, "routes": %d, "statements": %d, "url_paths": %d, "url_path_zipf": %g, )"
      R"("user_agents": %d, "users": %d, "user_share": %g, "spans_per_second": %g, "spans_per_trace": %d, )"
      R"("requests_per_span": %g, "server_error_share": %g, "client_error_share": %g, "latency_sigma": %g, )"
      R"("requests_per_connection": %g, "other_thread_share": %g, "foreign_share": %g, "window_s": %g)",
      t.services, t.service_zipf, t.hosts, t.max_replicas, t.threads, t.mysql_share, t.redis_share,
      t.unwatched_share, t.entry_services, t.callees, t.endpoints, t.endpoints_called,
      t.endpoint_zipf, t.routes, t.statements, t.url_paths, o.url_path_zipf, t.user_agents, o.users,
      o.user_share, o.spans_per_second, o.spans_per_trace, o.requests_per_span,
      o.server_error_share, o.client_error_share, o.latency_sigma, o.requests_per_connection,
      o.other_thread_share, o.foreign_share, static_cast<double>(o.window_ns) / 1e9);
}

std::string Describe(const MetricTrafficOptions& o) {
  return absl::StrFormat(
      R"("series": %d, "hosts": %d, "count_gauges": %g, "slow_gauges": %g, "idle_share": %g, )"
      R"("least_per_step": %g, "most_per_step": %g, "count_step_share": %g, "slow_change_share": %g, )"
      R"("step_s": %g)",
      o.series, o.hosts, o.count_gauges, o.slow_gauges, o.idle_share, o.least_per_step,
      o.most_per_step, o.count_step_share, o.slow_change_share,
      static_cast<double>(o.step_ns) / 1e9);
}

}  // namespace

int main(int argc, char** argv) {
  // Memory that is freed is needed again at once.
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  Flags flags(argc, argv);
  const std::string out = flags.Text("out");
  const std::string content = flags.Text("content", "both");
  const auto count = static_cast<uint64_t>(flags.Whole("count", 100'000));
  const int64_t windows = flags.Whole("windows", 0);
  const std::string samples = flags.Text("samples");
  const auto epoch = static_cast<uint64_t>(flags.Whole("epoch", 1'780'000'000'000'000'000));
  TrafficOptions traffic;
  traffic.seed = static_cast<uint64_t>(flags.Whole("seed", 1));
  traffic.start_ns = flags.Whole("start-ns", traffic.start_ns);
  traffic.spans_per_second = flags.Number("rate", traffic.spans_per_second);
  traffic.spans_per_trace =
      static_cast<uint32_t>(flags.Whole("spans-per-trace", traffic.spans_per_trace));
  traffic.requests_per_span = flags.Number("requests-per-span", traffic.requests_per_span);
  traffic.foreign_share = flags.Number("foreign", 0);
  traffic.topology.services = static_cast<uint32_t>(flags.Whole("services", 1000));
  traffic.topology.hosts = static_cast<uint32_t>(flags.Whole("hosts", 50));
  MetricTrafficOptions metrics;
  metrics.seed = traffic.seed;
  metrics.start_ns = traffic.start_ns;
  metrics.hosts = traffic.topology.hosts;
  metrics.series = static_cast<uint32_t>(flags.Whole("series", metrics.series));
  flags.CheckAllUsed();
  if (out.empty()) flags.Fail("--out is missing");
  if (content != "spans" && content != "edges" && content != "both" && content != "points") {
    flags.Fail("--content is spans, edges, both or points");
  }

  absl::StatusOr<std::unique_ptr<LoadWriter>> writer = LoadWriter::Create(out);
  Check(writer.status());
  Maker maker(*std::move(writer), epoch);
  std::string options;
  int64_t end_ns = 0;
  if (content == "points") {
    MetricTraffic source(metrics);
    for (int64_t i = 0; windows > 0 ? i < windows : maker.totals.points < count; ++i) {
      maker.Write(source.NextStep());
    }
    options = Describe(metrics);
    end_ns = source.now_ns();
  } else {
    traffic.spans = content != "edges";
    traffic.edges = content != "spans";
    Traffic source(traffic);
    const uint64_t& made = traffic.spans ? maker.totals.spans : maker.totals.histograms;
    for (int64_t i = 0; windows > 0 ? i < windows : made < count; ++i) {
      maker.Write(source.NextWindow());
    }
    maker.Write(source.Finish());
    options = Describe(traffic);
    end_ns = source.now_ns();
  }
  maker.Close();
  if (!samples.empty()) maker.samples.Write(samples);
  const Totals& t = maker.totals;
  absl::PrintF(
      R"({"content": "%s", "seed": %d, "start_ns": %d, "end_ns": %d, "batches": %d, "spans": %d, )"
      R"("histograms": %d, "points": %d, "requests": %d, "histogram_buckets": %d, "edge_series": %d, "bytes": %d, )"
      R"("options": {%s}})"
      "\n",
      content, traffic.seed, traffic.start_ns, end_ns, t.batches, t.spans, t.histograms, t.points,
      t.requests, t.buckets, t.series.size(), t.bytes, options);
  return 0;
}
