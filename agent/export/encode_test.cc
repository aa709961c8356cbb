#include "agent/export/encode.h"

#include <gtest/gtest.h>

#include <string>

#include "kindling/v1/ingest.pb.h"

namespace kindling::agent {
namespace {

constexpr int64_t kWall = 1'700'000'000'000'000'000;

// Element `row` of a column, or the default where the column is absent.
template <typename Column>
auto At(const Column& column, int row) {
  using Value = std::decay_t<decltype(column.Get(0))>;
  return column.empty() ? Value{} : column.Get(row);
}

class Reader {
 public:
  explicit Reader(const v1::Batch& batch) : batch_(batch) {}

  const std::string& Text(uint32_t index) const { return batch_.strings(static_cast<int>(index)); }
  model::Party Party(uint32_t index) const {
    const auto i = static_cast<int>(index);
    const v1::PartyColumns& c = batch_.parties();
    return {.workload = Text(At(c.workload(), i)),
            .workload_kind = Text(At(c.workload_kind(), i)),
            .host = Text(At(c.host(), i)),
            .address = Text(At(c.address(), i)),
            .port = static_cast<uint16_t>(At(c.port(), i)),
            .dns_name = Text(At(c.dns_name(), i))};
  }
  std::vector<model::Span> Spans() const;
  std::vector<model::EdgeStats> Edges() const;

