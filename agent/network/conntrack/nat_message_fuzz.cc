#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "agent/network/conntrack/nat_message.h"

// The first byte is the kind of the message, the rest its body.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // Words, so that the end is where aligned messages end.
  std::vector<uint32_t> words((sizeof(nlmsghdr) + size - 1 + 3) / 4);
  auto& message = *reinterpret_cast<nlmsghdr*>(words.data());
  message.nlmsg_len = static_cast<uint32_t>(sizeof(nlmsghdr) + size - 1);
  message.nlmsg_type = static_cast<uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | data[0] % 8);
  std::copy(data + 1, data + size, reinterpret_cast<uint8_t*>(words.data()) + sizeof(nlmsghdr));
  kindling::agent::ReadNatMessage(message);
  return 0;
}
