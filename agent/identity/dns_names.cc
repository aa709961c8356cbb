#include "agent/identity/dns_names.h"

namespace kindling::agent {

void DnsNames::Learn(std::string_view name, std::string_view address) {
  if (name.empty() || address.empty()) return;
  Entry& entry = names_[std::string(address)];
  entry.name = name;
  entry.learnt = ++learnt_;
  if (names_.size() > options_.max_names) ForgetOldHalf();
}

void DnsNames::ForgetOldHalf() {
  // Names that are in use are learnt again and again, so half the order of learning is no less than
  // half of the entries.
  const uint64_t horizon = learnt_ - options_.max_names / 2;
  absl::erase_if(names_, [horizon](const auto& entry) { return entry.second.learnt <= horizon; });
}

std::string_view DnsNames::NameOf(std::string_view address) const {
  const auto found = names_.find(address);
  return found == names_.end() ? std::string_view() : found->second.name;
}

}  // namespace kindling::agent
