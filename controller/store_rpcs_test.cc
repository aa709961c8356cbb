// The controller with its store: what questions read from it and what an operator does to it.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/rpc_status.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "controller/controller.h"
#include "controller/testing/fake_agent.h"
#include "kindling/v1/admin.grpc.pb.h"
#include "kindling/v1/query.grpc.pb.h"
#include "storage/restore.h"

namespace kindling::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint64_t kEpoch = 77;
constexpr int64_t kSecondNs = 1'000'000'000;

// Points of one metric, one series for each host.
class MetricBuilder {
 public:
  MetricBuilder(BatchBuilder& builder, const std::string& name, uint32_t kind)
      : builder_(builder), name_(builder.Text(name)), kind_(kind), host_(builder.Text("host")) {}

  void Add(const std::string& host, const std::vector<double>& values, int64_t step_ns) {
    v1::Batch& batch = *builder_.mutable_batch();
    v1::SeriesColumns* series = batch.mutable_series();
    series->add_name(name_);
    series->add_kind(kind_);
    series->add_label_count(1);
    series->add_label_name(host_);
    series->add_label_value(builder_.Text(host));
    v1::PointColumns* points = batch.mutable_points();
    for (const double value : values) {
      points->add_series(static_cast<uint32_t>(series->name_size() - 1));
      points->add_time_delta_ns(value == values.front() ? -at_ns_ : step_ns);
      at_ns_ = value == values.front() ? 0 : at_ns_ + step_ns;
      points->add_value(value);
    }
  }

 private:
  BatchBuilder& builder_;
  const uint32_t name_;
  const uint32_t kind_;
  const uint32_t host_;
  int64_t at_ns_ = 0;
};

class StoreRpcsTest : public ::testing::Test {
 protected:
  void SetUp() override { Start(dir_.File("data")); }

  void Start(const std::string& data_directory) {
    controller_.reset();
    ControllerOptions options;
    options.listen = "127.0.0.1:0";
    options.data_directory = data_directory;
    options.storage.backup_directory = dir_.File("backups");
    auto started = Controller::Start(options, base::SystemClock());
    ASSERT_OK(started);
    controller_ = *std::move(started);
    const auto channel =
        grpc::CreateChannel(controller_->address(), grpc::InsecureChannelCredentials());
    query_ = v1::QueryService::NewStub(channel);
    store_ = v1::StoreService::NewStub(channel);
  }

  // Sends one batch and waits until it is durable.
  void Deliver(const v1::Batch& batch) {
    FakeAgent agent(controller_->address());
    ASSERT_OK(agent.Connect(FakeAgent::HelloOf("a", batch.boot_epoch())));
    ASSERT_TRUE(agent.Send(batch));
    ASSERT_OK(agent.AwaitAck(batch.boot_epoch(), batch.sequence()));
    ASSERT_OK(agent.Close());
  }

  template <typename Stub, typename Request, typename Response>
  absl::Status Call(Stub& stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    return base::FromRpcStatus((stub.*method)(&context, request, response));
  }

  std::vector<v1::QueryRangeResponse> Range(const v1::QueryRangeRequest& request) {
    grpc::ClientContext context;
    const auto reader = query_->QueryRange(&context, request);
    std::vector<v1::QueryRangeResponse> parts;
    for (v1::QueryRangeResponse part; reader->Read(&part);) parts.push_back(part);
    EXPECT_OK(base::FromRpcStatus(reader->Finish()));
    return parts;
  }

  base::TempDir dir_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<v1::QueryService::Stub> query_;
  std::unique_ptr<v1::StoreService::Stub> store_;
  // At the beginning of a minute.
  const int64_t start_ns_ =
      (absl::ToUnixNanos(absl::Now()) / kSecondNs - 600) / 60 * 60 * kSecondNs;
};

