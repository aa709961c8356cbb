#include "storage/blocks/span_columns.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "storage/blocks/order_by_time.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

// The weight of a request that stands for itself is zero in its column.
constexpr uint32_t kOneBits = std::bit_cast<uint32_t>(1.0F);

template <typename T>
bool Narrow(const std::vector<uint64_t>& from, std::vector<T>& to, uint64_t bound) {
  to.resize(from.size());
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i] >= bound) return false;
    to[i] = static_cast<T>(from[i]);
  }
  return true;
}

constexpr uint64_t kBoundOf16 = uint64_t{1} << 16;
constexpr uint64_t kBoundOf32 = uint64_t{1} << 32;

bool IsSeq(uint32_t column) { return column == kRequestSeq || column == kResponseSeq; }

// Greatest value of a column that has narrower fields.
uint64_t BoundOf(uint32_t column) {
  switch (column) {
    case kStreamId:
    case kRequestTid:
    case kResponseTid:
    case kSampleWeight:
      return kBoundOf32;
    default:
      return 0;
  }
}

}  // namespace

void PredictSeqs(std::span<const uint32_t> connection_of_row, std::span<const uint64_t> bytes,
                 std::span<uint64_t> seqs, bool decode) {
  uint32_t expected = 0;
  for (size_t row = 0; row < seqs.size(); ++row) {
    if (row == 0 || connection_of_row[row] != connection_of_row[row - 1]) expected = 0;
    uint32_t seq = static_cast<uint32_t>(seqs[row]);
    if (decode) {
      seq = expected + static_cast<uint32_t>(UnZigZag(seqs[row]));
      seqs[row] = seq;
    } else {
      seqs[row] = ZigZag(static_cast<int32_t>(seq - expected));
    }
    // A message without a position, such as a response that never came, says nothing of the next.
    if (seq != 0) expected = seq + static_cast<uint32_t>(bytes[row]);
  }
}

bool SpanColumns::Open() { return ReadConnections() || Fail(); }

bool SpanColumns::ReadConnections() {
  const size_t ends_count = tables_.meta().ends;
  const size_t connections = unit_.connections;
  std::vector<uint64_t> values;
  std::vector<uint64_t> rows;
  if (!Read(kEndsConnections, ends_count, values)) return false;
  ends_of_connection_.reserve(connections);
  for (uint32_t ends = 0; ends < ends_count; ++ends) {
    if (values[ends] > connections - ends_of_connection_.size()) return false;
    ends_of_connection_.insert(ends_of_connection_.end(), values[ends], ends);
  }
  if (ends_of_connection_.size() != connections || !Read(kConnectionRows, connections, rows)) {
    return false;
  }
  size_t row = 0;
  connection_of_row_.resize(unit_.rows);
  ends_of_row_.resize(unit_.rows);
  for (uint32_t connection = 0; connection < connections; ++connection) {
    if (rows[connection] >= unit_.rows - row) return false;
    const uint32_t ends = ends_of_connection_[connection];
    if (runs_.empty() || runs_.back().ends != ends) {
      runs_.push_back({.ends = ends, .first_row = static_cast<uint32_t>(row)});
    }
    const size_t end = row + rows[connection] + 1;
    for (; row < end; ++row) {
      connection_of_row_[row] = connection;
      ends_of_row_[row] = ends;
    }
    runs_.back().end_row = static_cast<uint32_t>(row);
  }
  const std::array<ColumnContext, 1> by_ends = {
      {{ends_of_connection_, static_cast<uint32_t>(ends_count)}}};
  return row == unit_.rows && Read(kConnectionPort, connections, values) &&
         Narrow(values, ports_, kBoundOf16) && Read(kConnectionPid, connections, values, by_ends) &&
         Narrow(values, pids_, kBoundOf32) &&
         Read(kConnectionStart, connections, first_starts_, by_ends);
}

