#include "base/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "absl/strings/str_format.h"

namespace kindling::base {
namespace {

constexpr double kInt64Limit = 9223372036854775808.0;  // 2^63

struct Unit {
  std::string_view name;
  double factor;
};

constexpr double kMinute = 60e9;
constexpr double kHour = 60 * kMinute;
constexpr double kDay = 24 * kHour;

constexpr std::array<Unit, 9> kDurationUnits = {{{"ns", 1},
                                                 {"us", 1e3},
                                                 {"\xc2\xb5s", 1e3},  // micro sign
                                                 {"\xce\xbcs", 1e3},  // Greek mu
                                                 {"ms", 1e6},
                                                 {"s", 1e9},
                                                 {"m", kMinute},
                                                 {"h", kHour},
                                                 {"d", kDay}}};

constexpr std::array<Unit, 10> kByteUnits = {{{"", 1},
                                              {"b", 1},
                                              {"kb", 1e3},
                                              {"mb", 1e6},
                                              {"gb", 1e9},
                                              {"tb", 1e12},
                                              {"kib", 1024.0},
                                              {"mib", 1024.0 * 1024},
                                              {"gib", 1024.0 * 1024 * 1024},
                                              {"tib", 1024.0 * 1024 * 1024 * 1024}}};

bool IsNumberChar(char c) { return (c >= '0' && c <= '9') || c == '.'; }

// Takes a plain decimal number off the front of `text`.
std::optional<double> TakeNumber(std::string_view& text) {
  size_t size = 0;
  while (size < text.size() && IsNumberChar(text[size])) ++size;
  double value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + size, value);
  if (error != std::errc() || end != text.data() + size) return std::nullopt;
  text.remove_prefix(size);
  return value;
}

std::optional<int64_t> ToInt64(double value) {
  value = std::round(value);
  if (!(value >= 0 && value < kInt64Limit)) return std::nullopt;
  return static_cast<int64_t>(value);
}

// Three significant digits, but no needless ones: 1.2, 12.5, 340.
std::string Short(double value) {
  if (value >= 99.95) return absl::StrFormat("%.0f", value);
  if (value == std::floor(value)) return absl::StrFormat("%.0f", value);
  return absl::StrFormat("%.1f", value);
}

}  // namespace

std::optional<int64_t> ParseDurationNs(std::string_view text) {
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const std::optional<double> number = TakeNumber(text);
    if (!number) return std::nullopt;
    size_t size = 0;
    while (size < text.size() && !IsNumberChar(text[size])) ++size;
    const std::string_view name = text.substr(0, size);
    const auto* unit = std::find_if(kDurationUnits.begin(), kDurationUnits.end(),
                                    [&](const Unit& u) { return u.name == name; });
    if (unit == kDurationUnits.end()) return std::nullopt;
    total += *number * unit->factor;
    text.remove_prefix(size);
  }
  return ToInt64(total);
}

std::optional<int64_t> ParseBytes(std::string_view text) {
  const std::optional<double> number = TakeNumber(text);
  if (!number) return std::nullopt;
  std::string name(text);
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const Unit& unit : kByteUnits) {
    if (unit.name == name) return ToInt64(*number * unit.factor);
  }
  return std::nullopt;
}

std::string FormatDurationNs(double ns) {
  if (!std::isfinite(ns)) return "?";
  if (ns < 0) return "-" + FormatDurationNs(-ns);
  if (ns == 0) return "0";
  if (ns < 999.5) return Short(std::max(1.0, std::round(ns))) + "ns";
  if (ns < 999.5e3) return Short(ns / 1e3) + "us";
  if (ns < 999.5e6) return Short(ns / 1e6) + "ms";
  if (ns < 59.95e9) return Short(ns / 1e9) + "s";
  // Two units from here on, the smaller one rounded down.
  const auto two = [ns](double large, const char* large_name, double small,
                        const char* small_name) {
    const double count = std::floor(ns / large);
    const double rest = std::floor((ns - count * large) / small);
    return absl::StrFormat("%.0f%s", count, large_name) +
           (rest > 0 ? absl::StrFormat("%.0f%s", rest, small_name) : "");
  };
  if (ns < kMinute) return "1m";
  if (ns < kHour) return two(kMinute, "m", 1e9, "s");
  if (ns < kDay) return two(kHour, "h", kMinute, "m");
  return two(kDay, "d", kHour, "h");
}

std::string FormatBytes(double bytes) {
  if (!std::isfinite(bytes)) return "?";
  if (bytes < 0) return "-" + FormatBytes(-bytes);
  if (bytes < 999.5) return absl::StrFormat("%.0fB", bytes);
  constexpr std::array<const char*, 5> kNames = {"KB", "MB", "GB", "TB", "PB"};
  size_t i = 0;
  for (bytes /= 1e3; bytes >= 999.5 && i + 1 < kNames.size(); ++i) bytes /= 1e3;
  return absl::StrFormat("%.*f%s", bytes >= 99.95 ? 0 : 1, bytes, kNames[i]);
}

}  // namespace kindling::base
