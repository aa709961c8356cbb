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
#include "model/content_hash.h"

namespace kindling::controller {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kTimeNs = 1'700'000'000'000'000'000;
constexpr int64_t kLatestNs = kTimeNs + 1'000'000'000;

// A gauge with two labels and a histogram without any, one point each.
void AddMetrics(v1::Batch* batch) {
  const auto text = [batch](const char* value) {
    batch->add_strings(value);
    return static_cast<uint32_t>(batch->strings_size() - 1);
  };
  v1::SeriesColumns* series = batch->mutable_series();
  series->add_name(text("tcp_srtt_seconds"));
  series->add_name(text("dns_seconds"));
  series->add_kind(1);
  series->add_kind(3);
  series->add_label_count(2);
  series->add_label_count(0);
  for (const char* name : {"host", "peer"}) {
    series->add_label_name(text(name));
    series->add_label_value(text("x"));
  }
  v1::PointColumns* points = batch->mutable_points();
  points->add_series(1);
  points->add_series(0);
  points->add_time_delta_ns(0);
  points->add_time_delta_ns(5);
  points->add_value(0);
  points->add_value(0.25);
  points->add_latency_offset(318);
  points->add_latency_offset(0);
  points->add_latency_bucket_count(1);
  points->add_latency_bucket_count(0);
  points->add_latency_buckets(2);
  points->add_latency_sum_ns(2'000'000);
  points->add_latency_sum_ns(0);
  points->add_latency_min_ns(1'000'000);
  points->add_latency_min_ns(0);
  points->add_latency_max_ns(1'000'000);
  points->add_latency_max_ns(0);
}

void AddChunks(v1::Batch* batch) {
  v1::ChunkColumns* chunks = batch->mutable_chunks();
  chunks->add_kind(2);
  chunks->add_span_id(12);
  chunks->add_first_time_delta_ns(3);
  chunks->add_duration_ns(4);
  chunks->add_data(std::string("\xff\0", 2));
  v1::ContentColumns* contents = batch->mutable_contents();
  const model::ContentHash hash = model::HashOf("main;read");
  contents->add_hash_high(hash.high);
  contents->add_hash_low(hash.low);
  contents->add_data("main;read");
}

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
  spans->add_alias_trace_id_high(0);
  spans->add_alias_trace_id_high(21);
  AddMetrics(&batch);
  AddChunks(&batch);
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
  EXPECT_EQ(batch->spans[0].alias_trace_id, model::TraceId());
  EXPECT_EQ(batch->spans[1].alias_trace_id.high, 21);
}

