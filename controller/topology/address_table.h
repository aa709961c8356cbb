#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/hash.h"
#include "model/records.h"

namespace kindling::controller {

// What one end of an edge is called.
struct EndName {
  std::string name;
  std::string kind;  // "process", "container", "unit" or "external"
  std::string host;  // empty: not known, or external
  auto operator<=>(const EndName&) const = default;

  template <typename H>
  friend H AbslHashValue(H h, const EndName& end) {
    return H::combine(std::move(h), end.name, end.kind, end.host);
  }
};

// Which workload had an address when: the bindings of one tenant and cluster.
//
// Threads: build on one, then read from any.
class AddressTable {
 public:
  // A client may have been heard before its server's binding was made; a binding counts this much
  // before its time where no earlier one is known. Never in place of an earlier one: a reused
  // address must not rename the past.
  static constexpr int64_t kHeadStartNs = int64_t{60} * 1'000'000'000;

  void Add(const model::AddressBinding& binding);

  // The workload at address:port at `time_ns`: by the exact port if there is such a binding, else
  // by one of the whole address. `observer_host` is who saw it: loopback addresses and socket paths
  // mean something on that host only.
  std::optional<EndName> Resolve(std::string_view address, uint16_t port,
                                 model::Transport transport, int64_t time_ns,
                                 std::string_view observer_host) const;

  // The hosts that ever had the address; null: none known.
  const std::set<std::string>* HostsOf(std::string_view address) const;

 private:
  struct Binding {
    int64_t first_ns;
    EndName owner;
  };
  // address, port, transport, and the host where the address means something on that host only.
  using Place = std::tuple<std::string, uint16_t, model::Transport, std::string>;

  std::optional<EndName> At(const Place& place, int64_t time_ns) const;

  std::map<Place, std::vector<Binding>> places_;  // each sorted by first_ns
  base::StringMap<std::set<std::string>> hosts_;
};

// "10.0.0.1" for "::ffff:10.0.0.1", else the address itself.
std::string_view PlainAddress(std::string_view address);

// 127.0.0.0/8, ::1, a socket path, or no address at all.
bool IsHostLocal(std::string_view address);

// "10.0.0.1:80", "[fe80::1]:80", "/run/x.sock", "10.0.0.1" for port 0.
std::string AddressText(std::string_view address, uint16_t port);

}  // namespace kindling::controller
