#include "agent/export/encode.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/utf8.h"
#include "kindling/v1/ingest.pb.h"

namespace kindling::agent {
namespace {

// The controller refuses longer ones.
constexpr size_t kMaxTextBytes = 8 << 10;

// The texts of one batch, each once; 0 is "".
class StringTable {
 public:
  explicit StringTable(v1::Batch* out) : out_(out) { out_->add_strings(); }

  uint32_t Index(std::string_view text) {
    if (text.empty()) return 0;
    const auto next = static_cast<uint32_t>(out_->strings_size());
    const auto [entry, added] = indices_.try_emplace(text, next);
    // Protobuf strings must be UTF-8, and these came from the wire.
    if (added) *out_->add_strings() = base::ToValidUtf8(text.substr(0, kMaxTextBytes));
    return entry->second;
  }

 private:
  v1::Batch* const out_;
  // Views into the batch being encoded, which outlives the table.
  absl::flat_hash_map<std::string_view, uint32_t, base::StringHash> indices_;
};

// Fills `column` with value(row) for every row, unless all of them are zero.
template <typename Rows, typename Column, typename Value>
void Fill(const Rows& rows, Column* column, Value value) {
  size_t first = 0;
  while (first < rows.size() && value(rows[first]) == 0) ++first;
  if (first == rows.size()) return;
  column->Reserve(static_cast<int>(rows.size()));
  for (size_t i = 0; i < first; ++i) column->Add(0);
  for (size_t i = first; i < rows.size(); ++i) column->Add(value(rows[i]));
}

// As Fill(), for differences of time(row) from the row before, the first from `base`.
template <typename Rows, typename Column, typename Time>
void FillDeltas(const Rows& rows, int64_t base, Column* column, Time time) {
  bool any = false;
  for (const auto& row : rows) any = any || time(row) != base;
  if (!any) return;
  column->Reserve(static_cast<int>(rows.size()));
  for (const auto& row : rows) {
    column->Add(time(row) - base);
    base = time(row);
  }
}

// The parties of one batch, each once; 0 is the party of which nothing is known.
class PartyTable {
 public:
  PartyTable() { Index(none_); }

  uint32_t Index(const model::Party& party) {
    const auto [entry, added] =
        indices_.try_emplace(&party, static_cast<uint32_t>(parties_.size()));
    if (added) parties_.push_back(&party);
    return entry->second;
  }

  void Write(StringTable& strings, v1::PartyColumns* out) const {
    using Party = const model::Party*;
    Fill(parties_, out->mutable_workload(), [&](Party p) { return strings.Index(p->workload); });
    Fill(parties_, out->mutable_workload_kind(),
         [&](Party p) { return strings.Index(p->workload_kind); });
    Fill(parties_, out->mutable_host(), [&](Party p) { return strings.Index(p->host); });
    Fill(parties_, out->mutable_address(), [&](Party p) { return strings.Index(p->address); });
    Fill(parties_, out->mutable_port(), [](Party p) { return uint32_t{p->port}; });
    Fill(parties_, out->mutable_dns_name(), [&](Party p) { return strings.Index(p->dns_name); });
  }

