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
        attributes_(rows.rows) {}

  std::string Encode() {
    NumberTables();
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

  template <typename Get>
  std::vector<uint64_t> Values(Get get) const {
    std::vector<uint64_t> values;
    values.reserve(rows_.rows.size());
    for (const model::Span* span : rows_.rows) values.push_back(ToBits(get(*span)));
    return values;
  }

  // Endpoints and results in order of appearance.
  void NumberTables() {
    absl::flat_hash_map<std::string_view, uint32_t> endpoints;
    absl::flat_hash_map<Result, uint32_t> results;
    for (const model::Span* span : rows_.rows) {
      const auto [endpoint, endpoint_added] = endpoints.try_emplace(
          std::string_view(span->endpoint), static_cast<uint32_t>(endpoints_.size()));
      if (endpoint_added) endpoints_.push_back(span->endpoint);
      endpoint_of_row_.push_back(endpoint->second);
      const Result key = {span->outcome, span->slow, span->status_code};
      const auto [result, result_added] =
          results.try_emplace(key, static_cast<uint32_t>(results_.size()));
      if (result_added) results_.push_back(key);
      result_of_row_.push_back(result->second);
    }
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
    meta_.parties = CountParties(ends);
    meta_.ends = ends.size();
    WriteEnds(frame_, kEndsColumns, ends, texts_);
    std::vector<uint64_t> values;
    for (const std::string_view endpoint : endpoints_) values.push_back(texts_.Number(endpoint));
    EncodeNumberColumn(frame_, kEndpointText, values);
    meta_.endpoints = endpoints_.size();
    values.clear();
    std::vector<uint64_t> kinds;
    for (const Result& result : results_) {
      values.push_back(texts_.Number(result.status_code));
      kinds.push_back(ToBits(result.outcome) | (result.slow ? 0x100 : 0));
    }
    EncodeNumberColumn(frame_, kResultText, values);
    EncodeNumberColumn(frame_, kResultKind, kinds);
    meta_.results = results_.size();
  }

  void WriteConnections() {
    meta_.rows = rows_.rows.size();
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
    const std::array by_ends = {ColumnContext{&ends, static_cast<uint32_t>(rows_.ends.size())}};
    EncodeNumberColumn(frame_, kEndsConnections, of_ends);
    EncodeNumberColumn(frame_, kConnectionRows, counts);
    EncodeNumberColumn(frame_, kConnectionPort, ports);
    EncodeNumberColumn(frame_, kConnectionPid, pids, by_ends);
    EncodeNumberColumn(frame_, kConnectionStart, starts, by_ends);
  }

  void WriteRows() {
    std::vector<uint32_t> ends_of_row;
    ends_of_row.reserve(rows_.rows.size());
    for (size_t row = 0; row < rows_.rows.size(); ++row) {
      ends_of_row.push_back(rows_.ends_of_row(row));
    }
    const std::array by_ends = {
        ColumnContext{&ends_of_row, static_cast<uint32_t>(rows_.ends.size())}};
    const std::array by_connection = {
        ColumnContext{&rows_.connection_of_row, static_cast<uint32_t>(rows_.connections.size())}};
    const std::array by_endpoint = {
        ColumnContext{&endpoint_of_row_, static_cast<uint32_t>(endpoints_.size())}};
    WriteStarts();
    EncodeNumberColumn(frame_, kEndpoint, {endpoint_of_row_.begin(), endpoint_of_row_.end()},
                       by_ends);
    EncodeNumberColumn(frame_, kResult, {result_of_row_.begin(), result_of_row_.end()},
                       by_endpoint);
#define KD_VALUES(field) Values([](const model::Span& span) { return span.field; })
    EncodeNumberColumn(frame_, kRequestDuration, KD_VALUES(request_duration_ns));
    EncodeNumberColumn(frame_, kWaitDuration, KD_VALUES(wait_duration_ns));
    EncodeNumberColumn(frame_, kResponseDuration, KD_VALUES(response_duration_ns));
    EncodeNumberColumn(frame_, kConnectDuration, KD_VALUES(connect_duration_ns));
    const std::vector<uint64_t> request_bytes = KD_VALUES(request_bytes);
    const std::vector<uint64_t> response_bytes = KD_VALUES(response_bytes);
    EncodeNumberColumn(frame_, kRequestBytes, request_bytes, by_endpoint);
    EncodeNumberColumn(frame_, kResponseBytes, response_bytes, by_endpoint);
    std::vector<uint64_t> seqs = KD_VALUES(request_tcp_seq);
    PredictSeqs(rows_.connection_of_row, request_bytes, seqs, /*decode=*/false);
    EncodeNumberColumn(frame_, kRequestSeq, seqs);
    seqs = KD_VALUES(response_tcp_seq);
    PredictSeqs(rows_.connection_of_row, response_bytes, seqs, /*decode=*/false);
    EncodeNumberColumn(frame_, kResponseSeq, seqs);
    EncodeNumberColumn(frame_, kStreamId, KD_VALUES(stream_id), by_connection);
    EncodeNumberColumn(frame_, kRequestTid, KD_VALUES(request_tid), by_connection);
    EncodeNumberColumn(frame_, kResponseTid, Values([](const model::Span& span) {
                         return span.request_tid ^ span.response_tid;
                       }),
                       by_connection);
    EncodeNumberColumn(frame_, kExecutionUnit, KD_VALUES(execution_unit), by_connection);
#undef KD_VALUES
    EncodeNumberColumn(frame_, kSampleWeight, Values([](const model::Span& span) {
                         return std::bit_cast<uint32_t>(span.sample_weight) ^ kOneBits;
                       }));
    WriteBlame();
  }

  void WriteStarts() {
    std::vector<uint64_t> steps(rows_.rows.size());
    for (size_t row = 1; row < steps.size(); ++row) {
      if (rows_.connection_of_row[row] != rows_.connection_of_row[row - 1]) continue;
      steps[row] = static_cast<uint64_t>(rows_.rows[row]->start_ns) -
                   static_cast<uint64_t>(rows_.rows[row - 1]->start_ns);
    }
    EncodeNumberColumn(frame_, kStart, steps);
  }

  // The cause that most time goes to is often what the others leave of the duration.
  void WriteBlame() {
    std::array<uint64_t, model::kCauseCount> rows_led{};
    uint64_t measured = 0;
    uint64_t exact = 0;  // rows whose causes add up to the duration
    for (const model::Span* span : rows_.rows) {
      const auto& ns = span->blame.ns;
      uint64_t sum = 0;
      for (const uint64_t value : ns) sum += value;
      if (sum == 0) continue;
      ++measured;
      exact += sum == static_cast<uint64_t>(WrappedDuration(*span));
      ++rows_led[static_cast<size_t>(std::max_element(ns.begin(), ns.end()) - ns.begin())];
    }
    size_t rest = model::kCauseCount;
    // Where there is no measurement the rest would be the whole duration.
    if (measured == rows_.rows.size() && exact * 2 > measured) {
      rest = static_cast<size_t>(std::max_element(rows_led.begin(), rows_led.end()) -
                                 rows_led.begin());
      meta_.rest_cause = rest + 1;
    }
    for (uint32_t i = 0; i < model::kCauseCount; ++i) {
      EncodeNumberColumn(frame_, kBlame + i, Values([&](const model::Span& span) {
                           if (i != rest) return span.blame.ns[i];
                           uint64_t left = static_cast<uint64_t>(WrappedDuration(span));
                           for (const uint64_t ns : span.blame.ns) left -= ns;
                           return ZigZag(static_cast<int64_t>(left));
                         }));
    }
  }

  void WriteLinks() {
    LinkRows link_rows;
    Links links;
    link_rows.host_count = static_cast<uint32_t>(texts_.size());
    absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> processes;
    std::vector<uint32_t> hosts;
    for (const SpanEnds& ends : rows_.ends) {
      const model::Party& observer = ends.side == model::Side::kClient ? ends.client : ends.server;
      hosts.push_back(texts_.Number(observer.host));
    }
    for (size_t row = 0; row < rows_.rows.size(); ++row) {
      const model::Span& span = *rows_.rows[row];
      link_rows.start_ns.push_back(span.start_ns);
      link_rows.end_ns.push_back(WrappedSum(WrappedDuration(span), span.start_ns));
      link_rows.host.push_back(hosts[rows_.ends_of_row(row)]);
      link_rows.process.push_back(processes
                                      .try_emplace(std::pair(link_rows.host.back(), span.pid),
                                                   static_cast<uint32_t>(processes.size()))
                                      .first->second);
      link_rows.serves.push_back(span.side == model::Side::kServer);
      links.ids.push_back(span.id);
      links.parents.push_back(span.parent_id);
      links.traces.push_back(span.trace_id);
      links.alias_traces.push_back(span.alias_trace_id);
      links.alias_parents.push_back(span.alias_parent_id);
    }
    link_rows.process_count = static_cast<uint32_t>(processes.size());
    EncodeLinks(frame_, link_rows, links);
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
  std::vector<std::string_view> endpoints_;
  std::vector<Result> results_;
  std::vector<uint32_t> endpoint_of_row_;
  std::vector<uint32_t> result_of_row_;
};

}  // namespace

SealedBlock EncodeSpanBlock(std::vector<model::Span> spans, const ZstdDictionaries& dictionaries) {
  SealedBlock block;
  const SpanRows rows = OrderSpans(spans);
  SpanEncoder encoder(rows, dictionaries);
  block.body = encoder.Encode();
  block.summary = EncodeSpanSummary(rows);
  block.filter = EncodeSpanFilter(rows, encoder.attributes(), dictionaries);
  block.rows = rows.rows.size();
  block.first_ns = INT64_MAX;
  block.last_ns = INT64_MIN;
  for (const model::Span* span : rows.rows) {
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
