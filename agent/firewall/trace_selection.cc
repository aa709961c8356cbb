#include "agent/firewall/trace_selection.h"

#include <arpa/inet.h>

#include <optional>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"

namespace kindling::agent {
namespace {

// Before connection tracking takes fragments together (-400 is its own), so that whatever drops a
// packet later is seen: NF_IP_PRI_RAW is -300 (linux/netfilter_ipv4.h).
constexpr int kPriority = -350;
// More are passed over: each packet gives several messages.
constexpr int kPacketsPerSecond = 50;
constexpr int kBurst = 20;

struct Address {
  std::string text;  // as inet_ntop(3) writes it
  bool is_v6 = false;
};

absl::StatusOr<std::optional<Address>> Parse(const std::string& text) {
  if (text.empty()) return std::nullopt;
  char out[INET6_ADDRSTRLEN] = "";
  in_addr v4;
  in6_addr v6;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    return Address{inet_ntop(AF_INET, &v4, out, sizeof(out)), false};
  }
  if (inet_pton(AF_INET6, text.c_str(), &v6) == 1) {
    return Address{inet_ntop(AF_INET6, &v6, out, sizeof(out)), true};
  }
  return absl::InvalidArgumentError("an address of the selection is no IP address");
}

std::string Match(const char* of, const std::optional<Address>& address) {
  if (!address.has_value()) return "";
  return absl::StrFormat("%s %s %s ", address->is_v6 ? "ip6" : "ip", of, address->text);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> MarkCommands(const v1::PacketSelection& selection,
                                                      const std::string& table) {
  ASSIGN_OR_RETURN(const std::optional<Address> source, Parse(selection.source()));
  ASSIGN_OR_RETURN(const std::optional<Address> destination, Parse(selection.destination()));
  if (!source.has_value() && !destination.has_value() && selection.port() == 0) {
    return absl::InvalidArgumentError("an address or a port is needed");
  }
  if (source.has_value() && destination.has_value() && source->is_v6 != destination->is_v6) {
    return absl::InvalidArgumentError("the addresses are of two versions of IP");
  }
  if (selection.port() > 65535) return absl::InvalidArgumentError("that is no port");
  const std::string& protocol = selection.protocol();
  if (!protocol.empty() && protocol != "tcp" && protocol != "udp" && protocol != "icmp") {
    return absl::InvalidArgumentError("the protocol is tcp, udp or icmp");
  }
  if (protocol == "icmp" && selection.port() != 0) {
    return absl::InvalidArgumentError("icmp has no ports");
  }
  std::string transport;
  if (protocol == "icmp") {
    transport = "meta l4proto { icmp, ipv6-icmp } ";
  } else if (!protocol.empty()) {
    transport = absl::StrFormat("meta l4proto %s ", protocol);
  } else if (selection.port() != 0) {
    transport = "meta l4proto { tcp, udp } ";
  }
  const auto port = [&](const char* of) {
    return selection.port() == 0 ? "" : absl::StrFormat("th %s %d ", of, selection.port());
  };
  const std::string there =
      Match("saddr", source) + Match("daddr", destination) + transport + port("dport");
  const std::string back =
      Match("saddr", destination) + Match("daddr", source) + transport + port("sport");
  const std::string mark = absl::StrFormat(
      "limit rate %d/second burst %d packets meta nftrace set 1", kPacketsPerSecond, kBurst);
  std::vector<std::string> commands = {
      absl::StrFormat("add table inet %s { flags owner ; }", table)};
  for (const char* hook : {"prerouting", "output"}) {
    commands.push_back(absl::StrFormat("add chain inet %s %s { type filter hook %s priority %d ; }",
                                       table, hook, hook, kPriority));
    for (const std::string& match : {there, back}) {
      commands.push_back(absl::StrFormat("add rule inet %s %s %s%s", table, hook, match, mark));
    }
  }
  return commands;
}

}  // namespace kindling::agent
