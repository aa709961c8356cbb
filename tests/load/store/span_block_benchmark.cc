// span_block_benchmark: what a span takes in a block, by column, and how fast blocks are written
// and read, on one thread. Prints JSON.

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "storage/blocks/frame.h"
#include "storage/blocks/span_block.h"
#include "storage/blocks/span_layout.h"
#include "tests/load/store/flags.h"
#include "tests/load/store/traffic.h"

namespace kindling::load {
namespace {

// CPU time of this thread: others may be at work on the machine.
struct Clock {
  static double now() {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
};

double SecondsSince(double start) { return Clock::now() - start; }

std::string ColumnName(uint32_t section) {
  const uint32_t column = section / storage::kSectionsPerColumn % storage::kUnitColumns;
  static const std::map<uint32_t, std::string> names = {
      {storage::kMetaColumn, "meta"},
      {storage::kTextsColumn, "texts"},
      {storage::kEndsConnections, "ends_connections"},
      {storage::kConnectionRows, "connection_rows"},
      {storage::kConnectionPort, "connection_port"},
      {storage::kConnectionPid, "connection_pid"},
      {storage::kConnectionStart, "connection_start"},
      {storage::kEndpointText, "endpoint_table"},
      {storage::kStart, "start"},
      {storage::kEndpoint, "endpoint"},
      {storage::kResult, "result"},
      {storage::kRequestDuration, "request_duration"},
      {storage::kWaitDuration, "wait_duration"},
      {storage::kResponseDuration, "response_duration"},
      {storage::kConnectDuration, "connect_duration"},
      {storage::kRequestBytes, "request_bytes"},
      {storage::kResponseBytes, "response_bytes"},
      {storage::kRequestSeq, "request_seq"},
      {storage::kResponseSeq, "response_seq"},
      {storage::kRequestTid, "request_tid"},
      {storage::kResponseTid, "response_tid"},
      {storage::kSampleWeight, "sample_weight"},
      {storage::kId, "id"},
      {storage::kIdByStart, "id_by_start"},
      {storage::kParentCounter, "parent_counter"},
      {storage::kTraceCounter, "trace_counter"},
      {storage::kParentKind, "parent_kind"},
      {storage::kParentBack, "parent_back"},
      {storage::kParentRow, "parent_row"},
      {storage::kParentFar, "parent_far"},
      {storage::kTraceKind, "trace_kind"},
      {storage::kTraceBack, "trace_back"},
      {storage::kTraceHigh, "trace_high"},
      {storage::kTraceLow, "trace_low"},
      {storage::kAliasKind, "alias_kind"},
      {storage::kAliasPairBack, "alias_pair_back"},
      {storage::kAliasPairTrace, "alias_pair_trace"},
      {storage::kAliasTraces, "alias_traces"},
      {storage::kAliasParents, "alias_parents"},
      {storage::kShape, "attribute_shape"},
  };
  if (const auto it = names.find(column); it != names.end()) return it->second;
  if (column >= storage::kEndsColumns &&
      column < storage::kEndsColumns + storage::kEndsTableColumns) {
    return "ends";
  }
  if (column >= storage::kAttributes) {
    return absl::StrFormat("attribute_%02d",
                           (column - storage::kAttributes) / storage::kColumnsPerAttribute);
  }
  return absl::StrFormat("column_%d", column);
}

// Blocks as the sealer cuts them: batches one after the other, window by window.
std::vector<std::vector<model::Span>> Cut(Traffic& traffic, size_t spans, size_t block_rows) {
  std::vector<std::vector<model::Span>> blocks(1);
  size_t count = 0;
  while (count < spans) {
    for (model::Batch& batch : traffic.NextWindow()) {
      for (model::Span& span : batch.spans) {
        if (blocks.back().size() == block_rows) blocks.emplace_back();
        blocks.back().push_back(std::move(span));
        if (++count == spans) return blocks;
      }
    }
  }
  return blocks;
}

void Run(Flags& flags) {
  TrafficOptions options;
  options.edges = false;
  options.spans_per_second = flags.Number("spans-per-second", options.spans_per_second);
  options.requests_per_span = flags.Number("requests-per-span", options.requests_per_span);
  options.foreign_share = flags.Number("foreign-share", 0);
  options.topology.hosts = static_cast<uint32_t>(flags.Whole("hosts", options.topology.hosts));
  const auto spans = static_cast<size_t>(flags.Whole("spans", 200'000));
  const auto block_rows = static_cast<size_t>(flags.Whole("block-rows", storage::kSpanBlockRows));
  flags.CheckAllUsed();

  Traffic traffic(options);
  storage::ZstdDictionaries dictionaries;
  {
    // Trained on what comes before.
    const auto early = Cut(traffic, std::min<size_t>(spans, 100'000), block_rows);
    std::vector<std::string> samples;
    for (const auto& block : early) {
      for (std::string& sample : storage::SpanDictionarySamples(block)) {
        samples.push_back(std::move(sample));
      }
    }
    if (dictionaries.Add(1, storage::TrainZstdDictionary(samples, 110 << 10)).ok()) {
      dictionaries.Use(1);
    }
  }
  const auto blocks = Cut(traffic, spans, block_rows);

  std::vector<storage::SealedBlock> sealed;
  double encode_s = 0;
  for (const auto& block : blocks) {
    const auto start = Clock::now();
    sealed.push_back(storage::EncodeSpanBlock(block, dictionaries));
    encode_s += SecondsSince(start);
  }
  std::map<std::string, double> by_column;
  double summary = 0;
  double filter = 0;
  double body = 0;
  double aliases = 0;
  for (size_t i = 0; i < sealed.size(); ++i) {
    const storage::SealedBlock& block = sealed[i];
    summary += static_cast<double>(block.summary.size());
    filter += static_cast<double>(block.filter.size());
    body += static_cast<double>(block.body.size());
    const auto frame =
        storage::FrameReader::Open(block.body, storage::FrameClass::kSpans, 255, dictionaries);
    double sections = 0;
    for (const auto& [number, size] : frame->StoredSizes()) {
      by_column[ColumnName(number)] += static_cast<double>(size);
      sections += static_cast<double>(size);
    }
    by_column["directory"] += static_cast<double>(block.body.size()) - sections;
    std::vector<std::pair<uint64_t, uint64_t>> distinct;
    for (const model::Span& span : blocks[i]) {
      if (span.alias_trace_id != model::TraceId{}) {
        distinct.emplace_back(span.alias_trace_id.high, span.alias_trace_id.low);
      }
    }
    std::sort(distinct.begin(), distinct.end());
    aliases +=
        static_cast<double>(std::unique(distinct.begin(), distinct.end()) - distinct.begin());
  }

  double decode_s = 0;
  double duration_s = 0;
  double service_s = 0;
  double attribute_s = 0;
  double one_row_s = 0;
  double parse_s = 0;
  size_t found = 0;
  for (const storage::SealedBlock& block : sealed) {
    auto start = Clock::now();
    const auto rows = storage::SpanBlock::Open(block.body, dictionaries)->Decode();
    decode_s += SecondsSince(start);
    if (!rows.ok() || rows->size() != block.rows) std::abort();
    const auto search = [&](const storage::SpanSearch& search, double* seconds) {
      const auto begin = Clock::now();
      (void)storage::SpanBlock::Open(block.body, dictionaries)
          ->Search(search, INT64_MIN, [&](const model::Span&) {
            ++found;
            return INT64_MAX;
          });
      *seconds += SecondsSince(begin);
    };
    search({.min_duration_ns = int64_t{3600} * 1'000'000'000}, &duration_s);
    search({.ends = [](const storage::SpanEnds& e) { return e.server.port == 1; }}, &service_s);
    search({.attributes = {{"enduser.id", "nobody"}}}, &attribute_s);
    search({}, &one_row_s);
    start = Clock::now();
    if (!storage::SpanSummary::Parse(block.summary).ok()) std::abort();
    parse_s += SecondsSince(start);
  }

  const auto n = static_cast<double>(spans);
  const auto b = static_cast<double>(sealed.size());
  std::printf("{\n  \"spans\": %zu,\n  \"blocks\": %zu,\n", spans, sealed.size());
  std::printf("  \"bytes_per_span\": %.2f,\n", (body + summary + filter + 13 * aliases) / n);
  std::printf("  \"body\": %.2f, \"summary\": %.3f, \"filter\": %.3f, \"alias_index\": %.3f,\n",
              body / n, summary / n, filter / n, 13 * aliases / n);
  std::printf("  \"encode_spans_per_s\": %.0f,\n  \"decode_spans_per_s\": %.0f,\n", n / encode_s,
              n / decode_s);
  std::printf("  \"search_duration_rows_per_s\": %.0f,\n", n / duration_s);
  std::printf("  \"search_service_rows_per_s\": %.0f,\n", n / service_s);
  std::printf("  \"search_attribute_rows_per_s\": %.0f,\n", n / attribute_s);
  std::printf("  \"one_row_ms\": %.2f,\n  \"summary_parse_ms\": %.3f,\n", 1e3 * one_row_s / b,
              1e3 * parse_s / b);
  std::printf("  \"columns\": {");
  std::vector<std::pair<double, std::string>> sorted;
  for (const auto& [name, bytes] : by_column) sorted.emplace_back(-bytes, name);
  std::sort(sorted.begin(), sorted.end());
  const char* separator = "";
  for (const auto& [bytes, name] : sorted) {
    std::printf("%s\n    \"%s\": %.3f", separator, name.c_str(), -bytes / n);
    separator = ",";
  }
  std::printf("\n  },\n  \"found\": %zu\n}\n", found);
}

}  // namespace
}  // namespace kindling::load

int main(int argc, char** argv) {
  kindling::load::Flags flags(argc, argv);
  kindling::load::Run(flags);
  return 0;
}
