#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "kindling/v1/ingest.grpc.pb.h"

namespace kindling::agent {

// A controller that keeps what it is sent and answers as it is told to.
//
// Threads: safe from any, but the public fields: set them before the sender starts.
class FakeController final : public v1::IngestService::Service {
 public:
  using Stream = grpc::ServerReaderWriter<v1::IngestResponse, v1::IngestRequest>;
  using Sequences = std::vector<std::pair<uint64_t, uint64_t>>;

  explicit FakeController(int port = 0,
                          const std::shared_ptr<grpc::ServerCredentials>& credentials =
                              grpc::InsecureServerCredentials()) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), credentials, &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeController() override { Kill(); }
  void Kill() {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  grpc::Status Ingest(grpc::ServerContext* /*context*/, Stream* stream) override {
    v1::IngestRequest request;
    if (!stream->Read(&request)) return grpc::Status::OK;
    v1::IngestResponse welcome;
    {
      absl::MutexLock lock(&mu_);
      hellos_.push_back(request.hello());
      if (!refusal.ok()) return refusal;
      v1::Welcome* message = welcome.mutable_welcome();
      message->set_protocol_version(protocol_version);
      message->set_store_id(store_id);
      message->set_credit(credit);
      for (const auto& [epoch, sequence] : durable_) {
        v1::EpochSequence* out = message->add_durable();
        out->set_boot_epoch(epoch);
        out->set_sequence(sequence);
      }
    }
    stream->Write(welcome);
    while (stream->Read(&request)) {
      absl::MutexLock lock(&mu_);
      if (request.has_health()) healths_.push_back(request.health());
      if (!request.has_batch()) continue;
      const uint64_t epoch = request.batch().boot_epoch();
      const uint64_t sequence = request.batch().sequence();
      batches_.emplace_back(epoch, sequence);
      if (on_batch && sequence > durable_[epoch]) on_batch(request.batch());
      if (std::make_pair(epoch, sequence) == malformed) {
        return {grpc::StatusCode::INVALID_ARGUMENT, "batch: nonsense"};
      }
      if (!acknowledge) continue;
      durable_[epoch] = sequence;
      v1::IngestResponse response;
      response.mutable_ack()->set_boot_epoch(epoch);
      response.mutable_ack()->set_sequence(sequence);
      response.mutable_ack()->set_credit(credit);
      stream->Write(response);
    }
    return grpc::Status::OK;
  }

  Sequences Batches() const {
    absl::MutexLock lock(&mu_);
    return batches_;
  }
  std::vector<v1::Hello> Hellos() const {
    absl::MutexLock lock(&mu_);
    return hellos_;
  }
  std::vector<v1::Health> Healths() const {
    absl::MutexLock lock(&mu_);
    return healths_;
  }
  // Waits until `ready`, which runs under the lock.
  bool Await(const std::function<bool()>& ready) const {
    absl::MutexLock lock(&mu_);
    return mu_.AwaitWithTimeout(absl::Condition(
                                    +[](const std::function<bool()>* f) { return (*f)(); }, &ready),
                                absl::Seconds(20));
  }
  bool AwaitBatches(size_t count) const {
    return Await([&] { return batches_.size() >= count; });
  }
  bool AwaitHellos(size_t count) const {
    return Await([&] { return hellos_.size() >= count; });
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int port() const { return port_; }

  grpc::Status refusal;
  uint32_t protocol_version = 1;
  std::string store_id = "store-1";
  uint32_t credit = 16;
  bool acknowledge = true;
  std::pair<uint64_t, uint64_t> malformed = {0, 0};
  // Called for each batch that is not a repetition of a durable one, one at a time.
  std::function<void(const v1::Batch&)> on_batch;
  void SetDurable(uint64_t epoch, uint64_t sequence) { durable_[epoch] = sequence; }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  mutable absl::Mutex mu_;
  Sequences batches_;
  std::vector<v1::Hello> hellos_;
  std::vector<v1::Health> healths_;
  std::map<uint64_t, uint64_t> durable_;
};

}  // namespace kindling::agent
