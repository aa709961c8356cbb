#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/kernel/path_source.h"
#include "agent/path/kernel_symbols.h"
#include "agent/path/netns_names.h"
#include "model/packet_path.h"

namespace kindling::agent {

// Puts names to what the kernel tells in numbers: namespaces, devices, reasons, functions.
//
// Threads: one.
// Limits:  kDevicesMax names of devices are kept.
class PathNames {
 public:
  static constexpr size_t kDevicesMax = 4096;

  struct Options {
    std::string node;
    std::vector<std::string> netns_paths;   // of the scope
    std::vector<std::string> drop_reasons;  // of this kernel's enum skb_drop_reason, by number
  };
  PathNames(Options options, NetnsNames netns, KernelSymbols symbols);

  // `wall_minus_boot_ns` turns the time of one clock to that of the other.
  model::PathHop Name(const KernelHop& hop, int64_t wall_minus_boot_ns);

 private:
  std::string DeviceOf(const KernelHop& hop);
  std::string ReasonOf(uint32_t reason) const;
  std::string LocationOf(const KernelHop& hop, const std::string& reason);

  const Options options_;
  NetnsNames netns_;
  KernelSymbols symbols_;
  std::map<std::pair<uint32_t, uint32_t>, std::string> devices_;  // by namespace and index
};

// "netfilter_drop" of SKB_DROP_REASON_NETFILTER_DROP.
std::string DropReasonName(std::string_view name);
// "destination unreachable: fragmentation needed" of an ICMP error's type << 8 | code.
std::string IcmpErrorName(uint32_t type_and_code);

}  // namespace kindling::agent
