#include "agent/aggregate/aggregator.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>

namespace kindling::agent {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1'000 * kMs;
constexpr int64_t kWall = 1'700'000'000 * kSecond;  // a multiple of 10 s
constexpr int64_t kBoot = 500 * kSecond;

class CollectingSink : public BatchSink {
 public:
  void OnBatch(model::Batch batch) override { batches.push_back(std::move(batch)); }
  std::vector<model::Batch> batches;
};

Edge TestEdge(model::Protocol protocol = model::Protocol::kHttp) {
  Edge edge;
  edge.observer = model::Side::kServer;
  edge.protocol = protocol;
  edge.transport = model::Transport::kTcp;
  edge.client.address = "10.0.0.1";
  edge.server.workload = "nginx:80";
  edge.server.workload_kind = "process";
  edge.server.host = "host-a";
  edge.server.address = "10.0.0.2";
  edge.server.port = 80;
  return edge;
}

Record MakeRecord(const std::string& endpoint, int64_t duration_ns = 2 * kMs,
                  model::Outcome outcome = model::Outcome::kOk) {
  Record record;
  record.request_start_ns = kBoot + kSecond;
  record.request_end_ns = record.request_start_ns + duration_ns / 4;
  record.response_start_ns = record.request_start_ns + duration_ns / 2;
  record.response_end_ns = record.request_start_ns + duration_ns;
  record.request_bytes = 100;
  record.response_bytes = 1000;
  record.outcome = outcome;
  record.endpoint = endpoint;
  record.status_code = outcome == model::Outcome::kOk ? "200" : "500";
  return record;
}

class AggregatorTest : public ::testing::Test {
 protected:
  void Start(AggregatorOptions options = {}) {
    options.host = "host-a";
    aggregator_ = std::make_unique<Aggregator>(std::move(options), &sink_);
    aggregator_->OnTick(kBoot, kWall);
    context_.edge = aggregator_->Intern(TestEdge());
    context_.client_port = 40000;
    context_.pid = 7;
  }
  void TickTo(int64_t since_start_ns) {
    aggregator_->OnTick(kBoot + since_start_ns, kWall + since_start_ns);
  }
  const model::Batch& OnlyBatch() {
    EXPECT_EQ(sink_.batches.size(), 1u);
    return sink_.batches.at(0);
  }

