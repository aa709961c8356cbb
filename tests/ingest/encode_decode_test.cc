// What the agent's encoder writes, the controller's decoder reads: the same records come back.

#include <gtest/gtest.h>

#include <string>

#include "agent/export/encode.h"
#include "base/testing/status_matchers.h"
#include "controller/ingest/decode.h"
#include "kindling/v1/ingest.pb.h"
#include "storage/testing/random_batch.h"

namespace kindling {
namespace {

constexpr int64_t kTimeNs = 1'700'000'000'000'000'000;
constexpr int64_t kLatestNs = 1'800'000'000'000'000'000;

// The random records hold any value; an agent's are below the decoder's limits.
void Tame(model::Batch& batch) {
  const auto number = [](auto& value) { value &= (uint64_t{1} << 52) - 1; };
  const auto text = [](std::string& value) {
    for (char& c : value) c = static_cast<char>(c & 0x7f);
  };
  const auto party = [&](model::Party& value) {
    for (auto* field :
         {&value.workload, &value.workload_kind, &value.host, &value.address, &value.dns_name}) {
      text(*field);
    }
  };
  for (model::Span& span : batch.spans) {
    for (auto* field : {&span.request_duration_ns, &span.wait_duration_ns,
                        &span.response_duration_ns, &span.connect_duration_ns}) {
      number(*field);
    }
    number(span.request_bytes);
    number(span.response_bytes);
    for (uint64_t& ns : span.blame.ns) number(ns);
    if (span.sample_weight == 0) span.sample_weight = 1;
    party(span.client);
    party(span.server);
    text(span.endpoint);
    text(span.status_code);
    for (auto& [key, value] : span.attributes) {
      text(key);
      text(value);
    }
  }
  for (model::EdgeStats& edge : batch.edges) {
    for (auto* field :
         {&edge.count, &edge.slow_count, &edge.sent_bytes, &edge.received_bytes, &edge.connections,
          &edge.connect_failures, &edge.connect_count, &edge.connect_sum_ns, &edge.lost}) {
      number(*field);
    }
    for (uint64_t& ns : edge.blame.ns) number(ns);
    party(edge.client);
    party(edge.server);
    text(edge.endpoint);
    text(edge.status_code);
  }
  for (model::ProcessEvent& event : batch.processes) {
    for (auto* field :
         {&event.host, &event.workload, &event.workload_kind, &event.executable, &event.command}) {
      text(*field);
    }
  }
  for (model::Loss& loss : batch.losses) {
    number(loss.requests);
    number(loss.events);
    number(loss.bytes);
    text(loss.host);
    text(loss.workload);
  }
}

TEST(EncodeDecodeTest, EveryRecordComesBack) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    storage::RandomRecords records(seed, kTimeNs);
    model::Batch batch = records.Batch({.boot_epoch = 7, .sequence = seed}, 30);
    batch.addresses.push_back({.first_ns = kTimeNs - 5,
                               .address = "10.0.0.1",
                               .port = 80,
                               .transport = model::Transport::kTcp,
                               .workload = "nginx:80",
                               .workload_kind = "process",
                               .host = "a"});
    batch.rule_version = 3;
    batch.first_ns = kTimeNs;
    batch.last_ns = kTimeNs + 1;
    batch.tenant = batch.cluster = "";  // the stream's
    Tame(batch);
    v1::Batch wire;
    agent::EncodeBatch(batch, &wire);
    v1::Batch received;
    ASSERT_TRUE(received.ParseFromString(wire.SerializeAsString()));
    const auto decoded = controller::DecodeBatch(received, kLatestNs);
    ASSERT_OK(decoded);
    EXPECT_EQ(decoded->spans, batch.spans);
    EXPECT_EQ(decoded->edges, batch.edges);
    EXPECT_EQ(decoded->processes, batch.processes);
    EXPECT_EQ(decoded->losses, batch.losses);
    EXPECT_EQ(*decoded, batch);
  }
}

TEST(EncodeDecodeTest, AnEmptyBatchComesBack) {
  model::Batch batch;
  batch.id = {.boot_epoch = 7, .sequence = 1};
  v1::Batch wire;
  agent::EncodeBatch(batch, &wire);
  const auto decoded = controller::DecodeBatch(wire, kLatestNs);
  ASSERT_OK(decoded);
  EXPECT_EQ(*decoded, batch);
}

}  // namespace
}  // namespace kindling
