#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "agent/capture/events.h"
#include "agent/network/host/scope_namespaces.h"
#include "base/unique_fd.h"

namespace kindling::agent {

// What conntrack tells of flows that NAT changes, in every namespace in scope: those there are, and
// from then on those that begin and end. Changes nothing of conntrack, and does not turn it on.
//
// A flow is told before its first packet goes on, so what Deliver() gives has the flow of every
// connection that the kernel has told of before the call.
//
// Threads:  one uses it; another, its own, enters namespaces and keeps the sockets from filling up.
// Limits:   the kernel holds kSocketBytes of events for each namespace, this holds kMaxQueued; what
//           finds no room is counted, and the flows there are are listed again. They are too once a
//           minute: of flows from before the agent the end is not always told.
class ConntrackSource {
 public:
  using Find = std::function<ScopeNamespaces()>;
  static constexpr size_t kMaxQueued = 262'144;
  static constexpr int kSocketBytes = 32 << 20;

  // Returns once the flows there are have been listed. Failure: no namespace gives events.
  static absl::StatusOr<std::unique_ptr<ConntrackSource>> Start(Find find,
                                                                int socket_bytes = kSocketBytes);
  ~ConntrackSource();

  // Gives what there is, without waiting.
  void Deliver(EventSink& sink);

  // Messages that the kernel could not hand over.
  uint64_t lost() const;

 private:
  struct Feed;

  ConntrackSource(Find find, int socket_bytes);
  void Run();
  // All on the own thread.
  void OpenNew();
  void List(const NamespaceRef& name_space);

  void ReadAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Read(Feed& feed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Push(NatEvent event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CountLost(uint32_t netns, uint64_t count) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Find find_;
  const int socket_bytes_;
  base::UniqueFd ready_;  // epoll: sockets with something to read
  mutable absl::Mutex mu_;
  std::map<uint32_t, std::unique_ptr<Feed>> feeds_ ABSL_GUARDED_BY(mu_);  // by namespace
  std::deque<NatEvent> queue_ ABSL_GUARDED_BY(mu_);
  uint64_t lost_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t unqueued_ ABSL_GUARDED_BY(mu_) = 0;  // of these, not yet told
  bool needs_list_ ABSL_GUARDED_BY(mu_) = false;
  bool is_started_ ABSL_GUARDED_BY(mu_) = false;
  bool is_done_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace kindling::agent
