#include "agent/path/path_names.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"

namespace kindling::agent {
namespace {

constexpr int kSubsystemShift = 16;  // SKB_DROP_REASON_SUBSYS_SHIFT

model::PathTuple ToText(const KernelTuple& tuple) {
  return {.source = ToString(tuple.source),
          .destination = ToString(tuple.destination),
          .source_port = tuple.source_port,
          .destination_port = tuple.destination_port,
          .protocol = tuple.protocol};
}

// A FIN or acknowledgement that TCP was done with, or that was left in the queue of a closed
// socket: nothing was lost with it. Kernels before 6.10 have no reason of their own for either.
bool IsLeftover(const KernelHop& hop, const model::PathHop& named) {
  if (hop.payload_bytes != 0) return false;
  return named.reason == "queue_purge" ||
         (named.reason == "not_specified" &&
          (named.location == "sk_stream_kill_queues" || named.location.starts_with("tcp_")));
}

// Which of netfilter's hooks a packet was in when it was dropped.
std::string_view NetfilterHook(const KernelHop& hop) {
  if (hop.at_a_bridge) return "bridge";  // above it the device is the bridge's own
  if (!hop.is_routed) return "prerouting";
  if (hop.is_local && !hop.of_socket) return "input";
  if (hop.of_socket) return hop.device.empty() ? "output" : "postrouting";
  return hop.interface == hop.received_by ? "forward" : "postrouting";
}

}  // namespace

std::string DropReasonName(std::string_view name) {
  for (const std::string_view prefix : {"SKB_DROP_REASON_", "SKB_"}) {
    if (!name.starts_with(prefix)) continue;
    name.remove_prefix(prefix.size());
    break;
  }
  std::string text(name);
  for (char& c : text) c = absl::ascii_tolower(static_cast<unsigned char>(c));
  return text;
}

std::string IcmpErrorName(uint32_t type_and_code) {
  const uint32_t type = type_and_code >> 8;
  const uint32_t code = type_and_code & 255;
  // RFC 792, RFC 1812.
  constexpr std::string_view kUnreachable[] = {"network",
                                               "host",
                                               "protocol",
                                               "port",
                                               "fragmentation needed",
                                               "source route failed",
                                               "network unknown",
                                               "host unknown"};
  switch (type) {
    case 3:
      if (code < std::size(kUnreachable)) {
        return absl::StrFormat("destination unreachable: %s", kUnreachable[code]);
      }
      if (code == 9 || code == 10 || code == 13) return "destination unreachable: prohibited";
      break;
    case 5:
      return "redirect";
    case 11:
      return code == 0 ? "time exceeded: TTL" : "time exceeded: reassembly";
    case 12:
      return "parameter problem";
    default:
      break;
  }
  return absl::StrFormat("type %d code %d", type, code);
}

PathNames::PathNames(Options options, NetnsNames netns, KernelSymbols symbols)
    : options_(std::move(options)), netns_(std::move(netns)), symbols_(std::move(symbols)) {}

model::PathHop PathNames::Name(const KernelHop& hop, int64_t wall_minus_boot_ns) {
  model::PathHop named;
  named.node = options_.node;
  named.packet = hop.packet;
  named.wall_ns = hop.boot_ns + wall_minus_boot_ns;
  named.place = hop.place;
  named.tuple = ToText(hop.tuple);
  if (hop.carrier.source.size != 0) named.carrier = ToText(hop.carrier);
  named.vni = hop.vni;
  named.network_namespace = netns_.Of(hop.netns, hop.boot_ns);
  named.device = DeviceOf(hop);
  named.detail = hop.detail;
  if (hop.place == model::PathPlace::kRead) {
    named.detail = absl::StrFormat("%s (pid %d)", hop.detail, hop.tgid);
  } else if (hop.place == model::PathPlace::kIcmp) {
    named.detail = IcmpErrorName(hop.reason);
  } else if (hop.place == model::PathPlace::kDropped) {
    named.reason = ReasonOf(hop.reason);
    named.location = LocationOf(hop, named.reason);
    if (IsLeftover(hop, named)) {
      named.place = model::PathPlace::kConsumed;
      named.reason.clear();
      named.location.clear();
    }
  }
  named.sequence = hop.sequence;
  named.payload_bytes = hop.payload_bytes;
  named.ip_id = hop.ip_id;
  named.tcp_flags = hop.tcp_flags;
  named.mark = hop.mark;
  named.is_reply = hop.is_reply;
  named.is_new = hop.is_new;
  named.of_socket = hop.of_socket;
  named.is_fragment = hop.is_fragment;
  return named;
}

std::string PathNames::DeviceOf(const KernelHop& hop) {
  const std::pair key(hop.netns, hop.interface);
  if (!hop.device.empty()) {
    if (devices_.size() >= kDevicesMax) devices_.clear();
    if (hop.interface != 0) devices_[key] = hop.device;
    return hop.device;
  }
  // A socket has no device, but the packet came in by one that may have been seen before.
  const auto found = devices_.find(key);
  return found == devices_.end() ? "" : found->second;
}

std::string PathNames::ReasonOf(uint32_t reason) const {
  const uint32_t subsystem = reason >> kSubsystemShift;
  if (subsystem != 0) {
    // Numbers of include/net/dropreason.h.
    constexpr std::string_view kSubsystems[] = {"core", "mac80211", "openvswitch"};
    const uint32_t code = reason & ((1u << kSubsystemShift) - 1);
    return subsystem < std::size(kSubsystems)
               ? absl::StrFormat("%s_%d", kSubsystems[subsystem], code)
               : absl::StrFormat("subsystem_%d_%d", subsystem, code);
  }
  if (reason < options_.drop_reasons.size() && !options_.drop_reasons[reason].empty()) {
    return options_.drop_reasons[reason];
  }
  return absl::StrFormat("reason_%d", reason);
}

std::string PathNames::LocationOf(const KernelHop& hop, const std::string& reason) {
  const std::string& function = symbols_.FunctionAt(hop.location);
  if (reason != "netfilter_drop") return function;
  const std::string_view hook = NetfilterHook(hop);
  return function.empty() ? absl::StrFormat("netfilter %s", hook)
                          : absl::StrFormat("netfilter %s, %s", hook, function);
}

}  // namespace kindling::agent
