#include <algorithm>
#include <array>
#include <bit>
#include <set>
#include <span>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/hash.h"
#include "storage/blocks/order_by_time.h"
#include "storage/blocks/span_aliases.h"
#include "storage/blocks/span_attributes.h"
#include "storage/blocks/span_block.h"
#include "storage/blocks/span_columns.h"
#include "storage/blocks/span_filter.h"
#include "storage/blocks/span_layout.h"
#include "storage/blocks/span_links.h"
#include "storage/blocks/span_rows.h"
#include "storage/blocks/span_summary.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

constexpr uint32_t kOneBits = std::bit_cast<uint32_t>(1.0F);

constexpr size_t kRecentEndpoints = 256;

size_t LikenessOf(std::string_view endpoint) {
  if (endpoint.empty()) return 0;
  const auto at = [&](size_t i) { return size_t{static_cast<uint8_t>(endpoint[i])}; };
  return (endpoint.size() * 131 + at(endpoint.size() / 2) * 17 + at(endpoint.size() - 1)) %
         kRecentEndpoints;
}

class SpanEncoder {
 public:
  SpanEncoder(const SpanRows& rows, const ZstdDictionaries& dictionaries)
      : rows_(rows),
        frame_(FrameClass::kSpans, kSpanBlockVersion, dictionaries),
        attributes_(rows),
        aliases_(frame_) {}

  std::string Encode() {
    CollectRows();
    WriteTables();
    TakeRestOfBlame();
    for (size_t unit = 0; unit < rows_.units.size(); ++unit) {
      unit_ = rows_.units[unit];
      base_ = FirstColumnOf(unit);
      WriteConnections();
      WriteRows();
      WriteLinks();
      attributes_.WriteUnit(frame_, base_, unit_,
                            {.endpoint = endpoint_of_row_,
                             .endpoint_count = static_cast<uint32_t>(endpoints_.size()),
                             .result = result_of_row_,
                             .result_count = static_cast<uint32_t>(results_.size())});
    }
    aliases_.WriteBlock(meta_);
    WriteUnits();
    WriteMeta();
    return frame_.Finish();
  }

  const AttributesWriter& attributes() const { return attributes_; }
  const std::vector<std::string_view>& endpoints() const { return endpoints_; }

 private:
  struct Result {
    model::Outcome outcome;
    bool slow;
    std::string_view status_code;

    bool operator==(const Result&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Result& result) {
      return H::combine(std::move(h), result.outcome, result.slow,
                        base::StringHash()(result.status_code));
    }
  };

  // Ranges of units: the least as the step from that of the unit before.
  struct RangeColumns {
    std::vector<uint64_t> least;
    std::vector<uint64_t> size;
    uint64_t before = 0;
    void Add(uint64_t from, uint64_t to) {
      least.push_back(ZigZag(static_cast<int64_t>(from - std::exchange(before, from))));
      size.push_back(to - from);
    }
  };

  // One walk over the spans, in the order of their memory: numbers of endpoints and results in
  // order of appearance, and what columns hold of a span by itself.
  void CollectRows() {
    const size_t count = rows_.spans.size();
    for (uint32_t column = kRequestDuration; column < kBlameEnd; ++column) {
      columns_[column].resize(count);
    }
    starts_.resize(count);
    endpoint_of_row_.resize(count);
    result_of_row_.resize(count);
    serves_.resize(count);
    links_.ids.resize(count);
    links_.parents.resize(count);
    links_.traces.resize(count);
    alias_of_row_.resize(count);
    absl::flat_hash_map<std::string_view, uint32_t, base::StringHash> endpoints;
    std::array<uint32_t, kRecentEndpoints> recent_endpoints{};
    absl::flat_hash_map<Result, uint32_t> results;
    uint32_t result = 0;  // the last
    for (size_t i = 0; i < count; ++i) {
      const model::Span& span = *rows_.spans[i];
      const uint32_t row = rows_.row_of_span[i];
      // What texts like it were last is compared before it is looked up.
      uint32_t& endpoint = recent_endpoints[LikenessOf(span.endpoint)];
      if (endpoint >= endpoints_.size() || endpoints_[endpoint] != span.endpoint) {
        const auto [known, is_new] =
            endpoints.try_emplace(span.endpoint, static_cast<uint32_t>(endpoints_.size()));
        if (is_new) endpoints_.push_back(span.endpoint);
        endpoint = known->second;
      }
      endpoint_of_row_[row] = endpoint;
      const Result key = {span.outcome, span.slow, span.status_code};
      if (results_.empty() || !(results_[result] == key)) {
        const auto [known, is_new] =
            results.try_emplace(key, static_cast<uint32_t>(results_.size()));
        if (is_new) results_.push_back(key);
        result = known->second;
      }
      result_of_row_[row] = result;
      CollectNumbers(span, row);
      links_.ids[row] = span.id;
      links_.parents[row] = span.parent_id;
      links_.traces[row] = span.trace_id;
      alias_of_row_[row] = {span.alias_trace_id, span.alias_parent_id};
    }
  }

