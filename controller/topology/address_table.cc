#include "controller/topology/address_table.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_format.h"

namespace kindling::controller {
namespace {

constexpr std::string_view kMapped = "::ffff:";

bool IsAny(std::string_view address) { return address == "0.0.0.0" || address == "::"; }

struct Network {
  std::array<uint8_t, 2> prefix;
  int bits;
  int family;
};
constexpr std::array<Network, 2> kLinkLocal = {
    {{{169, 254}, 16, AF_INET}, {{0xfe, 0x80}, 10, AF_INET6}}};
constexpr std::array<Network, 5> kPrivate = {{{{10, 0}, 8, AF_INET},
                                              {{172, 16}, 12, AF_INET},
                                              {{192, 168}, 16, AF_INET},
                                              {{100, 64}, 10, AF_INET},
                                              {{0xfc, 0}, 7, AF_INET6}}};

template <size_t N>
bool Within(std::string_view address, const std::array<Network, N>& networks) {
  const std::string text(address);
  std::array<uint8_t, sizeof(in6_addr)> bytes = {};
  int family = AF_INET;
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) != 1) {
    family = AF_INET6;
    if (inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return false;
  }
  const uint32_t head = bytes[0] << 8 | bytes[1];
  return std::any_of(networks.begin(), networks.end(), [&](const Network& network) {
    const uint32_t prefix = network.prefix[0] << 8 | network.prefix[1];
    return network.family == family && head >> (16 - network.bits) == prefix >> (16 - network.bits);
  });
}

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
  if (address.find_first_of("/@") != std::string_view::npos) return true;
  return Within(address, kLinkLocal);
}

bool IsPrivate(std::string_view address) { return Within(PlainAddress(address), kPrivate); }

std::string AddressText(std::string_view address, uint16_t port) {
  if (port == 0) return std::string(address);
  if (address.find(':') != std::string_view::npos) return absl::StrFormat("[%s]:%d", address, port);
  return absl::StrFormat("%s:%d", address, port);
}

void AddressTable::Add(const model::AddressBinding& binding) {
  const std::string address(PlainAddress(binding.address));
  if (address.empty()) return;
  const bool is_place = !IsHostLocal(address) && !IsAny(address);
  if (!binding.host.empty() && is_place) hosts_[address].insert(binding.host);
  if (binding.workload.empty()) return;
  workloads_[binding.host].insert(binding.workload);
  Bindings& bindings = places_[{address, binding.port, binding.transport}][binding.host];
  const auto at = std::upper_bound(
      bindings.begin(), bindings.end(), binding.first_ns,
      [](int64_t time_ns, const Binding& other) { return time_ns < other.first_ns; });
  bindings.insert(at, {binding.first_ns, {binding.workload, binding.workload_kind, binding.host}});
}

AddressTable::Answer AddressTable::At(const Bindings& bindings, int64_t time_ns) {
  auto now = std::upper_bound(bindings.begin(), bindings.end(), time_ns,
                              [](int64_t time, const Binding& b) { return time < b.first_ns; });
  if (now != bindings.begin()) {
    --now;
  } else if (now == bindings.end() || now->first_ns - kHeadStartNs > time_ns) {
    return {};
  }
  const size_t index = now - bindings.begin();
  // A, B, A around it.
  for (size_t first = index < 2 ? 0 : index - 2; first <= index && first + 2 < bindings.size();
       ++first) {
    const Binding& before = bindings[first];
    const Binding& after = bindings[first + 2];
    if (before.owner == after.owner && before.owner != bindings[first + 1].owner &&
        after.first_ns - before.first_ns <= kAlternatingNs) {
      return {.doubt = Doubt::kAmbiguous};
    }
  }
  return {.found = *now};
}

AddressTable::Answer AddressTable::AmongHosts(const Claims& claims, const std::string& address,
                                              int64_t time_ns) const {
  // One that cannot be in two places at once has moved: the later binding is right.
  const bool moves = !IsPrivate(address);
  const auto is_early = [&](const Binding& b) { return b.first_ns > time_ns; };
  const auto is_later = [&](const Binding& a, const Binding& b) {
    return is_early(a) == is_early(b) ? a.first_ns > b.first_ns : is_early(b);
  };
  Answer answer;
  for (const auto& [host, bindings] : claims) {
    const Answer here = At(bindings, time_ns);
    if (!here.found) {
      if (here.doubt == Doubt::kAmbiguous) return here;
      continue;
    }
    if (!answer.found || (moves && is_later(*here.found, *answer.found))) {
      answer.found = here.found;
    } else if (!moves && answer.found->owner.name != here.found->owner.name) {
      return {.doubt = Doubt::kAmbiguous};
    } else if (!moves) {
      answer.found->owner.host.clear();  // the same workload on either
    }
  }
  if (!answer.found || moves || IsUnique(address)) return answer;
  // Of the other hosts that have this address nothing is known at this port.
  const std::set<std::string>* hosts = HostsOf(address);
  const bool all_claim = std::all_of(hosts->begin(), hosts->end(), [&](const std::string& host) {
    return claims.find(host) != claims.end();
  });
  return all_claim ? answer : Answer{.doubt = Doubt::kAmbiguous};
}

