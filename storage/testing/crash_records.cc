#include "storage/testing/crash_records.h"

#include <charconv>
#include <random>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "model/content_hash.h"

namespace kindling::storage {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int kAgents = 2;

// Of a row: stream, sequence and row in one number.
uint64_t Pack(const CrashTag& tag) {
  return static_cast<uint64_t>(tag.stream) << 56 | tag.sequence << 16 | tag.row;
}

bool Unpack(uint64_t number, CrashTag& tag) {
  tag = {static_cast<int>(number >> 56), number >> 16 & 0xff'ffff'ffff,
         static_cast<uint32_t>(number & 0xffff)};
  return tag.stream < CrashRecords::kStreams && tag.sequence > 0;
}

bool UnpackText(std::string_view text, CrashTag& tag) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && Unpack(number, tag);
}

uint64_t Mix(uint64_t value) {
  value = (value ^ value >> 31) * 0x9e3779b97f4a7c15;
  value = (value ^ value >> 29) * 0xbf58476d1ce4e5b9;
  return value ^ value >> 32;
}

// Rows of one batch.
class Writer {
 public:
  Writer(uint64_t seed, CrashTag tag, int64_t sent_ns)
      : random_(seed), tag_(tag), sent_ns_(sent_ns) {}

  model::Span Span() {
    model::Span span;
    span.start_ns = Time();
    span.execution_unit = Number();
    span.id = static_cast<uint64_t>(span.start_ns / 1'000'000) << 22 | (random_() & 0x3fffff);
    if (Below(4) == 0) span.trace_id = {random_(), random_()};
    if (Below(4) == 0) span.alias_trace_id = {random_(), random_()};
    span.parent_id = Below(2) == 0 ? 0 : random_();
    span.side = static_cast<model::Side>(1 + Below(2));
    span.protocol = static_cast<model::Protocol>(Below(6));
    span.transport = model::Transport::kTcp;
    span.outcome = static_cast<model::Outcome>(Below(4));
    span.slow = Below(8) == 0;
    span.client = Party();
    span.server = Party();
    span.client_port = static_cast<uint16_t>(random_());
    span.endpoint = absl::StrFormat("GET /things/%d", Below(20));
    span.status_code = Below(9) == 0 ? "500" : "200";
    span.request_duration_ns = static_cast<int64_t>(Below(1'000'000));
    span.wait_duration_ns = static_cast<int64_t>(Below(1'000'000'000));
    span.response_duration_ns = static_cast<int64_t>(Below(1'000'000));
    span.request_bytes = Below(10'000);
    span.response_bytes = Below(1'000'000);
    span.request_tcp_seq = static_cast<uint32_t>(random_());
    span.response_tcp_seq = static_cast<uint32_t>(random_());
    span.pid = static_cast<uint32_t>(Below(30'000));
    for (uint64_t& ns : span.blame.ns) ns = Below(3) == 0 ? Below(1'000'000) : 0;
    if (Below(3) == 0) span.attributes.emplace_back("key", absl::StrFormat("value-%d", Below(9)));
    return span;
  }

  // Rows of few series and windows: they are added up.
  model::EdgeStats Edge() {
    model::EdgeStats edge;
    const int64_t time_ns = Time();
    edge.window_start_ns = time_ns - time_ns % (10 * kSecondNs);
    edge.window_ns = 10 * kSecondNs;
    edge.observer = static_cast<model::Side>(1 + Below(2));
    edge.client = Party();
    edge.server = Party();
    edge.protocol = model::Protocol::kHttp;
    edge.transport = model::Transport::kTcp;
    edge.endpoint = absl::StrFormat("GET /things/%d", Below(3));
    edge.status_code = Below(2) == 0 ? "500" : "200";
    edge.count = 1 + Below(1000);
    edge.slow_count = Below(edge.count);
    edge.sent_bytes = Below(1'000'000);
    edge.received_bytes = Below(1'000'000);
    edge.connections = Below(10);
    edge.connect_failures = Below(3);
    edge.connect_count = Below(13);
    edge.connect_sum_ns = Below(1'000'000'000);
    edge.lost = Below(2);
    for (uint64_t n = Below(5); n > 0; --n) {
      edge.latency.Record(static_cast<int64_t>(Below(10'000'000'000)), 1 + Below(100));
    }
    for (uint64_t& ns : edge.blame.ns) ns = Below(3) == 0 ? Below(1'000'000'000) : 0;
    return edge;
  }

  model::ProcessEvent Process() {
    return {.time_ns = Time(),
            .kind = static_cast<model::ProcessEventKind>(1 + Below(5)),
            .host = "host",
            .workload = absl::StrFormat("workload-%d", Below(5)),
            .workload_kind = "process",
            .executable = "/bin/thing",
            .command = absl::StrFormat("%d", Number()),
            .pid = static_cast<uint32_t>(Below(30'000)),
            .code = static_cast<int32_t>(Below(256))};
  }

  model::Loss Loss() {
    return {.time_ns = Time(),
            .stage = static_cast<model::LossStage>(1 + Below(6)),
            .host = "host",
            .requests = Number(),
            .events = Below(100),
            .bytes = Below(100)};
  }

  model::AddressBinding Address() {
    const int64_t time_ns = Time();
    return {.first_ns = time_ns,
            .address = absl::StrFormat("%d", Number()),
            .port = static_cast<uint16_t>(Below(65536)),
            .transport = model::Transport::kTcp,
            .workload = absl::StrFormat("workload-%d", Below(5)),
            .workload_kind = "process",
            .host = "host"};
  }

  void Metric(model::Batch& batch) {
    model::MetricPoint point{.series = static_cast<uint32_t>(batch.series.size()),
                             .time_ns = Time()};
    point.time_ns -= point.time_ns % (10 * kSecondNs);
    model::MetricSeries series;
    const uint64_t kind = Below(3);
    if (kind == 0) {
      series = {.name = "things_total", .kind = model::MetricKind::kDelta};
      point.value = static_cast<double>(1 + Below(1000));
    } else if (kind == 1) {
      series = {.name = "things", .kind = model::MetricKind::kGauge};
      point.value = static_cast<double>(Below(1000));
    } else {
      series = {.name = "things_seconds", .kind = model::MetricKind::kHistogram};
      point.histogram.Record(static_cast<int64_t>(1 + Below(1'000'000'000)), 1 + Below(10));
    }
    series.labels = {{"host", absl::StrFormat("host-%d", Below(3))}};
    batch.series.push_back(series);
    batch.points.push_back(point);
  }

  // With a content of its own or one that others have too.
  void Chunk(model::Batch& batch) {
    model::Chunk chunk{.kind = static_cast<model::ChunkKind>(1 + Below(4)),
                       .span_id = Below(2) == 0 || batch.spans.empty() ? 0 : batch.spans[0].id,
                       .first_ns = Time(),
                       .host = "host",
                       .pid = static_cast<uint32_t>(Below(30'000)),
                       .bytes = absl::StrFormat("%d", Number())};
    chunk.last_ns = chunk.first_ns + static_cast<int64_t>(Below(kSecondNs));
    model::Content content{.time_ns = chunk.first_ns,
                           .bytes = Below(2) == 0 ? absl::StrFormat("stack %d", Below(5))
                                                  : chunk.bytes + std::string(Below(500), 'x')};
    content.hash = model::HashOf(content.bytes);
    batch.chunks.push_back(std::move(chunk));
    batch.contents.push_back(std::move(content));
  }

  uint64_t Below(uint64_t bound) { return random_() % bound; }

 private:
  uint64_t Number() {
    ++tag_.row;
    return Pack(tag_);
  }
  int64_t Time() {
    const bool late = Below(40) == 0;
    const uint64_t before = late ? Below(CrashRecords::kMaxLateNs) : Below(5 * kSecondNs);
    return sent_ns_ - static_cast<int64_t>(before);
  }
  model::Party Party() {
    if (Below(4) == 0) {
      return {.address = absl::StrFormat("10.0.0.%d", Below(9)), .port = 80};
    }
    return {.workload = absl::StrFormat("workload-%d", Below(4)),
            .workload_kind = "process",
            .host = "host"};
  }

  std::mt19937_64 random_;
  CrashTag tag_;
  const int64_t sent_ns_;
};

}  // namespace

CrashRecords::CrashRecords(uint64_t seed)
    : seed_(seed),
      // Some ten to some hundred batches in an hour.
      stride_ns_(kSecondNs * static_cast<int64_t>(10 + Mix(seed) % 200)) {}

std::string CrashRecords::AgentOf(int stream) {
  return absl::StrFormat("agent-%d", stream % kAgents);
}

uint64_t CrashRecords::EpochOf(int stream) { return 7 + static_cast<uint64_t>(stream / kAgents); }

int64_t CrashRecords::SentNs(uint64_t sequence) const {
  return kBeginNs + kMaxLateNs + static_cast<int64_t>(sequence) * stride_ns_;
}

const model::Batch& CrashRecords::Batch(int stream, uint64_t sequence) const {
  {
    absl::MutexLock lock(&mu_);
    const auto it = made_.find({stream, sequence});
    if (it != made_.end()) return it->second;
  }
  model::Batch batch = Make(stream, sequence);
  absl::MutexLock lock(&mu_);
  return made_.try_emplace({stream, sequence}, std::move(batch)).first->second;
}

model::Batch CrashRecords::Make(int stream, uint64_t sequence) const {
  model::Batch batch;
  batch.id = {.agent_id = AgentOf(stream), .boot_epoch = EpochOf(stream), .sequence = sequence};
  batch.tenant = "default";
  batch.cluster = "test";
  const int64_t sent_ns = SentNs(sequence);
  Writer writer(Mix(seed_ ^ Mix(static_cast<uint64_t>(stream) << 40 | sequence)),
                {stream, sequence, 0}, sent_ns);
  batch.first_ns = sent_ns;
  batch.last_ns = sent_ns;
  if (writer.Below(30) == 0) return batch;
  const uint64_t scale = writer.Below(60) == 0 ? 40 : 1;
  for (uint64_t n = writer.Below(8) * scale; n > 0; --n) batch.spans.push_back(writer.Span());
  for (uint64_t n = writer.Below(5) * scale; n > 0; --n) batch.edges.push_back(writer.Edge());
  for (uint64_t n = writer.Below(3); n > 0; --n) batch.processes.push_back(writer.Process());
  for (uint64_t n = writer.Below(3); n > 0; --n) batch.addresses.push_back(writer.Address());
  for (uint64_t n = 1 + writer.Below(2); n > 0; --n) batch.losses.push_back(writer.Loss());
  for (uint64_t n = writer.Below(5) * scale; n > 0; --n) writer.Metric(batch);
  for (uint64_t n = writer.Below(3); n > 0; --n) writer.Chunk(batch);
  return batch;
}

bool ReadTag(const model::Span& row, CrashTag& tag) { return Unpack(row.execution_unit, tag); }
bool ReadTag(const model::ProcessEvent& row, CrashTag& tag) { return UnpackText(row.command, tag); }
bool ReadTag(const model::AddressBinding& row, CrashTag& tag) {
  return UnpackText(row.address, tag);
}
bool ReadTag(const model::Loss& row, CrashTag& tag) { return Unpack(row.requests, tag); }
bool ReadTag(const model::Chunk& row, CrashTag& tag) { return UnpackText(row.bytes, tag); }

std::string Text(const CrashTag& tag) {
  return absl::StrFormat("stream %d sequence %d row %d", tag.stream, tag.sequence, tag.row);
}

}  // namespace kindling::storage