bool SpanColumns::Decode(uint32_t column, std::vector<uint64_t>& values) {
  const SpanMeta& meta = tables_.meta();
  const ColumnContext by_connection = {connection_of_row_,
                                       static_cast<uint32_t>(unit_.connections)};
  const ColumnContext by_ends = {ends_of_row_, static_cast<uint32_t>(meta.ends)};
  const auto by_endpoint = [&] {
    return ColumnContext{Endpoints(), static_cast<uint32_t>(meta.endpoints)};
  };
  const auto read = [&](std::span<const ColumnContext> contexts) {
    return Read(column, unit_.rows, values, contexts);
  };
  if (column == kResult || column == kRequestBytes || column == kResponseBytes) {
    Endpoints();
    if (damaged()) return false;
  }
  switch (column) {
    case kEndpoint:
      return read(std::array{by_ends}) &&
             std::all_of(values.begin(), values.end(),
                         [&](uint64_t v) { return v < meta.endpoints; });
    case kResult:
      return read(std::array{by_endpoint()}) &&
             std::all_of(values.begin(), values.end(),
                         [&](uint64_t v) { return v < meta.results; });
    case kRequestBytes:
    case kResponseBytes:
      return read(std::array{by_endpoint()});
    case kRequestTid:
    case kResponseTid:
    case kExecutionUnit:
    case kStreamId:
      if (!read(std::array{by_connection})) return false;
      break;
    default:
      if (!read({})) return false;
      break;
  }
  if (const uint64_t bound = BoundOf(column)) {
    return std::all_of(values.begin(), values.end(), [&](uint64_t v) { return v < bound; });
  }
  if (IsSeq(column)) {
    const auto& bytes = Numbers(column == kRequestSeq ? kRequestBytes : kResponseBytes);
    if (damaged()) return false;
    PredictSeqs(connection_of_row_, bytes, values, /*decode=*/true);
  }
  return true;
}

const std::vector<uint64_t>& SpanColumns::Numbers(SpanColumn column) {
  std::optional<std::vector<uint64_t>>& place = columns_[column];
  if (place.has_value()) return *place;
  std::vector<uint64_t> values;
  if (!Decode(column, values)) {
    Fail();
    values.assign(unit_.rows, 0);
  }
  place = std::move(values);
  return *place;
}

const std::vector<int64_t>& SpanColumns::StartTimes() {
  if (start_times_.has_value()) return *start_times_;
  const std::vector<uint64_t>& steps = Numbers(kStart);
  std::vector<int64_t> times(unit_.rows);
  uint64_t time = 0;
  for (size_t row = 0; row < times.size(); ++row) {
    const uint32_t connection = connection_of_row_[row];
    if (row == 0 || connection != connection_of_row_[row - 1]) {
      time = static_cast<uint64_t>(unit_.first_ns) + first_starts_[connection];
    }
    time += steps[row];
    times[row] = static_cast<int64_t>(time);
  }
  start_times_ = std::move(times);
  return *start_times_;
}

const std::vector<int64_t>& SpanColumns::Durations() {
  if (durations_.has_value()) return *durations_;
  const std::vector<uint64_t>& request = Numbers(kRequestDuration);
  const std::vector<uint64_t>& wait = Numbers(kWaitDuration);
  const std::vector<uint64_t>& response = Numbers(kResponseDuration);
  std::vector<int64_t> durations(unit_.rows);
  for (size_t row = 0; row < durations.size(); ++row) {
    durations[row] = WrappedSum(WrappedSum(UnZigZag(request[row]), UnZigZag(wait[row])),
                                UnZigZag(response[row]));
  }
  durations_ = std::move(durations);
  return *durations_;
}

const std::vector<uint32_t>& SpanColumns::Endpoints() {
  if (!endpoints_.has_value()) {
    const std::vector<uint64_t>& numbers = Numbers(kEndpoint);
    endpoints_.emplace(numbers.begin(), numbers.end());
  }
  return *endpoints_;
}

const std::vector<uint32_t>& SpanColumns::Results() {
  if (!result_numbers_.has_value()) {
    const std::vector<uint64_t>& numbers = Numbers(kResult);
    result_numbers_.emplace(numbers.begin(), numbers.end());
  }
  return *result_numbers_;
}

