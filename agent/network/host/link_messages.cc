#include "agent/network/host/link_messages.h"

#include <libmnl/libmnl.h>
#include <linux/gen_stats.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include "absl/strings/str_format.h"

namespace kindling::agent {
namespace {

using model::host::Metric;

// Attributes by type; null: not there.
template <size_t kTypes>
using Attributes = std::array<const nlattr*, kTypes>;

template <size_t kTypes>
int Keep(const nlattr* attribute, void* data) {
  const uint16_t type = mnl_attr_get_type(attribute);
  if (type < kTypes) (*static_cast<Attributes<kTypes>*>(data))[type] = attribute;
  return MNL_CB_OK;
}

// The first `least` bytes and what more there is of a T: older kernels tell of fewer counters.
template <typename T>
std::optional<T> Struct(const nlattr* attribute, size_t least = sizeof(T)) {
  if (attribute == nullptr || mnl_attr_get_payload_len(attribute) < least) return std::nullopt;
  T value{};
  std::memcpy(&value, mnl_attr_get_payload(attribute),
              std::min<size_t>(sizeof(value), mnl_attr_get_payload_len(attribute)));
  return value;
}

std::string Text(const nlattr* attribute) {
  if (attribute == nullptr) return "";
  const auto* bytes = static_cast<const char*>(mnl_attr_get_payload(attribute));
  return {bytes, strnlen(bytes, mnl_attr_get_payload_len(attribute))};
}

std::string Handle(uint32_t handle) { return absl::StrFormat("%x:", TC_H_MAJ(handle) >> 16); }

// As tc prints it: "tbf 8001: root", "fq_codel 0: parent :1".
std::string QdiscName(const std::string& kind, const tcmsg& about) {
  std::string name = kind + " " + Handle(about.tcm_handle);
  if (about.tcm_parent == TC_H_ROOT) return name.append(model::host::kRootQdisc);
  if (about.tcm_parent == TC_H_INGRESS) return name + " ingress";
  const std::string major = TC_H_MAJ(about.tcm_parent) == 0 ? ":" : Handle(about.tcm_parent);
  return name + " parent " + major + absl::StrFormat("%x", TC_H_MIN(about.tcm_parent));
}

}  // namespace

void ReadLink(const nlmsghdr& message, DeviceNames& names, std::vector<NetworkFigure>& figures) {
  if (message.nlmsg_type != RTM_NEWLINK ||
      mnl_nlmsg_get_payload_len(&message) < sizeof(ifinfomsg)) {
    return;
  }
  Attributes<IFLA_STATS64 + 1> attributes{};
  if (mnl_attr_parse(&message, sizeof(ifinfomsg), Keep<IFLA_STATS64 + 1>, &attributes) < 0) return;
  ifinfomsg about;
  std::memcpy(&about, mnl_nlmsg_get_payload(&message), sizeof(about));
  const std::string name = Text(attributes[IFLA_IFNAME]);
  if (name.empty()) return;
  names[about.ifi_index] = name;
  const auto add = [&](Metric metric, uint64_t value) {
    figures.push_back({.metric = metric, .device = name, .value = static_cast<double>(value)});
  };
  // Devices without a carrier, as lo, never say that they are up.
  const auto state = Struct<uint8_t>(attributes[IFLA_OPERSTATE]);
  const bool is_up = (about.ifi_flags & IFF_UP) != 0 &&
                     (!state || *state == IF_OPER_UP || *state == IF_OPER_UNKNOWN);
  add(Metric::kLinkUp, is_up ? 1 : 0);
  const auto stats = Struct<rtnl_link_stats64>(attributes[IFLA_STATS64],
                                               offsetof(rtnl_link_stats64, rx_compressed));
  if (!stats) return;
  add(Metric::kReceivedBytes, stats->rx_bytes);
  add(Metric::kReceivedPackets, stats->rx_packets);
  add(Metric::kReceiveErrors, stats->rx_errors);
  add(Metric::kReceiveDrops, stats->rx_dropped + stats->rx_missed_errors);  // as /proc/net/dev
  add(Metric::kSentBytes, stats->tx_bytes);
  add(Metric::kSentPackets, stats->tx_packets);
  add(Metric::kSendErrors, stats->tx_errors);
  add(Metric::kSendDrops, stats->tx_dropped);
}

void ReadQdisc(const nlmsghdr& message, const DeviceNames& names,
               std::vector<NetworkFigure>& figures) {
  if (message.nlmsg_type != RTM_NEWQDISC || mnl_nlmsg_get_payload_len(&message) < sizeof(tcmsg)) {
    return;
  }
  Attributes<TCA_STATS2 + 1> attributes{};
  if (mnl_attr_parse(&message, sizeof(tcmsg), Keep<TCA_STATS2 + 1>, &attributes) < 0) return;
  if (attributes[TCA_STATS2] == nullptr) return;
  Attributes<TCA_STATS_QUEUE + 1> parts{};
  if (mnl_attr_parse_nested(attributes[TCA_STATS2], Keep<TCA_STATS_QUEUE + 1>, &parts) < 0) return;
  tcmsg about;
  std::memcpy(&about, mnl_nlmsg_get_payload(&message), sizeof(about));
  const auto device = names.find(about.tcm_ifindex);
  const std::string kind = Text(attributes[TCA_KIND]);
  const auto queue = Struct<gnet_stats_queue>(parts[TCA_STATS_QUEUE]);
  if (device == names.end() || kind.empty() || kind == "noqueue" || !queue) return;
  const std::string detail = QdiscName(kind, about);
  const auto add = [&](Metric metric, uint32_t value) {
    figures.push_back({.metric = metric,
                       .device = device->second,
                       .detail = detail,
                       .value = static_cast<double>(value)});
  };
  add(Metric::kQdiscDrops, queue->drops);
  add(Metric::kQdiscOverlimits, queue->overlimits);
  add(Metric::kQdiscRequeues, queue->requeues);
  add(Metric::kQdiscBacklogBytes, queue->backlog);
  add(Metric::kQdiscBacklogPackets, queue->qlen);
}

}  // namespace kindling::agent
