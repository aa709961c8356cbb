#include "controller/ingest/ingest_stream.h"

#include <algorithm>
#include <utility>

#include "base/rpc_status.h"
#include "base/status_macros.h"
#include "controller/ingest/decode.h"

namespace kindling::controller {

IngestStream::IngestStream(std::unique_ptr<Session> session, Committer& committer,
                           Observer observer)
    : committer_(committer), observer_(std::move(observer)), session_(std::move(session)) {}

void IngestStream::Start() {
  self_ = shared_from_this();
  Pump();
}

void IngestStream::EndLocked(absl::Status status) {
  if (ending_) return;
  ending_ = true;
  end_status_ = std::move(status);
}

void IngestStream::End(absl::Status status) {
  {
    absl::MutexLock lock(&mu_);
    EndLocked(std::move(status));
  }
  Pump();
}

void IngestStream::OnReadDone(bool ok) {
  if (ok && request_.has_batch() && Park()) return;
  FinishRead(ok);
}

bool IngestStream::Park() {
  absl::MutexLock lock(&mu_);
  parked_ = !ending_ && !CommitterHasRoom();
  return parked_;
}

void IngestStream::FinishRead(bool ok) {
  absl::Status status;
  // Nothing else touches the request, or reads, until reading_ is false again.
  if (ok) status = Handle();
  {
    absl::MutexLock lock(&mu_);
    reading_ = parked_ = false;
    if (!ok || !status.ok()) EndLocked(status);
  }
  if (absl::IsInvalidArgument(status)) observer_.invalid();
  Pump();
}

absl::Status IngestStream::Handle() {
  switch (request_.message_case()) {
    case v1::IngestRequest::kHello: {
      absl::MutexLock lock(&mu_);
      v1::Welcome welcome;
      // The registry calls back while another stream holds its own lock, never ours.
      std::weak_ptr<IngestStream> weak = weak_from_this();
      RETURN_IF_ERROR(session_->OnHello(
          request_.hello(),
          [weak] {
            if (const std::shared_ptr<IngestStream> stream = weak.lock()) {
              stream->End(absl::AbortedError("a newer stream of this agent has taken over"));
            }
          },
          &welcome));
      welcome_ = std::move(welcome);
      return absl::OkStatus();
    }
    case v1::IngestRequest::kBatch:
      return HandleBatch(request_.batch());
    case v1::IngestRequest::kHealth: {
      absl::MutexLock lock(&mu_);
      return session_->OnHealth(request_.health());
    }
    case v1::IngestRequest::MESSAGE_NOT_SET:
      // From a newer agent: may be ignored.
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status IngestStream::HandleBatch(const v1::Batch& in) {
  const size_t bytes = in.ByteSizeLong();
  int64_t latest_ns = 0;
  {
    absl::MutexLock lock(&mu_);
    // The agent may be gone since the batch was read.
    if (session_ == nullptr) return absl::CancelledError("the agent is gone");
    ASSIGN_OR_RETURN(latest_ns, session_->OnBatch());
  }
  // Without the lock, or the committer would wait for it to acknowledge what came before.
  ASSIGN_OR_RETURN(model::Batch batch, DecodeBatch(in, latest_ns));
  const uint64_t epoch = batch.id.boot_epoch;
  const uint64_t sequence = batch.id.sequence;
  {
    absl::MutexLock lock(&mu_);
    if (session_ == nullptr) return absl::CancelledError("the agent is gone");
    RETURN_IF_ERROR(session_->Label(batch));
    ++in_flight_;
  }
  const size_t memory_bytes = MemoryBytes(batch);
  const absl::Status submitted =
      committer_.Submit(lane_, std::move(batch), memory_bytes,
                        [stream = shared_from_this(), epoch, sequence](const absl::Status& status) {
                          stream->OnCommitted(epoch, sequence, status);
                        });
  if (!submitted.ok()) {
    absl::MutexLock lock(&mu_);
    --in_flight_;
    return submitted;
  }
  observer_.batch(bytes);
  return absl::OkStatus();
}

void IngestStream::OnCommitted(uint64_t boot_epoch, uint64_t sequence, const absl::Status& status) {
  {
    absl::MutexLock lock(&mu_);
    --in_flight_;
    if (status.ok()) {
      uint64_t& acked = acks_[boot_epoch];
      acked = std::max(acked, sequence);
      if (session_ != nullptr) session_->OnDurable(boot_epoch, sequence);
    } else {
      EndLocked(status);
    }
  }
  Pump();
}

void IngestStream::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mu_);
    writing_ = false;
    if (!ok) {
      gone_ = true;
      EndLocked(absl::CancelledError("the agent is gone"));
    }
  }
  Pump();
}

void IngestStream::OnCancel() {
  {
    absl::MutexLock lock(&mu_);
    gone_ = true;
    EndLocked(absl::CancelledError("the agent is gone"));
  }
  Pump();
}

void IngestStream::OnDone() {
  {
    absl::MutexLock lock(&mu_);
    // Frees the agent id at once; batches still in the committer need the session no more.
    session_.reset();
  }
  observer_.ended(this);
  const std::shared_ptr<IngestStream> last = std::move(self_);
}

bool IngestStream::NextResponse() {
  response_.Clear();
  if (welcome_) {
    *response_.mutable_welcome() = *std::move(welcome_);
    welcome_.reset();
    return true;
  }
  if (acks_.empty()) return false;
  const auto first = acks_.begin();
  v1::Ack* ack = response_.mutable_ack();
  ack->set_boot_epoch(first->first);
  ack->set_sequence(first->second);
  ack->set_credit(kIngestCredit);
  acks_.erase(first);
  return true;
}

bool IngestStream::CommitterHasRoom() {
  if (waiting_) return false;
  waiting_ = !committer_.HasRoom([weak = weak_from_this()] {
    if (const std::shared_ptr<IngestStream> stream = weak.lock()) stream->OnRoom();
  });
  return !waiting_;
}

void IngestStream::OnRoom() {
  bool parked = false;
  {
    absl::MutexLock lock(&mu_);
    waiting_ = false;
    parked = parked_;
  }
  if (!parked) return Pump();
  // Not here, on the committer's thread: decoding takes a while. The alarm keeps what it calls.
  alarm_.Set(gpr_now(GPR_CLOCK_MONOTONIC), [weak = weak_from_this()](bool) {
    if (const std::shared_ptr<IngestStream> stream = weak.lock()) stream->FinishRead(/*ok=*/true);
  });
}

void IngestStream::Pump() {
  // Once it has finished gRPC may drop this at any moment.
  const std::shared_ptr<IngestStream> keep = shared_from_this();
  pump_.Run([this] { Step(); });
}

void IngestStream::Step() {
  bool write = false;
  bool read = false;
  bool finish = false;
  grpc::Status finish_status;
  {
    absl::MutexLock lock(&mu_);
    if (finished_) return;
    if (!writing_ && !gone_) write = writing_ = NextResponse();
    const bool all_said = gone_ || (in_flight_ == 0 && !writing_ && !parked_);
    if (ending_ && all_said && !writing_) {
      finish = finished_ = true;
      finish_status = base::ToRpcStatus(end_status_);
    } else if (!ending_ && !reading_ && in_flight_ < kIngestCredit && CommitterHasRoom()) {
      read = reading_ = true;
    }
  }
  if (write) StartWrite(&response_);
  if (read) StartRead(&request_);
  if (finish) Finish(finish_status);
}

}  // namespace kindling::controller
