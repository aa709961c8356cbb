#include "agent/protocols/dns/resolution.h"

#include <algorithm>

namespace kindling::agent::dns {

std::optional<Resolution> ResolutionOf(const Record& record) {
  Resolution resolution;
  std::string_view list;
  for (const auto& [name, value] : record.attributes) {
    if (name == kQuestionNameAttribute) resolution.name = value;
    if (name == kAnswersAttribute) list = value;
  }
  while (!list.empty()) {
    const std::string_view address = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), address.size() + 1));
    if (!address.empty()) resolution.addresses.push_back(address);
  }
  if (resolution.name.empty() || resolution.addresses.empty()) return std::nullopt;
  return resolution;
}

}  // namespace kindling::agent::dns
