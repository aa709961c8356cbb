#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kindling::agent::dns {

inline constexpr size_t kMaxNameLabels = 6;
inline constexpr size_t kMaxTemplatedNameBytes = 100;

// `name`, as in Message, with what has unbounded values taken out; a function of the bytes alone.
// Labels that are mostly digits or very long become "*", several such one after another become one,
// and of more than kMaxNameLabels labels the first become "*":
//
//   10-244-0-17.default.pod.cluster.local  ->  *.default.pod.cluster.local
//   4.3.2.1.in-addr.arpa                   ->  *.in-addr.arpa
std::string TemplatedName(std::string_view name);

}  // namespace kindling::agent::dns
