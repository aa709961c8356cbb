#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/capture/ip_address.h"
#include "agent/capture/nat_event.h"
#include "model/host_metrics.h"
#include "model/protocol.h"

// Everything the agent learns from outside, in the form that the pipeline consumes, a recording
// stores and a replay gives back. Not the kernel's wire structs: those may change with the BPF
// programs.
namespace kindling::agent {

// Names one connection for the life of the agent; never reused. 0 is none.
using ConnId = uint64_t;

// How a connection came to be known.
enum class ConnOrigin : uint8_t {
  kConnect = 1,    // seen connecting
  kAccept = 2,     // seen being accepted
  kFound = 3,      // was open when the agent started
  kFirstData = 4,  // first seen when it carried data
};

struct ConnOpen {
  ConnId id = 0;
  int64_t boot_ns = 0;
  ConnOrigin origin = ConnOrigin::kFirstData;
  model::Transport transport = model::Transport::kUnknown;
  model::Side side = model::Side::kUnknown;  // kUnknown: to be inferred from the bytes
  uint32_t netns = 0;                        // inode number of the network namespace
  IpAddress local;
  IpAddress remote;  // none for an unconnected UDP socket: see DataEvent::remote
  uint16_t local_port = 0;
  uint16_t remote_port = 0;
  std::string unix_path;    // path of the listener, '@' first for an abstract one; empty if none
  uint64_t unix_inode = 0;  // of this socket and of its peer: joins both ends of AF_UNIX
  uint64_t unix_peer_inode = 0;
  uint32_t tgid = 0;  // the process that used it first; 0: not known yet
  uint32_t tid = 0;
  int64_t connect_duration_ns = 0;  // SYN to established, or time in the accept queue; 0: unknown
  // Stream positions at which capture begins: bytes sent and received before.
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
};

// A connect that failed; the connection never opens.
struct ConnectFailure {
  int64_t boot_ns = 0;
  model::Transport transport = model::Transport::kTcp;
  uint32_t netns = 0;
  IpAddress local;
  IpAddress remote;
  uint16_t remote_port = 0;
  uint32_t tgid = 0;
  int32_t error = 0;  // errno
  int64_t duration_ns = 0;
  uint32_t syn_retransmits = 0;
  uint32_t resets_received = 0;
};

// The kernel's own per-socket counters, which do not pass through the rings. Cumulative.
struct ConnCounters {
  ConnId id = 0;
  int64_t boot_ns = 0;
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
  uint32_t turns = 0;   // how often the direction changed, 1 for the first byte
  bool closed = false;  // the socket is gone: the last word on this connection
};

// As the kernel numbers them (enum tcp_ca_state). Recorded: never renumber.
enum class CongestionState : uint8_t { kOpen, kDisorder, kReduced, kRecovery, kLoss };
std::string_view Name(CongestionState state);

// TCP's own state of one connection: while it lasts in samples, and at its end. Counters are
// cumulative since it began.
struct TcpSample {
  ConnId id = 0;
  int64_t boot_ns = 0;
  uint64_t sent_bytes = 0;  // each once, however often it was sent
  uint64_t received_bytes = 0;
  uint32_t sent_segments = 0;  // with data; those sent again count again
  uint32_t received_segments = 0;
  // Segments sent again. Of `retransmits` those of the three causes are known to be so; the others
  // are loss probes, or of a cause that no hook told.
  uint32_t retransmits = 0;
  uint32_t timeout_retransmits = 0;
  uint32_t fast_retransmits = 0;
  uint32_t syn_retransmits = 0;
  uint32_t lost_segments = 0;  // as the sender judges
  uint32_t out_of_order = 0;   // segments received
  int64_t srtt_ns = 0;         // 0: not measured, as min_rtt_ns
  int64_t min_rtt_ns = 0;      // of the last minutes
  // Time with unacknowledged or unsent data, and of it that spent waiting for the receiver's window
  // and for room in the own send buffer.
  int64_t busy_ns = 0;
  int64_t receiver_limited_ns = 0;
  int64_t sender_limited_ns = 0;
  uint32_t resets_sent = 0;
  uint32_t resets_received = 0;
  std::string reset_reason;  // of the last one sent, "abort_on_close"; empty: none, or not told
  CongestionState congestion = CongestionState::kOpen;
  bool zero_window = false;  // the receiver takes nothing now
  bool ended = false;        // the last word on this connection
  int32_t error = 0;         // errno that it ended with
  bool operator==(const TcpSample&) const = default;
};

// The same of a socket that listens.
struct ListenerSample {
  ConnId id = 0;  // names the listener, as a connection
  int64_t boot_ns = 0;
  uint32_t netns = 0;
  IpAddress local;  // may be the wildcard address
  uint16_t port = 0;
  uint32_t tgid = 0;
  // Since the agent knows it: connections and SYNs thrown away, for want of room in its queue above
  // all.
  uint32_t drops = 0;
  uint32_t queued = 0;     // wait to be accepted
  uint32_t queue_max = 0;  // more than this are not queued
  uint32_t synack_retransmits = 0;
  uint32_t resets_sent = 0;
  std::string reset_reason;
  bool ended = false;
  bool operator==(const ListenerSample&) const = default;
};

enum class Direction : uint8_t { kSent = 1, kReceived = 2 };  // as seen by the socket's owner

// Packets that the kernel threw away since the sample before, which have all of this in common.
// Addresses and ports are the packets', as they were where they were dropped.
struct DropSample {
  int64_t boot_ns = 0;                             // when it was read
  uint32_t netns = 0;                              // where they were dropped
  Direction direction = Direction::kReceived;      // into or out of it; kReceived if forwarded
  std::string reason;                              // the kernel's own name, "netfilter_drop"
  uint16_t ethertype = 0;                          // 0: had none yet
  uint8_t protocol = 0;                            // IP's number; 0: not known
  IpAddress source, destination;                   // none: not known
  uint16_t source_port = 0, destination_port = 0;  // 0: none, or not known
  bool without_ends = false;                       // more was dropped than could be told apart
  uint64_t packets = 0;
  uint64_t bytes = 0;
  bool operator==(const DropSample&) const = default;
};

// What a UDP socket received and did not queue, for want of room above all: its own count, since
// the agent knows it.
struct DatagramSample {
  ConnId id = 0;
  int64_t boot_ns = 0;
  uint32_t netns = 0;
  IpAddress local;   // may be the wildcard address
  IpAddress remote;  // none: not connected
  uint16_t local_port = 0;
  uint16_t remote_port = 0;
  uint32_t tgid = 0;
  uint32_t drops = 0;
  bool operator==(const DatagramSample&) const = default;
};

// One successful read or write call on a socket.
// Lifetime: `bytes` is valid only during OnData().
struct DataEvent {
  ConnId id = 0;
  int64_t boot_ns = 0;  // when the call returned
  Direction direction = Direction::kSent;
  uint64_t position = 0;  // stream offset of the first byte; for datagrams a running byte count
  uint32_t size = 0;      // bytes the call moved
  std::span<const std::byte> bytes;  // the captured head, at most `size`; empty for a filler
  uint32_t tcp_seq = 0;              // absolute TCP sequence of the first byte; 0 if not TCP
  uint32_t turn = 0;                 // kernel's turn counter with this call included
  uint32_t tgid = 0;
  uint32_t tid = 0;
  uint64_t execution_unit = 0;  // 0: the thread
  // Peer of a datagram on an unconnected socket; none otherwise.
  IpAddress remote;
  uint16_t remote_port = 0;
  // The program asked whom the datagram came from, and the answer could not be had.
  bool remote_unknown = false;
};

// A socket that listens, or a bound UDP socket that received first: names the server of an address.
struct ListenEvent {
  int64_t boot_ns = 0;
  model::Transport transport = model::Transport::kTcp;
  uint32_t netns = 0;
  IpAddress local;  // may be the wildcard address
  uint16_t port = 0;
  std::string unix_path;
  uint32_t tgid = 0;
};

enum class TaskEventKind : uint8_t { kExec = 1, kExit = 2, kOomKill = 3, kFork = 4, kFound = 5 };

struct TaskEvent {
  int64_t boot_ns = 0;
  TaskEventKind kind = TaskEventKind::kExec;
  uint32_t tgid = 0;
  uint32_t parent_tgid = 0;
  int32_t wait_status = 0;     // kExit: as wait(2) gives it
  uint64_t start_boot_ns = 0;  // tells a reused pid apart; 0: unknown
  std::string comm;
};

// Loss counters of the kernel side since the programs were loaded; cumulative, sampled at each
// tick.
struct KernelLoss {
  uint64_t control_ring_events = 0;  // control events that found their ring full
  uint64_t data_ring_events = 0;     // data events that found theirs full
  uint64_t data_ring_bytes = 0;      // stream bytes those events stood for
  uint64_t map_full = 0;             // connections not tracked for want of a map entry
  uint64_t unread_payload = 0;  // calls whose user memory could not be read: counted as fillers
  bool operator==(const KernelLoss&) const = default;
};

// One figure of a host's network, as the kernel has it now: of counters their value, which only
// grows.
struct NetworkFigure {
  model::host::Metric metric = model::host::Metric::kUnread;
  std::string device;  // empty: of none
  std::string detail;  // what the metric's detail label says
  double value = 0;
  bool operator==(const NetworkFigure&) const = default;
};

// What was read of one network namespace at a time.
struct NetworkReading {
  uint32_t netns = 0;      // inode number; 0: of the host, whatever the namespace
  std::string name_space;  // its name, or its inode number as text
  std::vector<NetworkFigure> figures;
  bool operator==(const NetworkReading&) const = default;
};

// Receives events in order: for one connection ConnOpen, then its data by time, then ConnCounters
// with closed set. Threads: all calls come from one thread.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void OnConnOpen(const ConnOpen& event) = 0;
  virtual void OnConnectFailure(const ConnectFailure& event) = 0;
  virtual void OnConnCounters(const ConnCounters& event) = 0;
  // Of a connection that is open: before its ConnCounters with closed set.
  virtual void OnTcp(const TcpSample& sample) = 0;
  virtual void OnListener(const ListenerSample& sample) = 0;
  virtual void OnDrop(const DropSample& sample) = 0;
  virtual void OnDatagrams(const DatagramSample& sample) = 0;
  virtual void OnData(const DataEvent& event) = 0;
  virtual void OnListen(const ListenEvent& event) = 0;
  virtual void OnTask(const TaskEvent& event) = 0;
  virtual void OnKernelLoss(const KernelLoss& loss) = 0;
  virtual void OnNat(const NatEvent& event) = 0;
  virtual void OnNetwork(const NetworkReading& reading) = 0;
  // The only clock of the pipeline. Everything that happened before `boot_ns` and is not lost was
  // given before this call. `wall_ns` is the wall clock at the same instant.
  virtual void OnTick(int64_t boot_ns, int64_t wall_ns) = 0;
};

}  // namespace kindling::agent
