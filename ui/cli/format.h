#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"

// Values of the API as people read them.
namespace kindling::ui {

std::string FormatCount(double count);       // "12345"
std::string FormatShortCount(double count);  // "12.3k": where space matters more than digits
std::string Plural(double count, const std::string& noun);  // "1 request", "12345 requests"
std::string FormatMs(double ms);                            // "1.2ms"; "-" for 0
std::string FormatRate(double per_second);                  // "12.3"
std::string FormatPercent(double fraction);                 // "1.2%"; "-" for 0

// "http", "dns", "mysql/unix", "dns/tcp": the transport only where it is not the usual one.
std::string FormatProtocol(const std::string& protocol, const std::string& transport);

// "2026-11-22 10:14:35.123"; ns since the epoch.
std::string FormatTime(int64_t ns, absl::TimeZone zone);
// "10:14:35.123" on the day of `now_ns`, else the whole time.
std::string FormatTimeShort(int64_t ns, int64_t now_ns, absl::TimeZone zone);
// To the microsecond, with the zone.
std::string FormatTimeExact(int64_t ns, absl::TimeZone zone);

// The name of a signal, "SIGSEGV"; "signal 99" for others.
std::string FormatSignal(int number);

}  // namespace kindling::ui
