#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "kindling/v1/admin.grpc.pb.h"

namespace kindling::ui {

// A store service in this process that gives the answers it was told to. Listens on a free port of
// 127.0.0.1.
//
// Threads: answers are set before the first question; questions come from gRPC's threads.
class FakeStoreService final : public v1::StoreService::Service {
 public:
  FakeStoreService();
  ~FakeStoreService() override;

  std::string address() const { return address_; }
  // Every call fails with this from now on.
  void FailWith(grpc::Status status) { failure_ = std::move(status); }

  v1::GetStoreStatusResponse status;
  v1::CompactStoreResponse compacted;
  v1::BackupStoreResponse backed_up;
  v1::VerifyStoreResponse verified;

  // A verification ends when the status has been asked for this often.
  int statuses_before_verified = 0;

  std::string asked_directory() const;
  double last_deadline_s() const;  // from the call

 private:
  grpc::Status GetStoreStatus(grpc::ServerContext* context, const v1::GetStoreStatusRequest*,
                              v1::GetStoreStatusResponse* response) override;
  grpc::Status CompactStore(grpc::ServerContext* context, const v1::CompactStoreRequest*,
                            v1::CompactStoreResponse* response) override;
  grpc::Status BackupStore(grpc::ServerContext* context, const v1::BackupStoreRequest* request,
                           v1::BackupStoreResponse* response) override;
  grpc::Status VerifyStore(grpc::ServerContext* context, const v1::VerifyStoreRequest*,
                           v1::VerifyStoreResponse* response) override;
  template <typename Response>
  grpc::Status Answer(const grpc::ServerContext& context, const Response& canned,
                      Response* response);

  grpc::Status failure_;
  mutable absl::Mutex mu_;
  std::string asked_directory_ ABSL_GUARDED_BY(mu_);
  double last_deadline_s_ ABSL_GUARDED_BY(mu_) = 0;
  int statuses_ ABSL_GUARDED_BY(mu_) = 0;
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace kindling::ui
