#include "ui/cli/format.h"

#include <array>
#include <cmath>
#include <csignal>
#include <cstring>

#include "absl/strings/str_format.h"
#include "base/units.h"

namespace kindling::ui {
namespace {

std::string Format(const char* format, int64_t ns, absl::TimeZone zone) {
  return absl::FormatTime(format, absl::FromUnixNanos(ns), zone);
}

}  // namespace

std::string FormatCount(double count) { return absl::StrFormat("%.0f", count); }

std::string FormatShortCount(double count) {
  if (count < 9999.5) return FormatCount(count);
  if (count < 999.95e3) return absl::StrFormat("%.1fk", count / 1e3);
  if (count < 999.95e6) return absl::StrFormat("%.1fM", count / 1e6);
  return absl::StrFormat("%.1fG", count / 1e9);
}

std::string Plural(double count, const std::string& noun) {
  return FormatCount(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string FormatMs(double ms) { return ms == 0 ? "-" : base::FormatDurationNs(ms * 1e6); }

std::string FormatRate(double per_second) {
  if (per_second == 0) return "0";
  if (per_second < 0.1) return "<0.1";
  if (per_second < 99.95) return absl::StrFormat("%.1f", per_second);
  return FormatShortCount(per_second);
}

std::string FormatPercent(double fraction) {
  if (fraction == 0) return "-";
  const double percent = fraction * 100;
  if (percent < 0.1) return "<0.1%";
  if (percent < 9.95) return absl::StrFormat("%.1f%%", percent);
  return absl::StrFormat("%.0f%%", percent);
}

std::string FormatProtocol(const std::string& protocol, const std::string& transport) {
  const bool is_parsed = !protocol.empty() && protocol != "unknown";
  if (!is_parsed) return transport.empty() ? "unknown" : transport;
  const std::string usual = protocol == "dns" ? "udp" : "tcp";
  return transport.empty() || transport == "unknown" || transport == usual
             ? protocol
             : protocol + "/" + transport;
}

std::string FormatTime(int64_t ns, absl::TimeZone zone) {
  return Format("%Y-%m-%d %H:%M:%E3S", ns, zone);
}

std::string FormatTimeShort(int64_t ns, int64_t now_ns, absl::TimeZone zone) {
  const bool is_today = Format("%Y-%m-%d", ns, zone) == Format("%Y-%m-%d", now_ns, zone);
  return is_today ? Format("%H:%M:%E3S", ns, zone) : FormatTime(ns, zone);
}

std::string FormatTimeExact(int64_t ns, absl::TimeZone zone) {
  return Format("%Y-%m-%d %H:%M:%E6S %Z", ns, zone);
}

std::string FormatSignal(int number) {
  const char* name = number > 0 && number < NSIG ? sigabbrev_np(number) : nullptr;
  return name == nullptr ? absl::StrFormat("signal %d", number) : absl::StrFormat("SIG%s", name);
}

}  // namespace kindling::ui
