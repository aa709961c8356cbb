#include "agent/kernel/translate.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace kindling::agent {
namespace {

IpAddress ToAddress(uint16_t family, const uint8_t* bytes) {
  IpAddress address;
  address.size = family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
  std::memcpy(address.bytes.data(), bytes, address.size);
  return address;
}

std::string ReasonOf(uint32_t resets, uint8_t reason, const std::vector<std::string>& names) {
  return resets > 0 && reason < names.size() ? names[reason] : "";
}

// "" for no name; the first byte of an abstract one is 0 and prints as '@'.
std::string ToPath(const char* path, uint32_t bytes) {
  std::string text(path, std::min<uint32_t>(bytes, KD_UNIX_PATH_BYTES));
  if (!text.empty() && text[0] == '\0') {
    text[0] = '@';
  } else {
    text.resize(std::min(text.size(), std::strlen(text.c_str())));
  }
  return text;
}

}  // namespace

ConnOpen ToConnOpen(const kd_conn_open& wire) {
  ConnOpen open;
  open.id = wire.conn;
  open.boot_ns = static_cast<int64_t>(wire.boot_ns);
  open.origin = static_cast<ConnOrigin>(wire.origin);
  open.transport = static_cast<model::Transport>(wire.transport);
  open.side = static_cast<model::Side>(wire.side);
  open.netns = wire.netns;
  open.local = ToAddress(wire.ends.family, wire.ends.local);
  open.local_port = wire.ends.local_port;
  if (wire.ends.remote_port != 0) {
    open.remote = ToAddress(wire.ends.family, wire.ends.remote);
    open.remote_port = wire.ends.remote_port;
  }
  open.unix_path = ToPath(wire.unix_path, wire.unix_path_bytes);
  open.unix_inode = wire.unix_inode;
  open.unix_peer_inode = wire.unix_peer_inode;
  open.tgid = wire.tgid;
  open.tid = wire.tid;
  open.connect_duration_ns = static_cast<int64_t>(wire.connect_duration_ns);
  return open;
}

ConnCounters ToConnCounters(const kd_conn_close& wire) {
  return {.id = wire.conn,
          .boot_ns = static_cast<int64_t>(wire.boot_ns),
          .sent_bytes = wire.sent_bytes,
          .received_bytes = wire.received_bytes,
          .turns = wire.turns,
          .closed = true};
}

ConnCounters ToConnCounters(const kd_counters& wire, int64_t boot_ns) {
  return {.id = wire.conn,
          .boot_ns = boot_ns,
          .sent_bytes = wire.sent_bytes,
          .received_bytes = wire.received_bytes,
          .turns = wire.turns,
          .closed = wire.closed != 0};
}

ConnectFailure ToConnectFailure(const kd_connect_failed& wire) {
  ConnectFailure failure;
  failure.boot_ns = static_cast<int64_t>(wire.boot_ns);
  failure.netns = wire.netns;
  failure.local = ToAddress(wire.ends.family, wire.ends.local);
  failure.remote = ToAddress(wire.ends.family, wire.ends.remote);
  failure.remote_port = wire.ends.remote_port;
  failure.tgid = wire.tgid;
  failure.error = wire.error;
  failure.duration_ns = static_cast<int64_t>(wire.duration_ns);
  failure.syn_retransmits = wire.syn_retransmits;
  failure.resets_received = wire.resets_received;
  return failure;
}

ListenEvent ToListenEvent(const kd_listen& wire) {
  ListenEvent listen;
  listen.boot_ns = static_cast<int64_t>(wire.boot_ns);
  listen.transport = static_cast<model::Transport>(wire.transport);
  listen.netns = wire.netns;
  listen.local = ToAddress(wire.ends.family, wire.ends.local);
  listen.port = wire.ends.local_port;
  listen.unix_path = ToPath(wire.unix_path, wire.unix_path_bytes);
  listen.tgid = wire.tgid;
  return listen;
}

TaskEvent ToTaskEvent(const kd_task_event& wire) {
  TaskEvent event;
  event.boot_ns = static_cast<int64_t>(wire.boot_ns);
  event.kind = static_cast<TaskEventKind>(wire.kind);
  event.tgid = wire.tgid;
  event.parent_tgid = wire.parent_tgid;
  event.wait_status = wire.wait_status;
  event.start_boot_ns = wire.start_boot_ns;
  event.comm.assign(wire.comm, strnlen(wire.comm, sizeof(wire.comm)));
  return event;
}

