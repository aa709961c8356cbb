#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/hash.h"

namespace kindling::agent {

// The name under which an address was last resolved, learnt from DNS answers on the wire.
//
// Threads: the capture thread only.
// Limits:  Options::max_names; at the bound the half that was learnt longest ago is forgotten.
class DnsNames {
 public:
  struct Options {
    size_t max_names = 20'000;
  };
  explicit DnsNames(const Options& options) : options_(options) {}

  void Learn(std::string_view name, std::string_view address);
  // "" when the address was never resolved.
  std::string_view NameOf(std::string_view address) const;

 private:
  struct Entry {
    std::string name;
    uint64_t learnt = 0;  // order of learning
  };
  void ForgetOldHalf();

  const Options options_;
  base::StringMap<Entry> names_;
  uint64_t learnt_ = 0;
};

}  // namespace kindling::agent
