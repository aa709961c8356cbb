#include "agent/export/ingest_stream.h"

#include <utility>

namespace kindling::agent {

void IngestStream::Start() {
  stub_->async()->Ingest(&context_, this);
  StartRead(&reading_);
  // Writes begin outside of gRPC's callbacks: without a hold the call could vanish under them.
  AddHold();
  held_ = true;
  StartCall();
}

bool IngestStream::CanWrite() const {
  absl::MutexLock lock(&mu_);
  return !writing_now_ && !ended_;
}

void IngestStream::Write(v1::IngestRequest request) {
  {
    absl::MutexLock lock(&mu_);
    writing_now_ = true;
  }
  writing_ = std::move(request);
  StartWrite(&writing_);
}

void IngestStream::CloseWrites() {
  {
    absl::MutexLock lock(&mu_);
    writing_now_ = true;
  }
  StartWritesDone();
}

std::optional<v1::IngestResponse> IngestStream::Take() {
  absl::MutexLock lock(&mu_);
  if (responses_.empty()) return std::nullopt;
  std::optional<v1::IngestResponse> response = std::move(responses_.front());
  responses_.pop_front();
  return response;
}

std::optional<absl::Status> IngestStream::done() {
  bool ended = false;
  {
    absl::MutexLock lock(&mu_);
    if (done_.has_value()) return done_;
    ended = ended_;
  }
  // May call OnDone() at once.
  if (ended && held_) {
    held_ = false;
    RemoveHold();
  }
  return std::nullopt;
}

void IngestStream::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mu_);
    // After a write that failed the call is over, and the read will say so.
    writing_now_ = !ok;
  }
  wake_();
}

void IngestStream::OnWritesDoneDone(bool /*ok*/) { wake_(); }

void IngestStream::OnReadDone(bool ok) {
  {
    absl::MutexLock lock(&mu_);
    if (ok) {
      responses_.push_back(std::move(reading_));
    } else {
      ended_ = true;
    }
  }
  if (ok) {
    reading_.Clear();
    StartRead(&reading_);
  }
  wake_();
}

void IngestStream::OnDone(const grpc::Status& status) {
  // The owner may destroy this object as soon as it sees done().
  const std::function<void()> wake = wake_;
  {
    absl::MutexLock lock(&mu_);
    done_ =
        absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  }
  wake();
}

}  // namespace kindling::agent