  void CollectNumbers(const model::Span& span, uint32_t row) {
    starts_[row] = span.start_ns;
    serves_[row] = span.side == model::Side::kServer;
    columns_[kRequestDuration][row] = ZigZag(span.request_duration_ns);
    columns_[kWaitDuration][row] = ZigZag(span.wait_duration_ns);
    columns_[kResponseDuration][row] = ZigZag(span.response_duration_ns);
    columns_[kConnectDuration][row] = ZigZag(span.connect_duration_ns);
    columns_[kRequestBytes][row] = span.request_bytes;
    columns_[kResponseBytes][row] = span.response_bytes;
    columns_[kRequestSeq][row] = span.request_tcp_seq;
    columns_[kResponseSeq][row] = span.response_tcp_seq;
    columns_[kStreamId][row] = span.stream_id;
    columns_[kRequestTid][row] = span.request_tid;
    columns_[kResponseTid][row] = span.request_tid ^ span.response_tid;
    columns_[kExecutionUnit][row] = span.execution_unit;
    columns_[kSampleWeight][row] = std::bit_cast<uint32_t>(span.sample_weight) ^ kOneBits;
    for (size_t i = 0; i < model::kCauseCount; ++i) {
      columns_[kBlame + i][row] = span.blame.ns[i];
    }
  }

  int64_t Duration(size_t row) const {
    return WrappedSum(WrappedSum(UnZigZag(columns_[kRequestDuration][row]),
                                 UnZigZag(columns_[kWaitDuration][row])),
                      UnZigZag(columns_[kResponseDuration][row]));
  }

  void WriteTables() {
    const std::vector<const SpanEnds*> ends = rows_.ends_pointers();
    texts_.Add("");
    AddEndsTexts(ends, texts_);
    for (const std::string_view endpoint : endpoints_) texts_.Add(endpoint);
    for (const Result& result : results_) texts_.Add(result.status_code);
    attributes_.AddTexts(texts_);
    texts_.Sort();
    frame_.Add(SectionOf(kTextsColumn), texts_.Encode(), Packing::kText);
    clients_ = NumberClients(ends);
    for (const SpanEnds* e : ends) {
      const model::Party& observer = e->side == model::Side::kClient ? e->client : e->server;
      hosts_.push_back(texts_.NumberOf(observer.host));
    }
    meta_.parties = clients_.parties;
    meta_.ends = ends.size();
    WriteEnds(frame_, kEndsColumns, ends, texts_);
    std::vector<uint64_t> values;
    for (const std::string_view endpoint : endpoints_) values.push_back(texts_.NumberOf(endpoint));
    EncodeNumberColumn(frame_, kEndpointText, values);
    meta_.endpoints = endpoints_.size();
    values.clear();
    std::vector<uint64_t> kinds;
    for (const Result& result : results_) {
      values.push_back(texts_.NumberOf(result.status_code));
      kinds.push_back(ToBits(result.outcome) | (result.slow ? 0x100 : 0));
    }
    EncodeNumberColumn(frame_, kResultText, values);
    EncodeNumberColumn(frame_, kResultKind, kinds);
    meta_.results = results_.size();
    attributes_.WriteBlock(frame_, texts_, meta_);
  }

