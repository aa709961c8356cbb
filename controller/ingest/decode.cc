#include "controller/ingest/decode.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "kindling/v1/ingest.pb.h"

namespace kindling::controller {
namespace {

// A column's value in row `i`; an empty column holds the default.
template <typename Column>
auto At(const Column& column, int i) {
  return column.empty() ? typename Column::value_type{} : column.Get(i);
}

// Decodes one batch.
//
// Failure: sticky; the first fault is kept and everything after it reads as nothing.
class BatchDecoder {
 public:
  BatchDecoder(const v1::Batch& in, int64_t latest_ns) : in_(in), latest_ns_(latest_ns) {}

  absl::StatusOr<model::Batch> Decode() {
    out_.id.boot_epoch = in_.boot_epoch();
    out_.id.sequence = in_.sequence();
    out_.rule_version = in_.rule_version();
    out_.first_ns = Time(in_.first_time_ns(), "first_time_ns");
    out_.last_ns = Time(in_.last_time_ns(), "last_time_ns");
    if (out_.id.boot_epoch == 0) Fail("boot_epoch is 0");
    if (out_.id.sequence == 0) Fail("sequence is 0");
    CheckTexts();
    Parties();
    Spans();
    Edges();
    Processes();
    Addresses();
    Losses();
    if (!status_.ok()) return status_;
    return std::move(out_);
  }

 private:
  void Fail(std::string_view what) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(absl::StrFormat("batch: %s", what));
  }

  // Rows of a table whose columns have these sizes.
  int Rows(std::string_view table, std::initializer_list<int> sizes) {
    const int rows = std::max(sizes);
    if (rows > kMaxBatchRows) {
      Fail(absl::StrFormat("%s has %d rows, at most %d are allowed", table, rows, kMaxBatchRows));
    }
    for (const int size : sizes) {
      if (size != 0 && size != rows) {
        Fail(absl::StrFormat("columns of %s differ in length", table));
      }
    }
    return status_.ok() ? rows : 0;
  }

  void CheckTexts() {
    if (in_.strings_size() > kMaxBatchRows) Fail("too many strings");
    if (in_.strings_size() > 0 && !in_.strings(0).empty()) Fail("string 0 is not empty");
    for (const std::string& text : in_.strings()) {
      if (text.size() > kMaxTextBytes) Fail("a string is too long");
    }
  }

  void Text(uint32_t index, std::string& out) {
    if (index == 0 || !status_.ok()) return;
    if (index >= static_cast<uint32_t>(in_.strings_size())) return Fail("no such string");
    const std::string& text = in_.strings(static_cast<int>(index));
    if (Spend(text.size())) out = text;
  }

  void Address(uint32_t index, std::string& out) {
    Text(index, out);
    if (out.size() > kMaxAddressBytes) Fail("an address is too long");
  }

  void Party(uint32_t index, model::Party& out) {
    if (!status_.ok() || (index == 0 && parties_.empty())) return;
    if (index >= parties_.size()) return Fail("no such party");
    const model::Party& party = parties_[index];
    if (Spend(party.workload.size() + party.workload_kind.size() + party.host.size() +
              party.address.size() + party.dns_name.size())) {
      out = party;
    }
  }

  bool Spend(size_t bytes) {
    text_bytes_ += bytes;
    if (text_bytes_ > kMaxDecodedTextBytes) Fail("its texts are too large");
    return status_.ok();
  }

  template <typename E>
  E Enum(uint32_t value, std::string_view column) {
    if (value > UINT8_MAX) Fail(absl::StrFormat("%s %d is out of range", column, value));
    return static_cast<E>(value);
  }

  uint16_t Port(uint32_t value) {
    if (value > UINT16_MAX) Fail(absl::StrFormat("port %d is out of range", value));
    return static_cast<uint16_t>(value);
  }

  uint64_t Number(uint64_t value, std::string_view column) {
    if (value > kMaxNumber) Fail(absl::StrFormat("%s is too large", column));
    return value;
  }

  int64_t Duration(int64_t value, std::string_view column) {
    if (value < 0 || value > static_cast<int64_t>(kMaxNumber)) {
      Fail(absl::StrFormat("%s is out of range", column));
    }
    return value;
  }

  int64_t Time(int64_t value, std::string_view column) {
    if (value < 0) Fail(absl::StrFormat("%s is before 1970", column));
    if (value > latest_ns_) {
      Fail(absl::StrFormat("%s lies far in the future: is the agent's clock right?", column));
    }
    return value;
  }

