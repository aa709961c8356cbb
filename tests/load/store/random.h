#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace kindling::load {

// Numbers from a seed: the same on every machine with the same libm, unlike <random>'s
// distributions.
class Random {
 public:
  explicit Random(uint64_t seed) {
    for (uint64_t& word : state_) word = Mix(seed += 0x9e3779b97f4a7c15ULL);
  }

  // splitmix64's finaliser: a good hash of one number.
  static uint64_t Mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
  }

  // xoshiro256**
  uint64_t Next() {
    const uint64_t out = Rotate(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = Rotate(state_[3], 45);
    return out;
  }

  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }  // [0, 1)
  bool Chance(double p) { return Uniform() < p; }

  // Standard normal, Box-Muller.
  double Normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double radius = std::sqrt(-2 * std::log(1 - Uniform()));
    const double angle = 2 * M_PI * Uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
  }
  double LogNormal(double median, double sigma) { return median * std::exp(sigma * Normal()); }
  double Exponential(double mean) { return -mean * std::log(1 - Uniform()); }

  uint64_t Poisson(double mean) {
    if (mean > 30) {
      const double value = std::round(mean + std::sqrt(mean) * Normal());
      return value < 0 ? 0 : static_cast<uint64_t>(value);
    }
    uint64_t count = 0;
    const double floor = std::exp(-mean);
    for (double product = Uniform(); product > floor; product *= Uniform()) ++count;
    return count;
  }

 private:
  static uint64_t Rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

  std::array<uint64_t, 4> state_;
  double spare_ = 0;
  bool has_spare_ = false;
};

// 0 .. n-1, where k comes with a frequency proportional to 1 / (k + 1)^exponent. Alias method.
class Zipf {
 public:
  Zipf(uint32_t n, double exponent) : keep_(n, 1), other_(n) {
    std::vector<double> share(n);
    double sum = 0;
    for (uint32_t k = 0; k < n; ++k) sum += share[k] = std::pow(k + 1, -exponent);
    std::vector<uint32_t> poor;
    std::vector<uint32_t> rich;
    for (uint32_t k = 0; k < n; ++k) {
      share[k] *= n / sum;
      (share[k] < 1 ? poor : rich).push_back(k);
    }
    while (!poor.empty() && !rich.empty()) {
      const uint32_t taker = poor.back();
      const uint32_t giver = rich.back();
      poor.pop_back();
      keep_[taker] = share[taker];
      other_[taker] = giver;
      share[giver] -= 1 - share[taker];
      if (share[giver] < 1) {
        rich.pop_back();
        poor.push_back(giver);
      }
    }
  }

  uint32_t Pick(Random& random) const {
    const auto slot = static_cast<uint32_t>(random.Below(keep_.size()));
    return random.Uniform() < keep_[slot] ? slot : other_[slot];
  }

 private:
  std::vector<double> keep_;
  std::vector<uint32_t> other_;
};

}  // namespace kindling::load
