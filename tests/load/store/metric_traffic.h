#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/records.h"
#include "tests/load/store/random.h"

namespace kindling::load {

struct MetricTrafficOptions {
  uint64_t seed = 1;
  int64_t start_ns = 1'780'000'000'000'000'000;
  int64_t step_ns = 10'000'000'000;
  uint32_t series = 20'000;
  uint32_t hosts = 50;  // each with an agent

  // Shares of the series; the rest are counters.
  double count_gauges = 0.3;  // whole numbers that wander: open connections, queue lengths
  double slow_gauges = 0.2;   // fractions with six digits that seldom change

  double idle_share = 0.3;         // of the counters: nothing ever happens
  double least_per_step = 0.1;     // the others' mean increments are spread evenly in logarithm
  double most_per_step = 1000;     // between these; an increment is Poisson's
  double count_step_share = 0.4;   // of steps at which a count changes, by a few
  double slow_change_share = 0.2;  // of steps at which a slow gauge changes, by about a hundredth
};

// What agents send of metrics beside EdgeStats: for every step one point of each series. The same
// options give the same batches. All points of a step have its time.
//
// Threads: one.
class MetricTraffic {
 public:
  explicit MetricTraffic(MetricTrafficOptions options);

  // One batch for each host that has series. Batch ids have the agent's id only.
  std::vector<model::Batch> NextStep();

  const MetricTrafficOptions& options() const { return options_; }
  int64_t now_ns() const { return now_ns_; }

 private:
  enum class Shape : uint8_t { kIdle, kCounter, kCount, kSlow };
  struct State {
    Shape shape = Shape::kIdle;
    double mean = 0;
    double value = 0;
  };

  double Step(State& state);

  const MetricTrafficOptions options_;
  Random random_;
  int64_t now_ns_;
  std::vector<std::vector<model::MetricSeries>> series_;  // by host, as states_
  std::vector<std::vector<State>> states_;
};

}  // namespace kindling::load
