#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/export/controller_channel.h"
#include "agent/export/spool.h"
#include "base/clock.h"

namespace kindling::v1 {
class IngestRequest;
class IngestResponse;
class IngestService;
}  // namespace kindling::v1

namespace kindling::agent {

class IngestStream;

struct SenderOptions {
  ControllerAddress controller;

  // What Hello says of this agent.
  std::string agent_id;
  uint64_t boot_epoch = 0;
  std::string host;
  std::string cluster;
  std::string tenant;
  std::string kernel;
  std::string capture_hook;
  std::string scope;
  bool replay = false;

  absl::Duration first_retry = absl::Milliseconds(500);
  absl::Duration last_retry = absl::Seconds(30);
  // A controller that says nothing for so long, where it should, is given up.
  absl::Duration answer_timeout = absl::Seconds(20);
  absl::Duration health_interval = absl::Seconds(10);
  // An agent id may still be held by this agent's own last run; after this it is another's.
  absl::Duration held_id_grace = absl::Seconds(10);
};

// What the agent tells of itself beside its records.
struct HealthSample {
  uint32_t rung = 0;
  uint64_t rss_bytes = 0;
  uint64_t bpf_bytes = 0;
  double cpu_seconds = 0;
  uint64_t connections = 0;
  uint64_t events = 0;
  uint64_t lost_events = 0;
};

struct SenderState {
  bool connected = false;
  // Not OK and never going to be: the agent should end with this message. FAILED_PRECONDITION the
  // versions or clusters do not match, ALREADY_EXISTS another agent has this id.
  absl::Status fatal;
  absl::Status last_error;  // why the last connection ended, OK while connected
  std::string store_id;
  uint64_t batches_sent = 0;  // repetitions included
  uint64_t batches_acknowledged = 0;
  uint64_t connections = 0;
};

// Sends what is in the spool to the controller and trims the spool by its acknowledgements.
//
// Threads:  a thread of its own; the public calls are safe from any.
// Lifetime: `spool`, `clock` and `health` must outlive it.
// Failure:  a lost connection is made again, after a jittered wait that grows to last_retry, and
//           everything unacknowledged is sent again. A batch that the controller calls malformed
//           three times is given up and counted by the spool.
class Sender {
 public:
  // `health` is called on the sender's thread. Errors: INVALID_ARGUMENT the address needs ca_file
  // or insecure; or ca_file cannot be read.
  static absl::StatusOr<std::unique_ptr<Sender>> Create(SenderOptions options, Spool* spool,
                                                        const base::Clock* clock,
                                                        std::function<HealthSample()> health);
  ~Sender();

  void Start();
  // The spool has something new.
  void Wake();
  // Sends until everything is acknowledged, at most for `wait`, and ends the stream. True if
  // nothing is left in the spool.
  bool Stop(absl::Duration wait);

  SenderState state() const;

 private:
  struct Channel;
  struct InFlight {
    uint64_t epoch = 0;
    uint64_t sequence = 0;
  };

  Sender(SenderOptions options, Spool* spool, const base::Clock* clock,
         std::function<HealthSample()> health, std::unique_ptr<Channel> channel);

  void Run();
  // One connection from Hello to its end.
  absl::Status Converse();
  void OnResponse(const v1::IngestResponse& response, absl::Status* bad);
  void OnWelcome(const v1::IngestResponse& response, absl::Status* bad);
  void OnAck(const v1::IngestResponse& response);
  // Writes what there is to write next, if anything; false when there is nothing.
  bool WriteNext(IngestStream& stream);
  v1::IngestRequest MakeHello() const;
  v1::IngestRequest MakeHealth() const;
  // Judges how a connection ended: logs it once, and may set state_.fatal.
  void OnEnd(const absl::Status& status);
  bool Drained() const;
  absl::Duration NextRetry();
  bool StopRequested() const;
  // Until Wake(), or `deadline`.
  void WaitUntil(absl::Time deadline);

  const SenderOptions options_;
  Spool* const spool_;
  const base::Clock* const clock_;
  const std::function<HealthSample()> health_;
  const std::unique_ptr<Channel> channel_;
  std::thread thread_;

  // The sender's thread only.
  Spool::Cursor cursor_;
  bool welcomed_ = false;
  uint32_t credit_ = 0;
  std::deque<InFlight> in_flight_;
  std::map<uint64_t, uint64_t> acknowledged_;  // by epoch
  std::string store_id_;
  absl::Time last_heard_;
  absl::Time next_health_;
  absl::Duration retry_;
  std::optional<absl::Time> id_held_since_;
  bool ever_welcomed_ = false;
  InFlight suspect_;
  int suspicions_ = 0;
  absl::StatusCode logged_ = absl::StatusCode::kOk;
  std::minstd_rand random_;

  mutable absl::Mutex mu_;
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<absl::Time> stop_by_ ABSL_GUARDED_BY(mu_);
  SenderState state_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kindling::agent