AttributesReader* SpanColumns::Attributes() {
  if (!attributes_.has_value()) {
    attributes_.emplace();
    AttributeTables* tables = tables_.Attributes();
    const AttributeContexts contexts = {
        .endpoint = Endpoints(),
        .endpoint_count = static_cast<uint32_t>(tables_.meta().endpoints),
        .result = Results(),
        .result_count = static_cast<uint32_t>(tables_.meta().results)};
    if (damaged() ||
        !attributes_->Load(tables_.frame(), base_, *tables, tables_.texts(), contexts)) {
      Fail();
    }
  }
  return damaged() ? nullptr : &*attributes_;
}

const LinkRows& SpanColumns::LinkInput() {
  if (link_rows_.has_value()) return *link_rows_;
  const EndsTable& table = tables_.ends();
  const auto host_of = [&](uint32_t number) {
    const EndsTable::Ends& ends = table.ends[number];
    return table.parties[ends.side == model::Side::kClient ? ends.client : ends.server].host;
  };
  LinkRows rows;
  rows.start_ns = StartTimes();
  rows.by_start = OrderByTime(rows.start_ns);
  rows.end_ns = Durations();
  std::vector<uint32_t> process_of_connection;
  process_of_connection.reserve(unit_.connections);
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> processes;
  for (size_t i = 0; i < unit_.connections; ++i) {
    process_of_connection.push_back(processes
                                        .try_emplace({host_of(ends_of_connection_[i]), pids_[i]},
                                                     static_cast<uint32_t>(processes.size()))
                                        .first->second);
  }
  rows.host_count = static_cast<uint32_t>(tables_.texts().size());
  rows.client_count = static_cast<uint32_t>(table.parties.size());
  rows.process_count = static_cast<uint32_t>(processes.size());
  rows.host.resize(unit_.rows);
  rows.client.resize(unit_.rows);
  rows.process.resize(unit_.rows);
  rows.serves.resize(unit_.rows);
  for (const Run& run : runs_) {
    const EndsTable::Ends& ends = table.ends[run.ends];
    const uint32_t host = host_of(run.ends);
    for (uint32_t row = run.first_row; row < run.end_row; ++row) {
      rows.end_ns[row] = WrappedSum(rows.end_ns[row], rows.start_ns[row]);
      rows.host[row] = host;
      rows.client[row] = ends.client;
      rows.process[row] = process_of_connection[connection_of_row_[row]];
      rows.serves[row] = ends.side == model::Side::kServer;
    }
  }
  link_rows_ = std::move(rows);
  return *link_rows_;
}

const std::vector<model::SpanId>& SpanColumns::Ids() {
  if (!std::exchange(has_ids_, true)) {
    if (!DecodeIds(tables_.frame(), base_, LinkInput(), links_)) Fail();
    links_.ids.resize(unit_.rows);
  }
  return links_.ids;
}

const std::vector<model::TraceId>& SpanColumns::Traces() {
  if (!std::exchange(has_traces_, true)) {
    Ids();
    if (!DecodeParentsAndTraces(tables_.frame(), base_, LinkInput(), links_)) Fail();
    links_.parents.resize(unit_.rows);
    links_.traces.resize(unit_.rows);
  }
  return links_.traces;
}

const std::vector<uint32_t>& SpanColumns::Aliases() {
  if (!aliases_.has_value()) {
    aliases_.emplace(unit_.rows);
    const AliasTable* table = tables_.Aliases();
    if (table != nullptr && table->size() > 0) {
      std::vector<uint32_t> by_start;
      if (table->ReadUnit(tables_.frame(), base_, unit_.rows, unit_.first_pair, by_start)) {
        const std::vector<uint32_t>& order = LinkInput().by_start;
        for (size_t i = 0; i < order.size(); ++i) (*aliases_)[order[i]] = by_start[i];
      } else {
        Fail();
      }
    }
  }
  return *aliases_;
}