TEST_F(StoreRpcsTest, MetricsOverTimeBeforeAndAfterSealing) {
  BatchBuilder batch(kEpoch, 1, start_ns_);
  MetricBuilder load(batch, "load", 1);
  load.Add("a", {1, 2, 3, 4, 5, 6, 7, 8}, 10 * kSecondNs);
  load.Add("b", {10}, 10 * kSecondNs);
  Deliver(batch.batch());

  v1::QueryRangeRequest request;
  request.mutable_time()->set_start_ns(start_ns_);
  request.set_step_ns(60 * kSecondNs);
  v1::LabelMatcher* matcher = request.add_matchers();
  matcher->set_name("__name__");
  matcher->set_operator_(v1::LabelMatcher::OPERATOR_EQUAL);
  matcher->set_value("load");
  for (const bool is_sealed : {false, true}) {
    if (is_sealed) {
      v1::CompactStoreResponse compacted;
      ASSERT_OK(Call(*store_, &v1::StoreService::Stub::CompactStore, v1::CompactStoreRequest(),
                     &compacted));
    }
    const std::vector<v1::QueryRangeResponse> parts = Range(request);
    ASSERT_EQ(parts.size(), 3) << is_sealed;
    const v1::RangeSeries& a = parts[0].series();
    EXPECT_EQ(a.series().labels().at("host"), "a");
    ASSERT_EQ(a.windows_size(), 2) << a.ShortDebugString();
    EXPECT_EQ(a.windows(0).time_ns(), start_ns_);
    EXPECT_EQ(a.windows(0).count(), 6);
    EXPECT_EQ(a.windows(0).sum(), 21);
    EXPECT_EQ(a.windows(0).most(), 6);
    EXPECT_EQ(a.windows(1).sum(), 15);
    EXPECT_EQ(a.windows(1).last(), 8);
    EXPECT_TRUE(parts[2].has_end());

    v1::ListSeriesResponse series;
    ASSERT_OK(Call(*query_, &v1::QueryService::Stub::ListSeries, v1::ListSeriesRequest(), &series));
    EXPECT_EQ(series.total(), 2) << is_sealed;
    v1::ListLabelValuesRequest labels;
    labels.set_label("host");
    v1::ListLabelValuesResponse values;
    ASSERT_OK(Call(*query_, &v1::QueryService::Stub::ListLabelValues, labels, &values));
    EXPECT_EQ(values.values_size(), 2) << is_sealed;
  }
}

TEST_F(StoreRpcsTest, ATraceIsFoundByItsSpansAndByItsForeignId) {
  BatchBuilder batch(kEpoch, 1, start_ns_);
  const uint32_t client = batch.Party("curl", "a", "10.0.0.1", 0);
  const uint32_t server = batch.Party("shop:80", "a", "10.0.0.2", 80);
  for (const uint64_t id : {11, 12, 13, 14}) batch.Span(id, client, server, 1000, 50'000'000);
  v1::SpanColumns* spans = batch.mutable_batch()->mutable_spans();
  for (const uint64_t parent : {0, 11, 12, 0}) spans->add_parent_id(parent);
  for (const uint64_t high : {0, 0, 7, 0}) spans->add_alias_trace_id_high(high);
  Deliver(batch.batch());
  for (const bool is_sealed : {false, true}) {
    if (is_sealed) {
      v1::CompactStoreResponse compacted;
      ASSERT_OK(Call(*store_, &v1::StoreService::Stub::CompactStore, v1::CompactStoreRequest(),
                     &compacted));
    }
    for (const std::string id : {"000000000000000c", "00000000000000070000000000000000"}) {
      v1::GetTraceRequest request;
      request.set_id(id);
      v1::GetTraceResponse trace;
      ASSERT_OK(Call(*query_, &v1::QueryService::Stub::GetTrace, request, &trace));
      std::vector<std::string> ids;
      for (const v1::Span& span : trace.spans()) ids.push_back(span.id());
      EXPECT_THAT(ids, ElementsAre("000000000000000b", "000000000000000c", "000000000000000d"))
          << id << " " << is_sealed;
      EXPECT_EQ(trace.spans(0).server(), "shop:80");
    }
  }
  v1::GetTraceRequest request;
  v1::GetTraceResponse trace;
  request.set_id("00000000000000aa");
  EXPECT_TRUE(absl::IsNotFound(Call(*query_, &v1::QueryService::Stub::GetTrace, request, &trace)));
  request.set_id("zz");
  EXPECT_TRUE(
      absl::IsInvalidArgument(Call(*query_, &v1::QueryService::Stub::GetTrace, request, &trace)));
}