TcpSample ToTcpSample(const kd_tcp_stats& wire, const std::vector<std::string>& reset_reasons) {
  constexpr auto kLastState = static_cast<uint8_t>(CongestionState::kLoss);
  return {.id = wire.conn,
          .boot_ns = static_cast<int64_t>(wire.boot_ns),
          .sent_bytes = wire.sent_bytes,
          .received_bytes = wire.received_bytes,
          .sent_segments = wire.sent_segments,
          .received_segments = wire.received_segments,
          .retransmits = wire.retransmits,
          .timeout_retransmits = wire.timeout_retransmits,
          .fast_retransmits = wire.fast_retransmits,
          .syn_retransmits = wire.syn_retransmits,
          .lost_segments = wire.lost_segments,
          .out_of_order = wire.out_of_order,
          .srtt_ns = int64_t{wire.srtt_us} * 1000,
          .min_rtt_ns = int64_t{wire.min_rtt_us} * 1000,
          .busy_ns = static_cast<int64_t>(wire.busy_us) * 1000,
          .receiver_limited_ns = static_cast<int64_t>(wire.receiver_limited_us) * 1000,
          .sender_limited_ns = static_cast<int64_t>(wire.sender_limited_us) * 1000,
          .resets_sent = wire.resets_sent,
          .resets_received = wire.resets_received,
          .reset_reason = ReasonOf(wire.resets_sent, wire.reset_reason, reset_reasons),
          .congestion = static_cast<CongestionState>(std::min(wire.congestion, kLastState)),
          .zero_window = wire.zero_window != 0,
          .ended = wire.ended != 0,
          .error = wire.end_error};
}

ListenerSample ToListenerSample(const kd_listener_stats& wire,
                                const std::vector<std::string>& reset_reasons) {
  return {.id = wire.conn,
          .boot_ns = static_cast<int64_t>(wire.boot_ns),
          .netns = wire.netns,
          .local = ToAddress(wire.ends.family, wire.ends.local),
          .port = wire.ends.local_port,
          .tgid = wire.tgid,
          .drops = wire.drops,
          .queued = wire.queued,
          .queue_max = wire.queue_max,
          .synack_retransmits = wire.synack_retransmits,
          .resets_sent = wire.resets_sent,
          .reset_reason = ReasonOf(wire.resets_sent, wire.reset_reason, reset_reasons),
          .ended = wire.ended != 0};
}

DropSample ToDropSample(const kd_drop_key& wire, const DropReasons& reasons) {
  return {.netns = wire.netns,
          .direction = wire.direction == KD_PACKET_SENT ? Direction::kSent : Direction::kReceived,
          .reason = reasons.NameOf(wire.reason),
          .ethertype = wire.ethertype,
          .protocol = wire.protocol,
          .source = ToAddress(wire.family, wire.source),
          .destination = ToAddress(wire.family, wire.destination),
          .source_port = wire.source_port,
          .destination_port = wire.destination_port};
}

DatagramSample ToDatagramSample(const kd_udp_stats& wire) {
  DatagramSample sample{.id = wire.conn,
                        .boot_ns = static_cast<int64_t>(wire.boot_ns),
                        .netns = wire.netns,
                        .local = ToAddress(wire.ends.family, wire.ends.local),
                        .local_port = wire.ends.local_port,
                        .tgid = wire.tgid,
                        .drops = wire.drops};
  if (wire.ends.remote_port != 0) {
    sample.remote = ToAddress(wire.ends.family, wire.ends.remote);
    sample.remote_port = wire.ends.remote_port;
  }
  return sample;
}

IpAddress PeerAddress(const kd_peer& wire) { return ToAddress(wire.family, wire.address); }

bool ToDataEvent(std::span<const std::byte> record, DataEvent& event) {
  if (record.size() < sizeof(kd_data)) return false;
  const auto& wire = *reinterpret_cast<const kd_data*>(record.data());
  if (sizeof(kd_data) + wire.captured > record.size()) return false;
  event.id = wire.conn;
  event.boot_ns = static_cast<int64_t>(wire.boot_ns);
  event.direction = static_cast<Direction>(wire.direction);
  event.position = wire.position;
  event.size = wire.size;
  event.bytes = record.subspan(sizeof(kd_data), wire.captured);
  event.tcp_seq = wire.tcp_seq;
  event.turn = wire.turn;
  event.tgid = wire.tgid;
  event.tid = wire.tid;
  event.execution_unit = 0;
  event.remote = IpAddress();
  event.remote_port = 0;
  if (wire.flags & KD_DATA_HAS_PEER) {
    const size_t at = sizeof(kd_data) + ((wire.captured + 7) & ~7u);
    if (at + sizeof(kd_peer) > record.size()) return false;
    const auto& peer = *reinterpret_cast<const kd_peer*>(record.data() + at);
    event.remote = PeerAddress(peer);
    event.remote_port = peer.port;
  }
  return true;
}

}  // namespace kindling::agent
