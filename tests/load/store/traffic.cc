#include "tests/load/store/traffic.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_format.h"

namespace kindling::load {
namespace {

using model::Outcome;
using model::Protocol;
using model::Side;
using model::Transport;

constexpr uint16_t kFirstPort = 32'768;
constexpr uint16_t kPorts = 28'231;

Protocol ProtocolOf(ServiceKind kind) {
  switch (kind) {
    case ServiceKind::kHttp:
      return Protocol::kHttp;
    case ServiceKind::kMysql:
      return Protocol::kMysql;
    case ServiceKind::kRedis:
      return Protocol::kRedis;
    case ServiceKind::kDns:
      return Protocol::kDns;
  }
  return Protocol::kUnknown;
}

const char* ErrorStatus(Protocol protocol, Outcome outcome) {
  const bool server = outcome == Outcome::kServerError;
  switch (protocol) {
    case Protocol::kHttp:
      return server ? "503" : "404";
    case Protocol::kMysql:
      return server ? "1040" : "1062";
    case Protocol::kRedis:
      return server ? "OOM" : "WRONGTYPE";
    default:
      return server ? "SERVFAIL" : "NXDOMAIN";
  }
}

int64_t Ns(double ns) { return std::max<int64_t>(1, static_cast<int64_t>(ns)); }

}  // namespace

Traffic::Traffic(TrafficOptions options)
    : options_(std::move(options)),
      topology_(options_.topology, Random::Mix(options_.seed)),
      random_(options_.seed),
      entry_(std::min(static_cast<uint32_t>(topology_.http_services.size()),
                      options_.topology.entry_services),
             options_.topology.service_zipf),
      endpoint_(options_.topology.endpoints, options_.topology.endpoint_zipf),
      called_endpoint_(std::min(options_.topology.endpoints, options_.topology.endpoints_called),
                       options_.topology.endpoint_zipf),
      path_(topology_.paths_per_route, options_.url_path_zipf),
      now_ns_(options_.start_ns),
      next_trace_ns_(options_.start_ns) {
  for (uint32_t host = 0; host < options_.topology.hosts; ++host) {
    span_ids_.emplace_back(random_.Next());
    trace_low_.push_back(random_.Next());
  }
}

Traffic::Window& Traffic::WindowAt(int64_t time_ns) {
  const auto index =
      static_cast<size_t>(std::max<int64_t>(0, time_ns - now_ns_) / options_.window_ns);
  while (windows_.size() <= index) {
    windows_.emplace_back().spans.resize(options_.topology.hosts);
  }
  return windows_[index];
}

std::vector<model::Batch> Traffic::NextWindow() {
  const int64_t end_ns = now_ns_ + options_.window_ns;
  const double mean_gap_ns = 1e9 * options_.spans_per_trace / options_.spans_per_second;
  for (; next_trace_ns_ < end_ns; next_trace_ns_ += Ns(random_.Exponential(mean_gap_ns))) {
    MakeTrace(next_trace_ns_);
  }
  return TakeWindow();
}

std::vector<model::Batch> Traffic::Finish() {
  std::vector<model::Batch> out;
  while (!windows_.empty()) {
    for (model::Batch& batch : TakeWindow()) out.push_back(std::move(batch));
  }
  return out;
}

std::vector<model::Batch> Traffic::TakeWindow() {
  WindowAt(now_ns_);  // a window without requests is one
  Window window = std::move(windows_.front());
  windows_.pop_front();
  std::vector<model::Batch> out(options_.topology.hosts);
  for (uint32_t host = 0; host < out.size(); ++host) {
    model::Batch& batch = out[host];
    batch.id.agent_id = AgentId(host);
    batch.rule_version = 1;
    batch.first_ns = now_ns_;
    batch.last_ns = now_ns_ + options_.window_ns;
    // Agents hand spans over as requests end.
    std::vector<model::Span>& spans = window.spans[host];
    std::vector<uint32_t> order(spans.size());
    std::iota(order.begin(), order.end(), 0);
    const auto end = [&](uint32_t i) { return spans[i].start_ns + spans[i].duration_ns(); };
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return end(a) < end(b); });
    batch.spans.reserve(spans.size());
    for (const uint32_t i : order) {
      batch.first_ns = std::min(batch.first_ns, spans[i].start_ns);
      batch.spans.push_back(std::move(spans[i]));
    }
    if (!bound_) AddBindings(host, batch);
  }
  bound_ = true;
  for (Row& row : window.rows) out[row.host].edges.push_back(std::move(row.stats));
  std::erase_if(out, [](const model::Batch& batch) { return batch.empty(); });
  now_ns_ += options_.window_ns;
  return out;
}

