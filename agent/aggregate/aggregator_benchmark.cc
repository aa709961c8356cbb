// Cost of one finished request. Budget: below 300 ns on one edge and endpoint.

#include <benchmark/benchmark.h>

#include "agent/aggregate/aggregator.h"

namespace kindling::agent {
namespace {

class NullSink : public BatchSink {
 public:
  void OnBatch(model::Batch batch) override { benchmark::DoNotOptimize(batch); }
};

EdgeContext Prepare(Aggregator& aggregator) {
  aggregator.OnTick(1'000'000'000, 1'700'000'000'000'000'000);
  Edge edge;
  edge.observer = model::Side::kServer;
  edge.protocol = model::Protocol::kHttp;
  edge.transport = model::Transport::kTcp;
  edge.client.address = "10.0.0.1";
  edge.server.workload = "nginx:80";
  edge.server.host = "host-a";
  edge.server.address = "10.0.0.2";
  edge.server.port = 80;
  return {.edge = aggregator.Intern(edge), .client_port = 40000, .pid = 7};
}

Record Request(int64_t i) {
  Record record;
  record.request_start_ns = 2'000'000'000 + i;
  record.request_end_ns = record.request_start_ns + 10'000;
  record.response_start_ns = record.request_start_ns + 20'000;
  record.response_end_ns = record.request_start_ns + 30'000 + i % 4096;
  record.outcome = model::Outcome::kOk;
  record.endpoint = "GET /products/*";
  record.status_code = "200";
  return record;
}

void BM_OnRequest(benchmark::State& state) {
  NullSink sink;
  AggregatorOptions options;
  options.keep_all_spans = state.range(0) != 0;
  Aggregator aggregator(options, &sink);
  const EdgeContext context = Prepare(aggregator);
  Record record = Request(0);
  int64_t i = 0;
  for (auto _ : state) {
    record.response_end_ns = record.request_start_ns + 30'000 + (++i & 4095);
    aggregator.OnRequest(context, record);
    // A window of 10 s at 100,000 requests a second.
    if (i % 1'000'000 == 0) aggregator.Flush();
  }
}
BENCHMARK(BM_OnRequest)->Arg(0)->Arg(1)->ArgName("keep_all");

void BM_OnRequestManyEndpoints(benchmark::State& state) {
  NullSink sink;
  Aggregator aggregator({}, &sink);
  const EdgeContext context = Prepare(aggregator);
  std::vector<Record> records;
  for (int i = 0; i < 150; ++i) {
    records.push_back(Request(i));
    records.back().endpoint += std::to_string(i);
  }
  size_t i = 0;
  for (auto _ : state) {
    aggregator.OnRequest(context, records[i]);
    if (++i == records.size()) i = 0;
  }
}
BENCHMARK(BM_OnRequestManyEndpoints);

}  // namespace
}  // namespace kindling::agent

BENCHMARK_MAIN();
