#pragma once

#include <cstdint>
#include <string_view>

namespace kindling::agent {

// How much is captured, from all to least. Sent to the controller: never renumber.
enum class Rung : uint8_t {
  kFull = 0,        // payload as configured, spans by the keep rule
  kHeads = 1,       // the first kHeadBytes of each call
  kAggregates = 2,  // heads, and no spans
  kCounters = 3,    // no data events: bytes and turns per connection, whose requests count as lost
};
std::string_view Name(Rung rung);

inline constexpr uint32_t kHeadBytes = 256;

// Chooses the rung by the agent's own CPU, so that overload takes detail away step by step instead
// of the machine.
//
// Goes one rung down in detail when the mean over kOverNs is above the budget, and one up after
// kUnderNs below kUnderShare of it: slowly, for the rung above costs more than the one it is
// measured on. Threads: the capture thread only.
class OverloadLadder {
 public:
  static constexpr int64_t kOverNs = 5'000'000'000;
  static constexpr int64_t kUnderNs = 30'000'000'000;
  static constexpr double kUnderShare = 0.5;

  // `cpu_percent`: of one core.
  explicit OverloadLadder(uint32_t cpu_percent) : budget_(cpu_percent / 100.0) {}

  // `cpu_seconds` the process has used so far. True when the rung changed.
  bool Update(int64_t boot_ns, double cpu_seconds);

  Rung rung() const { return rung_; }

 private:
  void StartPeriod(int64_t boot_ns, double cpu_seconds);

  const double budget_;  // cores
  Rung rung_ = Rung::kFull;
  bool started_ = false;
  int64_t period_start_ns_ = 0;
  double period_start_cpu_s_ = 0;
  int64_t under_since_ns_ = 0;  // 0: not under
};

}  // namespace kindling::agent
