#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace kindling::agent {

// The kernel's functions by an address within: what /proc/kallsyms says, read anew for each address
// that is not known yet, for the whole table would take more room than all else.
//
// Threads: one.
// Limits:  kAddressesMax addresses; any more have no name.
class KernelSymbols {
 public:
  static constexpr size_t kAddressesMax = 256;

  explicit KernelSymbols(std::string path = "/proc/kallsyms") : path_(std::move(path)) {}

  // "nf_hook_slow"; "" where the kernel does not say (kernel.kptr_restrict) or there is none.
  const std::string& FunctionAt(uint64_t address);

 private:
  std::string Find(uint64_t address) const;

  const std::string path_;
  std::map<uint64_t, std::string> known_;
  const std::string none_;
};

}  // namespace kindling::agent
