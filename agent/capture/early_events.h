#pragma once

#include <cstddef>
#include <vector>

#include "agent/capture/events.h"

namespace kindling::agent {

// Events of one connection that came ahead of others: two processors that use a socket at once may
// write their records in another order than that in which they counted their bytes.
//
// Threads: the capture thread only.
// Limits:  none; the owner bounds it.
class EarlyEvents {
 public:
  struct Held {
    DataEvent event;  // its bytes are `bytes`
    std::vector<std::byte> bytes;
  };

  void Add(const DataEvent& event);
  bool empty() const { return held_.empty(); }
  size_t size() const { return held_.size(); }
  // The first in the connection's order. REQUIRES: !empty().
  const DataEvent& front() const { return held_.front().event; }
  Held Take();

 private:
  std::vector<Held> held_;  // by turn, then by position
};

}  // namespace kindling::agent
