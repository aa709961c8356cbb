#include "agent/path/kernel_symbols.h"

#include <cinttypes>
#include <cstdio>
#include <fstream>

namespace kindling::agent {

const std::string& KernelSymbols::FunctionAt(uint64_t address) {
  if (address == 0) return none_;
  if (auto found = known_.find(address); found != known_.end()) return found->second;
  if (known_.size() >= kAddressesMax) return none_;
  return known_.emplace(address, Find(address)).first->second;
}

std::string KernelSymbols::Find(uint64_t address) const {
  std::ifstream symbols(path_);
  std::string line, best;
  uint64_t best_address = 0;
  while (std::getline(symbols, line)) {
    // "ffffffff81000000 T _stext [module]"
    uint64_t at = 0;
    char kind = 0;
    char name[128] = "";
    if (std::sscanf(line.c_str(), "%" SCNx64 " %c %127s", &at, &kind, name) != 3) continue;
    if ((kind != 't' && kind != 'T' && kind != 'W' && kind != 'w') || at == 0) continue;
    if (at > address || at < best_address) continue;
    best_address = at;
    best = name;
  }
  return best;
}

}  // namespace kindling::agent
