#pragma once

#include "model/records.h"

namespace kindling::agent {

// Takes finished batches, without an id. Must return fast: it is called on the capture thread.
class BatchSink {
 public:
  virtual ~BatchSink() = default;
  virtual void OnBatch(model::Batch batch) = 0;
};

}  // namespace kindling::agent