  CollectingSink sink_;
  std::unique_ptr<Aggregator> aggregator_;
  EdgeContext context_;
};

TEST_F(AggregatorTest, SumsRequestsOfAWindowByEndpointAndStatus) {
  Start();
  for (int i = 0; i < 3; ++i) aggregator_->OnRequest(context_, MakeRecord("GET /a"));
  aggregator_->OnRequest(context_, MakeRecord("GET /b"));
  aggregator_->OnRequest(context_, MakeRecord("GET /a", 2 * kMs, model::Outcome::kServerError));
  TickTo(9 * kSecond);
  EXPECT_TRUE(sink_.batches.empty());
  TickTo(10 * kSecond);
  const model::Batch& batch = OnlyBatch();
  ASSERT_EQ(batch.edges.size(), 3u);
  uint64_t total = 0;
  for (const model::EdgeStats& row : batch.edges) {
    total += row.count;
    EXPECT_EQ(row.window_start_ns, kWall);
    EXPECT_EQ(row.window_ns, 10 * kSecond);
    EXPECT_EQ(row.observer, model::Side::kServer);
    EXPECT_EQ(row.server, TestEdge().server);
    EXPECT_EQ(row.latency.count(), row.count);
    if (row.endpoint == "GET /a" && row.status_code == "200") {
      EXPECT_EQ(row.count, 3u);
      EXPECT_EQ(row.sent_bytes, 300u);
      EXPECT_EQ(row.received_bytes, 3000u);
      EXPECT_EQ(row.latency.max_ns(), 2 * kMs);
    }
  }
  EXPECT_EQ(total, 5u);
  EXPECT_EQ(aggregator_->counters().requests, 5u);
}

TEST_F(AggregatorTest, WindowsAreAlignedAndEmptyOnesAreNotSent) {
  Start();
  TickTo(3 * kSecond);
  aggregator_->OnRequest(context_, MakeRecord("GET /a"));
  TickTo(47 * kSecond);
  EXPECT_EQ(OnlyBatch().edges.at(0).window_start_ns, kWall);
  TickTo(55 * kSecond);
  EXPECT_EQ(sink_.batches.size(), 1u);
  aggregator_->OnRequest(context_, MakeRecord("GET /a"));
  TickTo(60 * kSecond);
  ASSERT_EQ(sink_.batches.size(), 2u);
  EXPECT_EQ(sink_.batches[1].edges.at(0).window_start_ns, kWall + 50 * kSecond);
  EXPECT_EQ(sink_.batches[1].edges.at(0).count, 1u);
}

TEST_F(AggregatorTest, ALateRequestCountsInTheOpenWindow) {
  Start();
  TickTo(10 * kSecond);
  aggregator_->OnRequest(context_, MakeRecord("GET /a"));  // ended in the window before
  TickTo(20 * kSecond);
  EXPECT_EQ(OnlyBatch().edges.at(0).window_start_ns, kWall + 10 * kSecond);
  EXPECT_EQ(aggregator_->counters().late_requests, 1u);
}

TEST_F(AggregatorTest, AClockThatGoesBackOpensAnotherWindow) {
  Start();
  aggregator_->OnRequest(context_, MakeRecord("GET /a"));
  aggregator_->OnTick(kBoot + 2 * kSecond, kWall - 100 * kSecond);
  EXPECT_EQ(OnlyBatch().edges.at(0).window_start_ns, kWall);
  aggregator_->OnRequest(context_, MakeRecord("GET /a"));
  aggregator_->OnTick(kBoot + 12 * kSecond, kWall - 90 * kSecond);
  ASSERT_EQ(sink_.batches.size(), 2u);
  EXPECT_EQ(sink_.batches[1].edges.at(0).window_start_ns, kWall - 100 * kSecond);
}

TEST_F(AggregatorTest, SpansCarryTimesAndParties) {
  Start();
  context_.connect_duration_ns = 333;
  Record record = MakeRecord("GET /a", 8 * kMs);
  record.request_tid = 11;
  record.response_tcp_seq = 99;
  record.attributes.emplace_back("http.target", std::string(10'000, 'x'));
  aggregator_->OnRequest(context_, record);
  aggregator_->Flush();
  ASSERT_EQ(OnlyBatch().spans.size(), 1u);
  const model::Span& span = OnlyBatch().spans[0];
  EXPECT_EQ(span.start_ns, kWall + kSecond);
  EXPECT_EQ(span.duration_ns(), 8 * kMs);
  EXPECT_EQ(span.request_duration_ns, 2 * kMs);
  EXPECT_EQ(span.wait_duration_ns, 2 * kMs);
  EXPECT_EQ(span.response_duration_ns, 4 * kMs);
  EXPECT_EQ(span.connect_duration_ns, 333);
  EXPECT_EQ(span.client_port, 40000);
  EXPECT_EQ(span.pid, 7u);
  EXPECT_EQ(span.request_tid, 11u);
  EXPECT_EQ(span.response_tcp_seq, 99u);
  EXPECT_EQ(span.server.workload, "nginx:80");
  EXPECT_EQ(span.side, model::Side::kServer);
  EXPECT_EQ(span.attributes.at(0).second.size(), 4096u);
  EXPECT_EQ(span.id >> 22, static_cast<uint64_t>(span.start_ns) >> 20);
  EXPECT_LE(OnlyBatch().first_ns, span.start_ns);
  EXPECT_GE(OnlyBatch().last_ns, span.start_ns + span.duration_ns());
}

TEST_F(AggregatorTest, AResponseBeforeTheRequestIsCompleteHasNoNegativePart) {
  Start();
  Record record = MakeRecord("PUT /a", 8 * kMs);
  record.response_start_ns = record.request_start_ns + kMs;  // request_end is at 2 ms
  aggregator_->OnRequest(context_, record);
  aggregator_->Flush();
  const model::Span& span = OnlyBatch().spans.at(0);
  EXPECT_EQ(span.wait_duration_ns, 0);
  EXPECT_EQ(span.duration_ns(), 8 * kMs);
}

TEST_F(AggregatorTest, NoResponseIsCountedAndHasNoLatency) {
  Start();
  Record record = MakeRecord("GET /a", 2 * kMs, model::Outcome::kNoResponse);
  record.response_start_ns = record.response_end_ns = 0;
  aggregator_->OnRequest(context_, record);
  aggregator_->Flush();
  EXPECT_EQ(OnlyBatch().edges.at(0).count, 1u);
  EXPECT_EQ(OnlyBatch().edges.at(0).latency.count(), 0u);
  EXPECT_EQ(OnlyBatch().spans.at(0).wait_duration_ns, 0);
}

TEST_F(AggregatorTest, SlowAndFailedRequestsAreKeptAndOrdinaryOnesSampledWithWeights) {
  Start({.sampled_spans = 2, .notable_spans = 10});
  for (int i = 0; i < 1000; ++i) aggregator_->OnRequest(context_, MakeRecord("GET /a"));
  for (int i = 0; i < 5; ++i) aggregator_->OnRequest(context_, MakeRecord("GET /a", 501 * kMs));
  for (int i = 0; i < 40; ++i) {
    aggregator_->OnRequest(context_, MakeRecord("GET /a", kMs, model::Outcome::kServerError));
  }
  aggregator_->Flush();
  double ordinary = 0;
  double slow = 0;
  double failed = 0;
  std::set<model::SpanId> ids;
  for (const model::Span& span : OnlyBatch().spans) {
    ids.insert(span.id);
    (span.slow ? slow : model::IsError(span.outcome) ? failed : ordinary) += span.sample_weight;
    EXPECT_TRUE(!span.slow || span.sample_weight == 1);
  }
  EXPECT_EQ(OnlyBatch().spans.size(), 2u + 5u + 10u);
  EXPECT_EQ(ids.size(), OnlyBatch().spans.size());
  EXPECT_DOUBLE_EQ(ordinary, 1000);
  EXPECT_DOUBLE_EQ(slow, 5);
  EXPECT_DOUBLE_EQ(failed, 40);
  for (const model::EdgeStats& row : OnlyBatch().edges) {
    EXPECT_EQ(row.slow_count, row.outcome == model::Outcome::kOk ? 5u : 0u);
  }
}

TEST_F(AggregatorTest, TheSampleIsFair) {
  // Of 4 requests one is kept; over many windows each of the 4 must be kept about equally often.
  Start({.sampled_spans = 1, .span_id_seed = 42});
  for (int window = 0; window < 4000; ++window) {
    for (int i = 0; i < 4; ++i) {
      Record record = MakeRecord("GET /a");
      record.request_bytes = i;
      aggregator_->OnRequest(context_, record);
    }
    aggregator_->Flush();
  }
  std::array<int, 4> kept{};
  for (const model::Batch& batch : sink_.batches) ++kept.at(batch.spans.at(0).request_bytes);
  for (const int times : kept) {
    EXPECT_GT(times, 850);  // 1000 expected, standard deviation 27
    EXPECT_LT(times, 1150);
  }
}

TEST_F(AggregatorTest, ARunCountsAsItsRequestsAndGivesOneSpanAtMost) {
  Start();
  EXPECT_TRUE(aggregator_->takes_runs());
  Record run = MakeRecord("GET");
  run.more = 15;
  run.more_request_bytes = 1500;
  run.more_response_bytes = 16'000;
  for (int i = 0; i < 100; ++i) aggregator_->OnRequest(context_, run);
  TickTo(10 * kSecond);
  const model::Batch& batch = OnlyBatch();
  ASSERT_EQ(batch.edges.size(), 1u);
  EXPECT_EQ(batch.edges[0].count, 1600u);
  EXPECT_EQ(batch.edges[0].sent_bytes, 160'000u);
  EXPECT_EQ(batch.edges[0].received_bytes, 1'700'000u);
  EXPECT_EQ(batch.edges[0].latency.count(), 1600u);
  ASSERT_EQ(batch.spans.size(), 2u);
  EXPECT_EQ(batch.spans[0].sample_weight, 800);
  EXPECT_EQ(batch.spans[0].request_bytes, 100u);
  EXPECT_EQ(aggregator_->counters().requests, 1600u);
}

TEST_F(AggregatorTest, TheSampleIsFairToRunsAndToSingleRequests) {
  Start({.sampled_spans = 1, .span_id_seed = 42});
  for (int window = 0; window < 4000; ++window) {
    for (int i = 0; i < 3; ++i) {
      Record record = MakeRecord("GET");
      record.request_bytes = i;
      record.more = i == 1 ? 1 : 0;
      aggregator_->OnRequest(context_, record);
    }
    aggregator_->Flush();
  }
  std::array<int, 3> kept{};
  for (const model::Batch& batch : sink_.batches) ++kept.at(batch.spans.at(0).request_bytes);
  EXPECT_NEAR(kept[0], 1000, 150);
  EXPECT_NEAR(kept[1], 2000, 150) << "it stands for two";
  EXPECT_NEAR(kept[2], 1000, 150);
}

TEST_F(AggregatorTest, ThresholdsDependOnTheProtocol) {
  Start();
  context_.edge = aggregator_->Intern(TestEdge(model::Protocol::kRedis));
  aggregator_->OnRequest(context_, MakeRecord("GET", 101 * kMs));
  aggregator_->OnRequest(context_, MakeRecord("GET", 100 * kMs));
  aggregator_->Flush();
  EXPECT_EQ(OnlyBatch().edges.at(0).slow_count, 1u);
}

TEST_F(AggregatorTest, KeepAllKeepsEveryRequestAndDoesNotWaitForTheWindow) {
  Start({.keep_all_spans = true, .max_spans = 100});
  for (int i = 0; i < 250; ++i) aggregator_->OnRequest(context_, MakeRecord("GET /a"));
  EXPECT_EQ(sink_.batches.size(), 2u);
  aggregator_->Flush();
  std::set<model::SpanId> ids;
  for (const model::Batch& batch : sink_.batches) {
    for (const model::Span& span : batch.spans) {
      EXPECT_EQ(span.sample_weight, 1);
      ids.insert(span.id);
    }
  }
  EXPECT_EQ(ids.size(), 250u);
  EXPECT_EQ(aggregator_->counters().spans, 250u);
}

TEST_F(AggregatorTest, EndpointsBeyondTheCapFoldIntoOther) {
  Start({.names = {.endpoints = 2}});
  for (int i = 0; i < 10; ++i) {
    aggregator_->OnRequest(context_, MakeRecord("GET /" + std::to_string(i)));
  }
  aggregator_->Flush();
  ASSERT_EQ(OnlyBatch().edges.size(), 3u);
  uint64_t other = 0;
  for (const model::EdgeStats& row : OnlyBatch().edges) {
    if (row.endpoint == model::kOtherName) other += row.count;
  }
  EXPECT_EQ(other, 8u);
  EXPECT_EQ(aggregator_->counters().folded_requests, 8u);
  for (const model::Span& span : OnlyBatch().spans) {
    EXPECT_TRUE(span.endpoint == model::kOtherName || span.endpoint == "GET /0" ||
                span.endpoint == "GET /1");
  }
}

TEST_F(AggregatorTest, WhatFitsNoRowAtAllIsCountedAsLost) {
  // 10 rows, and 1 more for "(other)".
  Start({.max_rows = 10});
  for (int i = 0; i < 30; ++i) {
    Edge edge = TestEdge();
    edge.client.address = std::to_string(i);
    EdgeContext context = context_;
    context.edge = aggregator_->Intern(edge);
    aggregator_->OnRequest(context, MakeRecord("GET /a"));
  }
  aggregator_->Flush();
  uint64_t counted = 0;
  for (const model::EdgeStats& row : OnlyBatch().edges) counted += row.count;
  EXPECT_EQ(counted, 11u);
  ASSERT_EQ(OnlyBatch().losses.size(), 1u);
  EXPECT_EQ(OnlyBatch().losses[0].stage, model::LossStage::kCap);
  EXPECT_EQ(OnlyBatch().losses[0].requests, 19u);
  EXPECT_EQ(OnlyBatch().losses[0].workload, "nginx:80");
  EXPECT_EQ(OnlyBatch().losses[0].host, "host-a");
}

TEST_F(AggregatorTest, ConnectionsFailuresBytesAndLossesHaveRowsOfTheirOwn) {
  Start();
  context_.connect_duration_ns = 2 * kMs;
  aggregator_->OnConnection(context_);
  context_.connect_duration_ns = 3 * kMs;
  aggregator_->OnConnection(context_);
  context_.connect_duration_ns = 0;  // not known
  aggregator_->OnConnection(context_);
  aggregator_->OnBytes(context_, 10, 20, 5 * kMs);
  aggregator_->OnLost(context_, 3);
  aggregator_->OnConnectFailure(context_, ECONNREFUSED, kMs);
  aggregator_->OnLoss({.stage = model::LossStage::kKernelRing, .events = 4, .bytes = 5});
  aggregator_->OnLoss({.stage = model::LossStage::kKernelRing, .events = 1, .bytes = 1});
  aggregator_->Flush();
  ASSERT_EQ(OnlyBatch().edges.size(), 2u);
  for (const model::EdgeStats& row : OnlyBatch().edges) {
    EXPECT_EQ(row.count, 0u);
    EXPECT_EQ(row.endpoint, "");
    if (row.outcome == model::Outcome::kConnectFailed) {
      EXPECT_EQ(row.status_code, "ECONNREFUSED");
      EXPECT_EQ(row.connect_failures, 1u);
      EXPECT_EQ(row.connect_count, 1u);
      EXPECT_EQ(row.connect_sum_ns, 1u * kMs);
    } else {
      EXPECT_EQ(row.connections, 3u);
      EXPECT_EQ(row.connect_count, 2u);
      EXPECT_EQ(row.connect_sum_ns, 5u * kMs);
      EXPECT_EQ(row.sent_bytes, 10u);
      EXPECT_EQ(row.received_bytes, 20u);
      EXPECT_EQ(row.lost, 3u);
      EXPECT_EQ(row.latency.max_ns(), 5 * kMs);
    }
  }
  ASSERT_EQ(OnlyBatch().losses.size(), 1u);
  EXPECT_EQ(OnlyBatch().losses[0].events, 5u);
  EXPECT_EQ(OnlyBatch().losses[0].time_ns, kWall);
}

TEST_F(AggregatorTest, ProcessesAndAddressesAreCapped) {
  Start({.max_processes = 2});
  for (int i = 0; i < 5; ++i) aggregator_->OnProcess({.kind = model::ProcessEventKind::kStart});
  for (int i = 0; i < 3; ++i) aggregator_->OnAddress({.address = "10.0.0.1"});
  aggregator_->Flush();
  EXPECT_EQ(OnlyBatch().processes.size(), 2u);
  EXPECT_EQ(OnlyBatch().processes[0].host, "host-a");
  EXPECT_EQ(OnlyBatch().addresses.size(), 2u);
  EXPECT_EQ(OnlyBatch().addresses[0].host, "host-a");
  EXPECT_EQ(OnlyBatch().losses.at(0).events, 4u);
}

TEST_F(AggregatorTest, AnEdgeOutlivesItsConnectionUntilItsRowsAreSent) {
  Start();
  aggregator_->OnRequest(context_, MakeRecord("GET /a"));
  context_.edge = nullptr;
  TickTo(10 * kSecond);
  EXPECT_EQ(OnlyBatch().edges.at(0).server.workload, "nginx:80");
  TickTo(20 * kSecond);
  TickTo(30 * kSecond);
  EXPECT_EQ(aggregator_->counters().edges, 0u);
}

}  // namespace
}  // namespace kindling::agent
