#include "controller/topology/edge_groups.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"

namespace kindling::controller {
namespace {

constexpr std::string_view kExternal = "external";
// Of parties to remember; beyond that all are looked up anew.
constexpr size_t kMaxKnown = 200'000;
// Room made at once for groups, which are large, so that they need not move; what is not used of it
// is address space and no more.
constexpr size_t kUsualGroups = 8192;

EndName Own(const model::Party& party) { return {party.workload, party.workload_kind, party.host}; }

EndName Outside(std::string text) {
  if (text.empty()) text = "(unknown)";
  return {std::move(text), std::string(kExternal), ""};
}

// True for a client that its server knows by nothing but an address.
bool IsRemote(model::Side observer, const model::Party& client) {
  return observer == model::Side::kServer && client.workload.empty() && !client.address.empty();
}

uint64_t Less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

// A server that started within the window belongs to it.
template <typename Row>
int64_t TimeOf(const Row& row) {
  return row.window_start_ns + std::max<int64_t>(row.window_ns, 0);
}

absl::Status TooMany() {
  return absl::ResourceExhaustedError(absl::StrFormat(
      "more than %d different edges, endpoints and states in this time: ask for less time",
      EdgeGroups::kMaxGroups));
}

// `seen` without what `made` accounts for. Which latencies were whose is not known.
void Subtract(const model::EdgeStats& made, uint64_t count, model::EdgeStats& seen) {
  seen.count = count;
  seen.slow_count = std::min(count, Less(seen.slow_count, made.slow_count));
  seen.sent_bytes = Less(seen.sent_bytes, made.sent_bytes);
  seen.received_bytes = Less(seen.received_bytes, made.received_bytes);
  seen.connections = Less(seen.connections, made.connections);
  seen.connect_failures = Less(seen.connect_failures, made.connect_failures);
  seen.connect_count = Less(seen.connect_count, made.connect_count);
  seen.connect_sum_ns = Less(seen.connect_sum_ns, made.connect_sum_ns);
  seen.latency = {};
  seen.blame = {};
}

bool IsNothing(const model::EdgeStats& sum) {
  return sum.count == 0 && sum.connections == 0 && sum.lost == 0 && sum.sent_bytes == 0 &&
         sum.received_bytes == 0;
}

}  // namespace

EdgeGroups::EdgeGroups(const AddressTable& table, int64_t start_ns, int64_t end_ns)
    : table_(table),
      flows_(table, start_ns, end_ns),
      pair_numbers_(0, PairHash{&pairs_}, PairEqual{&pairs_}) {}

EndName EdgeGroups::ServerName(model::Side observer, const model::Party& client,
                               const model::Party& server, model::Transport transport,
                               int64_t time_ns) const {
  if (!server.workload.empty()) return Own(server);
  const std::string& observer_host = observer == model::Side::kServer ? server.host : client.host;
  if (auto found = table_.Resolve(server.address, server.port, transport, time_ns, observer_host)) {
    return *std::move(found);
  }
  if (!server.dns_name.empty()) return Outside(server.dns_name);
  return Outside(AddressText(PlainAddress(server.address), server.port));
}

EndName EdgeGroups::ClientName(model::Side observer, const model::Party& client,
                               const model::Party& server, model::Transport transport,
                               int64_t time_ns) const {
  if (!client.workload.empty()) return Own(client);
  const std::string& observer_host = observer == model::Side::kServer ? server.host : client.host;
  if (auto found = table_.Resolve(client.address, 0, transport, time_ns, observer_host)) {
    return *std::move(found);
  }
  if (!client.dns_name.empty()) return Outside(client.dns_name);
  return Outside(std::string(PlainAddress(client.address)));
}

const Flows::Origin* EdgeGroups::OriginOf(const Pair& pair) const {
  if (pair.remote_client.empty()) return nullptr;
  return flows_.OriginOf(pair.remote_client, pair.server.host, pair.server.name, pair.protocol,
                         pair.transport);
}

EdgeGroups::Ends EdgeGroups::NameEnds(model::Side observer, const model::Party& client,
                                      const model::Party& server,
                                      std::optional<model::Protocol> protocol,
                                      model::Transport transport, int64_t time_ns) const {
  Ends ends{ClientName(observer, client, server, transport, time_ns),
            ServerName(observer, client, server, transport, time_ns)};
  if (!done_ || !IsRemote(observer, client) || ends.client.kind != kExternal) return ends;
  const std::string address(PlainAddress(client.address));
  const EndName* owner = nullptr;
  if (!protocol) {
    owner = flows_.OwnerFrom(address, ends.server.host, ends.server.name, transport);
  } else if (const Flows::Origin* origin = flows_.OriginOf(
                 address, ends.server.host, ends.server.name, *protocol, transport)) {
    owner = origin->owner();
  }
  if (owner != nullptr) ends.client = *owner;
  return ends;
}

uint32_t EdgeGroups::NumberOf(Pair pair) {
  const auto known = pair_numbers_.find(pair);
  if (known != pair_numbers_.end()) return *known;
  const auto number = static_cast<uint32_t>(pairs_.size());
  pairs_.push_back(std::move(pair));
  pair_numbers_.insert(number);
  return number;
}

EdgeGroups::Known& EdgeGroups::KnownOf(const model::EdgeStats& row) {
  if (last_known_ == nullptr || !PartiesEqual()(last_known_->first, row)) {
    if (known_.size() >= kMaxKnown) known_.clear();
    auto it = known_.find(row);
    if (it == known_.end()) {
      it = known_.try_emplace(storage::EndsOf(row)).first;
    }
    last_known_ = &*it;
  }
  Known& known = last_known_->second;
  const int64_t time_ns = TimeOf(row);
  if (!known.Holds(time_ns)) known = Learn(last_known_->first, time_ns);
  return known;
}

EdgeGroups::KnownFlow& EdgeGroups::KnownOf(const storage::FlowRun& run) {
  if (run.flow >= known_flows_.size()) known_flows_.resize(run.flow + 1);
  return known_flows_[run.flow];
}

EdgeGroups::Known EdgeGroups::Learn(const storage::SpanEnds& of, int64_t time_ns) {
  Ends ends = NameEnds(of.side, of.client, of.server, of.protocol, of.transport, time_ns);
  const bool is_remote = IsRemote(of.side, of.client) && ends.client.kind == kExternal;
  Known known{.flow = &flows_.FlowOf(of, ends.client, ends.server.name, is_remote)};
  Narrow(of, time_ns, known);
  known.pair = NumberOf(
      {.client = std::move(ends.client),
       .server = std::move(ends.server),
       .observer = of.side,
       .protocol = of.protocol,
       .transport = of.transport,
       .remote_client = is_remote ? std::string(PlainAddress(of.client.address)) : std::string()});
  return known;
}

void EdgeGroups::Narrow(const storage::SpanEnds& ends, int64_t time_ns, Known& known) const {
  known.from_ns = INT64_MIN;
  known.until_ns = INT64_MAX;
  const auto narrow = [&](const model::Party& party, uint16_t port) {
    if (!party.workload.empty()) return;
    const auto [from_ns, until_ns] =
        table_.UnchangedAround(party.address, port, ends.transport, time_ns);
    known.from_ns = std::max(known.from_ns, from_ns);
    known.until_ns = std::min(known.until_ns, until_ns);
  };
  narrow(ends.client, 0);
  narrow(ends.server, ends.server.port);
}

std::pair<uint32_t, bool> EdgeGroups::Groups::Find(Key key, const std::vector<Pair>& names) {
  const Pair& pair = names[key.pair];
  const auto next = static_cast<uint32_t>(all.size());
  const auto [it, is_new] = numbers.try_emplace(std::move(key), next);
  if (is_new) {
    if (all.empty()) all.reserve(kUsualGroups);
    pairs.push_back(it->first.pair);
    all.push_back({.client = pair.client, .server = pair.server});
  }
  return {it->second, is_new};
}

absl::Status EdgeGroups::AddTo(Groups& groups, uint32_t pair, const model::EdgeStats& row) {
  const auto [number, is_new] =
      groups.Find(Key{pair, row.outcome, row.endpoint, row.status_code}, pairs_);
  EdgeGroup& group = groups.all[number];
  if (!is_new) {
    model::AddNumbers(row, group.sum);
    return absl::OkStatus();
  }
  group.sum = row;
  return groups.all.size() <= kMaxGroups ? absl::OkStatus() : TooMany();
}

absl::Status EdgeGroups::AddTo(Groups& groups, const storage::FlowRun& run,
                               const storage::FlowRow& row, KnownFlow& known) {
  if (!known.group) {
    const auto [number, is_new] =
        groups.Find(Key{known.pair, model::Outcome::kUnset, "", ""}, pairs_);
    known.group = number;
    if (is_new) {
      model::EdgeStats& sum = groups.all[number].sum;
      sum.observer = run.ends.side;
      // Who they are the names say.
      sum.client.address = run.ends.client.address;
      sum.server.address = run.ends.server.address;
      sum.server.port = run.ends.server.port;
      sum.protocol = run.ends.protocol;
      sum.transport = run.ends.transport;
      if (groups.all.size() > kMaxGroups) return TooMany();
    }
  }
  model::EdgeStats& sum = groups.all[*known.group].sum;
  sum.count += row.count;
  sum.connections += row.connections;
  sum.connect_failures += row.connect_failures;
  sum.lost += row.lost;
  return absl::OkStatus();
}

absl::Status EdgeGroups::Add(const model::EdgeStats& row) {
  Known& known = KnownOf(row);
  flows_.Count(storage::FlowRowOf(row), *known.flow);
  return AddTo(groups_, known.pair, row);
}

absl::Status EdgeGroups::AddFlow(const storage::FlowRun& run) {
  KnownFlow& known = KnownOf(run);
  for (const storage::FlowRow& row : run.rows) {
    const int64_t time_ns = TimeOf(row);
    if (!known.Holds(time_ns)) known = {Learn(run.ends, time_ns)};
    flows_.Count(row, *known.flow);
    RETURN_IF_ERROR(AddTo(groups_, run, row, known));
  }
  return absl::OkStatus();
}

void EdgeGroups::AddRemainder(const Flows::Origin& origin, std::vector<EdgeGroup> seen) {
  using Kind = std::tuple<model::Outcome, std::string, std::string>;
  const auto kind_of = [](const EdgeGroup& group) {
    return Kind(group.sum.outcome, group.sum.endpoint, group.sum.status_code);
  };
  std::map<Kind, model::EdgeStats> made;
  for (size_t i = 0; i < groups_.all.size(); ++i) {
    const EdgeGroup& group = groups_.all[i];
    const Pair& pair = pairs_[groups_.pairs[i]];
    if (pair.observer != model::Side::kClient || pair.server.name != origin.server ||
        pair.protocol != origin.protocol || pair.transport != origin.transport ||
        !origin.callers.contains(pair.client)) {
      continue;
    }
    model::AddNumbers(group.sum, made[kind_of(group)]);
  }
  // Those that the callers made fewest of first.
  const auto surplus = [&](const EdgeGroup& group) {
    const auto it = made.find(kind_of(group));
    return Less(group.sum.count, it == made.end() ? 0 : it->second.count);
  };
  std::sort(seen.begin(), seen.end(), [&](const EdgeGroup& a, const EdgeGroup& b) {
    const uint64_t of_a = surplus(a);
    const uint64_t of_b = surplus(b);
    return of_a != of_b ? of_a > of_b : kind_of(a) < kind_of(b);
  });
  std::vector<uint64_t> shares;
  uint64_t left = origin.outside;
  for (const EdgeGroup& group : seen) {
    shares.push_back(std::min(left, surplus(group)));
    left -= shares.back();
  }
  for (size_t i = 0; i < seen.size(); ++i) {
    EdgeGroup& group = seen[i];
    const uint64_t more = std::min(left, group.sum.count - shares[i]);
    left -= more;
    const auto theirs = made.find(kind_of(group));
    if (theirs != made.end() || shares[i] + more < group.sum.count) {
      Subtract(theirs == made.end() ? model::EdgeStats() : theirs->second, shares[i] + more,
               group.sum);
    }
    group.sum.lost = origin.count == 0 ? 0 : group.sum.lost * origin.outside / origin.count;
    group.is_remainder = true;
    if (!IsNothing(group.sum)) finished_.push_back(std::move(group));
  }
}

void EdgeGroups::Finish() {
  done_ = true;
  flows_.Finish();
  known_.clear();
  last_known_ = nullptr;
  known_flows_.clear();
  std::vector<const Flows::Origin*> origins;  // by pair
  for (const Pair& pair : pairs_) origins.push_back(OriginOf(pair));
  std::map<const Flows::Origin*, std::vector<EdgeGroup>> mingled;
  std::vector<bool> is_mingled(groups_.all.size());
  for (size_t i = 0; i < groups_.all.size(); ++i) {
    const Flows::Origin* origin = origins[groups_.pairs[i]];
    if (origin == nullptr) continue;
    if (const EndName* owner = origin->owner()) {
      groups_.all[i].client = *owner;
    } else {
      is_mingled[i] = true;
      mingled[origin].push_back(std::move(groups_.all[i]));
    }
  }
  // Most often none, and all stay where they are.
  if (mingled.empty()) finished_ = std::move(groups_.all);
  for (auto& [origin, seen] : mingled) {
    if (origin->outside > 0) AddRemainder(*origin, std::move(seen));
  }
  for (size_t i = 0; i < groups_.all.size(); ++i) {
    if (!is_mingled[i]) finished_.push_back(std::move(groups_.all[i]));
  }
  groups_ = {};
  pair_numbers_.clear();
  pairs_.clear();
}

bool EdgeGroups::IsOfClient(const Choice& choice, int64_t window_start_ns) const {
  return std::binary_search(choice.client_slots.begin(), choice.client_slots.end(),
                            flows_.SlotOf(window_start_ns));
}

absl::Status EdgeGroups::AddAgain(const model::EdgeStats& row) {
  Ends ends =
      NameEnds(row.observer, row.client, row.server, row.protocol, row.transport, TimeOf(row));
  const Flows::Verdict* verdict =
      flows_.VerdictOf(ends.client.name, ends.server.name, row.protocol, row.transport);
  if (verdict == nullptr || verdict->choice.stands != Stands::kMixed) return absl::OkStatus();
  if (IsOfClient(verdict->choice, row.window_start_ns) != (row.observer == model::Side::kClient)) {
    return absl::OkStatus();
  }
  const uint32_t pair = NumberOf({.client = std::move(ends.client),
                                  .server = std::move(ends.server),
                                  .observer = row.observer,
                                  .protocol = row.protocol,
                                  .transport = row.transport});
  return AddTo(mixed_, pair, row);
}

EdgeGroups::KnownFlow EdgeGroups::LearnAgain(const storage::SpanEnds& of, int64_t time_ns) {
  KnownFlow known;
  Narrow(of, time_ns, known);
  Ends ends = NameEnds(of.side, of.client, of.server, of.protocol, of.transport, time_ns);
  const Flows::Verdict* verdict =
      flows_.VerdictOf(ends.client.name, ends.server.name, of.protocol, of.transport);
  if (verdict == nullptr || verdict->choice.stands != Stands::kMixed) return known;
  known.choice = &verdict->choice;
  known.pair = NumberOf({.client = std::move(ends.client),
                         .server = std::move(ends.server),
                         .observer = of.side,
                         .protocol = of.protocol,
                         .transport = of.transport});
  return known;
}

absl::Status EdgeGroups::AddFlowAgain(const storage::FlowRun& run) {
  KnownFlow& known = KnownOf(run);
  for (const storage::FlowRow& row : run.rows) {
    const int64_t time_ns = TimeOf(row);
    if (!known.Holds(time_ns)) known = LearnAgain(run.ends, time_ns);
    if (known.choice == nullptr ||
        IsOfClient(*known.choice, row.window_start_ns) != (run.ends.side == model::Side::kClient)) {
      continue;
    }
    RETURN_IF_ERROR(AddTo(mixed_, run, row, known));
  }
  return absl::OkStatus();
}

void EdgeGroups::FinishAgain() {
  known_flows_.clear();
  for (EdgeGroup& group : mixed_.all) {
    group.is_mixed = true;
    finished_.push_back(std::move(group));
  }
  mixed_ = {};
}

}  // namespace kindling::controller
