#pragma once

#include <cstdint>

namespace kindling::agent {

// How many requests an exchange holds, by the bytes of its request turn: a straight line through
// the exchanges that arrived whole. Bytes count because large batches are the first to find a ring
// full. Where every exchange held one request, it says one whatever the bytes.
//
// Threads: compatible with one at a time.
class ExchangeModel {
 public:
  void Add(uint64_t request_bytes, uint64_t requests);

  // Requests to be expected in `exchanges` that held `request_bytes` together; never outside of
  // what single exchanges were seen to hold. One each when nothing was seen.
  double Expect(uint64_t exchanges, uint64_t request_bytes) const;

  uint64_t exchanges() const { return exchanges_; }

 private:
  uint64_t exchanges_ = 0;
  uint64_t least_ = 1;  // requests of one exchange
  uint64_t most_ = 1;
  double mean_bytes_ = 0;
  double mean_requests_ = 0;
  double bytes_spread_ = 0;  // sum of squared distances from the mean
  double shared_spread_ = 0;
};

}  // namespace kindling::agent
