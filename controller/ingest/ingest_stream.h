#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/support/server_callback.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "base/serial_pump.h"
#include "controller/ingest/committer.h"
#include "controller/ingest/session.h"
#include "kindling/v1/ingest.pb.h"

namespace kindling::controller {

// The gRPC side of one agent's stream: reads while there is credit and the committer has room,
// acknowledges what is durable, ends when either side wants to, never before what was read has been
// acknowledged (unless the peer is gone).
//
// Streams that wait for their agents have begun to read before there was none left: what comes then
// stays as it was sent until there is.
//
// Threads:  gRPC's and the committer's. Calls into gRPC are made by one thread at a time (Pump) and
//           without the lock, for gRPC may call back at once.
// Lifetime: owned by itself from Start() until gRPC has called OnDone, and by its batches in the
//           committer.
class IngestStream final : public grpc::ServerBidiReactor<v1::IngestRequest, v1::IngestResponse>,
                           public std::enable_shared_from_this<IngestStream> {
 public:
  // What happened, for the service to count; `ended` is the last call.
  struct Observer {
    std::function<void(size_t bytes)> batch;
    std::function<void()> invalid;
    std::function<void(IngestStream*)> ended;
  };

  IngestStream(std::unique_ptr<Session> session, Committer& committer, Observer observer);

  void Start();
  // Ends the stream with `status` once what it sent is acknowledged.
  void End(absl::Status status);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  // What was read is dealt with.
  void FinishRead(bool ok);
  absl::Status Handle();
  absl::Status HandleBatch(const v1::Batch& batch);
  void OnCommitted(uint64_t boot_epoch, uint64_t sequence, const absl::Status& status);
  // Whether a batch may be read, or handled, as far as the committer is concerned; if not, that is
  // done later.
  bool CommitterHasRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnRoom();
  // True: FinishRead will be called once there is room.
  bool Park();
  // Makes the calls into gRPC that the state asks for.
  void Pump();
  void Step();
  bool NextResponse() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndLocked(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Committer& committer_;
  const Observer observer_;
  std::shared_ptr<IngestStream> self_;
  const std::shared_ptr<Committer::Lane> lane_ = std::make_shared<Committer::Lane>();
  v1::IngestRequest request_;    // gRPC's while reading_
  v1::IngestResponse response_;  // gRPC's while writing_
  base::SerialPump pump_;

  absl::Mutex mu_;
  std::unique_ptr<Session> session_ ABSL_GUARDED_BY(mu_);  // null after OnDone
  std::optional<v1::Welcome> welcome_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, uint64_t> acks_ ABSL_GUARDED_BY(mu_);  // epoch -> sequence, not yet written
  uint32_t in_flight_ ABSL_GUARDED_BY(mu_) = 0;             // batches in the committer
  bool waiting_ ABSL_GUARDED_BY(mu_) = false;               // for room in the committer
  bool reading_ ABSL_GUARDED_BY(mu_) = false;  // until the request has been handled
  bool parked_ ABSL_GUARDED_BY(mu_) = false;   // a batch has been read, and waits for room
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  bool gone_ ABSL_GUARDED_BY(mu_) = false;  // the peer hears nothing any more
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status end_status_ ABSL_GUARDED_BY(mu_);
  grpc::Alarm alarm_;  // takes FinishRead to a thread of gRPC
};

}  // namespace kindling::controller
