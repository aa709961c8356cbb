#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kindling::model {

// Application protocol of a connection. Values are stored on disk and sent between versions:
// never renumber, only append.
enum class Protocol : uint8_t {
  kUnknown = 0,  // not recognised: byte counts and durations only, shown by transport
  kHttp = 1,
  kRedis = 2,
  kMysql = 3,
  kDns = 4,
  kTls = 5,              // recognised, not parsed
  kHttp2 = 6,            // recognised, not parsed
  kPostgresql = 7,       // recognised, not parsed
  kKafka = 8,            // recognised, not parsed
  kMysqlCompressed = 9,  // MySQL's compressed protocol: recognised, not parsed
};

// What carries a connection. Stored: never renumber.
enum class Transport : uint8_t { kUnknown = 0, kTcp = 1, kUdp = 2, kUnix = 3 };

// Which end of a connection made an observation. Stored: never renumber.
enum class Side : uint8_t { kUnknown = 0, kClient = 1, kServer = 2 };

// How a request ended. Stored: never renumber.
enum class Outcome : uint8_t {
  kUnset = 0,
  kOk = 1,
  kClientError = 2,  // the server blames the request: HTTP 4xx, NXDOMAIN, a MySQL or Redis error
  kServerError = 3,  // the server blames itself: HTTP 5xx, SERVFAIL
  kNoResponse = 4,   // the connection ended, or the time-out passed, before a response
  kConnectFailed = 5,
};

// Lower-case names as in the filter language, JSON and metrics: "http", "tcp", "client", "ok".
std::string_view Name(Protocol protocol);
std::string_view Name(Transport transport);
std::string_view Name(Side side);
std::string_view Name(Outcome outcome);

std::optional<Protocol> ProtocolFromName(std::string_view name);

constexpr bool IsError(Outcome outcome) {
  return outcome != Outcome::kUnset && outcome != Outcome::kOk;
}

}  // namespace kindling::model
