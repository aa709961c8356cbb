#include "model/protocol.h"

#include <array>

namespace kindling::model {
namespace {

constexpr std::array<std::string_view, 10> kProtocols = {
    "unknown", "http",  "redis",      "mysql", "dns",
    "tls",     "http2", "postgresql", "kafka", "mysql_compressed"};
constexpr std::array<std::string_view, 4> kTransports = {"unknown", "tcp", "udp", "unix"};
constexpr std::array<std::string_view, 3> kSides = {"unknown", "client", "server"};
constexpr std::array<std::string_view, 6> kOutcomes = {
    "unset", "ok", "client_error", "server_error", "no_response", "connect_failed"};

// Values come from disk and from peers of other versions, so they may be out of range.
template <size_t N, typename E>
std::string_view At(const std::array<std::string_view, N>& names, E value) {
  const auto index = static_cast<size_t>(value);
  return index < N ? names[index] : std::string_view("unknown");
}

}  // namespace

std::string_view Name(Protocol protocol) { return At(kProtocols, protocol); }
std::string_view Name(Transport transport) { return At(kTransports, transport); }
std::string_view Name(Side side) { return At(kSides, side); }
std::string_view Name(Outcome outcome) { return At(kOutcomes, outcome); }

std::optional<Protocol> ProtocolFromName(std::string_view name) {
  for (size_t i = 0; i < kProtocols.size(); ++i) {
    if (kProtocols[i] == name) return static_cast<Protocol>(i);
  }
  return std::nullopt;
}

}  // namespace kindling::model
