#include <linux/netlink.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "agent/network/host/link_messages.h"
#include "agent/network/host/local_ports.h"
#include "agent/network/host/proc_net.h"

// The first byte says what the rest is: text, or the body of a message of one of three types.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace agent = kindling::agent;
  if (size == 0) return 0;
  std::vector<agent::NetworkFigure> figures;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 4 == 0) {
    agent::ReadSockets(text, figures);
    agent::ReadSocketMemory(text, text, text, 4096, figures);
    agent::ReadProtocolCounters(text, figures);
    agent::ReadSoftnet(text, figures);
    agent::ReadConntrackCounters(text, figures);
    agent::ReadNumber(text, agent::NetworkFigure().metric, figures);
    agent::ReadPortRange(text);
    return 0;
  }
  // Words, so that the end is where aligned messages end.
  std::vector<uint32_t> words((sizeof(nlmsghdr) + text.size() + 3) / 4);
  auto& message = *reinterpret_cast<nlmsghdr*>(words.data());
  message.nlmsg_len = static_cast<uint32_t>(sizeof(nlmsghdr) + text.size());
  constexpr uint16_t kTypes[] = {16, 36, 20};  // RTM_NEWLINK, RTM_NEWQDISC, SOCK_DIAG_BY_FAMILY
  message.nlmsg_type = kTypes[data[0] % 4 - 1];
  std::ranges::copy(text, reinterpret_cast<char*>(words.data()) + sizeof(nlmsghdr));
  agent::DeviceNames names{{1, "lo"}};
  agent::ReadLink(message, names, figures);
  agent::ReadQdisc(message, names, figures);
  agent::LocalPorts ports({.first = 1, .last = UINT16_MAX});
  ports.Add(message);
  ports.WriteTo(figures);
  return 0;
}
