#include "controller/packets/packet_places.h"

#include <arpa/inet.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_format.h"
#include "base/packet_filter.h"
#include "base/status_macros.h"
#include "base/suggest.h"
#include "controller/query/flow_cache.h"
#include "controller/query/loaded_edges.h"
#include "controller/topology/address_table.h"
#include "storage/flow_run.h"

namespace kindling::controller {
namespace {

// More addresses than these, and the filter names servers only; more than these of servers, none.
constexpr size_t kMaxPlaces = 200;
constexpr size_t kMaxFlows = 200'000;
constexpr uint32_t kAnySnap = 1;  // for a filter that is only compiled

// Where packets go.
struct Place {
  model::Transport transport = model::Transport::kUnknown;
  std::string server;
  uint16_t port = 0;
  std::string client;  // empty: any
  auto operator<=>(const Place&) const = default;
};
using Places = std::set<Place>;

// What agents call an address, if it is one.
std::string AddressOf(std::string_view text) {
  const std::string plain(PlainAddress(text));
  in6_addr parsed;
  const bool is_address = inet_pton(AF_INET, plain.c_str(), &parsed) == 1 ||
                          inet_pton(AF_INET6, plain.c_str(), &parsed) == 1;
  return is_address ? plain : "";
}

std::string TextOf(const Place& place) {
  std::string text = absl::StrFormat("(host %s", place.server);
  if (!place.client.empty()) absl::StrAppendFormat(&text, " and host %s", place.client);
  if (place.port != 0)
    absl::StrAppendFormat(&text, " and %s port %d", Name(place.transport), place.port);
  return text + ")";
}

// What was seen of the ends that are asked for.
class Seen {
 public:
  explicit Seen(const PacketEnds& wanted) : wanted_(wanted) {}

  void Add(const storage::SpanEnds& seen, const EdgeGroups::Ends& names) {
    names_.insert(names.client.name);
    names_.insert(names.server.name);
    if (!IsWanted(names)) return;
    found_ = true;
    Place place{.transport = seen.transport,
                .server = AddressOf(seen.server.address),
                .port = seen.server.port,
                .client = AddressOf(seen.client.address)};
    if (place.server.empty() || seen.transport == model::Transport::kUnix) return;
    // All that a service is asked is its, from whatever address.
    if (names.server.name == wanted_.service) place.client.clear();
    const std::string& observer =
        seen.side == model::Side::kClient ? seen.client.host : seen.server.host;
    if (IsHostLocal(place.server)) {
      local_[observer].insert(place);
      return;
    }
    everywhere_.insert(place);
    for (const std::string& host : {observer, names.client.host, names.server.host}) {
      if (!host.empty()) local_[host];
    }
  }

  bool found() const { return found_; }
  const std::set<std::string>& names() const { return names_; }

  // By host; none where it was nothing but sockets of one host.
  std::map<std::string, Places> ByHost() const {
    std::map<std::string, Places> all = local_;
    for (auto& [host, places] : all) places.insert(everywhere_.begin(), everywhere_.end());
    return all;
  }

 private:
  bool IsWanted(const EdgeGroups::Ends& names) const {
    if (!wanted_.service.empty()) {
      return names.client.name == wanted_.service || names.server.name == wanted_.service;
    }
    return names.client.name == wanted_.client && names.server.name == wanted_.server;
  }

  const PacketEnds& wanted_;
  bool found_ = false;
  std::set<std::string> names_;
  std::map<std::string, Places> local_;  // by host
  Places everywhere_;
};

std::string Describe(const PacketEnds& ends) {
  return ends.service.empty() ? absl::StrFormat("the edge from %s to %s", ends.client, ends.server)
                              : "service " + ends.service;
}

absl::Status NothingSeen(const PacketEnds& ends, const std::set<std::string>& names) {
  const std::vector<std::string> known(names.begin(), names.end());
  std::string hint;
  for (const std::string& name : {ends.service, ends.client, ends.server}) {
    if (!name.empty() && !names.contains(name) && hint.empty()) {
      hint = base::DidYouMean(name, known);
    }
  }
  return absl::NotFoundError(absl::StrFormat(
      "nothing was seen of %s in that time%s; \"kindlingctl get edges\" lists names, --since looks "
      "further back",
      Describe(ends), hint));
}

absl::StatusOr<std::string> FilterOf(const PacketEnds& ends, Places places,
                                     const std::string& filter) {
  if (places.size() > kMaxPlaces) {
    Places of_servers;
    for (Place place : places) {
      place.client.clear();
      of_servers.insert(std::move(place));
    }
    places = std::move(of_servers);
  }
  std::string text;
  for (const Place& place : places) text += (text.empty() ? "" : " or ") + TextOf(place);
  if (!filter.empty()) text = absl::StrFormat("(%s) and (%s)", text, filter);
  if (places.size() > kMaxPlaces || !base::CompilePacketFilter(text, kAnySnap).ok()) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "%s is at %d places, more than a packet filter holds: ask for less time, or "
        "name addresses with --filter",
        Describe(ends), places.size()));
  }
  return text;
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> PacketFiltersFor(const QueryContext& context,
                                                                    const PacketEnds& ends,
                                                                    const Range& range,
                                                                    const std::string& filter) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const NamedFlows> flows,
                   context.sources.flows.Get(context, range));
  Seen seen(ends);
  absl::flat_hash_set<storage::SpanEnds> known;
  RETURN_IF_ERROR(context.sources.store
                      .QueryFlows({.tenant = context.caller.tenant,
                                   .cluster = context.caller.cluster,
                                   .start_ns = flows->range().start_ns,
                                   .end_ns = flows->range().end_ns,
                                   .step_ns = WindowsFor(flows->range()),
                                   .cancelled = context.cancelled},
                                  [&](const storage::FlowRun& run) {
                                    if (!known.insert(run.ends).second) return true;
                                    if (known.size() > kMaxFlows) return false;
                                    for (const auto& names : *flows->PossibleNames(run.ends)) {
                                      seen.Add(run.ends, names);
                                    }
                                    return true;
                                  })
                      .status());
  if (known.size() > kMaxFlows) {
    return absl::ResourceExhaustedError("too many edges: ask for less time");
  }
  if (!seen.found()) return NothingSeen(ends, seen.names());
  std::map<std::string, std::string> filters;
  for (auto& [host, places] : seen.ByHost()) {
    ASSIGN_OR_RETURN(filters[host], FilterOf(ends, std::move(places), filter));
  }
  if (filters.empty()) {
    return absl::NotFoundError(absl::StrFormat(
        "%s speaks through sockets of its host only: that has no packets", Describe(ends)));
  }
  return filters;
}

}  // namespace kindling::controller