  // A time that is given as the difference to the row before; `time_ns` holds that one's.
  int64_t Later(int64_t& time_ns, int64_t delta_ns, std::string_view column) {
    if (__builtin_add_overflow(time_ns, delta_ns, &time_ns)) time_ns = -1;
    return Time(time_ns, column);
  }

  template <typename Column>
  void Blame(const Column& column, int row, model::BlameVector& out) {
    if (column.empty()) return;
    for (size_t i = 0; i < model::kCauseCount; ++i) {
      out.ns[i] = Number(
          column.Get(row * static_cast<int>(model::kCauseCount) + static_cast<int>(i)), "blame_ns");
    }
  }

  // Size of a column that has `per_row` values for each row, in rows; -1 when it does not.
  int RowsOf(int size, size_t per_row) {
    const int divisor = static_cast<int>(per_row);
    if (size % divisor != 0) Fail("blame_ns has an odd length");
    return size / divisor;
  }

  void Parties();
  void Spans();
  void SpanAttributes(int row, int& at, model::Span& span);
  void Edges();
  void Latency(int row, int& at, model::LatencyHistogram& out);
  void Processes();
  void Addresses();
  void Losses();

  const v1::Batch& in_;
  const int64_t latest_ns_;
  absl::Status status_;
  size_t text_bytes_ = 0;
  std::vector<model::Party> parties_;
  model::Batch out_;
};

void BatchDecoder::Parties() {
  const v1::PartyColumns& c = in_.parties();
  const int rows = Rows("parties", {c.workload_size(), c.workload_kind_size(), c.host_size(),
                                    c.address_size(), c.port_size(), c.dns_name_size()});
  parties_.resize(rows);
  for (int i = 0; i < rows && status_.ok(); ++i) {
    model::Party& party = parties_[i];
    Text(At(c.workload(), i), party.workload);
    Text(At(c.workload_kind(), i), party.workload_kind);
    Text(At(c.host(), i), party.host);
    Address(At(c.address(), i), party.address);
    party.port = Port(At(c.port(), i));
    Text(At(c.dns_name(), i), party.dns_name);
  }
}

void BatchDecoder::Spans() {
  const v1::SpanColumns& c = in_.spans();
  const int rows = Rows("spans", {c.id_size(),
                                  c.trace_id_high_size(),
                                  c.trace_id_low_size(),
                                  c.parent_id_size(),
                                  c.side_size(),
                                  c.protocol_size(),
                                  c.transport_size(),
                                  c.outcome_size(),
                                  c.slow_size(),
                                  c.client_size(),
                                  c.server_size(),
                                  c.client_port_size(),
                                  c.endpoint_size(),
                                  c.status_code_size(),
                                  c.start_delta_ns_size(),
                                  c.request_duration_ns_size(),
                                  c.wait_duration_ns_size(),
                                  c.response_duration_ns_size(),
                                  c.connect_duration_ns_size(),
                                  c.request_bytes_size(),
                                  c.response_bytes_size(),
                                  c.request_tcp_seq_size(),
                                  c.response_tcp_seq_size(),
                                  c.stream_id_size(),
                                  c.pid_size(),
                                  c.request_tid_size(),
                                  c.response_tid_size(),
                                  c.execution_unit_size(),
                                  c.sample_weight_size(),
                                  RowsOf(c.blame_ns_size(), model::kCauseCount),
                                  c.attribute_count_size()});
  if (c.attribute_key_size() != c.attribute_value_size()) Fail("attributes lack keys or values");
  int64_t start_ns = in_.first_time_ns();
  int attribute = 0;
  for (int i = 0; i < rows && status_.ok(); ++i) {
    model::Span& span = out_.spans.emplace_back();
    span.id = At(c.id(), i);
    span.trace_id = {At(c.trace_id_high(), i), At(c.trace_id_low(), i)};
    span.parent_id = At(c.parent_id(), i);
    span.side = Enum<model::Side>(At(c.side(), i), "side");
    span.protocol = Enum<model::Protocol>(At(c.protocol(), i), "protocol");
    span.transport = Enum<model::Transport>(At(c.transport(), i), "transport");
    span.outcome = Enum<model::Outcome>(At(c.outcome(), i), "outcome");
    span.slow = At(c.slow(), i);
    Party(At(c.client(), i), span.client);
    Party(At(c.server(), i), span.server);
    span.client_port = Port(At(c.client_port(), i));
    Text(At(c.endpoint(), i), span.endpoint);
    Text(At(c.status_code(), i), span.status_code);
    span.start_ns = Later(start_ns, At(c.start_delta_ns(), i), "start_delta_ns");
    span.request_duration_ns = Duration(At(c.request_duration_ns(), i), "request_duration_ns");
    span.wait_duration_ns = Duration(At(c.wait_duration_ns(), i), "wait_duration_ns");
    span.response_duration_ns = Duration(At(c.response_duration_ns(), i), "response_duration_ns");
    span.connect_duration_ns = Duration(At(c.connect_duration_ns(), i), "connect_duration_ns");
    span.request_bytes = Number(At(c.request_bytes(), i), "request_bytes");
    span.response_bytes = Number(At(c.response_bytes(), i), "response_bytes");
    span.request_tcp_seq = At(c.request_tcp_seq(), i);
    span.response_tcp_seq = At(c.response_tcp_seq(), i);
    span.stream_id = At(c.stream_id(), i);
    span.pid = At(c.pid(), i);
    span.request_tid = At(c.request_tid(), i);
    span.response_tid = At(c.response_tid(), i);
    span.execution_unit = At(c.execution_unit(), i);
    // The default is one request.
    const float weight = At(c.sample_weight(), i);
    if (!(weight >= 0 && weight <= static_cast<float>(kMaxNumber))) Fail("sample_weight is wrong");
    span.sample_weight = weight == 0 ? 1 : weight;
    Blame(c.blame_ns(), i, span.blame);
    SpanAttributes(i, attribute, span);
  }
  if (attribute != c.attribute_key_size()) Fail("attribute_count does not add up");
}

void BatchDecoder::SpanAttributes(int row, int& at, model::Span& span) {
  const v1::SpanColumns& c = in_.spans();
  const uint32_t count = At(c.attribute_count(), row);
  if (count > kMaxAttributes || static_cast<int>(count) > c.attribute_key_size() - at) {
    return Fail("attribute_count does not add up");
  }
  span.attributes.resize(count);
  for (auto& [key, value] : span.attributes) {
    Text(c.attribute_key(at), key);
    Text(c.attribute_value(at), value);
    ++at;
  }
}

void BatchDecoder::Edges() {
  const v1::EdgeColumns& c = in_.edges();
  const int rows = Rows("edges", {c.window_start_delta_ns_size(),
                                  c.window_ns_size(),
                                  c.observer_size(),
                                  c.client_size(),
                                  c.server_size(),
                                  c.protocol_size(),
                                  c.transport_size(),
                                  c.endpoint_size(),
                                  c.outcome_size(),
                                  c.status_code_size(),
                                  c.count_size(),
                                  c.slow_count_size(),
                                  c.sent_bytes_size(),
                                  c.received_bytes_size(),
                                  c.connections_size(),
                                  c.connect_failures_size(),
                                  c.connect_count_size(),
                                  c.connect_sum_ns_size(),
                                  c.lost_size(),
                                  c.latency_offset_size(),
                                  c.latency_bucket_count_size(),
                                  c.latency_zero_count_size(),
                                  c.latency_sum_ns_size(),
                                  c.latency_min_ns_size(),
                                  c.latency_max_ns_size(),
                                  RowsOf(c.blame_ns_size(), model::kCauseCount)});
  int64_t window_ns = in_.first_time_ns();
  int bucket = 0;
  for (int i = 0; i < rows && status_.ok(); ++i) {
    model::EdgeStats& edge = out_.edges.emplace_back();
    edge.window_start_ns = Later(window_ns, At(c.window_start_delta_ns(), i), "window_start");
    edge.window_ns = Duration(At(c.window_ns(), i), "window_ns");
    edge.observer = Enum<model::Side>(At(c.observer(), i), "observer");
    Party(At(c.client(), i), edge.client);
    Party(At(c.server(), i), edge.server);
    edge.protocol = Enum<model::Protocol>(At(c.protocol(), i), "protocol");
    edge.transport = Enum<model::Transport>(At(c.transport(), i), "transport");
    Text(At(c.endpoint(), i), edge.endpoint);
    edge.outcome = Enum<model::Outcome>(At(c.outcome(), i), "outcome");
    Text(At(c.status_code(), i), edge.status_code);
    edge.count = Number(At(c.count(), i), "count");
    edge.slow_count = Number(At(c.slow_count(), i), "slow_count");
    edge.sent_bytes = Number(At(c.sent_bytes(), i), "sent_bytes");
    edge.received_bytes = Number(At(c.received_bytes(), i), "received_bytes");
    edge.connections = Number(At(c.connections(), i), "connections");
    edge.connect_failures = Number(At(c.connect_failures(), i), "connect_failures");
    edge.connect_count = Number(At(c.connect_count(), i), "connect_count");
    edge.connect_sum_ns = Number(At(c.connect_sum_ns(), i), "connect_sum_ns");
    edge.lost = Number(At(c.lost(), i), "lost");
    Latency(i, bucket, edge.latency);
    Blame(c.blame_ns(), i, edge.blame);
  }
  if (bucket != c.latency_buckets_size()) Fail("latency_bucket_count does not add up");
}

void BatchDecoder::Latency(int row, int& at, model::LatencyHistogram& out) {
  const v1::EdgeColumns& c = in_.edges();
  const uint32_t count = At(c.latency_bucket_count(), row);
  const uint32_t offset = At(c.latency_offset(), row);
  constexpr auto kMaxBuckets = static_cast<uint32_t>(model::LatencyHistogram::kMaxBuckets);
  if (count > kMaxBuckets || offset > kMaxBuckets ||
      static_cast<int>(count) > c.latency_buckets_size() - at) {
    return Fail("latency_bucket_count does not add up");
  }
  const std::span<const uint64_t> buckets(c.latency_buckets().data() + at, count);
  at += static_cast<int>(count);
  for (const uint64_t in_bucket : buckets) Number(in_bucket, "latency_buckets");
  if (!out.Assign(static_cast<int>(offset), buckets,
                  Number(At(c.latency_zero_count(), row), "latency_zero_count"),
                  At(c.latency_sum_ns(), row), At(c.latency_min_ns(), row),
                  At(c.latency_max_ns(), row))) {
    Fail("a latency histogram is inconsistent");
  }
}

void BatchDecoder::Processes() {
  const v1::ProcessColumns& c = in_.processes();
  const int rows =
      Rows("processes", {c.time_delta_ns_size(), c.kind_size(), c.host_size(), c.workload_size(),
                         c.workload_kind_size(), c.executable_size(), c.command_size(),
                         c.pid_size(), c.parent_pid_size(), c.code_size()});
  int64_t time_ns = in_.first_time_ns();
  for (int i = 0; i < rows && status_.ok(); ++i) {
    model::ProcessEvent& event = out_.processes.emplace_back();
    event.time_ns = Later(time_ns, At(c.time_delta_ns(), i), "time_delta_ns");
    event.kind = Enum<model::ProcessEventKind>(At(c.kind(), i), "kind");
    Text(At(c.host(), i), event.host);
    Text(At(c.workload(), i), event.workload);
    Text(At(c.workload_kind(), i), event.workload_kind);
    Text(At(c.executable(), i), event.executable);
    Text(At(c.command(), i), event.command);
    event.pid = At(c.pid(), i);
    event.parent_pid = At(c.parent_pid(), i);
    event.code = At(c.code(), i);
  }
}

void BatchDecoder::Addresses() {
  const v1::AddressColumns& c = in_.addresses();
  const int rows = Rows(
      "addresses", {c.first_time_delta_ns_size(), c.address_size(), c.port_size(),
                    c.transport_size(), c.workload_size(), c.workload_kind_size(), c.host_size()});
  int64_t first_ns = in_.first_time_ns();
  for (int i = 0; i < rows && status_.ok(); ++i) {
    model::AddressBinding& binding = out_.addresses.emplace_back();
    binding.first_ns = Later(first_ns, At(c.first_time_delta_ns(), i), "first_time_delta_ns");
    Address(At(c.address(), i), binding.address);
    binding.port = Port(At(c.port(), i));
    binding.transport = Enum<model::Transport>(At(c.transport(), i), "transport");
    Text(At(c.workload(), i), binding.workload);
    Text(At(c.workload_kind(), i), binding.workload_kind);
    Text(At(c.host(), i), binding.host);
  }
}

void BatchDecoder::Losses() {
  const v1::LossColumns& c = in_.losses();
  const int rows =
      Rows("losses", {c.time_delta_ns_size(), c.stage_size(), c.host_size(), c.workload_size(),
                      c.requests_size(), c.events_size(), c.bytes_size()});
  int64_t time_ns = in_.first_time_ns();
  for (int i = 0; i < rows && status_.ok(); ++i) {
    model::Loss& loss = out_.losses.emplace_back();
    loss.time_ns = Later(time_ns, At(c.time_delta_ns(), i), "time_delta_ns");
    loss.stage = Enum<model::LossStage>(At(c.stage(), i), "stage");
    Text(At(c.host(), i), loss.host);
    Text(At(c.workload(), i), loss.workload);
    loss.requests = Number(At(c.requests(), i), "requests");
    loss.events = Number(At(c.events(), i), "events");
    loss.bytes = Number(At(c.bytes(), i), "bytes");
  }
}

}  // namespace

absl::StatusOr<model::Batch> DecodeBatch(const v1::Batch& batch, int64_t latest_ns) {
  return BatchDecoder(batch, latest_ns).Decode();
}

}  // namespace kindling::controller
