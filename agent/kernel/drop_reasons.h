#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kindling::agent {

// Names of the reasons for which the running kernel drops packets. Numbers differ from kernel to
// kernel and are never kept.
class DropReasons {
 public:
  DropReasons() = default;
  // Names by value, as the kernel's types have them: of `enum skb_drop_reason` and of
  // `enum skb_drop_reason_subsys`; empty where there is no such.
  DropReasons(const std::vector<std::string>& core, const std::vector<std::string>& subsystems);

  // "netfilter_drop" of SKB_DROP_REASON_NETFILTER_DROP; of another subsystem's reason the
  // subsystem, "openvswitch". "not_specified" where the kernel gave none, "unknown" for a number
  // without a name.
  const std::string& NameOf(uint32_t reason) const;
  // The number of a reason by its plain name; 0: this kernel has none of the name.
  uint32_t NumberOf(std::string_view name) const;
  // The reason given for what is left at a socket that closes.
  uint32_t PurgeNumber() const;

 private:
  std::vector<std::string> core_;
  std::vector<std::string> subsystems_;
};

}  // namespace kindling::agent
