#include <algorithm>
#include <array>
#include <bit>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/hash.h"
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

class SpanEncoder {
 public:
  SpanEncoder(const SpanRows& rows, const ZstdDictionaries& dictionaries)
      : rows_(rows),
        frame_(FrameClass::kSpans, kSpanBlockVersion, dictionaries),
        attributes_(rows) {}

  std::string Encode() {
    CollectRows();
    WriteTables();
    WriteConnections();
    WriteRows();
    WriteLinks();
    attributes_.Write(frame_, texts_,
                      {.endpoint = &endpoint_of_row_,
                       .endpoint_count = static_cast<uint32_t>(endpoints_.size()),
                       .result = &result_of_row_,
                       .result_count = static_cast<uint32_t>(results_.size())},
                      meta_);
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
    links_.alias_traces.resize(count);
    links_.alias_parents.resize(count);
    base::StringMap<uint32_t> endpoints;
    absl::flat_hash_map<Result, uint32_t> results;
    for (size_t i = 0; i < count; ++i) {
      const model::Span& span = *rows_.spans[i];
      const uint32_t row = rows_.row_of_span[i];
      const auto endpoint = endpoints.find(std::string_view(span.endpoint));
      endpoint_of_row_[row] =
          endpoint != endpoints.end() ? endpoint->second : static_cast<uint32_t>(endpoints_.size());
      if (endpoint == endpoints.end()) {
        endpoints.emplace(span.endpoint, static_cast<uint32_t>(endpoints_.size()));
        endpoints_.push_back(span.endpoint);
      }
      const Result key = {span.outcome, span.slow, span.status_code};
      const auto [result, result_added] =
          results.try_emplace(key, static_cast<uint32_t>(results_.size()));
      if (result_added) results_.push_back(key);
      result_of_row_[row] = result->second;
      CollectNumbers(span, row);
      links_.ids[row] = span.id;
      links_.parents[row] = span.parent_id;
      links_.traces[row] = span.trace_id;
      links_.alias_traces[row] = span.alias_trace_id;
      links_.alias_parents[row] = span.alias_parent_id;
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
  }

  void WriteConnections() {
    meta_.rows = rows_.spans.size();
    meta_.connections = rows_.connections.size();
    meta_.first_ns = INT64_MAX;
    for (const auto& connection : rows_.connections) {
      meta_.first_ns = std::min(meta_.first_ns, connection.first_ns);
    }
    std::vector<uint64_t> of_ends(rows_.ends.size());
    std::vector<uint64_t> counts;
    std::vector<uint64_t> ports;
    std::vector<uint64_t> pids;
    std::vector<uint64_t> starts;
    std::vector<uint32_t> ends;
    for (const auto& connection : rows_.connections) {
      ++of_ends[connection.ends];
      counts.push_back(connection.rows - 1);
      ports.push_back(connection.port);
      pids.push_back(connection.pid);
      starts.push_back(static_cast<uint64_t>(connection.first_ns) -
                       static_cast<uint64_t>(meta_.first_ns));
      ends.push_back(connection.ends);
    }
    for (uint64_t& connections : of_ends) --connections;
    const std::array by_ends = {ColumnContext{
        .of_value = &ends, .count = static_cast<uint32_t>(rows_.ends.size()), .has_steps = true}};
    EncodeNumberColumn(frame_, kEndsConnections, of_ends);
    EncodeNumberColumn(frame_, kConnectionRows, counts);
    EncodeNumberColumn(frame_, kConnectionPort, ports);
    EncodeNumberColumn(frame_, kConnectionPid, pids, by_ends);
    EncodeNumberColumn(frame_, kConnectionStart, starts, by_ends);
  }

  void WriteRows() {
    const std::array by_ends = {
        ColumnContext{&rows_.ends_of_row, static_cast<uint32_t>(rows_.ends.size())}};
    const std::array by_connection = {
        ColumnContext{.of_value = &rows_.connection_of_row,
                      .count = static_cast<uint32_t>(rows_.connections.size()),
                      .has_steps = true}};
    const std::array by_endpoint = {
        ColumnContext{&endpoint_of_row_, static_cast<uint32_t>(endpoints_.size())}};
    std::array near_endpoint = by_endpoint;
    near_endpoint[0].has_steps = true;
    WriteStarts();
    EncodeNumberColumn(frame_, kEndpoint, {endpoint_of_row_.begin(), endpoint_of_row_.end()},
                       by_ends);
    EncodeNumberColumn(frame_, kResult, {result_of_row_.begin(), result_of_row_.end()},
                       by_endpoint);
    for (const SpanColumn column :
         {kRequestDuration, kWaitDuration, kResponseDuration, kConnectDuration, kSampleWeight}) {
      EncodeNumberColumn(frame_, column, columns_[column]);
    }
    EncodeNumberColumn(frame_, kRequestBytes, columns_[kRequestBytes], near_endpoint);
    EncodeNumberColumn(frame_, kResponseBytes, columns_[kResponseBytes], near_endpoint);
    PredictSeqs(rows_.connection_of_row, columns_[kRequestBytes], columns_[kRequestSeq],
                /*decode=*/false);
    PredictSeqs(rows_.connection_of_row, columns_[kResponseBytes], columns_[kResponseSeq],
                /*decode=*/false);
    EncodeNumberColumn(frame_, kRequestSeq, columns_[kRequestSeq]);
    EncodeNumberColumn(frame_, kResponseSeq, columns_[kResponseSeq]);
    for (const SpanColumn column : {kStreamId, kRequestTid, kResponseTid, kExecutionUnit}) {
      EncodeNumberColumn(frame_, column, columns_[column], by_connection);
    }
    WriteBlame();
  }

  void WriteStarts() {
    std::vector<uint64_t> steps(starts_.size());
    for (size_t row = 1; row < steps.size(); ++row) {
      if (rows_.connection_of_row[row] != rows_.connection_of_row[row - 1]) continue;
      steps[row] = static_cast<uint64_t>(starts_[row]) - static_cast<uint64_t>(starts_[row - 1]);
    }
    EncodeNumberColumn(frame_, kStart, steps);
  }

  // The cause that most time goes to is often what the others leave of the duration.
  void WriteBlame() {
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
    if (exact * 2 > starts_.size()) {
      const auto rest = static_cast<size_t>(std::max_element(rows_led.begin(), rows_led.end()) -
                                            rows_led.begin());
      meta_.rest_cause = rest + 1;
      for (size_t row = 0; row < starts_.size(); ++row) {
        uint64_t left = static_cast<uint64_t>(Duration(row));
        for (size_t i = 0; i < model::kCauseCount; ++i) left -= columns_[kBlame + i][row];
        columns_[kBlame + rest][row] = ZigZag(static_cast<int64_t>(left));
      }
    }
    for (uint32_t i = 0; i < model::kCauseCount; ++i) {
      EncodeNumberColumn(frame_, kBlame + i, columns_[kBlame + i]);
    }
  }

  void WriteLinks() {
    LinkRows link_rows;
    link_rows.host_count = static_cast<uint32_t>(texts_.size());
    absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> processes;
    std::vector<uint32_t> hosts;
    for (const SpanEnds& ends : rows_.ends) {
      const model::Party& observer = ends.side == model::Side::kClient ? ends.client : ends.server;
      hosts.push_back(texts_.NumberOf(observer.host));
    }
    std::vector<uint32_t> process_of_connection;
    for (const SpanRows::Connection& connection : rows_.connections) {
      process_of_connection.push_back(
          processes
              .try_emplace(std::pair(hosts[connection.ends], connection.pid),
                           static_cast<uint32_t>(processes.size()))
              .first->second);
    }
    for (size_t row = 0; row < starts_.size(); ++row) {
      const uint32_t ends = rows_.ends_of_row[row];
      link_rows.end_ns.push_back(WrappedSum(Duration(row), starts_[row]));
      link_rows.host.push_back(hosts[ends]);
      link_rows.client.push_back(clients_.of_ends[ends]);
      link_rows.process.push_back(process_of_connection[rows_.connection_of_row[row]]);
    }
    link_rows.start_ns = std::move(starts_);
    link_rows.serves = std::move(serves_);
    link_rows.client_count = clients_.parties;
    link_rows.process_count = static_cast<uint32_t>(processes.size());
    EncodeLinks(frame_, link_rows, links_);
  }

  void WriteMeta() {
    std::string bytes;
    for (const uint64_t field :
         {meta_.rows, meta_.parties, meta_.ends, meta_.connections, meta_.endpoints, meta_.results,
          meta_.shapes, meta_.slots, meta_.attribute_columns, meta_.rest_cause,
          ZigZag(meta_.first_ns)}) {
      PutVarint(bytes, field);
    }
    frame_.Add(SectionOf(kMetaColumn), bytes, Packing::kStored);
  }

  const SpanRows& rows_;
  FrameWriter frame_;
  AttributesWriter attributes_;
  TextTableBuilder texts_;
  SpanMeta meta_;
  ClientNumbers clients_;
  std::vector<std::string_view> endpoints_;
  std::vector<Result> results_;
  std::array<std::vector<uint64_t>, kBlameEnd> columns_;  // by row; those that are a field each
  std::vector<int64_t> starts_;
  std::vector<bool> serves_;
  Links links_;
  std::vector<uint32_t> endpoint_of_row_;
  std::vector<uint32_t> result_of_row_;
};

}  // namespace

SealedBlock EncodeSpanBlock(const std::vector<model::Span>& spans,
                            const ZstdDictionaries& dictionaries) {
  std::vector<const model::Span*> pointers;
  pointers.reserve(spans.size());
  for (const model::Span& span : spans) pointers.push_back(&span);
  return EncodeSpanBlock(pointers, dictionaries);
}

SealedBlock EncodeSpanBlock(const std::vector<const model::Span*>& spans,
                            const ZstdDictionaries& dictionaries) {
  SealedBlock block;
  const SpanRows rows = OrderSpans(spans);
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
