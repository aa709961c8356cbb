#include "ui/cli/time_range.h"

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/units.h"

namespace kindling::ui {
namespace {

absl::StatusOr<int64_t> ParseMoment(const std::string& option, const std::string& text,
                                    int64_t now_ns, absl::TimeZone zone) {
  if (text == "now") return now_ns;
  if (const auto ago = base::ParseDurationNs(text); ago && *ago <= now_ns) return now_ns - *ago;
  std::string error;
  absl::Time time;
  for (const char* format : {absl::RFC3339_full, "%Y-%m-%d%ET%H:%M:%E*S", "%Y-%m-%d%ET%H:%M",
                             "%Y-%m-%d %H:%M:%E*S", "%Y-%m-%d %H:%M", "%Y-%m-%d"}) {
    if (absl::ParseTime(format, text, zone, &time, &error)) return absl::ToUnixNanos(time);
  }
  const std::string today = absl::FormatTime("%Y-%m-%d ", absl::FromUnixNanos(now_ns), zone) + text;
  for (const char* format : {"%Y-%m-%d %H:%M:%E*S", "%Y-%m-%d %H:%M"}) {
    if (absl::ParseTime(format, today, zone, &time, &error)) return absl::ToUnixNanos(time);
  }
  return absl::InvalidArgumentError(absl::StrFormat(
      "--%s: \"%s\" is no time; write 10:00, 2026-11-22T10:00:00Z, or 30m for 30 minutes ago",
      option, text));
}

}  // namespace

absl::StatusOr<AskedRange> ParseTimeRange(const std::optional<std::string>& since,
                                          const std::optional<std::string>& from,
                                          const std::optional<std::string>& to, int64_t now_ns,
                                          absl::TimeZone zone) {
  AskedRange range;
  if (since) {
    if (from || to) {
      return absl::InvalidArgumentError("--since cannot be given together with --from or --to");
    }
    if (*since == "all") return range;
    const auto ago = base::ParseDurationNs(*since);
    if (!ago || *ago == 0) {
      return absl::InvalidArgumentError(
          absl::StrFormat("--since: \"%s\" is no duration; write 5m, 2h or all", *since));
    }
    range.start_ns = std::max<int64_t>(0, now_ns - *ago);
    return range;
  }
  if (!from && !to) {
    range.start_ns = now_ns - kDefaultSinceNs;
    return range;
  }
  if (from) {
    ASSIGN_OR_RETURN(range.start_ns, ParseMoment("from", *from, now_ns, zone));
  }
  if (to) {
    ASSIGN_OR_RETURN(range.end_ns, ParseMoment("to", *to, now_ns, zone));
  }
  if (range.start_ns < 0 || range.end_ns < 0) {
    return absl::InvalidArgumentError("--from and --to may not lie before 1970");
  }
  const int64_t end_ns = to ? range.end_ns : now_ns;
  if (range.start_ns >= end_ns) {
    return absl::InvalidArgumentError("the time asked for is empty: --from is not before --to");
  }
  return range;
}

}  // namespace kindling::ui
