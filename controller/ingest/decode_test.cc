#include "controller/ingest/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "base/testing/status_matchers.h"
#include "controller/testing/fake_agent.h"
#include "kindling/v1/ingest.pb.h"

namespace kindling::controller {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kTimeNs = 1'700'000'000'000'000'000;
constexpr int64_t kLatestNs = kTimeNs + 1'000'000'000;

// A sound batch with rows of every class.
v1::Batch Sound() {
  BatchBuilder builder(7, 1, kTimeNs);
  const uint32_t client = builder.Party("curl", "a", "10.0.0.1", 0);
  const uint32_t server = builder.Party("", "", "10.0.0.2", 80);
  builder.Edge(1, client, server, 5);
  builder.Edge(1, client, server, 6);
  builder.Span(11, client, server, 10, 20);
  builder.Span(12, client, server, 10, 20);
  builder.Binding("10.0.0.2", 80, "nginx:80", "b");
  v1::Batch batch = builder.batch();
  v1::SpanColumns* spans = batch.mutable_spans();
  spans->add_attribute_count(0);
  spans->add_attribute_count(1);
  spans->add_attribute_key(1);
  spans->add_attribute_value(2);
  batch.mutable_losses()->add_requests(3);
  batch.mutable_processes()->add_pid(4);
  return batch;
}

TEST(DecodeBatchTest, RowsComeBackWithTextsPartiesAndTimes) {
  const auto batch = DecodeBatch(Sound(), kLatestNs);
  ASSERT_OK(batch);
  EXPECT_EQ(batch->id.boot_epoch, 7);
  EXPECT_EQ(batch->id.sequence, 1);
  ASSERT_EQ(batch->edges.size(), 2);
  EXPECT_EQ(batch->edges[1].count, 6);
  EXPECT_EQ(batch->edges[1].window_start_ns, kTimeNs);
  EXPECT_EQ(batch->edges[1].client.workload, "curl");
  EXPECT_EQ(batch->edges[1].server.address, "10.0.0.2");
  EXPECT_EQ(batch->edges[1].server.port, 80);
  EXPECT_EQ(batch->edges[1].latency.count(), 6);
  ASSERT_EQ(batch->spans.size(), 2);
  // Each time is given as the difference to the one before.
  EXPECT_EQ(batch->spans[1].start_ns, kTimeNs + 20);
  EXPECT_EQ(batch->spans[1].sample_weight, 1);
  EXPECT_EQ(batch->spans[0].attributes.size(), 0);
  EXPECT_EQ(batch->spans[1].attributes.size(), 1);
  ASSERT_EQ(batch->addresses.size(), 1);
  EXPECT_EQ(batch->addresses[0].workload, "nginx:80");
  EXPECT_EQ(batch->losses.at(0).requests, 3);
  EXPECT_EQ(batch->processes.at(0).pid, 4);
}

struct Fault {
  const char* name;
  std::function<void(v1::Batch&)> make;
  const char* message;
};

class DecodeFaultTest : public ::testing::TestWithParam<Fault> {};

TEST_P(DecodeFaultTest, IsRefused) {
  v1::Batch batch = Sound();
  GetParam().make(batch);
  const absl::Status status = DecodeBatch(batch, kLatestNs).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

const Fault kFaults[] = {
    {"NoEpoch", [](v1::Batch& b) { b.set_boot_epoch(0); }, "boot_epoch"},
    {"NoSequence", [](v1::Batch& b) { b.set_sequence(0); }, "sequence"},
    {"ShortColumn", [](v1::Batch& b) { b.mutable_edges()->mutable_count()->Truncate(1); },
     "edges differ in length"},
    {"LongColumn", [](v1::Batch& b) { b.mutable_spans()->add_pid(1); }, "spans differ in length"},
    {"NoSuchString", [](v1::Batch& b) { b.mutable_edges()->set_endpoint(0, b.strings_size()); },
     "no such string"},
    {"NoSuchParty", [](v1::Batch& b) { b.mutable_spans()->set_server(0, 2); }, "no such party"},
    {"StringZero", [](v1::Batch& b) { b.set_strings(0, "x"); }, "string 0"},
    {"LongString", [](v1::Batch& b) { b.add_strings(std::string(kMaxTextBytes + 1, 'x')); },
     "too long"},
    {"LongAddress",
     [](v1::Batch& b) {
       b.add_strings(std::string(kMaxAddressBytes + 1, 'x'));
       b.mutable_parties()->set_address(0, b.strings_size() - 1);
     },
     "address is too long"},
    {"Port", [](v1::Batch& b) { b.mutable_parties()->set_port(0, 65536); }, "port"},
    {"Enum", [](v1::Batch& b) { b.mutable_edges()->set_protocol(0, 256); }, "protocol"},
    {"Future", [](v1::Batch& b) { b.mutable_spans()->set_start_delta_ns(0, 2'000'000'000); },
     "start_delta_ns lies far in the future"},
    {"Overflow", [](v1::Batch& b) { b.mutable_spans()->set_start_delta_ns(0, INT64_MAX); },
     "start_delta_ns"},
    {"Past", [](v1::Batch& b) { b.mutable_edges()->set_window_start_delta_ns(0, -2 * kTimeNs); },
     "before 1970"},
    {"NegativeDuration", [](v1::Batch& b) { b.mutable_spans()->set_wait_duration_ns(0, -1); },
     "wait_duration_ns"},
    {"HugeCount", [](v1::Batch& b) { b.mutable_edges()->set_count(0, UINT64_MAX); }, "count"},
    {"Weight",
     [](v1::Batch& b) {
       b.mutable_spans()->add_sample_weight(std::numeric_limits<float>::quiet_NaN());
       b.mutable_spans()->add_sample_weight(1);
     },
     "sample_weight"},
    {"TooManyBuckets",
     [](v1::Batch& b) { b.mutable_edges()->set_latency_bucket_count(0, UINT32_MAX); },
     "latency_bucket_count"},
    {"TooFewBuckets", [](v1::Batch& b) { b.mutable_edges()->add_latency_buckets(1); },
     "latency_bucket_count"},
    {"BucketOutOfRange", [](v1::Batch& b) { b.mutable_edges()->set_latency_offset(0, 1008); },
     "histogram"},
    {"MinAboveMax", [](v1::Batch& b) { b.mutable_edges()->set_latency_min_ns(0, 1 << 30); },
     "histogram"},
    {"Blame", [](v1::Batch& b) { b.mutable_edges()->add_blame_ns(1); }, "blame_ns"},
    {"AttributeCount", [](v1::Batch& b) { b.mutable_spans()->set_attribute_count(0, UINT32_MAX); },
     "attribute_count"},
    {"AttributesLeftOver",
     [](v1::Batch& b) {
       b.mutable_spans()->add_attribute_key(1);
       b.mutable_spans()->add_attribute_value(1);
     },
     "attribute_count"},
    {"AttributeWithoutValue", [](v1::Batch& b) { b.mutable_spans()->add_attribute_key(1); },
     "keys or values"},
    {"TooManyRows",
     [](v1::Batch& b) {
       for (int i = 0; i <= kMaxBatchRows; ++i) b.mutable_losses()->add_bytes(1);
     },
     "at most 65536"},
};

INSTANTIATE_TEST_SUITE_P(Faults, DecodeFaultTest, ::testing::ValuesIn(kFaults),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(DecodeBatchTest, ALargeTextInManyRowsIsRefusedBeforeItIsCopied) {
  BatchBuilder builder(7, 1, kTimeNs);
  const uint32_t text = builder.Text(std::string(kMaxTextBytes, 'x'));
  v1::Batch batch = builder.batch();
  for (int i = 0; i < kMaxBatchRows; ++i) batch.mutable_processes()->add_command(text);
  const absl::Status status = DecodeBatch(batch, kLatestNs).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("too large"));
}

}  // namespace
}  // namespace kindling::controller