 private:
  const v1::Batch& batch_;
};

std::vector<model::Span> Reader::Spans() const {
  const v1::SpanColumns& c = batch_.spans();
  std::vector<model::Span> spans;
  int64_t start_ns = batch_.first_time_ns();
  int attribute = 0;
  for (int i = 0; i < c.id_size(); ++i) {
    model::Span s;
    s.id = At(c.id(), i);
    s.trace_id = {At(c.trace_id_high(), i), At(c.trace_id_low(), i)};
    s.parent_id = At(c.parent_id(), i);
    s.side = static_cast<model::Side>(At(c.side(), i));
    s.protocol = static_cast<model::Protocol>(At(c.protocol(), i));
    s.transport = static_cast<model::Transport>(At(c.transport(), i));
    s.outcome = static_cast<model::Outcome>(At(c.outcome(), i));
    s.slow = At(c.slow(), i);
    s.client = Party(At(c.client(), i));
    s.server = Party(At(c.server(), i));
    s.client_port = static_cast<uint16_t>(At(c.client_port(), i));
    s.endpoint = Text(At(c.endpoint(), i));
    s.status_code = Text(At(c.status_code(), i));
    s.start_ns = start_ns += At(c.start_delta_ns(), i);
    s.request_duration_ns = At(c.request_duration_ns(), i);
    s.wait_duration_ns = At(c.wait_duration_ns(), i);
    s.response_duration_ns = At(c.response_duration_ns(), i);
    s.connect_duration_ns = At(c.connect_duration_ns(), i);
    s.request_bytes = At(c.request_bytes(), i);
    s.response_bytes = At(c.response_bytes(), i);
    s.request_tcp_seq = At(c.request_tcp_seq(), i);
    s.response_tcp_seq = At(c.response_tcp_seq(), i);
    s.stream_id = At(c.stream_id(), i);
    s.pid = At(c.pid(), i);
    s.request_tid = At(c.request_tid(), i);
    s.response_tid = At(c.response_tid(), i);
    s.execution_unit = At(c.execution_unit(), i);
    s.sample_weight = At(c.sample_weight(), i);
    s.alias_trace_id = {At(c.alias_trace_id_high(), i), At(c.alias_trace_id_low(), i)};
    s.alias_parent_id = At(c.alias_parent_id(), i);
    for (size_t k = 0; k < model::kCauseCount && !c.blame_ns().empty(); ++k) {
      s.blame.ns[k] = c.blame_ns(static_cast<int>(i * model::kCauseCount + k));
    }
    for (uint32_t k = 0; k < At(c.attribute_count(), i); ++k, ++attribute) {
      s.attributes.emplace_back(Text(c.attribute_key(attribute)),
                                Text(c.attribute_value(attribute)));
    }
    spans.push_back(std::move(s));
  }
  return spans;
}

std::vector<model::EdgeStats> Reader::Edges() const {
  const v1::EdgeColumns& c = batch_.edges();
  std::vector<model::EdgeStats> edges;
  int64_t start_ns = batch_.first_time_ns();
  int bucket = 0;
  for (int i = 0; i < c.window_ns_size(); ++i) {
    model::EdgeStats e;
    e.window_start_ns = start_ns += At(c.window_start_delta_ns(), i);
    e.window_ns = At(c.window_ns(), i);
    e.observer = static_cast<model::Side>(At(c.observer(), i));
    e.client = Party(At(c.client(), i));
    e.server = Party(At(c.server(), i));
    e.protocol = static_cast<model::Protocol>(At(c.protocol(), i));
    e.transport = static_cast<model::Transport>(At(c.transport(), i));
    e.endpoint = Text(At(c.endpoint(), i));
    e.outcome = static_cast<model::Outcome>(At(c.outcome(), i));
    e.status_code = Text(At(c.status_code(), i));
    e.count = At(c.count(), i);
    e.slow_count = At(c.slow_count(), i);
    e.sent_bytes = At(c.sent_bytes(), i);
    e.received_bytes = At(c.received_bytes(), i);
    e.connections = At(c.connections(), i);
    e.connect_failures = At(c.connect_failures(), i);
    e.connect_count = At(c.connect_count(), i);
    e.connect_sum_ns = At(c.connect_sum_ns(), i);
    e.lost = At(c.lost(), i);
    std::vector<uint64_t> counts;
    for (uint32_t k = 0; k < At(c.latency_bucket_count(), i); ++k) {
      counts.push_back(c.latency_buckets(bucket++));
    }
    EXPECT_TRUE(e.latency.Assign(static_cast<int>(At(c.latency_offset(), i)), counts,
                                 At(c.latency_zero_count(), i), At(c.latency_sum_ns(), i),
                                 At(c.latency_min_ns(), i), At(c.latency_max_ns(), i)));
    for (size_t k = 0; k < model::kCauseCount && !c.blame_ns().empty(); ++k) {
      e.blame.ns[k] = c.blame_ns(static_cast<int>(i * model::kCauseCount + k));
    }
    edges.push_back(std::move(e));
  }
  return edges;
}

v1::Batch ThroughBytes(const model::Batch& batch) {
  v1::Batch encoded;
  EncodeBatch(batch, &encoded);
  v1::Batch parsed;
  EXPECT_TRUE(parsed.ParseFromString(encoded.SerializeAsString()));
  return parsed;
}

model::Party Server() {
  return {.workload = "nginx:80",
          .workload_kind = "process",
          .host = "host-a",
          .address = "10.0.0.2",
          .port = 80,
          .dns_name = "shop.test"};
}

model::Span FullSpan() {
  model::Span span;
  span.id = 0xfedcba9876543210;
  span.trace_id = {1, 2};
  span.parent_id = 3;
  span.side = model::Side::kClient;
  span.protocol = model::Protocol::kHttp;
  span.transport = model::Transport::kTcp;
  span.outcome = model::Outcome::kServerError;
  span.slow = true;
  span.client.address = "10.0.0.1";
  span.server = Server();
  span.client_port = 40001;
  span.endpoint = "GET /products/*";
  span.status_code = "503";
  span.start_ns = kWall + 5;
  span.request_duration_ns = 4;
  span.wait_duration_ns = 5;
  span.response_duration_ns = 6;
  span.connect_duration_ns = 7;
  span.request_bytes = 8;
  span.response_bytes = 9;
  span.request_tcp_seq = 0xfffffff0;
  span.response_tcp_seq = 11;
  span.stream_id = 12;
  span.pid = 13;
  span.request_tid = 14;
  span.response_tid = 15;
  span.execution_unit = 16;
  span.sample_weight = 17.5;
  span.blame[model::Cause::kDisk] = 18;
  span.alias_trace_id = {19, 20};
  span.alias_parent_id = 21;
  span.attributes = {{"http.request.method", "GET"}, {"url.path", "/products/1"}};
  return span;
}

model::EdgeStats FullEdge() {
  model::EdgeStats edge;
  edge.window_start_ns = kWall;
  edge.window_ns = 10'000'000'000;
  edge.observer = model::Side::kServer;
  edge.client.address = "10.0.0.1";
  edge.server = Server();
  edge.protocol = model::Protocol::kHttp;
  edge.transport = model::Transport::kUnix;
  edge.endpoint = "GET /products/*";
  edge.outcome = model::Outcome::kOk;
  edge.status_code = "200";
  edge.count = 4;
  edge.slow_count = 1;
  edge.sent_bytes = 2;
  edge.received_bytes = 3;
  edge.connections = 4;
  edge.connect_failures = 5;
  edge.connect_count = 8;
  edge.connect_sum_ns = 9'000'000;
  edge.lost = 6;
  edge.latency.Record(1'000);
  edge.latency.Record(2'000'000, 2);
  edge.latency.Record(0);
  edge.blame[model::Cause::kCpu] = 7;
  return edge;
}

TEST(EncodeTest, SpansComeBackFieldByField) {
  model::Batch batch;
  batch.id = {.agent_id = "a", .boot_epoch = 77, .sequence = 9};
  batch.rule_version = 3;
  batch.first_ns = kWall;
  batch.last_ns = kWall + 100;
  batch.spans = {FullSpan(), model::Span{.id = 1, .start_ns = kWall - 50}, FullSpan()};
  batch.spans[2].attributes.pop_back();
  const v1::Batch encoded = ThroughBytes(batch);
  EXPECT_EQ(encoded.boot_epoch(), 77u);
  EXPECT_EQ(encoded.sequence(), 9u);
  EXPECT_EQ(encoded.rule_version(), 3u);
  EXPECT_EQ(encoded.first_time_ns(), kWall);
  EXPECT_EQ(encoded.last_time_ns(), kWall + 100);
  EXPECT_EQ(Reader(encoded).Spans(), batch.spans);
}

TEST(EncodeTest, EdgesComeBackFieldByField) {
  model::Batch batch;
  batch.first_ns = kWall - 1;
  batch.edges = {FullEdge(), FullEdge(),
                 model::EdgeStats{.window_start_ns = kWall, .window_ns = 1}};
  batch.edges[1].latency = {};
  batch.edges[1].endpoint = "";
  const v1::Batch encoded = ThroughBytes(batch);
  EXPECT_EQ(Reader(encoded).Edges(), batch.edges);
}

TEST(EncodeTest, ProcessesAddressesAndLosses) {
  model::Batch batch;
  batch.first_ns = kWall;
  batch.processes.push_back({.time_ns = kWall + 3,
                             .kind = model::ProcessEventKind::kCrash,
                             .host = "h",
                             .workload = "w",
                             .workload_kind = "process",
                             .executable = "/bin/x",
                             .command = "x --y",
                             .pid = 5,
                             .parent_pid = 6,
                             .code = -7});
  batch.addresses.push_back({.first_ns = kWall - 3,
                             .address = "10.0.0.2",
                             .port = 80,
                             .transport = model::Transport::kTcp,
                             .workload = "w",
                             .workload_kind = "process",
                             .host = "h"});
  batch.losses.push_back({.time_ns = kWall + 1,
                          .stage = model::LossStage::kByteGap,
                          .host = "h",
                          .workload = "w",
                          .requests = 1,
                          .events = 2,
                          .bytes = 3});
  const v1::Batch encoded = ThroughBytes(batch);
  const Reader reader(encoded);
  const v1::ProcessColumns& p = encoded.processes();
  EXPECT_EQ(p.time_delta_ns(0), 3);
  EXPECT_EQ(p.kind(0), 3u);
  EXPECT_EQ(reader.Text(p.host(0)), "h");
  EXPECT_EQ(reader.Text(p.workload(0)), "w");
  EXPECT_EQ(reader.Text(p.workload_kind(0)), "process");
  EXPECT_EQ(reader.Text(p.executable(0)), "/bin/x");
  EXPECT_EQ(reader.Text(p.command(0)), "x --y");
  EXPECT_EQ(p.pid(0), 5u);
  EXPECT_EQ(p.parent_pid(0), 6u);
  EXPECT_EQ(p.code(0), -7);
  const v1::AddressColumns& a = encoded.addresses();
  EXPECT_EQ(a.first_time_delta_ns(0), -3);
  EXPECT_EQ(reader.Text(a.address(0)), "10.0.0.2");
  EXPECT_EQ(a.port(0), 80u);
  EXPECT_EQ(a.transport(0), 1u);
  EXPECT_EQ(reader.Text(a.workload(0)), "w");
  EXPECT_EQ(reader.Text(a.host(0)), "h");
  const v1::LossColumns& l = encoded.losses();
  EXPECT_EQ(l.time_delta_ns(0), 1);
  EXPECT_EQ(l.stage(0), 3u);
  EXPECT_EQ(l.requests(0), 1u);
  EXPECT_EQ(l.events(0), 2u);
  EXPECT_EQ(l.bytes(0), 3u);
  EXPECT_FALSE(encoded.has_spans());
}

TEST(EncodeTest, SeriesAndPoints) {
  model::Batch batch;
  batch.first_ns = kWall;
  batch.series = {
      {.name = "a", .kind = model::MetricKind::kGauge, .labels = {{"x", "1"}, {"y", "2"}}},
      {.name = "b", .kind = model::MetricKind::kHistogram}};
  batch.points = {{.series = 0, .time_ns = kWall + 2, .value = -0.125},
                  {.series = 1, .time_ns = kWall + 1}};
  batch.points[1].histogram.Record(1'000'000, 3);
  const v1::Batch encoded = ThroughBytes(batch);
  const Reader reader(encoded);
  const v1::SeriesColumns& s = encoded.series();
  ASSERT_EQ(s.name_size(), 2);
  EXPECT_EQ(reader.Text(s.name(0)), "a");
  EXPECT_EQ(reader.Text(s.name(1)), "b");
  EXPECT_EQ(s.kind(0), 1u);
  EXPECT_EQ(s.kind(1), 3u);
  EXPECT_EQ(s.label_count(0), 2u);
  EXPECT_EQ(s.label_count(1), 0u);
  EXPECT_EQ(reader.Text(s.label_name(0)), "x");
  EXPECT_EQ(reader.Text(s.label_name(1)), "y");
  EXPECT_EQ(reader.Text(s.label_value(1)), "2");
  const v1::PointColumns& p = encoded.points();
  EXPECT_EQ(p.series(1), 1u);
  EXPECT_EQ(p.time_delta_ns(0), 2);
  EXPECT_EQ(p.time_delta_ns(1), -1);
  EXPECT_EQ(p.value(0), -0.125);
  EXPECT_EQ(p.value(1), 0);
  EXPECT_EQ(p.latency_bucket_count(0), 0u);
  EXPECT_EQ(p.latency_bucket_count(1), 1u);
  EXPECT_EQ(p.latency_buckets(0), 3u);
  EXPECT_EQ(p.latency_sum_ns(1), 3'000'000u);
  EXPECT_EQ(p.latency_max_ns(1), 1'000'000);
}

TEST(EncodeTest, ChunksAndContents) {
  model::Batch batch;
  batch.first_ns = kWall;
  batch.chunks = {{.kind = model::ChunkKind::kPackets,
                   .span_id = 7,
                   .first_ns = kWall + 5,
                   .last_ns = kWall + 9,
                   .host = "h",
                   .pid = 1,
                   .tid = 2,
                   .bytes = std::string("\0\xff", 2)},
                  {.kind = model::ChunkKind::kLogLines, .first_ns = kWall, .last_ns = kWall}};
  batch.contents = {{.hash = {1, 2}, .time_ns = kWall + 5, .bytes = "\xfe"}};
  const v1::Batch encoded = ThroughBytes(batch);
  const v1::ChunkColumns& c = encoded.chunks();
  ASSERT_EQ(c.data_size(), 2);
  EXPECT_EQ(c.kind(0), 4u);
  EXPECT_EQ(c.kind(1), 3u);
  EXPECT_EQ(c.span_id(0), 7u);
  EXPECT_EQ(c.first_time_delta_ns(0), 5);
  EXPECT_EQ(c.first_time_delta_ns(1), -5);
  EXPECT_EQ(c.duration_ns(0), 4);
  EXPECT_EQ(Reader(encoded).Text(c.host(0)), "h");
  EXPECT_EQ(c.pid(0), 1u);
  EXPECT_EQ(c.tid(0), 2u);
  EXPECT_EQ(c.data(0), std::string("\0\xff", 2));
  EXPECT_EQ(c.data(1), "");
  const v1::ContentColumns& t = encoded.contents();
  EXPECT_EQ(t.hash_high(0), 1u);
  EXPECT_EQ(t.hash_low(0), 2u);
  EXPECT_EQ(t.time_delta_ns(0), 5);
  EXPECT_EQ(t.data(0), "\xfe");
}

TEST(EncodeTest, ColumnsOfDefaultsAreAbsent) {
  model::Batch batch;
  batch.first_ns = kWall;
  batch.spans.assign(100, model::Span{.id = 1, .start_ns = kWall});
  const v1::Batch encoded = ThroughBytes(batch);
  EXPECT_EQ(encoded.spans().id_size(), 100);
  EXPECT_EQ(encoded.spans().trace_id_high_size(), 0);
  EXPECT_EQ(encoded.spans().blame_ns_size(), 0);
  EXPECT_EQ(encoded.spans().start_delta_ns_size(), 0);
  EXPECT_EQ(encoded.spans().client_size(), 0);
  EXPECT_EQ(encoded.strings_size(), 1);
}

TEST(EncodeTest, ASpanTakesFewBytes) {
  model::Batch batch;
  batch.first_ns = kWall;
  for (int i = 0; i < 8192; ++i) {
    model::Span span = FullSpan();
    span.id = (static_cast<uint64_t>(kWall) >> 20 << 22) + i;
    span.trace_id = {};
    span.parent_id = 0;
    span.start_ns = kWall + i * 10'000;
    span.blame = {};
    span.alias_trace_id = {};
    span.alias_parent_id = 0;
    span.attributes.clear();
    batch.spans.push_back(span);
  }
  v1::Batch encoded;
  EncodeBatch(batch, &encoded);
  EXPECT_LT(encoded.ByteSizeLong(), 8192 * 60);  // without compression
  batch.edges.assign(1000, FullEdge());
  batch.spans.clear();
  EncodeBatch(batch, &encoded);
  // The two values of the histogram lie 176 buckets apart.
  EXPECT_LT(encoded.ByteSizeLong(), 1000 * (60 + 180));
}

TEST(EncodeTest, TextThatIsNotUtf8IsMadeSo) {
  model::Batch batch;
  batch.spans.push_back(model::Span{.id = 1});
  for (const std::string& text :
       {std::string("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), std::string("\xff|\xc3"),
        std::string("\xe0\x80\x80"), std::string("\xed\xa0\x80"), std::string("\xf5\x80\x80\x80"),
        std::string("\0x", 2)}) {
    batch.spans[0].attributes.emplace_back("k", text);
  }
  const v1::Batch encoded = ThroughBytes(batch);  // parsing refuses what is not UTF-8
  const std::vector<model::Span> spans = Reader(encoded).Spans();
  ASSERT_EQ(spans.at(0).attributes.size(), 6u);
  EXPECT_EQ(spans[0].attributes[0].second, "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(spans[0].attributes[1].second, "?|?");
  EXPECT_EQ(spans[0].attributes[2].second, "???");
  EXPECT_EQ(spans[0].attributes[3].second, "???");
  EXPECT_EQ(spans[0].attributes[4].second, "????");
  EXPECT_EQ(spans[0].attributes[5].second, std::string("\0x", 2));
}

}  // namespace
}  // namespace kindling::agent