  // The values of the rows of the unit at hand.
  template <typename T>
  std::span<const T> Slice(const std::vector<T>& of_row) const {
    return std::span(of_row).subspan(unit_.first_row, unit_.rows);
  }
  std::span<const SpanRows::Connection> Connections() const {
    return std::span(rows_.connections).subspan(unit_.first_connection, unit_.connections);
  }
  void Write(uint32_t column, std::span<const uint64_t> values,
             std::span<const ColumnContext> contexts = {}) {
    EncodeNumberColumn(frame_, base_ + column, values, contexts);
  }

  void WriteConnections() {
    const uint64_t first_ns = static_cast<uint64_t>(std::ranges::min(Slice(starts_)));
    std::vector<uint64_t> of_ends(rows_.ends.size());
    std::vector<uint64_t> counts;
    std::vector<uint64_t> ports;
    std::vector<uint64_t> pids;
    std::vector<uint64_t> starts;
    std::vector<uint32_t> ends;
    for (const auto& connection : Connections()) {
      ++of_ends[connection.ends];
      counts.push_back(connection.rows - 1);
      ports.push_back(connection.port);
      pids.push_back(connection.pid);
      starts.push_back(static_cast<uint64_t>(connection.first_ns) - first_ns);
      ends.push_back(connection.ends);
    }
    const std::array by_ends = {ColumnContext{
        .of_value = ends, .count = static_cast<uint32_t>(rows_.ends.size()), .has_steps = true}};
    Write(kEndsConnections, of_ends);
    Write(kConnectionRows, counts);
    Write(kConnectionPort, ports);
    Write(kConnectionPid, pids, by_ends);
    Write(kConnectionStart, starts, by_ends);
  }

  void WriteRows() {
    const std::array by_ends = {
        ColumnContext{Slice(rows_.ends_of_row), static_cast<uint32_t>(rows_.ends.size())}};
    const std::array by_connection = {ColumnContext{
        .of_value = Slice(rows_.connection_of_row), .count = unit_.connections, .has_steps = true}};
    const std::array by_endpoint = {
        ColumnContext{Slice(endpoint_of_row_), static_cast<uint32_t>(endpoints_.size())}};
    std::array near_endpoint = by_endpoint;
    near_endpoint[0].has_steps = true;
    WriteStarts();
    const std::span endpoints = Slice(endpoint_of_row_);
    Write(kEndpoint, std::vector<uint64_t>(endpoints.begin(), endpoints.end()), by_ends);
    const std::span results = Slice(result_of_row_);
    Write(kResult, std::vector<uint64_t>(results.begin(), results.end()), by_endpoint);
    for (const SpanColumn column :
         {kRequestDuration, kWaitDuration, kResponseDuration, kConnectDuration, kSampleWeight}) {
      Write(column, Slice(columns_[column]));
    }
    Write(kRequestBytes, Slice(columns_[kRequestBytes]), near_endpoint);
    Write(kResponseBytes, Slice(columns_[kResponseBytes]), near_endpoint);
    for (const auto& [seqs, bytes] :
         {std::pair(kRequestSeq, kRequestBytes), std::pair(kResponseSeq, kResponseBytes)}) {
      PredictSeqs(Slice(rows_.connection_of_row), Slice(columns_[bytes]),
                  std::span(columns_[seqs]).subspan(unit_.first_row, unit_.rows),
                  /*decode=*/false);
      Write(seqs, Slice(columns_[seqs]));
    }
    for (const SpanColumn column : {kStreamId, kRequestTid, kResponseTid, kExecutionUnit}) {
      Write(column, Slice(columns_[column]), by_connection);
    }
    for (uint32_t i = 0; i < model::kCauseCount; ++i)
      Write(kBlame + i, Slice(columns_[kBlame + i]));
  }

  void WriteStarts() {
    const std::span starts = Slice(starts_);
    const std::span connections = Slice(rows_.connection_of_row);
    std::vector<uint64_t> steps(starts.size());
    for (size_t row = 1; row < steps.size(); ++row) {
      if (connections[row] != connections[row - 1]) continue;
      steps[row] = static_cast<uint64_t>(starts[row]) - static_cast<uint64_t>(starts[row - 1]);
    }
    Write(kStart, steps);
  }