void Traffic::AddBindings(uint32_t host, model::Batch& batch) const {
  for (const Replica& replica : topology_.replicas) {
    if (replica.host != host || !topology_.services[replica.service].watched) continue;
    for (const uint16_t port : {replica.server.port, uint16_t{0}}) {
      batch.addresses.push_back({.first_ns = now_ns_,
                                 .address = replica.server.address,
                                 .port = port,
                                 .transport = Transport::kTcp,
                                 .workload = replica.server.workload,
                                 .workload_kind = replica.server.workload_kind,
                                 .host = replica.server.host});
    }
  }
}

uint32_t Traffic::PickEndpoint(uint32_t client, uint32_t service_index) {
  const Service& service = topology_.services[service_index];
  if (client == kProxy) return service.endpoints[endpoint_.Pick(random_)];
  const uint32_t caller_index = topology_.replicas[client].service;
  if (service.kind == ServiceKind::kDns) {
    // It asks for the services that it calls.
    const std::vector<uint32_t>& callees = topology_.services[caller_index].http_callees;
    const uint32_t name = callees.empty() ? caller_index : callees[random_.Below(callees.size())];
    return service.endpoints[name];
  }
  // Every caller has its own few.
  const uint64_t first = Random::Mix(uint64_t{caller_index} << 32 | service_index);
  return service.endpoints[(first + called_endpoint_.Pick(random_)) % service.endpoints.size()];
}

uint32_t Traffic::AddCall(uint32_t client, uint32_t service_index, int32_t parent) {
  const Service& service = topology_.services[service_index];
  const uint32_t endpoint = PickEndpoint(client, service_index);
  Call& call = calls_.emplace_back();
  call.client = client;
  call.server = service.replicas[random_.Below(service.replicas.size())];
  call.endpoint = endpoint;
  call.parent = parent;
  return static_cast<uint32_t>(calls_.size() - 1);
}

// Grows calls_ until their spans are as many as a trace has.
void Traffic::PlanCalls() {
  calls_.clear();
  AddCall(kProxy, topology_.http_services[entry_.Pick(random_)], -1);
  std::vector<uint32_t> open = {0};  // HTTP calls, which may call others
  for (uint32_t left = options_.spans_per_trace - 1; left > 0;) {
    // The later ones more often, so that trees are deep as well as broad.
    const uint32_t caller = open[open.size() - 1 - random_.Below(std::min<size_t>(open.size(), 3))];
    const uint32_t replica = calls_[caller].server;
    const Service& service = topology_.services[topology_.replicas[replica].service];
    const double kind = random_.Uniform();
    uint32_t callee = topology_.dns;
    if (left >= 2 && kind < 0.5 && !service.http_callees.empty()) {
      callee = service.http_callees[random_.Below(service.http_callees.size())];
    } else if (kind < 0.95 && !service.store_callees.empty()) {
      callee = service.store_callees[random_.Below(service.store_callees.size())];
    }
    const Service& called = topology_.services[callee];
    if (called.watched && left < 2) callee = topology_.dns;
    const uint32_t call = AddCall(replica, callee, static_cast<int32_t>(caller));
    calls_[caller].children.push_back(call);
    left -= topology_.services[callee].watched ? 2 : 1;
    if (topology_.services[callee].kind == ServiceKind::kHttp) open.push_back(call);
  }
}

