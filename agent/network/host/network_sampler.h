#pragma once

#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/capture/events.h"

namespace kindling::agent {

// Has the network read on a thread of its own, for a reading takes time, and enters namespaces.
//
// Threads:  one uses it; `read` runs on another, one call at a time.
// Lifetime: the end waits for a reading that has begun.
class NetworkSampler {
 public:
  using Read = std::function<std::vector<NetworkReading>()>;

  explicit NetworkSampler(Read read);
  ~NetworkSampler();

  // Asks for a reading that begins from now on.
  void Request();
  // Gives what was read since the call before. Waits at most `patience` for what was asked for.
  void Deliver(EventSink& sink, absl::Duration patience);

 private:
  void Run();

  const Read read_;
  absl::Mutex mu_;
  uint64_t asked_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t answered_ ABSL_GUARDED_BY(mu_) = 0;  // of these
  bool is_done_ ABSL_GUARDED_BY(mu_) = false;   // the end
  std::vector<NetworkReading> readings_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace kindling::agent
