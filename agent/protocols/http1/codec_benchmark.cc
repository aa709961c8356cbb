#include <cstdint>
#include <memory>
#include <string_view>

#include "agent/protocols/http1/codec.h"
#include "base/byte_reader.h"
#include "benchmark/benchmark.h"

namespace kindling::agent::http1 {
namespace {

class CountingSink : public RecordSink {
 public:
  void OnRecord(const Record& record) override {
    ++records;
    benchmark::DoNotOptimize(record.endpoint.data());
  }
  void OnUnparsed(uint64_t bytes, uint64_t) override { unparsed += bytes; }
  uint64_t records = 0;
  uint64_t unparsed = 0;
};

void Exchange(benchmark::State& state, std::string_view request, std::string_view response) {
  const std::unique_ptr<ProtocolCodec> codec = MakeCodec(model::Transport::kTcp);
  CountingSink sink;
  int64_t now_ns = 1;
  uint32_t seq[2] = {1, 1};
  for (auto _ : state) {
    codec->Feed(Flow::kRequest,
                {.bytes = base::AsBytes(request), .boot_ns = ++now_ns, .tcp_seq = seq[0], .tid = 1},
                sink);
    codec->Feed(
        Flow::kResponse,
        {.bytes = base::AsBytes(response), .boot_ns = ++now_ns, .tcp_seq = seq[1], .tid = 1}, sink);
    seq[0] += static_cast<uint32_t>(request.size());
    seq[1] += static_cast<uint32_t>(response.size());
  }
  if (sink.records != static_cast<uint64_t>(state.iterations()) || sink.unparsed != 0) {
    state.SkipWithError("records are missing");
  }
}

// As `wrk` and nginx exchange them.
void BM_SmallExchange(benchmark::State& state) {
  Exchange(state, "GET /products/17 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
           "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
           "Content-Type: text/plain\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello");
}
BENCHMARK(BM_SmallExchange);

// As a browser and an application server do.
void BM_BrowserExchange(benchmark::State& state) {
  Exchange(state,
           "GET /api/v1/users/550e8400-e29b-41d4-a716-446655440000/orders?page=2 HTTP/1.1\r\n"
           "Host: shop.example.test\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:109.0) "
           "Gecko/20100101 Firefox/115.0\r\nAccept: text/html,application/xhtml+xml\r\n"
           "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n"
           "Connection: keep-alive\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n"
           "Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\n"
           "Sec-Fetch-Mode: navigate\r\n"
           "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
           "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nServer: app\r\n"
           "Content-Type: application/json; charset=utf-8\r\nTransfer-Encoding: chunked\r\n"
           "Cache-Control: no-store\r\nVary: Accept-Encoding\r\nX-Frame-Options: DENY\r\n\r\n"
           "10\r\n0123456789abcdef\r\n0\r\n\r\n");
}
BENCHMARK(BM_BrowserExchange);

}  // namespace
}  // namespace kindling::agent::http1

BENCHMARK_MAIN();
