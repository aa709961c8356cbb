#include "ui/cli/testing/fake_store_service.h"

#include <chrono>
#include <cstdlib>

namespace kindling::ui {

FakeStoreService::FakeStoreService() {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) std::abort();
  address_ = "127.0.0.1:" + std::to_string(port);
}

FakeStoreService::~FakeStoreService() {
  server_->Shutdown();
  server_->Wait();
}

std::string FakeStoreService::asked_directory() const {
  absl::MutexLock lock(&mu_);
  return asked_directory_;
}

double FakeStoreService::last_deadline_s() const {
  absl::MutexLock lock(&mu_);
  return last_deadline_s_;
}

template <typename Response>
grpc::Status FakeStoreService::Answer(const grpc::ServerContext& context, const Response& canned,
                                      Response* response) {
  absl::MutexLock lock(&mu_);
  last_deadline_s_ =
      std::chrono::duration<double>(context.deadline() - std::chrono::system_clock::now()).count();
  if (!failure_.ok()) return failure_;
  *response = canned;
  return grpc::Status::OK;
}

grpc::Status FakeStoreService::GetStoreStatus(grpc::ServerContext* context,
                                              const v1::GetStoreStatusRequest*,
                                              v1::GetStoreStatusResponse* response) {
  {
    absl::MutexLock lock(&mu_);
    ++statuses_;
  }
  return Answer(*context, status, response);
}

grpc::Status FakeStoreService::CompactStore(grpc::ServerContext* context,
                                            const v1::CompactStoreRequest*,
                                            v1::CompactStoreResponse* response) {
  return Answer(*context, compacted, response);
}

grpc::Status FakeStoreService::BackupStore(grpc::ServerContext* context,
                                           const v1::BackupStoreRequest* request,
                                           v1::BackupStoreResponse* response) {
  {
    absl::MutexLock lock(&mu_);
    asked_directory_ = request->directory();
  }
  return Answer(*context, backed_up, response);
}

grpc::Status FakeStoreService::VerifyStore(grpc::ServerContext* context,
                                           const v1::VerifyStoreRequest*,
                                           v1::VerifyStoreResponse* response) {
  {
    absl::MutexLock lock(&mu_);
    const auto asked = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return statuses_ >= statuses_before_verified;
    };
    mu_.Await(absl::Condition(&asked));
  }
  return Answer(*context, verified, response);
}

}  // namespace kindling::ui