  // The cause that most time goes to is often what the others leave of the duration.
  void TakeRestOfBlame() {
    std::array<uint64_t, model::kCauseCount> rows_led{};
    uint64_t exact = 0;  // rows whose causes add up to the duration
    for (size_t row = 0; row < starts_.size(); ++row) {
      uint64_t sum = 0;
      size_t most = 0;
      for (size_t i = 0; i < model::kCauseCount; ++i) {
        sum += columns_[kBlame + i][row];
        if (columns_[kBlame + i][row] > columns_[kBlame + most][row]) most = i;
      }
      if (sum == 0) continue;
      exact += sum == static_cast<uint64_t>(Duration(row));
      ++rows_led[most];
    }
    // Where there is no measurement the rest would be the whole duration.
    if (exact * 2 <= starts_.size()) return;
    const auto rest =
        static_cast<size_t>(std::max_element(rows_led.begin(), rows_led.end()) - rows_led.begin());
    meta_.rest_cause = rest + 1;
    for (size_t row = 0; row < starts_.size(); ++row) {
      uint64_t left = static_cast<uint64_t>(Duration(row));
      for (size_t i = 0; i < model::kCauseCount; ++i) left -= columns_[kBlame + i][row];
      columns_[kBlame + rest][row] = ZigZag(static_cast<int64_t>(left));
    }
  }

  void WriteLinks() {
    LinkRows link_rows;
    link_rows.host_count = static_cast<uint32_t>(texts_.size());
    absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> processes;
    std::vector<uint32_t> process_of_connection;
    for (const SpanRows::Connection& connection : Connections()) {
      process_of_connection.push_back(
          processes
              .try_emplace(std::pair(hosts_[connection.ends], connection.pid),
                           static_cast<uint32_t>(processes.size()))
              .first->second);
    }
    const size_t first = unit_.first_row;
    for (size_t row = first; row < first + unit_.rows; ++row) {
      const uint32_t ends = rows_.ends_of_row[row];
      link_rows.end_ns.push_back(WrappedSum(Duration(row), starts_[row]));
      link_rows.host.push_back(hosts_[ends]);
      link_rows.client.push_back(clients_.of_ends[ends]);
      link_rows.process.push_back(process_of_connection[rows_.connection_of_row[row]]);
      link_rows.serves.push_back(serves_[row]);
    }
    const std::span starts = Slice(starts_);
    link_rows.start_ns.assign(starts.begin(), starts.end());
    link_rows.by_start = OrderByTime(starts);
    link_rows.client_count = clients_.parties;
    link_rows.process_count = static_cast<uint32_t>(processes.size());
    EncodeLinks(frame_, base_, link_rows,
                {.ids = Slice(links_.ids),
                 .parents = Slice(links_.parents),
                 .traces = Slice(links_.traces)});
    std::vector<Alias> aliases;
    aliases.reserve(unit_.rows);
    for (const uint32_t row : link_rows.by_start) aliases.push_back(alias_of_row_[first + row]);
    unit_pairs_.push_back(aliases_.WriteUnit(base_, aliases));
  }

