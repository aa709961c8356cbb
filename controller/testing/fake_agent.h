#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "base/rpc_status.h"
#include "base/version.h"
#include "kindling/v1/ingest.grpc.pb.h"

namespace kindling::controller {

// An agent as the controller sees it: one stream, driven step by step.
class FakeAgent {
 public:
  explicit FakeAgent(const std::string& address)
      : stub_(v1::IngestService::NewStub(
            grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))),
        stream_(stub_->Ingest(&context_)) {}
  ~FakeAgent() {
    if (!finished_) context_.TryCancel();
  }

  static v1::Hello HelloOf(const std::string& id, uint64_t boot_epoch) {
    v1::Hello hello;
    hello.set_protocol_version(base::kIngestProtocolVersion);
    hello.set_agent_id(id);
    hello.set_host("host-of-" + id);
    hello.set_boot_epoch(boot_epoch);
    return hello;
  }

  absl::StatusOr<v1::Welcome> Connect(const v1::Hello& hello) {
    v1::IngestRequest request;
    *request.mutable_hello() = hello;
    stream_->Write(request);
    v1::IngestResponse response;
    if (!stream_->Read(&response)) return Finish();
    if (!response.has_welcome()) return absl::InternalError("no welcome");
    return response.welcome();
  }

  bool Send(const v1::Batch& batch) {
    v1::IngestRequest request;
    *request.mutable_batch() = batch;
    return stream_->Write(request);
  }
  bool Send(const v1::Health& health) {
    v1::IngestRequest request;
    *request.mutable_health() = health;
    return stream_->Write(request);
  }

  // Waits until `sequence` is acknowledged, or the stream ends.
  absl::Status AwaitAck(uint64_t boot_epoch, uint64_t sequence) {
    while (acked_[boot_epoch] < sequence) {
      v1::IngestResponse response;
      if (!stream_->Read(&response)) {
        const absl::Status status = Finish();
        return status.ok() ? absl::OutOfRangeError("the stream ended") : status;
      }
      if (response.has_ack()) acked_[response.ack().boot_epoch()] = response.ack().sequence();
    }
    return absl::OkStatus();
  }

  // Says that nothing more will come, and waits for the controller's status.
  absl::Status Close() {
    stream_->WritesDone();
    v1::IngestResponse response;
    while (stream_->Read(&response)) {
      if (response.has_ack()) acked_[response.ack().boot_epoch()] = response.ack().sequence();
    }
    return Finish();
  }

  absl::Status Finish() {
    finished_ = true;
    return base::FromRpcStatus(stream_->Finish());
  }

  // Breaks the connection as a crash would.
  void Crash() { context_.TryCancel(); }

  uint64_t acked(uint64_t boot_epoch) { return acked_[boot_epoch]; }

 private:
  std::unique_ptr<v1::IngestService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::IngestRequest, v1::IngestResponse>> stream_;
  std::map<uint64_t, uint64_t> acked_;
  bool finished_ = false;
};

// Builds batches row by row.
class BatchBuilder {
 public:
  BatchBuilder(uint64_t boot_epoch, uint64_t sequence, int64_t first_ns) {
    batch_.set_boot_epoch(boot_epoch);
    batch_.set_sequence(sequence);
    batch_.set_first_time_ns(first_ns);
    batch_.set_last_time_ns(first_ns);
    batch_.add_strings("");
  }

  uint32_t Text(const std::string& text) {
    batch_.add_strings(text);
    return static_cast<uint32_t>(batch_.strings_size() - 1);
  }
  uint32_t Party(const std::string& workload, const std::string& host, const std::string& address,
                 uint32_t port) {
    v1::PartyColumns* c = batch_.mutable_parties();
    c->add_workload(workload.empty() ? 0 : Text(workload));
    c->add_workload_kind(workload.empty() ? 0 : Text("process"));
    c->add_host(host.empty() ? 0 : Text(host));
    c->add_address(address.empty() ? 0 : Text(address));
    c->add_port(port);
    return static_cast<uint32_t>(c->workload_size() - 1);
  }
  // Requests over TCP with HTTP, 200 OK, 1 ms each; `observer` is 1 for the client, 2 for the
  // server.
  void Edge(uint32_t observer, uint32_t client, uint32_t server, uint64_t count) {
    v1::EdgeColumns* c = batch_.mutable_edges();
    c->add_window_start_delta_ns(0);
    c->add_window_ns(10'000'000'000);
    c->add_observer(observer);
    c->add_client(client);
    c->add_server(server);
    c->add_protocol(1);
    c->add_transport(1);
    c->add_endpoint(Text("GET /"));
    c->add_outcome(1);
    c->add_status_code(Text("200"));
    c->add_count(count);
    c->add_lost(0);
    c->add_latency_offset(318);
    c->add_latency_bucket_count(1);
    c->add_latency_buckets(count);
    c->add_latency_sum_ns(count * 1'000'000);
    c->add_latency_min_ns(1'000'000);
    c->add_latency_max_ns(1'000'000);
  }
  // Requests of the edge that were lost before they were counted.
  void LostOfEdge(uint32_t observer, uint32_t client, uint32_t server, uint64_t lost) {
    Edge(observer, client, server, 0);
    v1::EdgeColumns* c = batch_.mutable_edges();
    const int row = c->lost_size() - 1;
    c->set_endpoint(row, 0);
    c->set_status_code(row, 0);
    c->set_outcome(row, 0);
    c->set_lost(row, lost);
  }
  // `stage` is a number of model::LossStage.
  void Loss(uint32_t stage, const std::string& host, const std::string& workload, uint64_t requests,
            uint64_t events) {
    v1::LossColumns* c = batch_.mutable_losses();
    c->add_time_delta_ns(0);
    c->add_stage(stage);
    c->add_host(Text(host));
    c->add_workload(workload.empty() ? 0 : Text(workload));
    c->add_requests(requests);
    c->add_events(events);
    c->add_bytes(0);
  }
  void Process(const std::string& host, const std::string& workload) {
    v1::ProcessColumns* c = batch_.mutable_processes();
    c->add_time_delta_ns(0);
    c->add_kind(1);
    c->add_host(Text(host));
    c->add_workload(Text(workload));
    c->add_pid(7);
  }
  void Binding(const std::string& address, uint32_t port, const std::string& workload,
               const std::string& host) {
    v1::AddressColumns* c = batch_.mutable_addresses();
    c->add_first_time_delta_ns(0);
    c->add_address(Text(address));
    c->add_port(port);
    c->add_transport(1);
    c->add_workload(workload.empty() ? 0 : Text(workload));
    c->add_workload_kind(workload.empty() ? 0 : Text("process"));
    c->add_host(Text(host));
  }
  void Span(uint64_t id, uint32_t client, uint32_t server, int64_t after_ns, int64_t duration_ns) {
    v1::SpanColumns* c = batch_.mutable_spans();
    c->add_id(id);
    c->add_side(2);
    c->add_protocol(1);
    c->add_transport(1);
    c->add_outcome(1);
    c->add_client(client);
    c->add_server(server);
    c->add_endpoint(Text("GET /"));
    c->add_start_delta_ns(after_ns);
    c->add_wait_duration_ns(duration_ns);
  }
  const v1::Batch& batch() const { return batch_; }
  v1::Batch* mutable_batch() { return &batch_; }

 private:
  v1::Batch batch_;
};

}  // namespace kindling::controller
