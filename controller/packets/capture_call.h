#pragma once

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "controller/access/caller.h"
#include "controller/query/query_context.h"
#include "controller/tasks/task_hub.h"
#include "kindling/v1/packets.pb.h"

namespace kindling::controller {

// What all captures share. Lifetime: theirs.
struct CaptureParts {
  QuerySources sources;
  TaskHub& hub;
  std::atomic<int>& calls;  // that there are
};

// One CapturePackets call: finds the nodes and their filters, has their agents capture, and hands
// on what they send.
//
// Threads:  gRPC's, and one of its own.
// Lifetime: owned by itself from the constructor until gRPC has called OnDone.
class CaptureCall final
    : public grpc::ServerBidiReactor<v1::CapturePacketsRequest, v1::CapturePacketsResponse> {
 public:
  // `admitted` other than OK ends the call with it.
  CaptureCall(const CaptureParts& parts, absl::StatusOr<Caller> admitted);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  struct Node {
    std::string agent_id;  // empty: there is none
    std::string host;
    std::string filter;
  };

  void End(const absl::Status& status);
  absl::Status Run();
  absl::StatusOr<std::vector<Node>> FindNodes() const;
  // The filter of each host; empty where all have the one asked for.
  absl::StatusOr<std::map<std::string, std::string>> FindFilters() const;
  absl::Status HandOn(const std::vector<Node>& nodes);
  // Waits until gRPC has taken it. False: nobody reads on.
  bool Write(v1::CapturePacketsResponse response);

  const CaptureParts parts_;
  const absl::StatusOr<Caller> caller_;
  v1::CapturePacketsRequest request_;  // gRPC's until the first read is done
  v1::CapturePacketsRequest ignored_;
  v1::CapturePacketsResponse response_;  // gRPC's while writing_
  bool has_request_ = false;
  std::atomic<bool> is_gone_ = false;     // nobody reads on
  std::atomic<bool> is_stopped_ = false;  // the client has ended its side

  absl::Mutex mu_;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace kindling::controller