bool SpanColumns::LoadFor(std::vector<uint32_t> rows) {
  rows_ = std::move(rows);
  StartTimes();
  Durations();
  Traces();
  Aliases();
  std::vector<uint64_t> decoded;
  for (uint32_t column = kEndpoint; column < kBlameEnd && !damaged(); ++column) {
    std::vector<uint64_t>& picked = picked_[column];
    if (IsZeroColumn(tables_.frame(), base_ + column) && !IsSeq(column)) {
      picked.assign(rows_.size(), 0);
      continue;
    }
    if (!columns_[column].has_value() && !Decode(column, decoded)) return Fail();
    const std::vector<uint64_t>& values =
        columns_[column].has_value() ? *columns_[column] : decoded;
    picked.resize(rows_.size());
    for (size_t i = 0; i < rows_.size(); ++i) picked[i] = values[rows_[i]];
  }
  return Attributes() != nullptr && (attributes_->LoadFor(rows_) || Fail()) && !damaged();
}

model::Span SpanColumns::Get(size_t number) const {
  const uint32_t row = rows_[number];
  const auto value = [&](uint32_t column) { return picked_[column][number]; };
  const uint32_t connection = connection_of_row_[row];
  const TextTable& texts = tables_.texts();
  const EndsTable& table = tables_.ends();
  const EndsTable::Ends& ends = table.ends[ends_of_row_[row]];
  const uint64_t result = value(kResult);
  model::Span span;
  span.id = links_.ids[row];
  span.trace_id = links_.traces[row];
  span.parent_id = links_.parents[row];
  span.side = ends.side;
  span.protocol = ends.protocol;
  span.transport = ends.transport;
  span.outcome = tables_.ResultOutcome(result);
  span.slow = tables_.ResultIsSlow(result);
  span.client = table.MakeParty(ends.client, texts);
  span.server = table.MakeParty(ends.server, texts);
  span.client_port = ports_[connection];
  span.endpoint = texts[tables_.EndpointText(value(kEndpoint))];
  span.status_code = texts[tables_.ResultText(result)];
  span.start_ns = (*start_times_)[row];
  span.request_duration_ns = UnZigZag(value(kRequestDuration));
  span.wait_duration_ns = UnZigZag(value(kWaitDuration));
  span.response_duration_ns = UnZigZag(value(kResponseDuration));
  span.connect_duration_ns = UnZigZag(value(kConnectDuration));
  span.request_bytes = value(kRequestBytes);
  span.response_bytes = value(kResponseBytes);
  span.request_tcp_seq = static_cast<uint32_t>(value(kRequestSeq));
  span.response_tcp_seq = static_cast<uint32_t>(value(kResponseSeq));
  span.stream_id = static_cast<uint32_t>(value(kStreamId));
  span.pid = pids_[connection];
  span.request_tid = static_cast<uint32_t>(value(kRequestTid));
  // The thread of the response is kept as the difference to that of the request.
  span.response_tid = span.request_tid ^ static_cast<uint32_t>(value(kResponseTid));
  span.execution_unit = value(kExecutionUnit);
  span.sample_weight = std::bit_cast<float>(static_cast<uint32_t>(value(kSampleWeight)) ^ kOneBits);
  const uint64_t rest_cause = tables_.meta().rest_cause;
  uint64_t others = 0;
  for (size_t i = 0; i < model::kCauseCount; ++i) {
    span.blame.ns[i] = value(static_cast<uint32_t>(kBlame + i));
    if (i + 1 != rest_cause) others += span.blame.ns[i];
  }
  if (rest_cause > 0) {
    uint64_t& rest = span.blame.ns[rest_cause - 1];
    rest =
        static_cast<uint64_t>((*durations_)[row]) - others - static_cast<uint64_t>(UnZigZag(rest));
  }
  if (const uint32_t pair = (*aliases_)[row]; pair > 0) {
    const Alias& alias = (*tables_.Aliases())[pair - 1];
    span.alias_trace_id = alias.trace;
    span.alias_parent_id = alias.parent;
  }
  attributes_->Get(row, span.attributes);
  return span;
}

}  // namespace kindling::storage
