#include "agent/overload.h"

namespace kindling::agent {

std::string_view Name(Rung rung) {
  switch (rung) {
    case Rung::kFull:
      return "full";
    case Rung::kHeads:
      return "heads";
    case Rung::kAggregates:
      return "aggregates";
    case Rung::kCounters:
      return "counters";
  }
  return "unknown";
}

void OverloadLadder::StartPeriod(int64_t boot_ns, double cpu_seconds) {
  period_start_ns_ = boot_ns;
  period_start_cpu_s_ = cpu_seconds;
}

bool OverloadLadder::Update(int64_t boot_ns, double cpu_seconds) {
  if (!started_) {
    started_ = true;
    StartPeriod(boot_ns, cpu_seconds);
    return false;
  }
  const int64_t period_ns = boot_ns - period_start_ns_;
  if (period_ns < kOverNs) return false;
  const double used = (cpu_seconds - period_start_cpu_s_) / (static_cast<double>(period_ns) / 1e9);
  StartPeriod(boot_ns, cpu_seconds);
  const auto level = static_cast<uint8_t>(rung_);
  if (used > budget_) {
    under_since_ns_ = 0;
    if (rung_ == Rung::kCounters) return false;
    rung_ = static_cast<Rung>(level + 1);
    return true;
  }
  if (rung_ == Rung::kFull || used > kUnderShare * budget_) {
    under_since_ns_ = 0;
    return false;
  }
  if (under_since_ns_ == 0) under_since_ns_ = boot_ns - period_ns;
  if (boot_ns - under_since_ns_ < kUnderNs) return false;
  under_since_ns_ = 0;
  rung_ = static_cast<Rung>(level - 1);
  return true;
}

}  // namespace kindling::agent
