#include "controller/connections/list_connections.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "controller/query/completeness.h"
#include "controller/query/flow_cache.h"
#include "controller/query/loaded_edges.h"
#include "controller/topology/edge_groups.h"
#include "kindling/v1/connections.pb.h"
#include "model/edge_labels.h"
#include "model/filter.h"
#include "model/protocol.h"
#include "model/record_fields.h"

namespace kindling::controller {
namespace {

constexpr size_t kMaxConnections = 50'000;
// The requests of so long tell who calls from where.
constexpr int64_t kNamedByNs = int64_t{900} * 1'000'000'000;
constexpr int64_t kForgottenAfterNs = int64_t{3600} * 1'000'000'000;
// What is longer is none.
constexpr size_t kMaxConnectionBytes = 8192;

struct Row {
  v1::Connection connection;
  EdgeGroups::Ends ends;
  model::EdgeStats fields;  // as filters see it
};

model::Transport TransportOf(const std::string& name) {
  for (const model::Transport transport :
       {model::Transport::kTcp, model::Transport::kUdp, model::Transport::kUnix}) {
    if (name == model::Name(transport)) return transport;
  }
  return model::Transport::kUnknown;
}

// What the agents have told so far.
class Found {
 public:
  Found(const NamedFlows& flows, int64_t now_ns) : flows_(flows), now_ns_(now_ns) {}

  void Add(const std::string& host, v1::ConnectionsFound& found) {
    left_out_ += static_cast<uint64_t>(std::clamp(found.left_out(), 0.0, 1e15));
    for (v1::FoundConnection& one : *found.mutable_connections()) {
      if (one.ByteSizeLong() > kMaxConnectionBytes) continue;
      if (rows_.size() >= kMaxConnections) {
        ++left_out_;
        continue;
      }
      rows_.push_back(RowOf(host, one));
    }
  }

  std::vector<Row>& rows() { return rows_; }
  uint64_t left_out() const { return left_out_; }

 private:
  Row RowOf(const std::string& host, v1::FoundConnection& found) const {
    Row row{.connection = std::move(*found.mutable_connection())};
    row.connection.set_host(host);
    const model::EdgeEnds ends =
        model::EndsOf(model::Labels(found.ends().begin(), found.ends().end()));
    row.ends = flows_.loaded().groups->NameEnds(ends.observer, ends.client, ends.server,
                                                model::ProtocolFromName(row.connection.protocol()),
                                                TransportOf(row.connection.transport()), now_ns_);
    row.fields.observer = ends.observer;
    row.fields.client.address = ends.client.address;
    row.fields.server.address = ends.server.address;
    return row;
  }

  const NamedFlows& flows_;
  const int64_t now_ns_;
  std::vector<Row> rows_;
  uint64_t left_out_ = 0;
};

// A connection whose two ends are watched names both: each end knows its own process, at once and
// exactly. Where several have the same addresses, on other hosts or in other namespaces, they are
// left as they are.
class Mirrors {
 public:
  static void NameBothEnds(std::vector<Row>& rows) {
    Mirrors mirrors(rows);
    for (Row& client : rows) {
      if (client.fields.observer != model::Side::kClient) continue;
      Row* server = mirrors.Find(KeyOf(client, true));
      if (server == nullptr || server->fields.observer != model::Side::kServer) continue;
      if (mirrors.Find(KeyOf(client, false)) == nullptr) continue;
      client.ends.server = server->ends.server;
      server->ends.client = client.ends.client;
    }
  }

 private:
  using Key = std::tuple<std::string, std::string, std::string, std::string>;

  explicit Mirrors(std::vector<Row>& rows) {
    for (Row& row : rows) {
      const auto [found, is_new] = by_addresses_.try_emplace(KeyOf(row, false), &row);
      if (!is_new) found->second = nullptr;
    }
  }
  // Its addresses, or those that its other end has; those of loopback are a host's own.
  static Key KeyOf(const Row& row, bool of_other_end) {
    const std::string& local = row.connection.local_address();
    const std::string& remote = row.connection.remote_address();
    const bool is_loopback = local.starts_with("127.") || local.starts_with("[::1]");
    return {is_loopback ? row.connection.host() : "", row.connection.transport(),
            of_other_end ? remote : local, of_other_end ? local : remote};
  }
  Row* Find(const Key& key) const {
    const auto found = by_addresses_.find(key);
    return found == by_addresses_.end() ? nullptr : found->second;
  }