TEST_F(StoreRpcsTest, SpansAreFoundByWhatTheyAreBeforeAndAfterSealing) {
  BatchBuilder batch(kEpoch, 1, start_ns_);
  const uint32_t curl = batch.Party("curl", "a", "10.0.0.1", 0);
  const uint32_t address = batch.Party("", "", "10.0.0.2", 80);
  const uint32_t shop = batch.Party("", "", "10.0.0.3", 80);
  for (const uint64_t id : {21, 22, 23}) {
    batch.Span(id, curl, id == 23 ? shop : address, id == 22 ? 400 * kSecondNs : 10 * kSecondNs,
               static_cast<int64_t>(id) * 1'000'000);
  }
  v1::SpanColumns* spans = batch.mutable_batch()->mutable_spans();
  for (int i = 0; i < 3; ++i) {
    spans->set_side(i, 1);
    spans->add_attribute_count(1);
    spans->add_attribute_key(batch.Text("user"));
    spans->add_attribute_value(batch.Text(i == 1 ? "bob" : "eve"));
  }
  // The address goes to another workload between the spans.
  batch.Binding("10.0.0.2", 80, "old:80", "b");
  batch.Binding("10.0.0.2", 80, "new:80", "b");
  batch.Binding("10.0.0.3", 80, "shop:80", "c");
  batch.mutable_batch()->mutable_addresses()->set_first_time_delta_ns(1, 300 * kSecondNs);
  batch.mutable_batch()->mutable_addresses()->set_first_time_delta_ns(2, -3000 * kSecondNs);
  Deliver(batch.batch());
  for (const bool is_sealed : {false, true}) {
    if (is_sealed) {
      v1::CompactStoreResponse compacted;
      ASSERT_OK(Call(*store_, &v1::StoreService::Stub::CompactStore, v1::CompactStoreRequest(),
                     &compacted));
    }
    const auto ids = [&](const std::string& filter, bool slowest = false, int pages = 1) {
      v1::ListSpansRequest request;
      request.set_filter(filter);
      if (slowest) request.set_order(v1::ListSpansRequest::ORDER_SLOWEST);
      if (pages > 1) request.set_page_size(1);
      std::string out;
      for (int page = 0; page < pages; ++page) {
        v1::ListSpansResponse response;
        EXPECT_OK(Call(*query_, &v1::QueryService::Stub::ListSpans, request, &response));
        for (const v1::Span& span : response.spans()) out += span.id().substr(14) + " ";
        request.set_page_token(response.next_page_token());
      }
      return out;
    };
    EXPECT_EQ(ids(""), "17 16 15 ") << is_sealed;
    EXPECT_EQ(ids("", true, 3), "17 16 15 ") << is_sealed;
    EXPECT_EQ(ids("", false, 3), "17 16 15 ") << is_sealed;
    EXPECT_EQ(ids("server=\"old:80\""), "15 ") << is_sealed;
    EXPECT_EQ(ids("server=\"new:80\""), "16 ") << is_sealed;
    EXPECT_EQ(ids("server=\"shop:80\""), "17 ") << is_sealed;
    EXPECT_EQ(ids("service=curl not server=\"shop:80\""), "16 15 ") << is_sealed;
    EXPECT_EQ(ids("server=\"nobody:80\""), "") << is_sealed;
    EXPECT_EQ(ids("attr.user=bob"), "16 ") << is_sealed;
    EXPECT_EQ(ids("latency>=22ms"), "17 16 ") << is_sealed;
    EXPECT_EQ(ids("latency<22ms"), "15 ") << is_sealed;
    EXPECT_EQ(ids("endpoint=\"GET /\" protocol=http status=ok"), "17 16 15 ") << is_sealed;
    EXPECT_EQ(ids("status=error"), "") << is_sealed;
  }
}