void Traffic::MakeTrace(int64_t start_ns) {
  PlanCalls();
  Trace trace;
  trace.user_agent = topology_.user_agents[random_.Below(topology_.user_agents.size())];
  if (random_.Chance(options_.user_share)) {
    trace.user = absl::StrFormat("u%07d", random_.Below(options_.users) * 97);
  }
  if (random_.Chance(options_.foreign_share)) trace.foreign = {random_.Next(), random_.Next() | 1};
  RunCall(0, start_ns, 0, trace);
}

std::vector<Traffic::Connection>& Traffic::PoolOf(uint32_t client, uint32_t server) {
  return connections_[uint64_t{client} << 32 | server];
}

size_t Traffic::TakeConnection(std::vector<Connection>& pool, int64_t start_ns, bool* is_new) {
  size_t index = 0;
  while (index < pool.size() && pool[index].busy_until_ns > start_ns) ++index;
  if (index == pool.size()) pool.emplace_back();
  Connection& taken = pool[index];
  *is_new = taken.requests_left == 0;
  if (*is_new) {
    taken.client_port = static_cast<uint16_t>(kFirstPort + random_.Below(kPorts));
    taken.request_seq = static_cast<uint32_t>(random_.Next());
    taken.response_seq = static_cast<uint32_t>(random_.Next());
    taken.requests_left =
        1 + static_cast<uint32_t>(random_.Exponential(options_.requests_per_connection));
  }
  --taken.requests_left;
  taken.busy_until_ns = INT64_MAX;
  return index;
}

