#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "model/latency_histogram.h"
#include "model/path_journeys.h"

namespace kindling::model {

// What many journeys have in common: every place on the way, with how long packets took to it from
// the place before, and what was lost there.
//
// Threads: one.
// Limits:  kRowsMax places; packets at others are counted in the last row, whose place is kUnknown.
class PathSummary {
 public:
  static constexpr size_t kRowsMax = 512;
  static constexpr size_t kOutcomes = 5;

  struct Row {
    bool is_reply = false;
    std::string node;
    std::string network_namespace;
    std::string device;
    PathPlace place = PathPlace::kUnknown;
    std::string location;  // of drops, as `reason`: each is a row of its own
    std::string reason;
    uint64_t packets = 0;
    LatencyHistogram since_last;  // of those that were somewhere before, by one clock
    uint64_t across_clocks = 0;   // packets that came from another host: not in `since_last`
    double mean_position = 0;     // on the way, from 0
  };

  void Add(const PathJourney& journey);

  // There, then back; each in the order of the way.
  std::vector<Row> Rows() const;
  uint64_t packets() const { return packets_; }
  uint64_t CountOf(PathOutcome outcome) const { return outcomes_[static_cast<size_t>(outcome)]; }

 private:
  using Key =
      std::tuple<bool, std::string, std::string, std::string, PathPlace, std::string, std::string>;
  struct Sum {
    uint64_t packets = 0;
    uint64_t positions = 0;
    uint64_t across_clocks = 0;
    LatencyHistogram since_last;
  };

  std::map<Key, Sum> rows_;
  uint64_t packets_ = 0;
  uint64_t outcomes_[kOutcomes] = {};
};

}  // namespace kindling::model
