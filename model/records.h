#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/blame.h"
#include "model/latency_histogram.h"
#include "model/protocol.h"

// What the agent tells the controller. Times are ns since the Unix epoch, durations ns, sizes
// bytes.
namespace kindling::model {

// What stands in for names beyond a cap.
inline constexpr std::string_view kOtherName = "(other)";

// Time-prefixed ids: the high bits are the start time, so that ids sort by time. W3C sizes.
using SpanId = uint64_t;  // 0 is none
struct TraceId {
  uint64_t high = 0;
  uint64_t low = 0;
  auto operator<=>(const TraceId&) const = default;
};

// One end of an edge as its observer knows it: the observer's own workload by name, a peer on the
// same host by name, any other peer by address only; the controller resolves the address by
// (address, time).
struct Party {
  std::string workload;       // "nginx:80"; empty: not known to the observer
  std::string workload_kind;  // "process", "container" or "unit"; empty with workload
  std::string host;           // node name; empty with workload
  std::string address;        // textual IP, or the unix socket path; empty: unnamed unix socket
  uint16_t port = 0;          // 0: a client's (ephemeral ports are never part of an edge), or unix
  std::string dns_name;       // the name the observer last resolved to this address, if any
  auto operator<=>(const Party&) const = default;

  template <typename H>
  friend H AbslHashValue(H h, const Party& party) {
    return H::combine(std::move(h), party.workload, party.workload_kind, party.host, party.address,
                      party.port, party.dns_name);
  }
};

// One request on one side of a connection.
struct Span {
  SpanId id = 0;
  TraceId trace_id;      // 0: not assigned; a trace is the closure of links at query time
  SpanId parent_id = 0;  // 0: none known
  Side side = Side::kUnknown;
  Protocol protocol = Protocol::kUnknown;
  Transport transport = Transport::kUnknown;
  Outcome outcome = Outcome::kUnset;
  bool slow = false;
  Party client;
  Party server;
  uint16_t client_port = 0;          // the real ephemeral port, for joining
  std::string endpoint;              // template, capped: "GET /products/*"
  std::string status_code;           // the protocol's own: "200", "NXDOMAIN", "1064"
  int64_t start_ns = 0;              // first byte of the request
  int64_t request_duration_ns = 0;   // first to last byte of the request
  int64_t wait_duration_ns = 0;      // last byte of the request to first byte of the response
  int64_t response_duration_ns = 0;  // first to last byte of the response
  int64_t connect_duration_ns = 0;   // of the connection, on its first request; 0: unknown
  uint64_t request_bytes = 0;
  uint64_t response_bytes = 0;
  uint32_t request_tcp_seq = 0;  // absolute TCP sequence of the first byte; 0 if not TCP
  uint32_t response_tcp_seq = 0;
  uint32_t stream_id = 0;  // HTTP/2 stream; 0: none
  uint32_t pid = 0;
  uint32_t request_tid = 0;  // thread that sent or received the request
  uint32_t response_tid = 0;
  uint64_t execution_unit = 0;  // goroutine or such; 0: the thread
  float sample_weight = 1;      // how many requests this span stands for
  BlameVector blame;
  // Ids of another tracer found in the request (traceparent, B3, sw8); 0: none.
  TraceId alias_trace_id;
  SpanId alias_parent_id = 0;
  std::vector<std::pair<std::string, std::string>> attributes;

  int64_t duration_ns() const {
    return request_duration_ns + wait_duration_ns + response_duration_ns;
  }
  bool operator==(const Span&) const = default;
};

// All requests of one edge, endpoint and status in one window, as one side saw them.
// Key: everything up to status_code. The two sides' rows are never added.
struct EdgeStats {
  int64_t window_start_ns = 0;
  int64_t window_ns = 0;
  Side observer = Side::kUnknown;
  Party client;
  Party server;
  Protocol protocol = Protocol::kUnknown;
  Transport transport = Transport::kUnknown;
  std::string endpoint;
  Outcome outcome = Outcome::kUnset;
  std::string status_code;