TEST(DecodeBatchTest, MetricsChunksAndContentsComeBack) {
  const auto batch = DecodeBatch(Sound(), kLatestNs);
  ASSERT_OK(batch);
  ASSERT_EQ(batch->series.size(), 2);
  EXPECT_EQ(batch->series[0], (model::MetricSeries{.name = "tcp_srtt_seconds",
                                                   .kind = model::MetricKind::kGauge,
                                                   .labels = {{"host", "x"}, {"peer", "x"}}}));
  EXPECT_EQ(batch->series[1].name, "dns_seconds");
  EXPECT_TRUE(batch->series[1].labels.empty());
  ASSERT_EQ(batch->points.size(), 2);
  EXPECT_EQ(batch->points[0].series, 1);
  EXPECT_EQ(batch->points[0].histogram.count(), 2);
  EXPECT_EQ(batch->points[1].time_ns, kTimeNs + 5);
  EXPECT_EQ(batch->points[1].value, 0.25);
  ASSERT_EQ(batch->chunks.size(), 1);
  EXPECT_EQ(batch->chunks[0].kind, model::ChunkKind::kStackTable);
  EXPECT_EQ(batch->chunks[0].span_id, 12);
  EXPECT_EQ(batch->chunks[0].first_ns, kTimeNs + 3);
  EXPECT_EQ(batch->chunks[0].last_ns, kTimeNs + 7);
  EXPECT_EQ(batch->chunks[0].bytes, std::string("\xff\0", 2));
  ASSERT_EQ(batch->contents.size(), 1);
  EXPECT_EQ(batch->contents[0].bytes, "main;read");
  EXPECT_EQ(batch->contents[0].time_ns, kTimeNs);
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
    {"AliasColumn", [](v1::Batch& b) { b.mutable_spans()->add_alias_parent_id(1); },
     "spans differ in length"},
    {"SeriesWithoutName", [](v1::Batch& b) { b.mutable_series()->set_name(0, 0); }, "no name"},
    {"SeriesName", [](v1::Batch& b) { b.mutable_series()->set_name(0, b.strings_size()); },
     "no such string"},
    {"SeriesKind", [](v1::Batch& b) { b.mutable_series()->set_kind(0, 4); }, "kind of a series"},
    {"SeriesWithoutKind", [](v1::Batch& b) { b.mutable_series()->clear_kind(); },
     "kind of a series"},
    {"LabelCount", [](v1::Batch& b) { b.mutable_series()->set_label_count(0, UINT32_MAX); },
     "label_count"},
    {"LabelsLeftOver", [](v1::Batch& b) { b.mutable_series()->set_label_count(0, 1); },
     "label_count"},
    {"LabelWithoutValue", [](v1::Batch& b) { b.mutable_series()->add_label_name(1); },
     "names or values"},
    {"LabelWithoutName", [](v1::Batch& b) { b.mutable_series()->set_label_name(0, 0); },
     "a label has no name"},
    {"LabelOrder",
     [](v1::Batch& b) { b.mutable_series()->mutable_label_name()->SwapElements(0, 1); },
     "not in order"},
    {"LabelTwice",
     [](v1::Batch& b) { b.mutable_series()->set_label_name(1, b.series().label_name(0)); },
     "not in order"},
    {"NoSuchSeries", [](v1::Batch& b) { b.mutable_points()->set_series(0, 2); }, "no such series"},
    {"PointsWithoutSeries", [](v1::Batch& b) { b.clear_series(); }, "no such series"},
    {"PointOfTheFuture",
     [](v1::Batch& b) { b.mutable_points()->set_time_delta_ns(1, 2'000'000'000); },
     "time_delta_ns lies far in the future"},
    {"NotANumber",
     [](v1::Batch& b) {
       b.mutable_points()->set_value(1, std::numeric_limits<double>::quiet_NaN());
     },
     "value"},
    {"Infinite",
     [](v1::Batch& b) {
       b.mutable_points()->set_value(1, -std::numeric_limits<double>::infinity());
     },
     "value"},
    {"ValueOfAHistogram", [](v1::Batch& b) { b.mutable_points()->set_value(0, 1); },
     "series' kind"},
    {"HistogramOfAGauge", [](v1::Batch& b) { b.mutable_series()->set_kind(1, 2); }, "series' kind"},
    {"PointBuckets", [](v1::Batch& b) { b.mutable_points()->add_latency_buckets(1); },
     "latency_bucket_count"},
    {"PointHistogram", [](v1::Batch& b) { b.mutable_points()->set_latency_max_ns(0, 1); },
     "histogram"},
    {"ChunkWithoutKind", [](v1::Batch& b) { b.mutable_chunks()->set_kind(0, 0); }, "no kind"},
    {"ChunkEndsBeforeItBegins", [](v1::Batch& b) { b.mutable_chunks()->set_duration_ns(0, -1); },
     "duration_ns"},
    {"ChunkOfTheFuture",
     [](v1::Batch& b) { b.mutable_chunks()->set_duration_ns(0, 2'000'000'000); },
     "duration_ns lies far in the future"},
    {"LongChunk",
     [](v1::Batch& b) { b.mutable_chunks()->set_data(0, std::string(kMaxChunkBytes + 1, 'x')); },
     "data is too long"},
    {"ChunkColumn", [](v1::Batch& b) { b.mutable_chunks()->add_data("x"); },
     "chunks differ in length"},
    {"ForeignHash", [](v1::Batch& b) { b.mutable_contents()->set_hash_low(0, 1); }, "hash"},
    {"ChangedContent", [](v1::Batch& b) { b.mutable_contents()->set_data(0, "main;write"); },
     "hash"},
    {"ContentWithoutData", [](v1::Batch& b) { b.mutable_contents()->clear_data(); }, "hash"},
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
