#include "model/packet_path.h"

#include "absl/strings/str_format.h"

namespace kindling::model {
namespace {

std::string EndText(const std::string& address, uint16_t port) {
  if (port == 0) return address;
  return address.find(':') == std::string::npos ? absl::StrFormat("%s:%d", address, port)
                                                : absl::StrFormat("[%s]:%d", address, port);
}

}  // namespace

std::string_view Name(PathPlace place) {
  switch (place) {
    case PathPlace::kUnknown:
      return "";
    case PathPlace::kQueued:
      return "queued";
    case PathPlace::kQdiscIn:
      return "into qdisc";
    case PathPlace::kQdiscOut:
      return "out of qdisc";
    case PathPlace::kTransmit:
      return "transmit";
    case PathPlace::kGro:
      return "from driver";
    case PathPlace::kBacklog:
      return "backlog";
    case PathPlace::kReceived:
      return "received";
    case PathPlace::kSocket:
      return "socket";
    case PathPlace::kRead:
      return "read";
    case PathPlace::kConsumed:
      return "done";
    case PathPlace::kDropped:
      return "DROPPED";
    case PathPlace::kIcmp:
      return "ICMP error";
    case PathPlace::kReceiveFull:
      return "queue full";
  }
  return "";
}

PathPlace ToPathPlace(uint64_t value) {
  return value <= static_cast<uint64_t>(kLastPathPlace) ? static_cast<PathPlace>(value)
                                                        : PathPlace::kUnknown;
}

std::string ToString(const PathTuple& tuple) {
  return absl::StrFormat("%s -> %s", EndText(tuple.source, tuple.source_port),
                         EndText(tuple.destination, tuple.destination_port));
}

std::string ProtocolName(uint8_t protocol) {
  switch (protocol) {
    case 1:
      return "icmp";
    case 6:
      return "tcp";
    case 17:
      return "udp";
    case 58:
      return "icmpv6";
    default:
      return absl::StrFormat("protocol %d", protocol);
  }
}

std::string TcpFlagNames(uint8_t flags) {
  constexpr std::string_view kNames[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
  // As one says them: SYN ACK, not ACK SYN.
  constexpr int kOrder[] = {1, 0, 2, 3, 4, 5};
  std::string text;
  for (const int bit : kOrder) {
    if ((flags >> bit & 1) == 0) continue;
    if (!text.empty()) text += ' ';
    text += kNames[bit];
  }
  return text;
}

}  // namespace kindling::model
