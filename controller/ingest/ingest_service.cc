#include "controller/ingest/ingest_service.h"

#include <map>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "base/rpc_status.h"
#include "controller/ingest/ingest_stream.h"
#include "kindling/v1/ingest.grpc.pb.h"

namespace kindling::controller {
namespace {

// Ends a stream that never began.
class RefusedStream final : public grpc::ServerBidiReactor<v1::IngestRequest, v1::IngestResponse> {
 public:
  explicit RefusedStream(const absl::Status& status) { Finish(base::ToRpcStatus(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

class IngestService::Impl final : public v1::IngestService::CallbackService {
 public:
  Impl(storage::Store& store, Committer& committer, AgentRegistry& registry, const Access& access,
       const base::Clock& clock)
      : store_(store), committer_(committer), registry_(registry), access_(access), clock_(clock) {}

  grpc::ServerBidiReactor<v1::IngestRequest, v1::IngestResponse>* Ingest(
      grpc::CallbackServerContext* context) override {
    absl::StatusOr<Caller> caller = access_.Admit(*context);
    if (!caller.ok()) return new RefusedStream(caller.status());
    std::shared_ptr<IngestStream> stream;
    {
      absl::MutexLock lock(&mu_);
      if (draining_ || streams_.size() >= kMaxStreams) {
        ++counters_.refused;
        return new RefusedStream(
            draining_ ? absl::UnavailableError("the controller is shutting down")
                      : absl::ResourceExhaustedError("too many agents on this controller"));
      }
      stream = std::make_shared<IngestStream>(
          std::make_unique<Session>(store_, registry_, clock_, *std::move(caller)), committer_,
          MakeObserver());
      streams_.insert({stream.get(), stream});
      ++counters_.opened;
    }
    stream->Start();
    return stream.get();
  }

  bool Drain(absl::Duration timeout) {
    std::vector<std::shared_ptr<IngestStream>> streams;
    {
      absl::MutexLock lock(&mu_);
      draining_ = true;
      for (const auto& [key, weak] : streams_) {
        if (std::shared_ptr<IngestStream> stream = weak.lock()) streams.push_back(stream);
      }
    }
    for (const auto& stream : streams) {
      stream->End(absl::UnavailableError("the controller is shutting down"));
    }
    absl::MutexLock lock(&mu_);
    return mu_.AwaitWithTimeout(absl::Condition(this, &Impl::NoStreams), timeout);
  }

  Counters counters() const {
    absl::MutexLock lock(&mu_);
    Counters out = counters_;
    out.streams = streams_.size();
    return out;
  }

 private:
  bool NoStreams() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return streams_.empty(); }

  IngestStream::Observer MakeObserver() {
    return {.batch =
                [this](size_t bytes) {
                  absl::MutexLock lock(&mu_);
                  ++counters_.batches;
                  counters_.bytes += bytes;
                },
            .invalid =
                [this] {
                  absl::MutexLock lock(&mu_);
                  ++counters_.invalid;
                },
            .ended =
                [this](IngestStream* stream) {
                  absl::MutexLock lock(&mu_);
                  streams_.erase(stream);
                }};
  }

  storage::Store& store_;
  Committer& committer_;
  AgentRegistry& registry_;
  const Access& access_;
  const base::Clock& clock_;
  mutable absl::Mutex mu_;
  std::map<IngestStream*, std::weak_ptr<IngestStream>> streams_ ABSL_GUARDED_BY(mu_);
  Counters counters_ ABSL_GUARDED_BY(mu_);
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
};

IngestService::IngestService(storage::Store& store, Committer& committer, AgentRegistry& registry,
                             const Access& access, const base::Clock& clock)
    : impl_(std::make_unique<Impl>(store, committer, registry, access, clock)) {}
IngestService::~IngestService() = default;

grpc::Service* IngestService::service() { return impl_.get(); }
bool IngestService::Drain(absl::Duration timeout) { return impl_->Drain(timeout); }
IngestService::Counters IngestService::counters() const { return impl_->counters(); }

}  // namespace kindling::controller