AddressTable::Answer AddressTable::Lookup(const Place& place, int64_t time_ns,
                                          std::string_view observer_host) const {
  const auto it = places_.find(place);
  if (it == places_.end()) return {};
  const Claims& claims = it->second;
  if (const auto own = claims.find(observer_host); own != claims.end()) {
    Answer answer = At(own->second, time_ns);
    if (answer.found || answer.doubt == Doubt::kAmbiguous) return answer;
  }
  const std::string& address = std::get<std::string>(place);
  if (IsHostLocal(address) || IsAny(address)) return {};
  // The observer's host has this address itself, though not at this port.
  const std::set<std::string>* hosts = HostsOf(address);
  if (hosts != nullptr && hosts->contains(std::string(observer_host)) && IsPrivate(address)) {
    return {};
  }
  return AmongHosts(claims, address, time_ns);
}

std::optional<EndName> AddressTable::Resolve(std::string_view address, uint16_t port,
                                             model::Transport transport, int64_t time_ns,
                                             std::string_view observer_host) const {
  const std::string plain(PlainAddress(address));
  if (plain.empty()) return std::nullopt;
  for (const uint16_t at_port : {port, uint16_t{0}}) {
    for (const model::Transport at : {transport, model::Transport::kUnknown}) {
      const Answer answer = Lookup({plain, at_port, at}, time_ns, observer_host);
      if (answer.found) return answer.found->owner;
      if (answer.doubt == Doubt::kAmbiguous) return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<std::vector<int64_t>> AddressTable::ChangesOf(std::string_view address, uint16_t port,
                                                            model::Transport transport,
                                                            int64_t from_ns, size_t most) const {
  std::set<int64_t> times;
  const std::string plain(PlainAddress(address));
  for (const uint16_t at_port : {port, uint16_t{0}}) {
    for (const model::Transport at : {transport, model::Transport::kUnknown}) {
      const auto place = places_.find({plain, at_port, at});
      if (place == places_.end()) continue;
      for (const auto& [host, bindings] : place->second) {
        for (auto binding = std::upper_bound(
                 bindings.begin(), bindings.end(), from_ns,
                 [](int64_t time_ns, const Binding&b) { return time_ns < b.first_ns; });
             binding != bindings.end(); ++binding) {
          times.insert(binding->first_ns);
          // Where no earlier one is known; others that are later do not come into it yet.
          const int64_t head_ns = binding->first_ns - kHeadStartNs;
          if (head_ns > from_ns) times.insert(head_ns);
          if (times.size() > most) return std::nullopt;
        }
      }
    }
  }
  return std::vector<int64_t>(times.begin(), times.end());
}

std::pair<int64_t, int64_t> AddressTable::UnchangedAround(std::string_view address, uint16_t port,
                                                          model::Transport transport,
                                                          int64_t time_ns) const {
  constexpr size_t kMost = 64;
  const auto changes = ChangesOf(address, port, transport, INT64_MIN, kMost);
  if (!changes) return {time_ns, time_ns + 1};
  const auto next = std::upper_bound(changes->begin(), changes->end(), time_ns);
  return {next == changes->begin() ? INT64_MIN : *(next - 1),
          next == changes->end() ? INT64_MAX : *next};
}

const std::set<std::string>* AddressTable::HostsOf(std::string_view address) const {
  const auto it = hosts_.find(PlainAddress(address));
  return it == hosts_.end() ? nullptr : &it->second;
}

bool AddressTable::IsUnique(std::string_view address) const {
  if (IsHostLocal(address)) return false;
  const std::set<std::string>* hosts = HostsOf(address);
  return hosts == nullptr || hosts->size() <= 1;
}

bool AddressTable::RunsAny(const std::string& host, const std::set<std::string>& workloads) const {
  const auto it = workloads_.find(host);
  if (it == workloads_.end()) return false;
  return std::any_of(workloads.begin(), workloads.end(),
                     [&](const std::string& name) { return it->second.contains(name); });
}

}  // namespace kindling::controller