int64_t Traffic::RunCall(uint32_t index, int64_t start_ns, model::SpanId parent, Trace& trace) {
  const Call call = calls_[index];
  const Replica& server = topology_.replicas[call.server];
  const Service& service = topology_.services[server.service];
  const Endpoint& endpoint = topology_.endpoints[call.endpoint];
  const bool from_proxy = call.client == kProxy;
  const Replica* client = from_proxy ? nullptr : &topology_.replicas[call.client];
  const uint32_t proxy =
      from_proxy ? static_cast<uint32_t>(random_.Below(topology_.proxies.size())) : 0;

  model::Span span;
  span.protocol = ProtocolOf(service.kind);
  span.transport = service.kind == ServiceKind::kDns ? Transport::kUdp : Transport::kTcp;
  span.endpoint = endpoint.name;
  const double fate = random_.Uniform();
  span.outcome = fate < options_.server_error_share ? Outcome::kServerError
                 : fate < options_.server_error_share + options_.client_error_share
                     ? Outcome::kClientError
                     : Outcome::kOk;
  span.status_code = span.outcome == Outcome::kOk ? endpoint.status_code
                                                  : ErrorStatus(span.protocol, span.outcome);
  span.request_bytes = endpoint.request_bytes + random_.Below(64);
  span.response_bytes = Ns(random_.LogNormal(endpoint.response_bytes, 0.3));
  span.request_duration_ns = Ns(random_.LogNormal(8e3, 0.5));
  span.response_duration_ns =
      Ns(random_.LogNormal(5e3 + static_cast<double>(span.response_bytes), 0.5));

  bool opened = false;
  // A number of its own for each proxy, above those of the replicas.
  const uint32_t client_number = from_proxy ? kProxy - proxy : call.client;
  size_t connection = 0;
  if (span.transport == Transport::kTcp) {
    std::vector<Connection>& pool = PoolOf(client_number, call.server);
    connection = TakeConnection(pool, start_ns, &opened);
    Connection& taken = pool[connection];
    span.client_port = taken.client_port;
    span.request_tcp_seq = taken.request_seq;
    span.response_tcp_seq = taken.response_seq;
    taken.request_seq += static_cast<uint32_t>(span.request_bytes);
    taken.response_seq += static_cast<uint32_t>(span.response_bytes);
  } else {
    span.client_port = static_cast<uint16_t>(kFirstPort + random_.Below(kPorts));
  }
  const int64_t connect_ns = opened ? Ns(random_.LogNormal(2e5, 0.4)) : 0;

  const bool near = client != nullptr && client->host == server.host;
  const int64_t one_way_ns = Ns(random_.LogNormal(near ? 1.5e4 : 8e4, 0.4));
  const int64_t client_start_ns = start_ns + (opened ? connect_ns : 0);
  const int64_t server_start_ns = client_start_ns + one_way_ns;

  model::SpanId client_id = 0;
  model::SpanId server_id = 0;
  if (client != nullptr) client_id = span_ids_[client->host].Next(client_start_ns);
  if (service.watched) server_id = span_ids_[server.host].Next(server_start_ns);
  if (trace.root == 0) {
    trace.root = client_id != 0 ? client_id : server_id;
    trace.id = {trace.root, trace_low_[client != nullptr ? client->host : server.host]};
  }
  span.trace_id = trace.id;
  if (trace.foreign != model::TraceId{}) {
    span.alias_trace_id = trace.foreign;
    span.alias_parent_id = random_.Next() | 1;
  }

  // What the server does before, between and after its own calls.
  const int64_t own_ns = Ns(random_.LogNormal(endpoint.own_ns, options_.latency_sigma));
  const int64_t step_ns = own_ns / static_cast<int64_t>(call.children.size() + 1);
  int64_t time_ns = server_start_ns + span.request_duration_ns + step_ns;
  for (const uint32_t child : call.children) {
    time_ns = RunCall(child, time_ns, server_id, trace) + step_ns;
  }
  const int64_t server_wait_ns = time_ns - server_start_ns - span.request_duration_ns;
  const int64_t back_ns = Ns(random_.LogNormal(near ? 1.5e4 : 8e4, 0.4));
  const int64_t end_ns = time_ns + back_ns + span.response_duration_ns;

  if (span.transport == Transport::kTcp) {
    PoolOf(client_number, call.server)[connection].busy_until_ns = end_ns;
  }

  std::string path;
  if (service.kind == ServiceKind::kHttp)
    path = topology_.Path(endpoint.route, path_.Pick(random_));
  AddAttributes(endpoint, service.kind, trace, service.name, path, span);

  // Both ends' spans of a call stand for as many requests, and so do those of the same endpoint
  // between the same processes in one window.
  const int64_t felt_ns = span.request_duration_ns + server_wait_ns + span.response_duration_ns +
                          (client != nullptr ? one_way_ns + back_ns : 0);
  const bool ordinary = span.outcome == Outcome::kOk && felt_ns <= slow_.Ns(span.protocol);
  const uint64_t mixed =
      Random::Mix((uint64_t{call.endpoint} << 24 ^ uint64_t{call.server} << 44 ^ client_number) +
                  static_cast<uint64_t>(now_ns_ / options_.window_ns));
  const auto most = static_cast<uint64_t>(std::max(1.0, 2 * options_.requests_per_span - 1));
  const uint64_t requests = ordinary ? 1 + mixed % most : 1;
  const auto thread = [&](const Replica& replica) {
    return replica.threads[random_.Below(replica.threads.size())];
  };
  const auto set_own = [&](const Replica& replica, model::Span& out) {
    out.pid = replica.pid;
    out.request_tid = thread(replica);
    out.response_tid =
        random_.Chance(options_.other_thread_share) ? thread(replica) : out.request_tid;
  };

  if (client != nullptr) {
    model::Span out = service.watched ? span : std::move(span);
    out.id = client_id;
    out.parent_id = parent;
    out.side = Side::kClient;
    out.client = client->client;
    out.server = near && service.watched ? server.server : server.server_from_far;
    out.start_ns = client_start_ns;
    out.wait_duration_ns = one_way_ns + server_wait_ns + back_ns;
    out.connect_duration_ns = connect_ns;
    set_own(*client, out);
    Observe(std::move(out), client->host, requests, opened);
  }
  if (service.watched) {
    span.id = server_id;
    span.parent_id = client_id;
    span.side = Side::kServer;
    span.client = from_proxy ? topology_.proxies[proxy]
                  : near     ? client->client
                             : client->client_from_far;
    span.server = server.server;
    span.start_ns = server_start_ns;
    span.wait_duration_ns = server_wait_ns;
    span.connect_duration_ns = connect_ns / 16;  // in the accept queue
    set_own(server, span);
    Observe(std::move(span), server.host, requests, opened);
  }
  return end_ns;
}

