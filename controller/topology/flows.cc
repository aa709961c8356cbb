#include "controller/topology/flows.h"

#include <algorithm>
#include <utility>

namespace kindling::controller {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kWindowNs = 10 * kSecondNs;
// The newest windows may still be on their way from one side.
constexpr int64_t kRaggedEndNs = 30 * kSecondNs;
// Of the requests in windows at the ends of the range, so many may be in the other side's windows
// beyond them.
constexpr uint64_t kAcrossTheEnd = 10;  // 1 / 10

uint64_t Difference(uint64_t a, uint64_t b) { return a > b ? a - b : b - a; }
uint64_t Beyond(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

void Merge(const Slots& from, Slots& into) {
  for (const auto& [slot, tally] : from) {
    into[slot].count += tally.count;
    into[slot].lost += tally.lost;
  }
}

}  // namespace

Flows::Flows(const AddressTable& table, int64_t start_ns, int64_t end_ns)
    : table_(table),
      start_ns_(start_ns),
      end_ns_(end_ns),
      slot_ns_(((std::max<int64_t>(end_ns - start_ns, 1) - 1) / (kMaxSlots * kWindowNs) + 1) *
               kWindowNs) {}

uint32_t Flows::SlotOf(int64_t window_start_ns) const {
  const int64_t slot = (window_start_ns - start_ns_) / slot_ns_;
  return static_cast<uint32_t>(std::clamp<int64_t>(slot, 0, kMaxSlots));
}

uint32_t Flows::NumberOf(const std::string& text) {
  return numbers_.try_emplace(text, static_cast<uint32_t>(numbers_.size())).first->second;
}

Flows::Flow& Flows::FlowOf(const storage::SpanEnds& ends, const EndName& client,
                           const std::string& server, bool is_remote) {
  const std::string& host = ends.side == model::Side::kServer ? ends.server.host : ends.client.host;
  const std::string address(PlainAddress(ends.client.address));
  const uint32_t client_number = NumberOf(client.name);
  const uint32_t server_number = NumberOf(server);
  Flow& flow = flows_[{ends.side,
                       {client_number, NumberOf(client.kind), NumberOf(client.host),
                        NumberOf(address), NumberOf(host), server_number},
                       ends.protocol,
                       ends.transport}];
  if (flow.reported_ns != nullptr) return flow;
  flow.side = ends.side;
  flow.client = client;
  flow.address = address;
  flow.host = host;
  flow.server = server;
  flow.client_number = client_number;
  flow.server_number = server_number;
  flow.protocol = ends.protocol;
  flow.transport = ends.transport;
  flow.is_remote = is_remote;
  flow.reported_ns = &reported_ns_[host];
  return flow;
}

void Flows::Count(const storage::FlowRow& row, Flow& flow) {
  const int64_t window_ns = std::max<int64_t>(row.window_ns, 0);
  if (first_ns_ == 0 || row.window_start_ns < first_ns_) first_ns_ = row.window_start_ns;
  last_ns_ = std::max(last_ns_, row.window_start_ns + window_ns);
  *flow.reported_ns = std::max(*flow.reported_ns, row.window_start_ns);
  // Of a protocol that is not parsed the connections are what can be compared.
  const uint64_t count =
      row.count + (flow.protocol == model::Protocol::kUnknown ? row.connections : 0);
  Tally& tally = flow.slots[SlotOf(row.window_start_ns)];
  tally.count += count;
  tally.lost += row.lost;
  flow.count += count;
  flow.lost += row.lost;
  const bool is_latest = row.window_start_ns + window_ns > end_ns_ - kRaggedEndNs;
  if (is_latest) flow.latest[row.window_start_ns] += count;
  if (is_latest || row.window_start_ns < start_ns_ + window_ns) flow.ragged += count;
}

Flows::OriginKey Flows::OriginKeyOf(const std::string& address, const std::string& server_host,
                                    ServerKey server) const {
  return {address, table_.IsUnique(address) ? "" : server_host, std::move(server)};
}

bool Flows::MayCallFrom(const Flow& caller, const OriginKey& place) const {
  const auto& [address, scope, server] = place;
  if (!scope.empty() && caller.host != scope) return false;
  if (caller.address == address) return true;
  const std::set<std::string>* hosts = table_.HostsOf(address);
  if (hosts == nullptr || !hosts->contains(caller.host)) return false;
  // From a host that has the address: with an address that is not known, or with one that this
  // server never saw, so that it was translated on the way.
  return caller.address.empty() || (scope.empty() && hosts->size() == 1 &&
                                    !origins_.contains(OriginKeyOf(caller.address, "", server)));
}

void Flows::FindOrigin(const OriginKey& key, const std::vector<Flow*>& seen) {
  Origin& origin = origins_[key];
  const auto candidates = callers_.find(NumberOf(*seen.front()));
  std::vector<Flow*> callers;
  if (candidates != callers_.end()) {
    for (Flow* caller : candidates->second) {
      if (MayCallFrom(*caller, key)) callers.push_back(caller);
    }
  }
  std::tie(origin.server, origin.protocol, origin.transport) = std::get<ServerKey>(key);
  origin.address = std::get<0>(key);
  uint64_t ragged = 0;
  for (const Flow* flow : seen) {
    origin.count += flow->count;
    origin.lost += flow->lost;
    ragged += flow->ragged;
  }
  uint64_t unclaimed = 0;
  uint64_t lost = 0;
  int64_t reported_ns = INT64_MAX;
  for (const Flow* caller : callers) {
    origin.callers.insert(caller->client);
    origin.caller_count += caller->count;
    unclaimed += caller->unclaimed;
    lost += caller->lost;
    reported_ns = std::min(reported_ns, *caller->reported_ns);
  }
  if (callers.empty()) return;
  // What the callers' agents have not told yet is theirs until they do.
  uint64_t untold = 0;
  for (const Flow* flow : seen) {
    for (const auto& [window_ns, count] : flow->latest) {
      if (window_ns > reported_ns) untold += count;
    }
  }
  const uint64_t theirs = unclaimed + lost;
  if (origin.count > theirs + untold + ragged / kAcrossTheEnd) {
    origin.outside = origin.count - theirs;
  }
  uint64_t left = origin.count - origin.outside;
  for (Flow* caller : callers) {
    const uint64_t taken = std::min(left, caller->unclaimed);
    caller->unclaimed -= taken;
    left -= taken;
  }
  callers_of_[key] = std::move(callers);
}

void Flows::FindOrigins() {
  std::map<OriginKey, std::vector<Flow*>> seen;
  for (auto& [key, flow] : flows_) {
    if (flow.is_remote) {
      seen[OriginKeyOf(flow.address, flow.host, ServerOf(flow))].push_back(&flow);
    } else if (flow.side == model::Side::kClient) {
      flow.unclaimed = flow.count;
      callers_[NumberOf(flow)].push_back(&flow);
    }
  }
  // Who comes first matters where an address is shared.
  for (auto& [server, callers] : callers_) {
    std::sort(callers.begin(), callers.end(), [](const Flow* a, const Flow* b) {
      return std::tie(a->client, a->address, a->host) < std::tie(b->client, b->address, b->host);
    });
  }
  for (const auto& [key, flows] : seen) origins_[key];  // so that each knows of the others
  for (const auto& [key, flows] : seen) FindOrigin(key, flows);
  for (auto& [key, origin] : origins_) {
    if (origin.callers.size() < 2 || origin.outside > 0) continue;
    uint64_t missing = 0;
    uint64_t explained = origin.lost;
    for (const Flow* flow : seen[key]) explained += flow->ragged;
    for (const Flow* caller : callers_of_[key]) {
      missing += caller->unclaimed;
      explained += caller->lost + caller->ragged;
    }
    origin.unexplained = Beyond(missing, explained);
  }
}

struct Flows::Pair {
  struct View {
    std::vector<const Flow*> flows;
    uint64_t count = 0;
    uint64_t lost = 0;
    uint64_t ragged = 0;

