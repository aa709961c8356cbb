#include "tests/load/store/traffic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "agent/export/encode.h"
#include "kindling/v1/ingest.pb.h"
#include "model/sql_template.h"
#include "model/url_template.h"

namespace kindling::load {
namespace {

using model::Side;

TrafficOptions Small() {
  TrafficOptions options;
  options.topology.services = 200;
  options.topology.hosts = 8;
  options.spans_per_second = 2000;
  return options;
}

std::vector<model::Batch> Make(TrafficOptions options, int windows) {
  Traffic traffic(std::move(options));
  std::vector<model::Batch> out;
  for (int i = 0; i < windows; ++i) {
    for (model::Batch& batch : traffic.NextWindow()) out.push_back(std::move(batch));
  }
  for (model::Batch& batch : traffic.Finish()) out.push_back(std::move(batch));
  return out;
}

std::vector<model::Span> SpansOf(const std::vector<model::Batch>& batches) {
  std::vector<model::Span> out;
  for (const model::Batch& batch : batches) {
    out.insert(out.end(), batch.spans.begin(), batch.spans.end());
  }
  return out;
}

std::string BytesOf(const std::vector<model::Batch>& batches) {
  std::string out;
  for (const model::Batch& batch : batches) {
    v1::Batch encoded;
    agent::EncodeBatch(batch, &encoded);
    out += batch.id.agent_id + encoded.SerializeAsString();
  }
  return out;
}

TEST(TrafficTest, TheSameSeedGivesTheSameBytes) {
  const std::string once = BytesOf(Make(Small(), 2));
  EXPECT_GT(once.size(), 100'000u);
  EXPECT_TRUE(once == BytesOf(Make(Small(), 2)));
  TrafficOptions other = Small();
  other.seed = 2;
  EXPECT_FALSE(once == BytesOf(Make(other, 2)));
}

TEST(TrafficTest, GivesTheStatedRate) {
  const auto spans = SpansOf(Make(Small(), 6));
  EXPECT_NEAR(static_cast<double>(spans.size()), 2000 * 60, 2000 * 60 * 0.05);
}

TEST(TrafficTest, EveryTraceHasTheStatedSpansAndIsATree) {
  for (const uint32_t size : {1u, 2u, 5u, 8u, 30u}) {
    TrafficOptions options = Small();
    options.spans_per_trace = size;
    std::map<model::TraceId, std::vector<model::Span>> traces;
    for (model::Span& span : SpansOf(Make(options, 1))) traces[span.trace_id].push_back(span);
    ASSERT_GT(traces.size(), 100u);
    for (const auto& [id, spans] : traces) {
      ASSERT_EQ(spans.size(), size);
      std::map<model::SpanId, const model::Span*> by_id;
      for (const model::Span& span : spans) by_id[span.id] = &span;
      ASSERT_EQ(by_id.size(), size);
      int roots = 0;
      for (const model::Span& span : spans) {
        if (span.parent_id == 0) {
          ++roots;
          EXPECT_EQ(span.id, id.high);
          continue;
        }
        ASSERT_TRUE(by_id.contains(span.parent_id));
        const model::Span& parent = *by_id[span.parent_id];
        EXPECT_GE(span.start_ns, parent.start_ns);
        EXPECT_LE(span.start_ns + span.duration_ns(), parent.start_ns + parent.duration_ns());
        // A server's parent is its call's other end, a client's the request it was made for.
        EXPECT_NE(span.side, parent.side);
      }
      EXPECT_EQ(roots, 1);
    }
  }
}

TEST(TrafficTest, IdsBeginWithTheStart) {
  std::set<std::pair<std::string, model::SpanId>> ids;
  for (const model::Batch& batch : Make(Small(), 1)) {
    for (const model::Span& span : batch.spans) {
      EXPECT_EQ(span.id >> 22, static_cast<uint64_t>(span.start_ns) >> 20);
      EXPECT_TRUE(ids.insert({batch.id.agent_id, span.id}).second);
    }
  }
}

TEST(TrafficTest, SequencesAdvanceByTheBytesOfTheConnection) {
  using Connection = std::tuple<Side, std::string, uint16_t, std::string, uint16_t>;
  std::map<Connection, std::vector<model::Span>> connections;
  for (const model::Span& span : SpansOf(Make(Small(), 3))) {
    if (span.transport != model::Transport::kTcp) {
      EXPECT_EQ(span.request_tcp_seq, 0u);
      continue;
    }
    connections[{span.side, span.client.address, span.client_port, span.server.address,
                 span.server.port}]
        .push_back(span);
  }
  int long_lived = 0;
  int continued = 0;
  int broken = 0;
  for (auto& [key, spans] : connections) {
    std::sort(spans.begin(), spans.end(),
              [](const model::Span& a, const model::Span& b) { return a.start_ns < b.start_ns; });
    if (spans.size() > 20) ++long_lived;
    for (size_t i = 1; i < spans.size(); ++i) {
      const model::Span& before = spans[i - 1];
      if (spans[i].connect_duration_ns != 0) continue;  // the port was used again
      EXPECT_GE(spans[i].start_ns, before.start_ns + before.duration_ns());
      const bool follows =
          spans[i].request_tcp_seq ==
              static_cast<uint32_t>(before.request_tcp_seq + before.request_bytes) &&
          spans[i].response_tcp_seq ==
              static_cast<uint32_t>(before.response_tcp_seq + before.response_bytes);
      ++(follows ? continued : broken);
    }
  }
  EXPECT_GT(long_lived, 100);
  EXPECT_GT(continued, 10'000);
  EXPECT_EQ(broken, 0);
}

TEST(TrafficTest, BothEndsOfACallAgree) {
  std::map<model::SpanId, model::Span> clients;
  std::vector<model::Span> servers;
  int alone = 0;
  for (model::Span& span : SpansOf(Make(Small(), 2))) {
    if (span.side == Side::kServer) {
      servers.push_back(span);
    } else {
      clients[span.id] = span;
    }
  }
  for (const model::Span& server : servers) {
    if (server.parent_id == 0) {
      ++alone;
      continue;
    }
    ASSERT_TRUE(clients.contains(server.parent_id));
    const model::Span& client = clients[server.parent_id];
    EXPECT_EQ(client.request_tcp_seq, server.request_tcp_seq);
    EXPECT_EQ(client.response_tcp_seq, server.response_tcp_seq);
    EXPECT_EQ(client.client_port, server.client_port);
    EXPECT_EQ(client.endpoint, server.endpoint);
    EXPECT_EQ(client.sample_weight, server.sample_weight);
    EXPECT_EQ(client.client.address, server.client.address);
    EXPECT_EQ(client.server.address, server.server.address);
    EXPECT_LT(client.start_ns, server.start_ns);
    EXPECT_GT(client.duration_ns(), server.duration_ns());
    EXPECT_FALSE(client.client.workload.empty());
    EXPECT_FALSE(server.server.workload.empty());
  }
  EXPECT_GT(alone, 1000);
  EXPECT_GT(servers.size(), 5000u);
}

TEST(TrafficTest, SumsCountTheRequestsThatSpansStandFor) {
  std::map<Side, double> by_spans;
  std::map<Side, double> by_sums;
  uint64_t recorded = 0;
  int64_t start_ns = INT64_MAX;
  std::set<std::tuple<int64_t, Side, model::Party, model::Party, std::string, model::Outcome,
                      std::string>>
      keys;
  for (const model::Batch& batch : Make(Small(), 3)) {
    for (const model::Span& span : batch.spans) by_spans[span.side] += span.sample_weight;
    for (const model::EdgeStats& edge : batch.edges) {
      EXPECT_TRUE(keys.insert({edge.window_start_ns, edge.observer, edge.client, edge.server,
                               edge.endpoint, edge.outcome, edge.status_code})
                      .second);
      EXPECT_EQ(edge.window_ns, 10'000'000'000);
      EXPECT_EQ(edge.window_start_ns % edge.window_ns, 0);
      EXPECT_EQ(edge.latency.count(), edge.count);
      if (edge.endpoint.empty()) {
        EXPECT_GT(edge.connections, 0u);
      }
      by_sums[edge.observer] += static_cast<double>(edge.count);
      recorded += edge.latency.count();
      start_ns = std::min(start_ns, edge.window_start_ns);
    }
  }
  EXPECT_EQ(by_spans, by_sums);
  EXPECT_EQ(start_ns, TrafficOptions().start_ns);
  EXPECT_GT(recorded, 100'000u);
}

TEST(TrafficTest, SharesAndWeightsAreAsStated) {
  TrafficOptions options = Small();
  options.requests_per_span = 8;
  const auto spans = SpansOf(Make(options, 6));
  double server_errors = 0;
  double client_errors = 0;
  double weight = 0;
  double ordinary = 0;
  for (const model::Span& span : spans) {
    server_errors += span.outcome == model::Outcome::kServerError ? 1 : 0;
    client_errors += span.outcome == model::Outcome::kClientError ? 1 : 0;
    if (span.outcome != model::Outcome::kOk) {
      EXPECT_EQ(span.sample_weight, 1);
    } else if (!span.slow) {
      weight += span.sample_weight;
      ++ordinary;
    }
  }
  const auto n = static_cast<double>(spans.size());
  EXPECT_NEAR(server_errors / n, options.server_error_share, 0.001);
  EXPECT_NEAR(client_errors / n, options.client_error_share, 0.003);
  EXPECT_NEAR(weight / ordinary, 8, 0.8);
}

TEST(TrafficTest, PopularityIsZipf) {
  Random random(1);
  const Zipf zipf(1000, 1.0);
  std::vector<double> seen(1000);
  constexpr int kDraws = 1'000'000;
  for (int i = 0; i < kDraws; ++i) ++seen[zipf.Pick(random)];
  double sum = 0;
  for (int k = 1; k <= 1000; ++k) sum += 1.0 / k;
  for (const int k : {1, 2, 10, 100}) {
    EXPECT_NEAR(seen[k - 1] / kDraws, 1 / (k * sum), 0.06 / (k * sum)) << k;
  }
}

TEST(TrafficTest, LatenciesAreLogNormal) {
  Random random(1);
  std::vector<double> logs;
  for (int i = 0; i < 100'000; ++i) logs.push_back(std::log(random.LogNormal(5e6, 0.7)));
  double mean = 0;
  for (const double x : logs) mean += x / static_cast<double>(logs.size());
  double variance = 0;
  for (const double x : logs)
    variance += (x - mean) * (x - mean) / static_cast<double>(logs.size());
  EXPECT_NEAR(mean, std::log(5e6), 0.01);
  EXPECT_NEAR(std::sqrt(variance), 0.7, 0.01);
}

TEST(TrafficTest, PoissonHasItsMean) {
  Random random(1);
  for (const double mean : {0.1, 3.0, 29.0, 500.0}) {
    double sum = 0;
    constexpr int kDraws = 50'000;
    for (int i = 0; i < kDraws; ++i) sum += static_cast<double>(random.Poisson(mean));
    EXPECT_NEAR(sum / kDraws, mean, 5 * std::sqrt(mean / kDraws) + 0.01) << mean;
  }
}

std::map<std::string, std::set<std::string>> AttributesOf(const std::vector<model::Span>& spans) {
  std::map<std::string, std::set<std::string>> out;
  for (const model::Span& span : spans) {
    for (const auto& [key, value] : span.attributes) out[key].insert(value);
  }
  return out;
}

TEST(TrafficTest, AttributesHaveTheStatedCardinalities) {
  TrafficOptions options = Small();
  options.users = 500;
  options.topology.url_paths = 1000;
  options.topology.routes = 100;
  const auto seen = AttributesOf(SpansOf(Make(options, 6)));
  EXPECT_EQ(seen.at("service.version").size(), 1u);
  EXPECT_EQ(seen.at("enduser.id").size(), 500u);
  EXPECT_EQ(seen.at("user_agent.original").size(), 12u);
  EXPECT_LE(seen.at("url.path").size(), 1000u);
  EXPECT_GT(seen.at("url.path").size(), 800u);
  EXPECT_LE(seen.at("db.statement").size(), 300u + 32u);
  EXPECT_GT(seen.at("db.statement").size(), 50u);
}

TEST(TrafficTest, EndpointsAreWhatTheAgentMakesOfTheTexts) {
  int http = 0;
  int mysql = 0;
  for (const model::Span& span : SpansOf(Make(Small(), 1))) {
    const std::map<std::string, std::string> attributes(span.attributes.begin(),
                                                        span.attributes.end());
    if (span.protocol == model::Protocol::kHttp) {
      ++http;
      EXPECT_EQ(span.endpoint, attributes.at("http.request.method") + " " +
                                   model::UrlTemplate(attributes.at("url.path")));
    } else if (span.protocol == model::Protocol::kMysql) {
      ++mysql;
      EXPECT_EQ(span.endpoint, model::SqlEndpoint(attributes.at("db.statement")));
      EXPECT_EQ(model::SqlStatement(attributes.at("db.statement"), 4096),
                attributes.at("db.statement"));
    }
  }
  EXPECT_GT(http, 5000);
  EXPECT_GT(mysql, 500);
}

TEST(TrafficTest, ForeignIdsAreOneATraceAndOneACall) {
  EXPECT_EQ(SpansOf(Make(Small(), 1)).front().alias_trace_id, model::TraceId{});
  TrafficOptions options = Small();
  options.foreign_share = 1;
  std::map<model::TraceId, std::set<model::TraceId>> aliases;
  std::set<model::SpanId> parents;
  size_t calls = 0;
  for (const model::Span& span : SpansOf(Make(options, 1))) {
    aliases[span.trace_id].insert(span.alias_trace_id);
    EXPECT_NE(span.alias_trace_id, model::TraceId{});
    EXPECT_NE(span.alias_parent_id, 0u);
    parents.insert(span.alias_parent_id);
    if (span.side == Side::kClient || span.parent_id == 0) ++calls;
  }
  for (const auto& [id, foreign] : aliases) EXPECT_EQ(foreign.size(), 1u);
  EXPECT_EQ(parents.size(), calls);
}

}  // namespace
}  // namespace kindling::load