TEST_F(StoreRpcsTest, EndpointsByRequestsAndErrors) {
  BatchBuilder batch(kEpoch, 1, start_ns_);
  const uint32_t client = batch.Party("curl", "a", "10.0.0.1", 0);
  const uint32_t server = batch.Party("shop:80", "a", "10.0.0.2", 80);
  batch.Edge(1, client, server, 5);
  batch.Edge(2, client, server, 5);
  batch.Edge(2, client, server, 2);
  v1::EdgeColumns* edges = batch.mutable_batch()->mutable_edges();
  edges->set_endpoint(2, batch.Text("GET /x"));
  edges->set_outcome(2, 3);
  Deliver(batch.batch());
  v1::ListEndpointsRequest request;
  v1::ListEndpointsResponse response;
  ASSERT_OK(Call(*query_, &v1::QueryService::Stub::ListEndpoints, request, &response));
  ASSERT_EQ(response.endpoints_size(), 2) << response.ShortDebugString();
  // Two views of the same requests are not added.
  EXPECT_EQ(response.endpoints(0).endpoint(), "GET /");
  EXPECT_EQ(response.endpoints(0).request_count(), 5);
  EXPECT_EQ(response.endpoints(0).service(), "shop:80");
  EXPECT_NEAR(response.endpoints(0).total_ms(), 5, 0.1);
  request.set_order(v1::ListEndpointsRequest::ORDER_ERRORS);
  request.set_limit(1);
  response.Clear();
  ASSERT_OK(Call(*query_, &v1::QueryService::Stub::ListEndpoints, request, &response));
  ASSERT_EQ(response.endpoints_size(), 1);
  EXPECT_EQ(response.endpoints(0).endpoint(), "GET /x");
  EXPECT_EQ(response.endpoints(0).error_count(), 2);
  EXPECT_EQ(response.total(), 2);
}

TEST_F(StoreRpcsTest, ABackupHoldsWhatWasAcknowledgedAndRestoresUnderAnIdOfItsOwn) {
  BatchBuilder first(kEpoch, 1, start_ns_);
  first.Edge(1, first.Party("curl", "a", "10.0.0.1", 0), first.Party("", "", "10.0.0.2", 80), 3);
  Deliver(first.batch());
  v1::BackupStoreRequest request;
  request.set_directory("monday");
  v1::BackupStoreResponse backup;
  ASSERT_OK(Call(*store_, &v1::StoreService::Stub::BackupStore, request, &backup));
  EXPECT_THAT(backup.directory(), HasSubstr("/backups/monday"));
  EXPECT_GT(backup.bytes(), 0);
  Deliver(BatchBuilder(kEpoch, 2, start_ns_).batch());
  v1::GetStoreStatusResponse status;
  ASSERT_OK(
      Call(*store_, &v1::StoreService::Stub::GetStoreStatus, v1::GetStoreStatusRequest(), &status));
  EXPECT_EQ(status.last().name(), "backup");
  EXPECT_EQ(status.stopped(), "");

  ASSERT_OK(storage::RestoreStore(backup.directory(), dir_.File("copy/store")));
  Start(dir_.File("copy"));
  FakeAgent agent(controller_->address());
  const auto welcome = agent.Connect(FakeAgent::HelloOf("a", kEpoch));
  ASSERT_OK(welcome);
  EXPECT_NE(welcome->store_id(), status.store_id());
  ASSERT_EQ(welcome->durable_size(), 1);
  EXPECT_EQ(welcome->durable(0).sequence(), 1);
  // The agent goes on from there.
  ASSERT_TRUE(agent.Send(BatchBuilder(kEpoch, 2, start_ns_).batch()));
  ASSERT_OK(agent.AwaitAck(kEpoch, 2));
  v1::ListEdgesResponse edges;
  ASSERT_OK(Call(*query_, &v1::QueryService::Stub::ListEdges, v1::ListEdgesRequest(), &edges));
  ASSERT_EQ(edges.edges_size(), 1);
  EXPECT_EQ(edges.edges(0).request_count(), 3);
  v1::VerifyStoreResponse verified;
  ASSERT_OK(
      Call(*store_, &v1::StoreService::Stub::VerifyStore, v1::VerifyStoreRequest(), &verified));
  EXPECT_EQ(verified.damaged_blocks(), 0);
  EXPECT_EQ(verified.faults_size(), 0) << verified.ShortDebugString();
}

}  // namespace
}  // namespace kindling::controller
