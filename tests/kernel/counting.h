#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/time/clock.h"
#include "agent/aggregate/aggregator.h"
#include "agent/kernel/kernel_source.h"
#include "agent/pipeline/pipeline.h"

namespace kindling::agent {

// What the agent makes of a source's events: the requests that it counts, and those it says are
// lost. Drains on a timer, as the agent does.
class Counting final : private BatchSink, private ProcessReader {
 public:
  struct Counts {
    uint64_t requests = 0;
    uint64_t lost = 0;
  };

  explicit Counting(KernelSource& source) : source_(source) {}
  EventSink& sink() { return pipeline_; }

  // Until `done` holds; false after `limit`.
  bool DrainUntil(const std::function<bool()>& done, absl::Duration limit = absl::Seconds(60)) {
    const absl::Time deadline = absl::Now() + limit;
    while (!done()) {
      if (absl::Now() > deadline) return false;
      Drain();
    }
    return true;
  }
  void Drain() {
    absl::SleepFor(absl::Milliseconds(5));
    source_.Drain(pipeline_);
  }
  // No more is counted after this.
  void Finish() {
    source_.Finish(pipeline_);
    aggregator_.Flush();
  }

  Counts of(model::Side side) const {
    Counts sum;
    for (const model::EdgeStats& row : rows_) {
      if (row.observer != side) continue;
      sum.requests += row.count;
      sum.lost += row.lost;
    }
    return sum;
  }
  size_t connections() const { return pipeline_.connections(); }

 private:
  void OnBatch(model::Batch batch) override {
    for (model::EdgeStats& row : batch.edges) rows_.push_back(std::move(row));
  }
  ProcessFacts Read(uint32_t) override { return {}; }

  KernelSource& source_;
  std::vector<model::EdgeStats> rows_;
  Aggregator aggregator_{{.host = "test"}, this};
  Pipeline pipeline_{{.host = "test"}, *this, aggregator_, [this](ConnId id, bool wanted) {
                       source_.SetPayload(id, wanted);
                     }};
};

}  // namespace kindling::agent
