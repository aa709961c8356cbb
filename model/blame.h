#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace kindling::model {

// Where the wall time of a request went. Stored: never renumber.
enum class Cause : uint8_t {
  kCpu = 0,
  kRunQueue = 1,
  kLock = 2,
  kDisk = 3,
  kFile = 4,
  kNetwork = 5,
  kSleep = 6,
  kOther = 7,
};
inline constexpr size_t kCauseCount = 8;

// Nanoseconds by cause, for one request or summed over many. All zero: not measured.
struct BlameVector {
  std::array<uint64_t, kCauseCount> ns{};

  uint64_t& operator[](Cause cause) { return ns[static_cast<size_t>(cause)]; }
  uint64_t operator[](Cause cause) const { return ns[static_cast<size_t>(cause)]; }
  BlameVector& operator+=(const BlameVector& other) {
    for (size_t i = 0; i < kCauseCount; ++i) ns[i] += other.ns[i];
    return *this;
  }
  bool empty() const { return *this == BlameVector{}; }
  bool operator==(const BlameVector&) const = default;
};

}  // namespace kindling::model