  void WriteUnits() {
    std::vector<uint64_t> rows;
    std::vector<uint64_t> connections;
    RangeColumns starts;
    RangeColumns durations;
    RangeColumns ids;
    for (const SpanRows::Unit& unit : rows_.units) {
      unit_ = unit;
      rows.push_back(unit.rows);
      connections.push_back(unit.connections);
      const auto [start, last] = std::ranges::minmax(Slice(starts_));
      starts.Add(static_cast<uint64_t>(start), static_cast<uint64_t>(last));
      std::vector<int64_t> of_row;
      for (size_t i = 0; i < unit.rows; ++i) of_row.push_back(Duration(unit.first_row + i));
      const auto [shortest, longest] = std::ranges::minmax(of_row);
      durations.Add(static_cast<uint64_t>(shortest), static_cast<uint64_t>(longest));
      const auto [least_id, greatest_id] = std::ranges::minmax(Slice(links_.ids));
      ids.Add(least_id, greatest_id);
    }
    EncodeNumberColumn(frame_, kUnitRows, rows);
    EncodeNumberColumn(frame_, kUnitConnections, connections);
    EncodeNumberColumn(frame_, kUnitStart, starts.least);
    EncodeNumberColumn(frame_, kUnitTime, starts.size);
    EncodeNumberColumn(frame_, kUnitDuration, durations.least);
    EncodeNumberColumn(frame_, kUnitSlowest, durations.size);
    EncodeNumberColumn(frame_, kUnitId, ids.least);
    EncodeNumberColumn(frame_, kUnitIds, ids.size);
    EncodeNumberColumn(frame_, kUnitPairs, unit_pairs_);
    meta_.units = rows_.units.size();
    meta_.rows = rows_.spans.size();
  }

  void WriteMeta() {
    std::string bytes;
    for (const uint64_t field :
         {meta_.rows, meta_.units, meta_.parties, meta_.ends, meta_.endpoints, meta_.results,
          meta_.shapes, meta_.slots, meta_.attribute_columns, meta_.rest_cause, meta_.alias_pairs,
          meta_.alias_traces}) {
      PutVarint(bytes, field);
    }
    frame_.Add(SectionOf(kMetaColumn), bytes, Packing::kStored);
  }

  const SpanRows& rows_;
  FrameWriter frame_;
  AttributesWriter attributes_;
  AliasesWriter aliases_;
  TextTableBuilder texts_;
  SpanMeta meta_;
  ClientNumbers clients_;
  std::vector<uint32_t> hosts_;  // texts of the observers of ends
  std::vector<std::string_view> endpoints_;
  std::vector<Result> results_;
  std::array<std::vector<uint64_t>, kBlameEnd> columns_;  // by row; those that are a field each
  std::vector<int64_t> starts_;
  std::vector<bool> serves_;
  Links links_;
  std::vector<Alias> alias_of_row_;
  SpanRows::Unit unit_;  // at hand
  uint32_t base_ = 0;    // its first column
  std::vector<uint64_t> unit_pairs_;
  std::vector<uint32_t> endpoint_of_row_;
  std::vector<uint32_t> result_of_row_;
};

}  // namespace

SealedBlock EncodeSpanBlock(const std::vector<model::Span>& spans,
                            const ZstdDictionaries& dictionaries, size_t unit_rows) {
  std::vector<const model::Span*> pointers;
  pointers.reserve(spans.size());
  for (const model::Span& span : spans) pointers.push_back(&span);
  return EncodeSpanBlock(pointers, dictionaries, unit_rows);
}

SealedBlock EncodeSpanBlock(const std::vector<const model::Span*>& spans,
                            const ZstdDictionaries& dictionaries, size_t unit_rows) {
  SealedBlock block;
  const SpanRows rows = OrderSpans(spans, unit_rows);
  SpanEncoder encoder(rows, dictionaries);
  block.body = encoder.Encode();
  block.summary = EncodeSpanSummary(rows, encoder.endpoints());
  block.filter = EncodeSpanFilter(rows, encoder.attributes(), dictionaries);
  block.rows = spans.size();
  block.first_ns = INT64_MAX;
  block.last_ns = INT64_MIN;
  for (const model::Span* span : spans) {
    block.first_ns = std::min(block.first_ns, span->start_ns);
    block.last_ns = std::max(block.last_ns, span->start_ns);
  }
  return block;
}

std::vector<std::string> SpanDictionarySamples(const std::vector<model::Span>& spans) {
  std::set<std::string> texts;
  for (const model::Span& span : spans) {
    for (const model::Party* party : {&span.client, &span.server}) {
      texts.insert({party->workload, party->host, party->address, party->dns_name});
    }
    texts.insert({span.endpoint, span.status_code});
    for (const auto& [name, value] : span.attributes) texts.insert({name, value});
  }
  return {texts.begin(), texts.end()};
}

}  // namespace kindling::storage
