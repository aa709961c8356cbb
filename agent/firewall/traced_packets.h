#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "agent/firewall/trace_message.h"
#include "kindling/v1/firewall.pb.h"

namespace kindling::agent {

// Puts the steps of packets together. A packet is whole when it was dropped, or when nothing more
// has come of it for kIdle: who accepts it last is not told.
//
// Threads: one.
// Limits:  kMaxOpen packets; the oldest is given as it is when one more comes. kMaxSteps of a
//          packet, more are left out.
class TracedPackets {
 public:
  static constexpr absl::Duration kIdle = absl::Milliseconds(300);
  static constexpr size_t kMaxOpen = 256;
  static constexpr int kMaxSteps = 200;

  // `place`: of the namespace; packets of several may have one id. The names of devices and the
  // text of its rule are the caller's to add to what this returns: the packet's new step, nullptr
  // where it is left out.
  struct Added {
    v1::TracedPacket* packet;
    v1::RuleStep* step;
  };
  Added Add(size_t place, const TraceMessage& message, absl::Time now);
  // Those that are whole, in the order of their beginning; all: those that are open too.
  std::vector<v1::TracedPacket> Take(absl::Time now, bool all);

 private:
  using Key = std::pair<size_t, uint32_t>;
  struct Open {
    v1::TracedPacket packet;
    absl::Time last;
    bool is_whole = false;
  };

  std::map<Key, Open> open_;
  std::deque<Key> order_;  // of their beginning
};

}  // namespace kindling::agent
