#include "storage/block.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "base/testing/status_matchers.h"
#include "storage/columns.h"
#include "storage/testing/random_batch.h"

namespace kindling::storage {
namespace {

template <typename Row>
std::string Encoded(const std::vector<Row>& rows) {
  std::vector<const Row*> pointers;
  for (const Row& row : rows) pointers.push_back(&row);
  return EncodeBlock(pointers);
}

template <typename Row>
void ExpectRoundTrip(const std::vector<Row>& rows) {
  const auto decoded = DecodeBlock<Row>(Encoded(rows));
  ASSERT_OK(decoded);
  EXPECT_EQ(*decoded, rows);
}

TEST(BlockTest, EveryFieldComesBack) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    RandomRecords records(seed);
    const model::Batch batch =
        records.Batch({.agent_id = "a"}, static_cast<int>(records.Below(60)));
    ExpectRoundTrip(batch.spans);
    ExpectRoundTrip(batch.edges);
    ExpectRoundTrip(batch.processes);
    ExpectRoundTrip(batch.losses);
  }
}

// Written by the code of that version.
TEST(BlockTest, ABlockOfVersion1IsRead) {
  const std::string block = absl::HexStringToBytes(
      "4b01020003ecb5d1a50228b52ffd602500550400c2c71d27706d3ab00e877fb2081456fad5c8cfcd"
      "06439b7a4bd89ffe21a439882dff5c0400d29b36d932a5b66ddbd20673d94b287bcd4cbabd6f55ce"
      "bb783d3c40f3c0fff7f87fba1ee11155f69605d4f98c42bb4f40496f3f29af97590285e13045b447"
      "4383d74012a8ec7332161b848b12935881db1cb332f506003e000d600dce5e966c81ddb31c1e");
  model::EdgeStats edge;
  edge.window_start_ns = 1'700'000'000'000'000'000;
  edge.window_ns = 10'000'000'000;
  edge.observer = model::Side::kClient;
  edge.client = {.workload = "shop:8080", .workload_kind = "process", .host = "a"};
  edge.server = {.address = "10.0.0.2", .port = 80, .dns_name = "nginx"};
  edge.protocol = model::Protocol::kHttp;
  edge.transport = model::Transport::kTcp;
  edge.endpoint = "GET /a";
  edge.outcome = model::Outcome::kOk;
  edge.status_code = "200";
  edge.count = 3;
  edge.slow_count = 1;
  edge.sent_bytes = 30;
  edge.received_bytes = 3000;
  edge.connections = 5;
  edge.connect_failures = 2;
  edge.lost = 7;
  edge.latency.Record(1'000'000, 2);
  edge.latency.Record(600'000'000);
  const auto decoded = DecodeBlock<model::EdgeStats>(block);
  ASSERT_OK(decoded);
  EXPECT_EQ(*decoded, std::vector<model::EdgeStats>{edge});
}

TEST(BlockTest, ABlockOfALaterVersionIsRefused) {
  std::string block = Encoded(std::vector<model::Loss>(1));
  block[1] = static_cast<char>(block[1] + 1);
  EXPECT_TRUE(absl::IsDataLoss(DecodeBlock<model::Loss>(block).status()));
}

TEST(BlockTest, DefaultRowsComeBack) {
  ExpectRoundTrip(std::vector<model::Span>(3));
  ExpectRoundTrip(std::vector<model::EdgeStats>(3));
  ExpectRoundTrip(std::vector<model::EdgeStats>());
}

TEST(BlockTest, ExtremeNumbersComeBack) {
  model::ProcessEvent event;
  event.time_ns = INT64_MIN;
  event.code = INT32_MIN;
  event.pid = UINT32_MAX;
  model::ProcessEvent late = event;
  late.time_ns = INT64_MAX;
  ExpectRoundTrip(std::vector<model::ProcessEvent>{event, late, event});
}

TEST(BlockTest, ABlockOfAnotherClassIsRefused) {
  EXPECT_FALSE(DecodeBlock<model::Loss>(Encoded(std::vector<model::Span>(1))).ok());
}

TEST(BlockTest, EveryTruncationIsNoticed) {
  RandomRecords records(1);
  const std::string block = Encoded(records.Batch({}, 5).spans);
  for (size_t size = 0; size < block.size(); ++size) {
    const auto decoded = DecodeBlock<model::Span>(std::string_view(block).substr(0, size));
    EXPECT_TRUE(absl::IsDataLoss(decoded.status())) << size;
  }
}

TEST(BlockTest, EveryFlippedBitIsNoticed) {
  RandomRecords records(2);
  std::string block = Encoded(records.Batch({}, 2).losses);
  for (size_t bit = 0; bit < block.size() * 8; ++bit) {
    const auto flip = static_cast<char>(1 << (bit % 8));
    block[bit / 8] = static_cast<char>(block[bit / 8] ^ flip);
    EXPECT_TRUE(absl::IsDataLoss(DecodeBlock<model::Loss>(block).status())) << bit;
    block[bit / 8] = static_cast<char>(block[bit / 8] ^ flip);
  }
}

// Spans as an agent makes them: close in time, of few workloads and endpoints.
TEST(BlockTest, OrdinarySpansAreSmall) {
  RandomRecords records(3);
  std::vector<model::Span> spans(1000);
  int64_t now_ns = 1'700'000'000'000'000'000;
  for (size_t i = 0; i < spans.size(); ++i) {
    model::Span& span = spans[i];
    now_ns += static_cast<int64_t>(records.Below(2'000'000));
    span.start_ns = now_ns;
    span.id = static_cast<uint64_t>(now_ns) >> 20 << 22 | i;
    span.side = model::Side::kServer;
    span.protocol = model::Protocol::kHttp;
    span.transport = model::Transport::kTcp;
    span.outcome = model::Outcome::kOk;
    span.server = {.workload = "shop:8080", .workload_kind = "process", .host = "a"};
    span.client = {.address = absl::StrFormat("10.0.0.%d", records.Below(4))};
    span.client_port = static_cast<uint16_t>(32768 + records.Below(28000));
    span.endpoint = absl::StrFormat("GET /products/%d/*", records.Below(20));
    span.status_code = "200";
    span.request_duration_ns = static_cast<int64_t>(records.Below(50'000));
    span.wait_duration_ns = static_cast<int64_t>(records.Below(5'000'000));
    span.response_duration_ns = static_cast<int64_t>(records.Below(100'000));
    span.request_bytes = 200 + records.Below(100);
    span.response_bytes = 1000 + records.Below(5000);
    span.pid = span.request_tid = span.response_tid = 4711;
    span.request_tcp_seq = static_cast<uint32_t>(records.Below(UINT32_MAX));
    span.response_tcp_seq = static_cast<uint32_t>(records.Below(UINT32_MAX));
  }
  const std::string block = Encoded(spans);
  RecordProperty("bytes_per_span", static_cast<int>(block.size() / spans.size()));
  // Two sequence numbers, a port and the low bits of times cannot be compressed: about 22 bytes.
  EXPECT_LT(block.size() / spans.size(), 32);
  ExpectRoundTrip(spans);
}

TEST(BlockTest, ARowCountBeyondTheLimitCostsNothing) {
  std::string raw;
  PutVarint(raw, UINT32_MAX);
  PutVarint(raw, 0);
  PutVarint(raw, 0);
  raw.append(64, '\0');
  ColumnDecoder<model::Span> decoder(raw);
  EXPECT_FALSE(decoder.Finished());
  EXPECT_EQ(decoder.rows().capacity(), 0);
}

}  // namespace
}  // namespace kindling::storage
