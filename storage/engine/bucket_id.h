#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kindling::storage {

// Record classes that are kept for a time of their own. On disk by name: never rename.
enum class Tier : uint8_t {
  kSpans = 0,      // spans, chunks and what they refer to
  kSeries10s = 1,  // EdgeStats and metrics as they were sent
  kSeries1m = 2,   // their sums per minute
  kSeries1h = 3,   // and per hour
  kEvents = 4,     // process events and losses
};
inline constexpr Tier kTiers[] = {Tier::kSpans, Tier::kSeries10s, Tier::kSeries1m, Tier::kSeries1h,
                                  Tier::kEvents};
inline constexpr size_t kTierCount = std::size(kTiers);
std::string_view Name(Tier tier);
// Name of the meta value that says before which time a tier's records have been dropped.
std::string DroppedBeforeName(Tier tier);

// A time bucket: the column family "spans.<start>.<length>.<part>", start and length in ns. All
// records of [start, start + length) lie in it, in one or more parts; it is dropped as a whole.
struct BucketId {
  Tier tier = Tier::kSpans;
  int64_t start_ns = 0;
  int64_t length_ns = 1;
  uint32_t part = 0;

  int64_t end_ns() const {
    return start_ns > INT64_MAX - length_ns ? INT64_MAX : start_ns + length_ns;
  }
  bool Covers(int64_t time_ns) const { return start_ns <= time_ns && time_ns < end_ns(); }
  bool Overlaps(int64_t from_ns, int64_t to_ns) const {
    return start_ns < to_ns && from_ns < end_ns();
  }
  std::string FamilyName() const;
  static std::optional<BucketId> Parse(std::string_view family_name);
  auto operator<=>(const BucketId&) const = default;
};

}  // namespace kindling::storage
