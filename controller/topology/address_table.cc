#include "controller/topology/address_table.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace kindling::controller {
namespace {

constexpr std::string_view kMapped = "::ffff:";

bool IsAny(std::string_view address) { return address == "0.0.0.0" || address == "::"; }

}  // namespace

std::string_view PlainAddress(std::string_view address) {
  if (address.starts_with(kMapped) && address.find('.') != std::string_view::npos) {
    return address.substr(kMapped.size());
  }
  return address;
}

bool IsHostLocal(std::string_view address) {
  address = PlainAddress(address);
  if (address.empty() || address == "::1" || address.starts_with("127.")) return true;
  return address.find_first_of("/@") != std::string_view::npos;
}

std::string AddressText(std::string_view address, uint16_t port) {
  if (port == 0) return std::string(address);
  if (address.find(':') != std::string_view::npos) return absl::StrFormat("[%s]:%d", address, port);
  return absl::StrFormat("%s:%d", address, port);
}

void AddressTable::Add(const model::AddressBinding& binding) {
  const std::string address(PlainAddress(binding.address));
  if (address.empty()) return;
  const bool local = IsHostLocal(address) || IsAny(address);
  if (!binding.host.empty() && !local) hosts_[address].insert(binding.host);
  if (binding.workload.empty()) return;
  std::vector<Binding>& bindings =
      places_[{address, binding.port, binding.transport, local ? binding.host : std::string()}];
  const auto at = std::upper_bound(
      bindings.begin(), bindings.end(), binding.first_ns,
      [](int64_t time_ns, const Binding& other) { return time_ns < other.first_ns; });
  bindings.insert(at, {binding.first_ns, {binding.workload, binding.workload_kind, binding.host}});
}

std::optional<EndName> AddressTable::At(const Place& place, int64_t time_ns) const {
  const auto it = places_.find(place);
  if (it == places_.end()) return std::nullopt;
  const std::vector<Binding>& bindings = it->second;
  const auto after =
      std::upper_bound(bindings.begin(), bindings.end(), time_ns,
                       [](int64_t time, const Binding& other) { return time < other.first_ns; });
  if (after != bindings.begin()) return std::prev(after)->owner;
  if (after->first_ns - kHeadStartNs <= time_ns) return after->owner;
  return std::nullopt;
}

std::optional<EndName> AddressTable::Resolve(std::string_view address, uint16_t port,
                                             model::Transport transport, int64_t time_ns,
                                             std::string_view observer_host) const {
  const std::string plain(PlainAddress(address));
  if (plain.empty()) return std::nullopt;
  const std::string host(IsHostLocal(plain) ? observer_host : std::string_view());
  const auto lookup = [&](uint16_t at_port) -> std::optional<EndName> {
    if (auto found = At({plain, at_port, transport, host}, time_ns)) return found;
    return At({plain, at_port, model::Transport::kUnknown, host}, time_ns);
  };
  if (port != 0) {
    if (auto found = lookup(port)) return found;
  }
  return lookup(0);
}

const std::set<std::string>* AddressTable::HostsOf(std::string_view address) const {
  const auto it = hosts_.find(PlainAddress(address));
  return it == hosts_.end() ? nullptr : &it->second;
}

}  // namespace kindling::controller