  uint64_t count = 0;  // requests; 0 for connections whose protocol is not parsed
  uint64_t slow_count = 0;
  uint64_t sent_bytes = 0;      // client to server
  uint64_t received_bytes = 0;  // server to client
  uint64_t connections = 0;     // opened in the window (endpoint and status empty)
  uint64_t connect_failures = 0;
  uint64_t connect_count = 0;   // of connections and failures, those whose time is known ...
  uint64_t connect_sum_ns = 0;  // ... and the sum of these times; the server's: in its accept queue
  uint64_t lost = 0;            // requests known or estimated lost before they were counted
  LatencyHistogram latency;     // first request byte to last response byte
  BlameVector blame;
  bool operator==(const EdgeStats&) const = default;
};

// Adds the numbers of one row to another, whatever names them, modulo 2^64.
void AddNumbers(const EdgeStats& from, EdgeStats& to);

// Stored: never renumber.
enum class ProcessEventKind : uint8_t {
  kUnset = 0,
  kStart = 1,
  kExit = 2,
  kCrash = 3,  // ended by a signal; code is the signal
  kOomKill = 4,
  kFound = 5,  // was running when the agent started
};
std::string_view Name(ProcessEventKind kind);

struct ProcessEvent {
  int64_t time_ns = 0;
  ProcessEventKind kind = ProcessEventKind::kUnset;
  std::string host;
  std::string workload;
  std::string workload_kind;
  std::string executable;
  std::string command;  // capped and redacted command line
  uint32_t pid = 0;
  uint32_t parent_pid = 0;
  int32_t code = 0;  // exit status or signal
  bool operator==(const ProcessEvent&) const = default;
};

// Says that `address`:`port` belonged to a workload from `first_ns` on; later rows win.
// Port 0: every port of the address.
struct AddressBinding {
  int64_t first_ns = 0;
  std::string address;
  uint16_t port = 0;
  Transport transport = Transport::kUnknown;
  std::string workload;
  std::string workload_kind;
  std::string host;
  bool operator==(const AddressBinding&) const = default;
};

// Where records were lost. Stored: never renumber.
enum class LossStage : uint8_t {
  kUnset = 0,
  kKernelRing = 1,     // ring buffer full
  kKernelMap = 2,      // a BPF map was full
  kByteGap = 3,        // bytes of a stream never arrived
  kParserResync = 4,   // bytes arrived but could not be parsed
  kCap = 5,            // a cap of the agent (connections, series, memory)
  kSpoolOverflow = 6,  // the disk spool was full while the controller was away
  kLateData = 7,       // refused by the store: older than what it keeps
  kAgentSilent = 8,    // no word from an agent that had been talking
};
std::string_view Name(LossStage stage);

// Requests known or estimated lost, not attributable to one edge (those are in EdgeStats.lost).
struct Loss {
  int64_t time_ns = 0;
  LossStage stage = LossStage::kUnset;
  std::string host;
  std::string workload;   // empty: not known
  uint64_t requests = 0;  // estimated requests; 0 when the loss cannot be expressed in requests
  uint64_t events = 0;    // kernel events or records
  uint64_t bytes = 0;
  bool operator==(const Loss&) const = default;
};

// Stored: never renumber.
enum class MetricKind : uint8_t {
  kUnset = 0,
  kGauge = 1,      // a value that holds at a time; roll-ups keep sum, count, least, most and last
  kDelta = 2,      // what was added in the window that begins at the time; roll-ups add
  kHistogram = 3,  // durations in the window that begins at the time; roll-ups merge
};

// A series of points under one name and set of labels: TCP and DNS statistics and any other metric.
// EdgeStats are series too, with columns of their own.
struct MetricSeries {
  std::string name;  // "tcp_srtt_seconds"
  MetricKind kind = MetricKind::kUnset;
  std::vector<std::pair<std::string, std::string>> labels;  // by name, each name once
  auto operator<=>(const MetricSeries&) const = default;
};

struct MetricPoint {
  uint32_t series = 0;  // index into the series beside it
  int64_t time_ns = 0;
  double value = 0;            // of a gauge or a delta
  LatencyHistogram histogram;  // of a histogram
  bool operator==(const MetricPoint&) const = default;
};

// Stored: never renumber.
enum class ChunkKind : uint8_t {
  kUnset = 0,
  kThreadTimeline = 1,
  kStackTable = 2,
  kLogLines = 3,
  kPackets = 4,
};

// Opaque bytes kept with a span or a stretch of time: what a thread did, what it printed, packets.
struct Chunk {
  ChunkKind kind = ChunkKind::kUnset;
  SpanId span_id = 0;  // 0: of no one span
  int64_t first_ns = 0;
  int64_t last_ns = 0;
  std::string host;
  uint32_t pid = 0;
  uint32_t tid = 0;
  std::string bytes;  // in a format of the kind's own
  bool operator==(const Chunk&) const = default;
};

// Name of bytes that are kept once however often they are sent: the first 16 bytes of SHA-256.
struct ContentHash {
  uint64_t high = 0;
  uint64_t low = 0;
  auto operator<=>(const ContentHash&) const = default;
};

// Bytes that chunks refer to by hash: a stack, a long text. Sent beside the chunks that refer to
// it.
struct Content {
  ContentHash hash;
  int64_t time_ns = 0;  // of the chunk beside it: it is kept as long as that
  std::string bytes;
  bool operator==(const Content&) const = default;
};

struct BatchId {
  std::string agent_id;
  uint64_t boot_epoch = 0;  // one run of the agent: its start time, ns since the epoch
  uint64_t sequence = 0;    // 1, 2, ... without gaps within an epoch
  auto operator<=>(const BatchId&) const = default;
};

// What is sent, made durable and acknowledged as one.
struct Batch {
  BatchId id;
  std::string tenant;
  std::string cluster;
  uint32_t rule_version = 0;  // of templates and caps
  int64_t first_ns = 0;
  int64_t last_ns = 0;
  std::vector<Span> spans;
  std::vector<EdgeStats> edges;
  std::vector<ProcessEvent> processes;
  std::vector<AddressBinding> addresses;
  std::vector<Loss> losses;
  std::vector<MetricSeries> series;  // of the points
  std::vector<MetricPoint> points;
  std::vector<Chunk> chunks;
  std::vector<Content> contents;

  bool empty() const {
    return spans.empty() && edges.empty() && processes.empty() && addresses.empty() &&
           losses.empty() && points.empty() && chunks.empty() && contents.empty();
  }
  bool operator==(const Batch&) const = default;
};

// About what a batch takes in memory.
size_t MemoryBytes(const Batch& batch);

}  // namespace kindling::model
