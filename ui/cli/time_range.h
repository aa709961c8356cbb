#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kindling::ui {

// What --since, --from and --to ask for; ns since the epoch.
struct AskedRange {
  int64_t start_ns = 0;  // 0: as far back as the store goes
  int64_t end_ns = 0;    // 0: now
};

inline constexpr int64_t kDefaultSinceNs = 15LL * 60 * 1'000'000'000;

// `since` is a duration before now or "all"; `from` and `to` are a time ("2026-11-22T10:00:00Z",
// "2026-11-22 10:00", "10:00" today), a duration before now ("30m") or "now". With none given: the
// last 15 minutes.
// Failure: InvalidArgument for what is no time, --since with --from or --to, and an empty range.
absl::StatusOr<AskedRange> ParseTimeRange(const std::optional<std::string>& since,
                                          const std::optional<std::string>& from,
                                          const std::optional<std::string>& to, int64_t now_ns,
                                          absl::TimeZone zone);

}  // namespace kindling::ui
