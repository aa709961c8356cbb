#include "controller/topology/edge_groups.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"

namespace kindling::controller {
namespace {

constexpr std::string_view kExternal = "external";
constexpr int64_t kSecondNs = 1'000'000'000;
// The newest windows may still be on their way from one side.
constexpr int64_t kRaggedEndNs = 30 * kSecondNs;

EndName Own(const model::Party& party) { return {party.workload, party.workload_kind, party.host}; }

EndName Outside(std::string text) {
  if (text.empty()) text = "(unknown)";
  return {std::move(text), std::string(kExternal), ""};
}

// True for a client that its server knows by nothing but an address.
bool IsRemote(model::Side observer, const model::Party& client) {
  return observer == model::Side::kServer && client.workload.empty() && !client.address.empty();
}

}  // namespace

void AddCounts(const model::EdgeStats& row, model::EdgeStats& sum) {
  sum.count += row.count;
  sum.slow_count += row.slow_count;
  sum.sent_bytes += row.sent_bytes;
  sum.received_bytes += row.received_bytes;
  sum.connections += row.connections;
  sum.connect_failures += row.connect_failures;
  sum.connect_count += row.connect_count;
  sum.connect_sum_ns += row.connect_sum_ns;
  sum.lost += row.lost;
  sum.latency.Merge(row.latency);
  sum.blame += row.blame;
}

EdgeGroups::EdgeGroups(const AddressTable& table, int64_t start_ns, int64_t end_ns)
    : table_(table), start_ns_(start_ns), end_ns_(end_ns) {}

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

EdgeGroups::Callers EdgeGroups::CallersFrom(const std::string& address, const std::string& server,
                                            model::Protocol protocol,
                                            model::Transport transport) const {
  Callers out;
  const auto add = [&](const std::string& place) {
    const auto it = callers_.find({server, protocol, transport, place});
    if (it != callers_.end()) out.insert(it->second.begin(), it->second.end());
  };
  add(std::string(PlainAddress(address)));
  if (const std::set<std::string>* hosts = table_.HostsOf(address)) {
    for (const std::string& host : *hosts) add("@" + host);
  }
  return out;
}

EdgeGroups::Ends EdgeGroups::NameEnds(model::Side observer, const model::Party& client,
                                      const model::Party& server, model::Protocol protocol,
                                      model::Transport transport, int64_t time_ns) const {
  Ends ends{ClientName(observer, client, server, transport, time_ns),
            ServerName(observer, client, server, transport, time_ns)};
  if (done_ && IsRemote(observer, client)) {
    const Callers callers = CallersFrom(client.address, ends.server.name, protocol, transport);
    if (callers.size() == 1) ends.client = *callers.begin();
  }
  return ends;
}

absl::Status EdgeGroups::Add(const model::EdgeStats& row) {
  // A server that started within the window belongs to it.
  const int64_t time_ns = row.window_start_ns + std::max<int64_t>(row.window_ns, 0);
  Ends ends = NameEnds(row.observer, row.client, row.server, row.protocol, row.transport, time_ns);
  const bool remote = IsRemote(row.observer, row.client);
  if (row.observer == model::Side::kClient && !row.client.workload.empty()) {
    // With an address the caller is known to call from there; without one, from anywhere on its
    // host.
    const std::string place = row.client.address.empty()
                                  ? "@" + row.client.host
                                  : std::string(PlainAddress(row.client.address));
    callers_[{ends.server.name, row.protocol, row.transport, place}].insert(ends.client);
  }
  Key key{.client = std::move(ends.client),
          .server = std::move(ends.server),
          .observer = row.observer,
          .protocol = row.protocol,
          .transport = row.transport,
          .outcome = row.outcome,
          .endpoint = row.endpoint,
          .status_code = row.status_code,
          .remote_client = remote ? std::string(PlainAddress(row.client.address)) : std::string()};
  auto it = groups_.find(key);
  if (it == groups_.end()) {
    if (groups_.size() >= kMaxGroups) {
      return absl::ResourceExhaustedError(absl::StrFormat(
          "more than %d different edges, endpoints and states in this time: ask for less time",
          kMaxGroups));
    }
    it = groups_.try_emplace(std::move(key)).first;
    EdgeGroup& group = it->second;
    group.client = it->first.client;
    group.server = it->first.server;
    group.sum = row;
    group.ragged_count = 0;
  } else {
    AddCounts(row, it->second.sum);
  }
  const bool ragged = row.window_start_ns < start_ns_ + std::max<int64_t>(row.window_ns, 0) ||
                      time_ns > end_ns_ - kRaggedEndNs;
  if (ragged) it->second.ragged_count += row.count;
  return absl::OkStatus();
}

void EdgeGroups::Finish() {
  done_ = true;
  std::map<std::tuple<std::string, std::string, model::Protocol, model::Transport>, SharedAddress>
      shared;
  finished_.reserve(groups_.size());
  for (auto& [key, group] : groups_) {
    if (!key.remote_client.empty()) {
      const Callers callers =
          CallersFrom(key.remote_client, key.server.name, key.protocol, key.transport);
      if (callers.size() == 1) {
        group.client = *callers.begin();
      } else if (callers.size() > 1) {
        SharedAddress& together =
            shared[{key.remote_client, key.server.name, key.protocol, key.transport}];
        together.address = key.remote_client;
        for (const EndName& caller : callers) together.clients.insert(caller.name);
        together.server = key.server.name;
        together.protocol = key.protocol;
        together.transport = key.transport;
        together.server_count += group.sum.count;
        together.server_lost += group.sum.lost;
        together.ragged_count += group.ragged_count;
        continue;
      }
    }
    finished_.push_back(std::move(group));
  }
  groups_.clear();
  for (auto& [place, together] : shared) shared_.push_back(std::move(together));
}

}  // namespace kindling::controller