    void Add(const Flow& flow) {
      flows.push_back(&flow);
      count += flow.count;
      lost += flow.lost;
      ragged += flow.ragged;
    }
    Slots slots() const {
      Slots sum;
      for (const Flow* flow : flows) Merge(flow->slots, sum);
      return sum;
    }
  };
  View client;
  View server;
  // The client's, that the server saw among others' from the same address.
  uint64_t among_others = 0;
};

void Flows::MakeVerdicts() {
  absl::flat_hash_map<PairNumber, Pair> pairs;
  for (const auto& [key, flow] : flows_) {
    if (flow.side != model::Side::kServer) {
      pairs[PairOf(flow)].client.Add(flow);
      continue;
    }
    if (!flow.is_remote) {
      pairs[PairOf(flow)].server.Add(flow);
      continue;
    }
    const Origin& origin = origins_.at(OriginKeyOf(flow.address, flow.host, ServerOf(flow)));
    if (const EndName* owner = origin.owner()) {
      pairs[{NumberOf(owner->name), NumberOf(flow)}].server.Add(flow);
    }
  }
  for (const auto& [key, callers] : callers_of_) {
    if (origins_.at(key).owner() != nullptr) continue;
    for (const Flow* caller : callers) {
      pairs[PairOf(*caller)].among_others += caller->count;
    }
  }
  for (const auto& [key, pair] : pairs) {
    const Pair::View& client = pair.client;
    const Pair::View& server = pair.server;
    if (client.flows.empty() || server.flows.empty()) continue;
    Verdict& verdict = verdicts_[key];
    verdict.client_count = client.count;
    verdict.server_count = server.count;
    const uint64_t difference = Difference(client.count, server.count);
    const uint64_t ragged = client.ragged + server.ragged;
    verdict.unexplained =
        Beyond(difference, client.lost + server.lost + ragged + pair.among_others);
    const bool is_plain = client.lost == 0 && server.lost == 0 && difference <= ragged;
    if (!is_plain) verdict.choice = ChooseViews(client.slots(), server.slots());
    has_mixed_ |= verdict.choice.stands == Stands::kMixed;
  }
}

void Flows::Finish() {
  FindOrigins();
  MakeVerdicts();
  flows_.clear();
  callers_.clear();
  callers_of_.clear();
}

const Flows::Origin* Flows::OriginOf(const std::string& address, const std::string& server_host,
                                     const std::string& server, model::Protocol protocol,
                                     model::Transport transport) const {
  const auto it = origins_.find(OriginKeyOf(address, server_host, {server, protocol, transport}));
  return it == origins_.end() || it->second.callers.empty() ? nullptr : &it->second;
}

const EndName* Flows::OwnerFrom(const std::string& address, const std::string& server_host,
                                const std::string& server, model::Transport transport) const {
  const OriginKey first = OriginKeyOf(address, server_host, {server, {}, {}});
  const auto place = [](const OriginKey& key) {
    return std::tie(std::get<0>(key), std::get<1>(key), std::get<0>(std::get<ServerKey>(key)));
  };
  const EndName* owner = nullptr;
  for (auto it = origins_.lower_bound(first);
       it != origins_.end() && place(it->first) == place(first); ++it) {
    const Origin& origin = it->second;
    if (origin.transport != transport || origin.callers.empty()) continue;
    if (origin.owner() == nullptr || (owner != nullptr && *owner != *origin.owner())) {
      return nullptr;
    }
    owner = origin.owner();
  }
  return owner;
}

std::vector<const Flows::Origin*> Flows::origins() const {
  std::vector<const Origin*> out;
  for (const auto& [key, origin] : origins_) {
    if (!origin.callers.empty()) out.push_back(&origin);
  }
  return out;
}

const Flows::Verdict* Flows::VerdictOf(const std::string& client, const std::string& server,
                                       model::Protocol protocol, model::Transport transport) const {
  const auto client_number = numbers_.find(client);
  const auto server_number = numbers_.find(server);
  if (client_number == numbers_.end() || server_number == numbers_.end()) return nullptr;
  const auto it =
      verdicts_.find({client_number->second, {server_number->second, protocol, transport}});
  return it == verdicts_.end() ? nullptr : &it->second;
}

}  // namespace kindling::controller
