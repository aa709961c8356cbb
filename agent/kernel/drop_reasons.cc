#include "agent/kernel/drop_reasons.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace kindling::agent {
namespace {

constexpr uint32_t kSubsystemShift = 16;  // SKB_DROP_REASON_SUBSYS_SHIFT

std::string Plain(std::string_view name) {
  for (const std::string_view prefix : {"SKB_DROP_REASON_", "SUBSYS_", "SKB_"}) {
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  }
  std::string text(name);
  for (char& c : text) c = absl::ascii_tolower(static_cast<unsigned char>(c));
  return text;
}

}  // namespace

DropReasons::DropReasons(const std::vector<std::string>& core,
                         const std::vector<std::string>& subsystems) {
  for (const std::string& name : core) core_.push_back(Plain(name));
  for (const std::string& name : subsystems) subsystems_.push_back(Plain(name));
}

uint32_t DropReasons::NumberOf(std::string_view name) const {
  const auto found = std::ranges::find(core_, name);
  return found == core_.end() ? 0 : static_cast<uint32_t>(found - core_.begin());
}

uint32_t DropReasons::PurgeNumber() const {
  const uint32_t own = NumberOf("queue_purge");  // since 6.8
  return own != 0 ? own : NumberOf("not_specified");
}

const std::string& DropReasons::NameOf(uint32_t reason) const {
  static const std::string kUnspecified = "not_specified";
  static const std::string kUnknown = "unknown";
  if (reason == 0) return kUnspecified;
  const uint32_t subsystem = reason >> kSubsystemShift;
  const std::vector<std::string>& names = subsystem == 0 ? core_ : subsystems_;
  const uint32_t index = subsystem == 0 ? reason : subsystem;
  return index < names.size() && !names[index].empty() ? names[index] : kUnknown;
}

}  // namespace kindling::agent
