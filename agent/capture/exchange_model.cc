#include "agent/capture/exchange_model.h"

#include <algorithm>

namespace kindling::agent {

void ExchangeModel::Add(uint64_t request_bytes, uint64_t requests) {
  least_ = exchanges_ == 0 ? requests : std::min(least_, requests);
  most_ = exchanges_ == 0 ? requests : std::max(most_, requests);
  ++exchanges_;
  const auto n = static_cast<double>(exchanges_);
  const double bytes_off = static_cast<double>(request_bytes) - mean_bytes_;
  const double requests_off = static_cast<double>(requests) - mean_requests_;
  mean_bytes_ += bytes_off / n;
  mean_requests_ += requests_off / n;
  // Welford's update: exact where all are alike.
  bytes_spread_ += bytes_off * (static_cast<double>(request_bytes) - mean_bytes_);
  shared_spread_ += requests_off * (static_cast<double>(request_bytes) - mean_bytes_);
}

double ExchangeModel::Expect(uint64_t exchanges, uint64_t request_bytes) const {
  const auto count = static_cast<double>(exchanges);
  if (exchanges_ == 0) return count;
  const double slope = bytes_spread_ > 0 ? std::max(0.0, shared_spread_ / bytes_spread_) : 0;
  const double line =
      mean_requests_ * count + slope * (static_cast<double>(request_bytes) - mean_bytes_ * count);
  return std::clamp(line, static_cast<double>(least_) * count, static_cast<double>(most_) * count);
}

}  // namespace kindling::agent