void Traffic::AddAttributes(const Endpoint& endpoint, ServiceKind kind, const Trace& trace,
                            const std::string& host, const std::string& path,
                            model::Span& span) const {
  span.attributes = endpoint.attributes;
  if (kind != ServiceKind::kHttp) return;
  span.attributes.emplace_back("url.path", path);
  span.attributes.emplace_back("http.response.status_code", span.status_code);
  span.attributes.emplace_back("http.host", host);
  span.attributes.emplace_back("user_agent.original", trace.user_agent);
  if (!trace.user.empty()) span.attributes.emplace_back("enduser.id", trace.user);
  if (!options_.build.empty()) span.attributes.emplace_back("service.version", options_.build);
}

void Traffic::Observe(model::Span span, uint32_t host, uint64_t requests, bool opened) {
  span.slow = span.duration_ns() > slow_.Ns(span.protocol);
  span.sample_weight = static_cast<float>(requests);
  if (options_.edges) Count(span, host, requests, opened);
  if (!options_.spans) return;
  Window& window = WindowAt(span.start_ns + span.duration_ns());
  window.spans[host].push_back(std::move(span));
}

Traffic::Row& Traffic::RowFor(Window& window, const model::Span& span, uint32_t host,
                              bool of_connection) {
  // An edge is known by its addresses.
  std::string key;
  key.reserve(96);
  key += static_cast<char>(span.side);
  key += of_connection ? 'c' : static_cast<char>(span.outcome);
  for (const std::string* text :
       {&span.client.address, &span.server.address, &span.endpoint, &span.status_code}) {
    if (of_connection && text == &span.endpoint) break;
    key += *text;
    key += '\0';
  }
  const auto [found, added] = window.row_of.try_emplace(std::move(key), window.rows.size());
  if (!added) return window.rows[found->second];
  Row& row = window.rows.emplace_back();
  row.host = host;
  model::EdgeStats& stats = row.stats;
  stats.window_ns = options_.window_ns;
  stats.observer = span.side;
  stats.client = span.client;
  stats.server = span.server;
  stats.protocol = span.protocol;
  stats.transport = span.transport;
  if (!of_connection) {
    stats.endpoint = span.endpoint;
    stats.outcome = span.outcome;
    stats.status_code = span.status_code;
  }
  return row;
}

void Traffic::Count(const model::Span& span, uint32_t host, uint64_t requests, bool opened) {
  const int64_t end_ns = span.start_ns + span.duration_ns();
  Window& window = WindowAt(end_ns);
  const int64_t window_start_ns =
      now_ns_ + std::max<int64_t>(0, end_ns - now_ns_) / options_.window_ns * options_.window_ns;
  if (opened) {
    model::EdgeStats& stats = RowFor(window, span, host, true).stats;
    stats.window_start_ns = window_start_ns;
    ++stats.connections;
    ++stats.connect_count;
    stats.connect_sum_ns += static_cast<uint64_t>(span.connect_duration_ns);
  }
  model::EdgeStats& stats = RowFor(window, span, host, false).stats;
  stats.window_start_ns = window_start_ns;
  stats.count += requests;
  stats.slow_count += span.slow ? 1 : 0;
  stats.sent_bytes += span.request_bytes * requests;
  stats.received_bytes += span.response_bytes * requests;
  stats.latency.Record(span.duration_ns());
  // The requests that were not kept took about as long.
  for (uint64_t i = 1; i < requests; ++i) {
    stats.latency.Record(
        Ns(random_.LogNormal(static_cast<double>(span.duration_ns()), options_.latency_sigma / 2)));
  }
}

}  // namespace kindling::load
