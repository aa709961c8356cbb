#include "storage/blocks/span_columns.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/byte_reader.h"
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

void PredictSeqs(const std::vector<uint32_t>& connection_of_row, const std::vector<uint64_t>& bytes,
                 std::vector<uint64_t>& seqs, bool decode) {
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

bool SpanColumns::Open() {
  return (ReadMeta() && ReadTexts() &&
          ends_.Read(frame_, kEndsColumns, meta_.parties, meta_.ends, texts_) &&
          ReadConnections() && ReadTables()) ||
         Fail();
}

bool SpanColumns::ReadMeta() {
  std::string room;
  const auto section = frame_.Read(SectionOf(kMetaColumn), room, 256);
  if (!section.ok()) return false;
  base::ByteReader reader(base::AsBytes(*section));
  for (uint64_t* field :
       {&meta_.rows, &meta_.parties, &meta_.ends, &meta_.connections, &meta_.endpoints,
        &meta_.results, &meta_.shapes, &meta_.slots, &meta_.attribute_columns, &meta_.rest_cause}) {
    *field = ReadVarint(reader);
  }
  meta_.first_ns = UnZigZag(ReadVarint(reader));
  const uint64_t rows = meta_.rows;
  return reader.ok() && rows > 0 && rows <= kMaxSpanRows && meta_.parties <= 2 * rows &&
         meta_.ends <= rows && meta_.connections <= rows && meta_.endpoints <= rows &&
         meta_.results <= rows && meta_.shapes <= rows && meta_.rest_cause <= model::kCauseCount;
}

bool SpanColumns::ReadTexts() {
  std::string room;
  const auto section = frame_.Read(SectionOf(kTextsColumn), room, kMaxSpanTextBytes);
  if (!section.ok()) return false;
  auto texts = TextTable::Parse(*section, kMaxSpanTextBytes);
  if (!texts.ok()) return false;
  texts_ = *std::move(texts);
  return true;
}

bool SpanColumns::ReadConnections() {
  std::vector<uint64_t> values;
  std::vector<uint64_t> rows;
  if (!DecodeNumberColumn(frame_, kEndsConnections, meta_.ends, values)) return false;
  for (uint32_t ends = 0; ends < meta_.ends; ++ends) {
    if (values[ends] >= meta_.connections - ends_of_connection_.size()) return false;
    ends_of_connection_.insert(ends_of_connection_.end(), values[ends] + 1, ends);
  }
  if (ends_of_connection_.size() != meta_.connections ||
      !DecodeNumberColumn(frame_, kConnectionRows, meta_.connections, rows)) {
    return false;
  }
  first_row_of_ends_.assign(1, 0);
  for (uint32_t connection = 0; connection < meta_.connections; ++connection) {
    if (rows[connection] >= meta_.rows - connection_of_row_.size()) return false;
    const uint32_t ends = ends_of_connection_[connection];
    if (ends == first_row_of_ends_.size()) {
      first_row_of_ends_.push_back(static_cast<uint32_t>(connection_of_row_.size()));
    }
    connection_of_row_.insert(connection_of_row_.end(), rows[connection] + 1, connection);
    ends_of_row_.insert(ends_of_row_.end(), rows[connection] + 1, ends);
  }
  first_row_of_ends_.push_back(static_cast<uint32_t>(connection_of_row_.size()));
  const std::array<ColumnContext, 1> by_ends = {
      {{&ends_of_connection_, static_cast<uint32_t>(meta_.ends)}}};
  return connection_of_row_.size() == meta_.rows &&
         DecodeNumberColumn(frame_, kConnectionPort, meta_.connections, values) &&
         Narrow(values, ports_, kBoundOf16) &&
         DecodeNumberColumn(frame_, kConnectionPid, meta_.connections, values, by_ends) &&
         Narrow(values, pids_, kBoundOf32) &&
         DecodeNumberColumn(frame_, kConnectionStart, meta_.connections, first_starts_, by_ends);
}

bool SpanColumns::ReadTables() {
  std::vector<uint64_t> values;
  std::vector<uint32_t> texts;
  if (!DecodeNumberColumn(frame_, kEndpointText, meta_.endpoints, values) ||
      !Narrow(values, endpoint_texts_, texts_.size()) ||
      !DecodeNumberColumn(frame_, kResultText, meta_.results, values) ||
      !Narrow(values, texts, texts_.size()) ||
      !DecodeNumberColumn(frame_, kResultKind, meta_.results, values)) {
    return false;
  }
  for (size_t i = 0; i < meta_.results; ++i) {
    Result& result = results_.emplace_back();
    result.text = texts[i];
    result.slow = values[i] > 0xff;
    if (values[i] > 0x1ff || !FromBits(values[i] & 0xff, result.outcome)) return false;
  }
  return true;
}

bool SpanColumns::Decode(uint32_t column, std::vector<uint64_t>& values) {
  const ColumnContext by_connection = {&connection_of_row_,
                                       static_cast<uint32_t>(meta_.connections)};
  const ColumnContext by_ends = {&ends_of_row_, static_cast<uint32_t>(meta_.ends)};
  const auto by_endpoint = [&] {
    return ColumnContext{&Endpoints(), static_cast<uint32_t>(meta_.endpoints)};
  };
  const auto read = [&](std::span<const ColumnContext> contexts) {
    return DecodeNumberColumn(frame_, column, meta_.rows, values, contexts);
  };
  if (column == kResult || column == kRequestBytes || column == kResponseBytes) {
    Endpoints();
    if (damaged_) return false;
  }
  switch (column) {
    case kEndpoint:
      return read(std::array{by_ends}) &&
             std::all_of(values.begin(), values.end(),
                         [&](uint64_t v) { return v < meta_.endpoints; });
    case kResult:
      return read(std::array{by_endpoint()}) &&
             std::all_of(values.begin(), values.end(),
                         [&](uint64_t v) { return v < meta_.results; });
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
    if (damaged_) return false;
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
    values.assign(meta_.rows, 0);
  }
  place = std::move(values);
  return *place;
}

const std::vector<int64_t>& SpanColumns::StartTimes() {
  if (start_times_.has_value()) return *start_times_;
  const std::vector<uint64_t>& steps = Numbers(kStart);
  std::vector<int64_t> times(meta_.rows);
  uint64_t time = 0;
  for (size_t row = 0; row < times.size(); ++row) {
    const uint32_t connection = connection_of_row_[row];
    if (row == 0 || connection != connection_of_row_[row - 1]) {
      time = static_cast<uint64_t>(meta_.first_ns) + first_starts_[connection];
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
  std::vector<int64_t> durations(meta_.rows);
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
    const AttributeContexts contexts = {.endpoint = &Endpoints(),
                                        .endpoint_count = static_cast<uint32_t>(meta_.endpoints),
                                        .result = &Results(),
                                        .result_count = static_cast<uint32_t>(meta_.results)};
    attributes_.emplace();
    if (damaged_ || !attributes_->Load(frame_, meta_, texts_, contexts)) Fail();
  }
  return damaged_ ? nullptr : &*attributes_;
}

const LinkRows& SpanColumns::LinkInput() {
  if (link_rows_.has_value()) return *link_rows_;
  LinkRows rows;
  rows.start_ns = StartTimes();
  rows.end_ns = Durations();
  std::vector<uint32_t> process_of_connection;
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> processes;
  for (size_t i = 0; i < meta_.connections; ++i) {
    const EndsTable::Ends& ends = ends_.ends[ends_of_connection_[i]];
    const uint32_t host =
        ends_.parties[ends.side == model::Side::kClient ? ends.client : ends.server].host;
    process_of_connection.push_back(
        processes.try_emplace(std::pair(host, pids_[i]), static_cast<uint32_t>(processes.size()))
            .first->second);
  }
  rows.host_count = static_cast<uint32_t>(texts_.size());
  rows.client_count = static_cast<uint32_t>(ends_.parties.size());
  rows.process_count = static_cast<uint32_t>(processes.size());
  for (uint32_t row = 0; row < meta_.rows; ++row) {
    rows.end_ns[row] = WrappedSum(rows.end_ns[row], rows.start_ns[row]);
    const EndsTable::Ends& ends = ends_.ends[ends_of_row_[row]];
    rows.host.push_back(
        ends_.parties[ends.side == model::Side::kClient ? ends.client : ends.server].host);
    rows.client.push_back(ends.client);
    rows.process.push_back(process_of_connection[connection_of_row_[row]]);
    rows.serves.push_back(ends.side == model::Side::kServer);
  }
  link_rows_ = std::move(rows);
  return *link_rows_;
}

const std::vector<model::SpanId>& SpanColumns::Ids() {
  if (!std::exchange(has_ids_, true)) {
    if (!DecodeIds(frame_, LinkInput(), links_)) Fail();
    links_.ids.resize(meta_.rows);
  }
  return links_.ids;
}

const std::vector<model::TraceId>& SpanColumns::Traces() {
  if (!std::exchange(has_traces_, true)) {
    Ids();
    if (!DecodeParentsAndTraces(frame_, LinkInput(), links_)) Fail();
    links_.parents.resize(meta_.rows);
    links_.traces.resize(meta_.rows);
  }
  return links_.traces;
}

const std::vector<model::TraceId>& SpanColumns::AliasTraces() {
  if (!std::exchange(has_aliases_, true)) {
    if (!DecodeAliases(frame_, LinkInput(), links_)) Fail();
    links_.alias_traces.resize(meta_.rows);
    links_.alias_parents.resize(meta_.rows);
  }
  return links_.alias_traces;
}

bool SpanColumns::LoadAll() {
  for (uint32_t column = kStart; column < kBlameEnd && !damaged_; ++column) {
    Numbers(static_cast<SpanColumn>(column));
  }
  if (damaged_) return false;
  StartTimes();
  Durations();
  Traces();
  AliasTraces();
  return Attributes() != nullptr && (attributes_->LoadAll() || Fail()) && !damaged_;
}

model::Span SpanColumns::Get(uint32_t row) const {
  const uint32_t connection = connection_of_row_[row];
  const EndsTable::Ends& ends = ends_.ends[ends_of_row_[row]];
  const Result& result = results_[Column(kResult)[row]];
  model::Span span;
  span.id = links_.ids[row];
  span.trace_id = links_.traces[row];
  span.parent_id = links_.parents[row];
  span.side = ends.side;
  span.protocol = ends.protocol;
  span.transport = ends.transport;
  span.outcome = result.outcome;
  span.slow = result.slow;
  span.client = ends_.MakeParty(ends.client, texts_);
  span.server = ends_.MakeParty(ends.server, texts_);
  span.client_port = ports_[connection];
  span.endpoint = texts_[endpoint_texts_[Column(kEndpoint)[row]]];
  span.status_code = texts_[result.text];
  span.start_ns = (*start_times_)[row];
  span.request_duration_ns = UnZigZag(Column(kRequestDuration)[row]);
  span.wait_duration_ns = UnZigZag(Column(kWaitDuration)[row]);
  span.response_duration_ns = UnZigZag(Column(kResponseDuration)[row]);
  span.connect_duration_ns = UnZigZag(Column(kConnectDuration)[row]);
  span.request_bytes = Column(kRequestBytes)[row];
  span.response_bytes = Column(kResponseBytes)[row];
  span.request_tcp_seq = static_cast<uint32_t>(Column(kRequestSeq)[row]);
  span.response_tcp_seq = static_cast<uint32_t>(Column(kResponseSeq)[row]);
  span.stream_id = static_cast<uint32_t>(Column(kStreamId)[row]);
  span.pid = pids_[connection];
  span.request_tid = static_cast<uint32_t>(Column(kRequestTid)[row]);
  // The thread of the response is kept as the difference to that of the request.
  span.response_tid = span.request_tid ^ static_cast<uint32_t>(Column(kResponseTid)[row]);
  span.execution_unit = Column(kExecutionUnit)[row];
  span.sample_weight =
      std::bit_cast<float>(static_cast<uint32_t>(Column(kSampleWeight)[row]) ^ kOneBits);
  uint64_t others = 0;
  for (size_t i = 0; i < model::kCauseCount; ++i) {
    span.blame.ns[i] = Column(static_cast<SpanColumn>(kBlame + i))[row];
    if (i + 1 != meta_.rest_cause) others += span.blame.ns[i];
  }
  if (meta_.rest_cause > 0) {
    uint64_t& rest = span.blame.ns[meta_.rest_cause - 1];
    rest =
        static_cast<uint64_t>((*durations_)[row]) - others - static_cast<uint64_t>(UnZigZag(rest));
  }
  span.alias_trace_id = links_.alias_traces[row];
  span.alias_parent_id = links_.alias_parents[row];
  attributes_->Get(row, span.attributes);
  return span;
}

}  // namespace kindling::storage
