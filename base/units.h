#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kindling::base {

// "1.5ms", "340us", "2h30m" -> ns. Units: ns us (or µs) ms s m h d. A unit is needed, except for
// "0". nullopt: not a duration, negative, or over 292 years.
std::optional<int64_t> ParseDurationNs(std::string_view text);

// "1500", "1.5KB", "64KiB" -> bytes. KB MB GB TB are powers of 1000, KiB MiB GiB TiB of 1024; case
// does not matter. nullopt: not a size, negative, or over 2^63.
std::optional<int64_t> ParseBytes(std::string_view text);

// Short forms for people, with three significant digits: "0", "340us", "1.2ms", "12.5s", "3m20s",
// "2h5m", "4d3h".
std::string FormatDurationNs(double ns);
// "0B", "512B", "1.5KB", "12.0MB".
std::string FormatBytes(double bytes);

}  // namespace kindling::base
