#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "agent/aggregate/window_source.h"
#include "agent/capture/events.h"
#include "model/host_metrics.h"
#include "model/records.h"

namespace kindling::agent {

// What was read of the host's network as metric series (model/host_metrics.h): counters by how much
// they grew, everything else as it was when it was last read.
//
// A counter is counted from its second reading on. One that is less than before has begun anew.
//
// Threads: capture thread only.
// Limits:  max_series; what is beyond has no series, and is counted as kUnread.
class HostStats final : public WindowSource {
 public:
  struct Options {
    std::string host;
    size_t max_series = 20'000;
  };
  explicit HostStats(Options options) : options_(std::move(options)) {}

  void OnReading(const NetworkReading& reading);
  void EmitWindow(int64_t start_ns, model::Batch& batch) override;

  size_t series() const { return figures_.size(); }

 private:
  // A device may come again in another namespace of the same name: the number counts.
  using Key = std::tuple<uint32_t, model::host::Metric, std::string, std::string>;
  struct Figure {
    std::string name_space;
    double seen = 0;  // of a counter
    double value = 0;
    bool is_new = false;  // there is a point to be told
    uint64_t window = 0;  // when it was last read
  };
  static constexpr uint64_t kForgottenAfter = 30;  // windows

  void Emit(const Key& key, const Figure& figure, int64_t start_ns, model::Batch& batch) const;

  const Options options_;
  absl::flat_hash_map<Key, Figure> figures_;
  uint64_t left_out_ = 0;  // in this window
  uint64_t windows_ = 0;
};

}  // namespace kindling::agent
