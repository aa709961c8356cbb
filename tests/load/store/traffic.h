#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "agent/aggregate/slow_thresholds.h"
#include "agent/aggregate/span_ids.h"
#include "model/records.h"
#include "tests/load/store/random.h"
#include "tests/load/store/topology.h"

namespace kindling::load {

struct TrafficOptions {
  uint64_t seed = 1;
  int64_t start_ns = 1'780'000'000'000'000'000;
  int64_t window_ns = 10'000'000'000;
  TopologyOptions topology;

  bool spans = true;  // else only the sums of the same calls
  bool edges = true;

  double spans_per_second = 10'000;  // of the traffic's own time
  uint32_t spans_per_trace = 8;      // a call between two watched services is two of them
  // Requests that a kept ordinary span stands for, on average: its sample weight. A span that
  // failed or was slow stands for itself. EdgeStats count all of them.
  double requests_per_span = 8;
  double server_error_share = 0.005;
  double client_error_share = 0.02;
  double latency_sigma = 0.7;  // of the log-normal time of a request around its endpoint's median
  double requests_per_connection = 500;
  double other_thread_share = 0.1;  // requests that another thread answers than the one that read

  // Attributes beside those that agents make of protocols (see Topology for their cardinalities).
  double user_share = 0.5;  // traces of a signed-in user: "enduser.id" on their HTTP requests
  uint32_t users = 100'000;
  double url_path_zipf = 0.8;               // among the paths of one route
  std::string build = "2026.11.3-1f09ab7";  // "service.version" of every HTTP request

  // Traces whose requests carry random ids of another tracer, one trace id a trace and one parent
  // id a call, on calls of every protocol.
  double foreign_share = 0;
};

// Makes what the agents of a cluster would send: spans and sums of the same calls, seen from both
// ends where both are watched. The same options give the same batches.
//
// A trace is a tree of calls: an HTTP request from a proxy to a popular service, which calls
// others, which call others. Calls of one parent follow one another. Span ids are agent::SpanIds',
// one counter an agent; the trace's id is {root span, constant of the root's agent}; parents are
// given. Both ends of a connection give the same ports and TCP sequences, and the sequences advance
// by the bytes of its requests and responses; no two requests of a connection overlap.
//
// Threads: one. Limits: memory grows with connections and with spans of open windows.
class Traffic {
 public:
  explicit Traffic(TrafficOptions options);

  // What the agents send when the next window closes: at most one batch each, those without records
  // left out. Batch ids have the agent's id only. The first window's batches also say whose the
  // addresses are.
  std::vector<model::Batch> NextWindow();
  // The windows of requests that had not ended.
  std::vector<model::Batch> Finish();

  std::string AgentId(uint32_t host) const { return topology_.HostName(host); }
  const Topology& topology() const { return topology_; }
  const TrafficOptions& options() const { return options_; }
  int64_t now_ns() const { return now_ns_; }  // start of the next window

 private:
  struct Connection {
    uint16_t client_port = 0;
    uint32_t request_seq = 0;
    uint32_t response_seq = 0;
    uint32_t requests_left = 0;
    int64_t busy_until_ns = 0;
  };
  struct Call {
    uint32_t client = 0;  // replica; kProxy: a proxy
    uint32_t server = 0;
    uint32_t endpoint = 0;
    int32_t parent = -1;  // call
    model::SpanId parent_id = 0;
    std::vector<uint32_t> children;
  };
  struct Row {
    uint32_t host = 0;
    model::EdgeStats stats;
  };
  struct Window {
    std::vector<std::vector<model::Span>> spans;  // by host
    std::vector<Row> rows;                        // in the order of their first request
    absl::flat_hash_map<std::string, size_t> row_of;
  };
  struct Trace {
    model::TraceId id;
    model::TraceId foreign;
    model::SpanId root = 0;
    std::string user;
    std::string user_agent;
  };

  static constexpr uint32_t kProxy = UINT32_MAX;

  void MakeTrace(int64_t start_ns);
  void PlanCalls();
  uint32_t PickEndpoint(uint32_t client, uint32_t service);
  uint32_t AddCall(uint32_t client, uint32_t service, int32_t parent);
  // Gives the call and what it calls their times; returns when the client has its answer.
  int64_t RunCall(uint32_t call, int64_t start_ns, model::SpanId parent, Trace& trace);
  std::vector<Connection>& PoolOf(uint32_t client, uint32_t server);
  // Index of a connection that is free at the time; it stays busy until that is set.
  size_t TakeConnection(std::vector<Connection>& pool, int64_t start_ns, bool* is_new);
  void Observe(model::Span span, uint32_t host, uint64_t requests, bool opened);
  void Count(const model::Span& span, uint32_t host, uint64_t requests, bool opened);
  Row& RowFor(Window& window, const model::Span& span, uint32_t host, bool of_connection);
  void AddAttributes(const Endpoint& endpoint, ServiceKind kind, const Trace& trace,
                     const std::string& host, const std::string& path, model::Span& span) const;
  Window& WindowAt(int64_t time_ns);
  std::vector<model::Batch> TakeWindow();
  void AddBindings(uint32_t host, model::Batch& batch) const;

  const TrafficOptions options_;
  const Topology topology_;
  Random random_;
  const agent::SlowThresholds slow_;
  const Zipf entry_;
  const Zipf endpoint_;
  const Zipf called_endpoint_;
  const Zipf path_;
  std::vector<agent::SpanIds> span_ids_;  // by host
  std::vector<uint64_t> trace_low_;       // by host
  absl::flat_hash_map<uint64_t, std::vector<Connection>> connections_;
  std::vector<Call> calls_;  // of the trace being made
  std::deque<Window> windows_;
  int64_t now_ns_;  // start of windows_.front()
  int64_t next_trace_ns_;
  bool bound_ = false;
};

}  // namespace kindling::load