 private:
  struct Less {
    bool operator()(const model::Party* a, const model::Party* b) const { return *a < *b; }
  };
  const model::Party none_;
  std::map<const model::Party*, uint32_t, Less> indices_;
  std::vector<const model::Party*> parties_;
};

template <typename Rows, typename Column>
void FillBlame(const Rows& rows, Column* column) {
  bool any = false;
  for (const auto& row : rows) any = any || !row.blame.empty();
  if (!any) return;
  for (const auto& row : rows) {
    for (const uint64_t ns : row.blame.ns) column->Add(ns);
  }
}

// The latency columns of a table whose rows have histogram(row).
template <typename Rows, typename Histogram, typename Columns>
void FillLatency(const Rows& rows, Histogram histogram, Columns* out) {
  using Row = const typename Rows::value_type&;
  Fill(rows, out->mutable_latency_offset(),
       [&](Row row) { return static_cast<uint32_t>(histogram(row).offset()); });
  Fill(rows, out->mutable_latency_bucket_count(),
       [&](Row row) { return static_cast<uint32_t>(histogram(row).counts().size()); });
  for (Row row : rows) {
    for (const uint64_t count : histogram(row).counts()) out->add_latency_buckets(count);
  }
  Fill(rows, out->mutable_latency_zero_count(),
       [&](Row row) { return histogram(row).zero_count(); });
  Fill(rows, out->mutable_latency_sum_ns(), [&](Row row) { return histogram(row).sum_ns(); });
  Fill(rows, out->mutable_latency_min_ns(), [&](Row row) { return histogram(row).min_ns(); });
  Fill(rows, out->mutable_latency_max_ns(), [&](Row row) { return histogram(row).max_ns(); });
}

template <typename Enum>
uint32_t Number(Enum value) {
  return static_cast<uint32_t>(value);
}

void EncodeSpans(const model::Batch& batch, StringTable& strings, PartyTable& parties,
                 v1::SpanColumns* out) {
  const std::vector<model::Span>& rows = batch.spans;
  using Span = const model::Span&;
  Fill(rows, out->mutable_id(), [](Span s) { return s.id; });
  Fill(rows, out->mutable_trace_id_high(), [](Span s) { return s.trace_id.high; });
  Fill(rows, out->mutable_trace_id_low(), [](Span s) { return s.trace_id.low; });
  Fill(rows, out->mutable_parent_id(), [](Span s) { return s.parent_id; });
  Fill(rows, out->mutable_side(), [](Span s) { return Number(s.side); });
  Fill(rows, out->mutable_protocol(), [](Span s) { return Number(s.protocol); });
  Fill(rows, out->mutable_transport(), [](Span s) { return Number(s.transport); });
  Fill(rows, out->mutable_outcome(), [](Span s) { return Number(s.outcome); });
  Fill(rows, out->mutable_slow(), [](Span s) { return s.slow; });
  Fill(rows, out->mutable_client(), [&](Span s) { return parties.Index(s.client); });
  Fill(rows, out->mutable_server(), [&](Span s) { return parties.Index(s.server); });
  Fill(rows, out->mutable_client_port(), [](Span s) { return uint32_t{s.client_port}; });
  Fill(rows, out->mutable_endpoint(), [&](Span s) { return strings.Index(s.endpoint); });
  Fill(rows, out->mutable_status_code(), [&](Span s) { return strings.Index(s.status_code); });
  FillDeltas(rows, batch.first_ns, out->mutable_start_delta_ns(),
             [](Span s) { return s.start_ns; });
  Fill(rows, out->mutable_request_duration_ns(), [](Span s) { return s.request_duration_ns; });
  Fill(rows, out->mutable_wait_duration_ns(), [](Span s) { return s.wait_duration_ns; });
  Fill(rows, out->mutable_response_duration_ns(), [](Span s) { return s.response_duration_ns; });
  Fill(rows, out->mutable_connect_duration_ns(), [](Span s) { return s.connect_duration_ns; });
  Fill(rows, out->mutable_request_bytes(), [](Span s) { return s.request_bytes; });
  Fill(rows, out->mutable_response_bytes(), [](Span s) { return s.response_bytes; });
  Fill(rows, out->mutable_request_tcp_seq(), [](Span s) { return s.request_tcp_seq; });
  Fill(rows, out->mutable_response_tcp_seq(), [](Span s) { return s.response_tcp_seq; });
  Fill(rows, out->mutable_stream_id(), [](Span s) { return s.stream_id; });
  Fill(rows, out->mutable_pid(), [](Span s) { return s.pid; });
  Fill(rows, out->mutable_request_tid(), [](Span s) { return s.request_tid; });
  Fill(rows, out->mutable_response_tid(), [](Span s) { return s.response_tid; });
  Fill(rows, out->mutable_execution_unit(), [](Span s) { return s.execution_unit; });
  Fill(rows, out->mutable_sample_weight(), [](Span s) { return s.sample_weight; });
  FillBlame(rows, out->mutable_blame_ns());
  Fill(rows, out->mutable_alias_trace_id_high(), [](Span s) { return s.alias_trace_id.high; });
  Fill(rows, out->mutable_alias_trace_id_low(), [](Span s) { return s.alias_trace_id.low; });
  Fill(rows, out->mutable_alias_parent_id(), [](Span s) { return s.alias_parent_id; });
  Fill(rows, out->mutable_attribute_count(),
       [](Span s) { return static_cast<uint32_t>(s.attributes.size()); });
  for (Span span : rows) {
    for (const auto& [key, value] : span.attributes) {
      out->add_attribute_key(strings.Index(key));
      out->add_attribute_value(strings.Index(value));
    }
  }
}

void EncodeEdges(const model::Batch& batch, StringTable& strings, PartyTable& parties,
                 v1::EdgeColumns* out) {
  const std::vector<model::EdgeStats>& rows = batch.edges;
  using Edge = const model::EdgeStats&;
  FillDeltas(rows, batch.first_ns, out->mutable_window_start_delta_ns(),
             [](Edge e) { return e.window_start_ns; });
  Fill(rows, out->mutable_window_ns(), [](Edge e) { return e.window_ns; });
  Fill(rows, out->mutable_observer(), [](Edge e) { return Number(e.observer); });
  Fill(rows, out->mutable_client(), [&](Edge e) { return parties.Index(e.client); });
  Fill(rows, out->mutable_server(), [&](Edge e) { return parties.Index(e.server); });
  Fill(rows, out->mutable_protocol(), [](Edge e) { return Number(e.protocol); });
  Fill(rows, out->mutable_transport(), [](Edge e) { return Number(e.transport); });
  Fill(rows, out->mutable_endpoint(), [&](Edge e) { return strings.Index(e.endpoint); });
  Fill(rows, out->mutable_outcome(), [](Edge e) { return Number(e.outcome); });
  Fill(rows, out->mutable_status_code(), [&](Edge e) { return strings.Index(e.status_code); });
  Fill(rows, out->mutable_count(), [](Edge e) { return e.count; });
  Fill(rows, out->mutable_slow_count(), [](Edge e) { return e.slow_count; });
  Fill(rows, out->mutable_sent_bytes(), [](Edge e) { return e.sent_bytes; });
  Fill(rows, out->mutable_received_bytes(), [](Edge e) { return e.received_bytes; });
  Fill(rows, out->mutable_connections(), [](Edge e) { return e.connections; });
  Fill(rows, out->mutable_connect_failures(), [](Edge e) { return e.connect_failures; });
  Fill(rows, out->mutable_connect_count(), [](Edge e) { return e.connect_count; });
  Fill(rows, out->mutable_connect_sum_ns(), [](Edge e) { return e.connect_sum_ns; });
  Fill(rows, out->mutable_lost(), [](Edge e) { return e.lost; });
  FillLatency(
      rows, [](Edge e) -> const model::LatencyHistogram& { return e.latency; }, out);
  FillBlame(rows, out->mutable_blame_ns());
}

void EncodeProcesses(const model::Batch& batch, StringTable& strings, v1::ProcessColumns* out) {
  const std::vector<model::ProcessEvent>& rows = batch.processes;
  using Event = const model::ProcessEvent&;
  FillDeltas(rows, batch.first_ns, out->mutable_time_delta_ns(), [](Event e) { return e.time_ns; });
  Fill(rows, out->mutable_kind(), [](Event e) { return Number(e.kind); });
  Fill(rows, out->mutable_host(), [&](Event e) { return strings.Index(e.host); });
  Fill(rows, out->mutable_workload(), [&](Event e) { return strings.Index(e.workload); });
  Fill(rows, out->mutable_workload_kind(), [&](Event e) { return strings.Index(e.workload_kind); });
  Fill(rows, out->mutable_executable(), [&](Event e) { return strings.Index(e.executable); });
  Fill(rows, out->mutable_command(), [&](Event e) { return strings.Index(e.command); });
  Fill(rows, out->mutable_pid(), [](Event e) { return e.pid; });
  Fill(rows, out->mutable_parent_pid(), [](Event e) { return e.parent_pid; });
  Fill(rows, out->mutable_code(), [](Event e) { return e.code; });
}

void EncodeAddresses(const model::Batch& batch, StringTable& strings, v1::AddressColumns* out) {
  const std::vector<model::AddressBinding>& rows = batch.addresses;
  using Binding = const model::AddressBinding&;
  FillDeltas(rows, batch.first_ns, out->mutable_first_time_delta_ns(),
             [](Binding b) { return b.first_ns; });
  Fill(rows, out->mutable_address(), [&](Binding b) { return strings.Index(b.address); });
  Fill(rows, out->mutable_port(), [](Binding b) { return uint32_t{b.port}; });
  Fill(rows, out->mutable_transport(), [](Binding b) { return Number(b.transport); });
  Fill(rows, out->mutable_workload(), [&](Binding b) { return strings.Index(b.workload); });
  Fill(rows, out->mutable_workload_kind(),
       [&](Binding b) { return strings.Index(b.workload_kind); });
  Fill(rows, out->mutable_host(), [&](Binding b) { return strings.Index(b.host); });
}

void EncodeLosses(const model::Batch& batch, StringTable& strings, v1::LossColumns* out) {
  const std::vector<model::Loss>& rows = batch.losses;
  using Loss = const model::Loss&;
  FillDeltas(rows, batch.first_ns, out->mutable_time_delta_ns(), [](Loss l) { return l.time_ns; });
  Fill(rows, out->mutable_stage(), [](Loss l) { return Number(l.stage); });
  Fill(rows, out->mutable_host(), [&](Loss l) { return strings.Index(l.host); });
  Fill(rows, out->mutable_workload(), [&](Loss l) { return strings.Index(l.workload); });
  Fill(rows, out->mutable_requests(), [](Loss l) { return l.requests; });
  Fill(rows, out->mutable_events(), [](Loss l) { return l.events; });
  Fill(rows, out->mutable_bytes(), [](Loss l) { return l.bytes; });
}

void EncodeSeries(const model::Batch& batch, StringTable& strings, v1::SeriesColumns* out) {
  const std::vector<model::MetricSeries>& rows = batch.series;
  using Series = const model::MetricSeries&;
  Fill(rows, out->mutable_name(), [&](Series s) { return strings.Index(s.name); });
  Fill(rows, out->mutable_kind(), [](Series s) { return Number(s.kind); });
  Fill(rows, out->mutable_label_count(),
       [](Series s) { return static_cast<uint32_t>(s.labels.size()); });
  for (Series series : rows) {
    for (const auto& [name, value] : series.labels) {
      out->add_label_name(strings.Index(name));
      out->add_label_value(strings.Index(value));
    }
  }
}

void EncodePoints(const model::Batch& batch, v1::PointColumns* out) {
  const std::vector<model::MetricPoint>& rows = batch.points;
  using Point = const model::MetricPoint&;
  Fill(rows, out->mutable_series(), [](Point p) { return p.series; });
  FillDeltas(rows, batch.first_ns, out->mutable_time_delta_ns(), [](Point p) { return p.time_ns; });
  Fill(rows, out->mutable_value(), [](Point p) { return p.value; });
  FillLatency(
      rows, [](Point p) -> const model::LatencyHistogram& { return p.histogram; }, out);
}

void EncodeChunks(const model::Batch& batch, StringTable& strings, v1::ChunkColumns* out) {
  const std::vector<model::Chunk>& rows = batch.chunks;
  using Chunk = const model::Chunk&;
  Fill(rows, out->mutable_kind(), [](Chunk c) { return Number(c.kind); });
  Fill(rows, out->mutable_span_id(), [](Chunk c) { return c.span_id; });
  FillDeltas(rows, batch.first_ns, out->mutable_first_time_delta_ns(),
             [](Chunk c) { return c.first_ns; });
  Fill(rows, out->mutable_duration_ns(), [](Chunk c) { return c.last_ns - c.first_ns; });
  Fill(rows, out->mutable_host(), [&](Chunk c) { return strings.Index(c.host); });
  Fill(rows, out->mutable_pid(), [](Chunk c) { return c.pid; });
  Fill(rows, out->mutable_tid(), [](Chunk c) { return c.tid; });
  for (Chunk chunk : rows) out->add_data(chunk.bytes);
}

void EncodeContents(const model::Batch& batch, v1::ContentColumns* out) {
  const std::vector<model::Content>& rows = batch.contents;
  using Content = const model::Content&;
  Fill(rows, out->mutable_hash_high(), [](Content c) { return c.hash.high; });
  Fill(rows, out->mutable_hash_low(), [](Content c) { return c.hash.low; });
  FillDeltas(rows, batch.first_ns, out->mutable_time_delta_ns(),
             [](Content c) { return c.time_ns; });
  for (Content content : rows) out->add_data(content.bytes);
}

}  // namespace

void EncodeBatch(const model::Batch& batch, v1::Batch* out) {
  out->Clear();
  out->set_boot_epoch(batch.id.boot_epoch);
  out->set_sequence(batch.id.sequence);
  out->set_rule_version(batch.rule_version);
  out->set_first_time_ns(batch.first_ns);
  out->set_last_time_ns(batch.last_ns);
  StringTable strings(out);
  PartyTable parties;
  if (!batch.spans.empty()) EncodeSpans(batch, strings, parties, out->mutable_spans());
  if (!batch.edges.empty()) EncodeEdges(batch, strings, parties, out->mutable_edges());
  if (!batch.processes.empty()) EncodeProcesses(batch, strings, out->mutable_processes());
  if (!batch.addresses.empty()) EncodeAddresses(batch, strings, out->mutable_addresses());
  if (!batch.losses.empty()) EncodeLosses(batch, strings, out->mutable_losses());
  if (!batch.series.empty()) EncodeSeries(batch, strings, out->mutable_series());
  if (!batch.points.empty()) EncodePoints(batch, out->mutable_points());
  if (!batch.chunks.empty()) EncodeChunks(batch, strings, out->mutable_chunks());
  if (!batch.contents.empty()) EncodeContents(batch, out->mutable_contents());
  parties.Write(strings, out->mutable_parties());
}

}  // namespace kindling::agent
