#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
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
// Private addresses are given out again on every host and in every network namespace: 172.17.0.2 is
// somebody else on each. So an address is looked for on the host of who saw it first, and on others
// only while nothing says that there is more than one of it. What stays in doubt has no name.
//
// Threads: build on one, then read from any.
class AddressTable {
 public:
  // A client may have been heard before its server's binding was made; a binding counts this much
  // before its time where no earlier one is known. Never in place of an earlier one: a reused
  // address must not rename the past.
  static constexpr int64_t kHeadStartNs = int64_t{60} * 1'000'000'000;
  // Where an address goes from one workload to another and back within this time, two namespaces of
  // a host have it at once.
  static constexpr int64_t kAlternatingNs = int64_t{600} * 1'000'000'000;

  void Add(const model::AddressBinding& binding);

  // The workload at address:port at `time_ns`: by the exact port if there is such a binding, else
  // by one of the whole address. `observer_host` is who saw it. Null where it is not known, or
  // where it could be any of several.
  std::optional<EndName> Resolve(std::string_view address, uint16_t port,
                                 model::Transport transport, int64_t time_ns,
                                 std::string_view observer_host) const;

  // Times from which on Resolve gives what it did not before, after `from_ns`, ascending. Null when
  // there are more than `most`.
  std::optional<std::vector<int64_t>> ChangesOf(std::string_view address, uint16_t port,
                                                model::Transport transport, int64_t from_ns,
                                                size_t most) const;

  // The stretch of time around `time_ns`, its end excluded, in which Resolve gives the same;
  // perhaps not all of it.
  std::pair<int64_t, int64_t> UnchangedAround(std::string_view address, uint16_t port,
                                              model::Transport transport, int64_t time_ns) const;

  // The hosts that ever had the address; null: none known.
  const std::set<std::string>* HostsOf(std::string_view address) const;
  // False for an address that means something on one host only, or that several hosts have.
  bool IsUnique(std::string_view address) const;
  // Whether any of `workloads` ever had an address on `host`.
  bool RunsAny(const std::string& host, const std::set<std::string>& workloads) const;

 private:
  struct Binding {
    int64_t first_ns;
    EndName owner;
  };
  using Bindings = std::vector<Binding>;  // sorted by first_ns
  using Place = std::tuple<std::string, uint16_t, model::Transport>;
  // By host: what each says of the place.
  using Claims = std::map<std::string, Bindings, std::less<>>;

  enum class Doubt : uint8_t { kNotKnown, kAmbiguous };
  struct Answer {
    std::optional<Binding> found;
    Doubt doubt = Doubt::kNotKnown;
  };
  static Answer At(const Bindings& bindings, int64_t time_ns);
  Answer Lookup(const Place& place, int64_t time_ns, std::string_view observer_host) const;
  Answer AmongHosts(const Claims& claims, const std::string& address, int64_t time_ns) const;

  std::map<Place, Claims> places_;
  base::StringMap<std::set<std::string>> hosts_;      // by address
  base::StringMap<std::set<std::string>> workloads_;  // by host
};

// "10.0.0.1" for "::ffff:10.0.0.1", else the address itself.
std::string_view PlainAddress(std::string_view address);

// Means something on its host only: 127.0.0.0/8, ::1, link-local (169.254.0.0/16, fe80::/10), a
// socket path, or no address at all.
bool IsHostLocal(std::string_view address);

// Of a range that anyone may use (RFC 1918, RFC 6598, RFC 4193): two hosts can have it at once.
bool IsPrivate(std::string_view address);

// "10.0.0.1:80", "[fe80::1]:80", "/run/x.sock", "10.0.0.1" for port 0.
std::string AddressText(std::string_view address, uint16_t port);

}  // namespace kindling::controller
