#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/export/exporter.h"
#include "agent/export/sender.h"
#include "agent/export/spool.h"
#include "base/clock.h"
#include "kindling/config/v1/agent.pb.h"

namespace kindling::agent {

// What Hello says of a run beside its configuration.
struct RunIdentity {
  std::string kernel;        // uname -r
  std::string capture_hook;  // "socket_tracepoints", "sys_exit" or "replay"
  std::string scope;         // in words
  bool replay = false;
};

// The way of a closed window to the controller: exporter, spool and sender.
//
// Threads: sink() is called from the capture thread, the rest from the main thread.
class Delivery {
 public:
  // `clock` must outlive this; `taps` see every batch, on the exporter's thread.
  static absl::StatusOr<std::unique_ptr<Delivery>> Open(const config::v1::AgentConfig& config,
                                                        const RunIdentity& identity,
                                                        const base::Clock& clock,
                                                        std::function<HealthSample()> health,
                                                        std::vector<Exporter::Tap> taps);

  BatchSink& sink() { return *exporter_; }
  SenderState state() const { return sender_->state(); }
  uint64_t unacknowledged() const { return spool_->unacknowledged(); }
  const Spool& spool() const { return *spool_; }
  const Exporter& exporter() const { return *exporter_; }
  const Sender& sender() const { return *sender_; }

  // Hands over what is queued and waits at most `wait` for its acknowledgement. True if all of it
  // was acknowledged; what was not stays in the spool for the next run.
  bool Stop(absl::Duration wait);

 private:
  Delivery() = default;

  std::unique_ptr<Spool> spool_;
  std::unique_ptr<Sender> sender_;
  std::unique_ptr<Exporter> exporter_;
};

}  // namespace kindling::agent
