#pragma once

#include <cstdint>

#include "model/records.h"

namespace kindling::agent {

// What adds to the batch of every window beside the aggregator's own rows: metric series of
// something else that happens on the edges.
class WindowSource {
 public:
  virtual ~WindowSource() = default;
  // Adds what was summed since the call before. `start_ns` is the window's, wall time.
  virtual void EmitWindow(int64_t start_ns, model::Batch& batch) = 0;
};

}  // namespace kindling::agent
