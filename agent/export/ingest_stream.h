#pragma once

#include <deque>
#include <functional>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "kindling/v1/ingest.grpc.pb.h"

namespace kindling::agent {

// One Ingest call, driven by its owner's own loop: nothing blocks, and `wake` is called whenever
// there may be something new to do.
//
// Threads:  the owner calls from one thread; gRPC calls back on its own, and so does `wake`.
// Lifetime: after Start() the stream must live until done(). `wake` must work until then.
class IngestStream final : private grpc::ClientBidiReactor<v1::IngestRequest, v1::IngestResponse> {
 public:
  IngestStream(v1::IngestService::StubInterface* stub, std::function<void()> wake)
      : stub_(stub), wake_(std::move(wake)) {}

  void Start();

  // Whether Write() may be called: the write before it is finished.
  bool CanWrite() const;
  void Write(v1::IngestRequest request);
  // Says that nothing more will be written. Only while CanWrite().
  void CloseWrites();
  // The next message of the controller, if one has arrived.
  std::optional<v1::IngestResponse> Take();

  void Cancel() { context_.TryCancel(); }
  // How the call ended; nullopt while it runs. To be asked after every wake.
  std::optional<absl::Status> done();

 private:
  void OnWriteDone(bool ok) override;
  void OnWritesDoneDone(bool ok) override;
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  v1::IngestService::StubInterface* const stub_;
  const std::function<void()> wake_;
  grpc::ClientContext context_;
  bool held_ = false;           // owner's thread: gRPC waits with OnDone() for RemoveHold()
  v1::IngestRequest writing_;   // gRPC's while writing_now_
  v1::IngestResponse reading_;  // gRPC's
  mutable absl::Mutex mu_;
  bool writing_now_ ABSL_GUARDED_BY(mu_) = false;
  // The controller says no more: no write may begin, and the hold can go.
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<v1::IngestResponse> responses_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> done_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kindling::agent