  std::map<Key, Row*> by_addresses_;  // null: several
};

v1::Connection Written(Row&& row) {
  v1::Connection connection = std::move(row.connection);
  connection.set_client(row.ends.client.name);
  connection.set_server(row.ends.server.name);
  connection.set_client_kind(row.ends.client.kind);
  connection.set_server_kind(row.ends.server.kind);
  return connection;
}

auto OrderOf(const v1::Connection& connection) {
  return std::tie(connection.host(), connection.client(), connection.server(),
                  connection.local_address(), connection.remote_address());
}

}  // namespace

absl::Status ListConnections(const QueryContext& context, TaskHub& tasks, absl::Time deadline,
                             const v1::ListConnectionsRequest& request,
                             v1::ListConnectionsResponse* response) {
  const absl::StatusOr<model::Filter> filter =
      model::Filter::Parse(request.filter(), model::RecordKind::kEnds);
  if (!filter.ok()) return FilterFault(filter.status());
  const int64_t now_ns = context.sources.clock.WallNs();
  ASSIGN_OR_RETURN(
      const std::shared_ptr<const NamedFlows> flows,
      context.sources.flows.Get(context, {.start_ns = now_ns - kNamedByNs, .end_ns = now_ns}));

  std::vector<AgentInfo> agents;
  std::vector<TaskHub::Assignment> assignments;
  google::protobuf::Any task;
  task.PackFrom(v1::ListConnectionsTask());
  for (AgentInfo& agent : context.sources.registry.List()) {
    // One that has gone for good belongs to no answer.
    if (agent.replay || agent.last_seen_ns < now_ns - kForgottenAfterNs) continue;
    assignments.push_back({agent.id, task});
    agents.push_back(std::move(agent));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<TaskRun> run,
                   tasks.Start(assignments, std::max(deadline - absl::Now(), absl::Seconds(1))));

  CompletenessSum completeness;
  Found found(*flows, now_ns);
  std::set<size_t> open;
  for (size_t i = 0; i < agents.size(); ++i) open.insert(i);
  while (const std::optional<TaskQueue::Event> event = run->Next(deadline)) {
    if (context.cancelled()) return NoLongerWanted();
    const AgentInfo& agent = agents[event->agent];
    if (event->output.has_value()) {
      v1::ConnectionsFound told;
      if (event->output->UnpackTo(&told)) found.Add(agent.host, told);
      continue;
    }
    open.erase(event->agent);
    if (!event->end.ok()) {
      completeness.AddSilentAgent(
          agent.host, absl::StrFormat("Agent %s on host %s did not tell its connections: %s.",
                                      agent.id, agent.host, std::string(event->end.message())));
    }
  }
  for (const size_t i : open) {
    completeness.AddSilentAgent(
        agents[i].host, absl::StrFormat("Agent %s on host %s did not tell its connections in time.",
                                        agents[i].id, agents[i].host));
  }
  Mirrors::NameBothEnds(found.rows());
  for (Row& row : found.rows()) {
    if (!filter->Matches(model::EdgeFields(row.fields, NamesOf(row.ends)))) continue;
    *response->add_connections() = Written(std::move(row));
  }
  std::sort(response->mutable_connections()->begin(), response->mutable_connections()->end(),
            [](const auto& a, const auto& b) { return OrderOf(a) < OrderOf(b); });
  completeness.AddCaptured(static_cast<uint64_t>(response->connections_size()));
  if (found.left_out() > 0) {
    model::Loss loss{.stage = model::LossStage::kCap};
    loss.events = found.left_out();
    completeness.AddProcessLoss(loss);
  }
  completeness.WriteTo(response->mutable_completeness());
  return absl::OkStatus();
}

}  // namespace kindling::controller
