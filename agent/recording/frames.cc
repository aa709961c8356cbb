#include "agent/recording/frames.h"

#include <algorithm>
#include <string>

#include "base/byte_reader.h"

namespace kindling::agent {
namespace {

std::string AddressBytes(const IpAddress& address) {
  return {reinterpret_cast<const char*>(address.bytes.data()), address.size};
}

bool ParseAddress(const std::string& bytes, IpAddress* out) {
  if (bytes.size() != 0 && bytes.size() != 4 && bytes.size() != 16) return false;
  *out = IpAddress();
  out->size = static_cast<uint8_t>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), out->bytes.begin());
  return true;
}

template <typename E>
bool ParseEnum(uint32_t value, E last, E* out) {
  if (value > static_cast<uint32_t>(last)) return false;
  *out = static_cast<E>(value);
  return true;
}

bool ParsePort(uint32_t value, uint16_t* out) {
  *out = static_cast<uint16_t>(value);
  return value <= UINT16_MAX;
}

}  // namespace

void Encode(const ConnOpen& event, recorded::ConnOpen* out) {
  out->set_id(event.id);
  out->set_boot_ns(event.boot_ns);
  out->set_origin(static_cast<uint32_t>(event.origin));
  out->set_transport(static_cast<uint32_t>(event.transport));
  out->set_side(static_cast<uint32_t>(event.side));
  out->set_netns(event.netns);
  out->set_local(AddressBytes(event.local));
  out->set_remote(AddressBytes(event.remote));
  out->set_local_port(event.local_port);
  out->set_remote_port(event.remote_port);
  out->set_unix_path(event.unix_path);
  out->set_unix_inode(event.unix_inode);
  out->set_unix_peer_inode(event.unix_peer_inode);
  out->set_tgid(event.tgid);
  out->set_tid(event.tid);
  out->set_connect_duration_ns(event.connect_duration_ns);
  out->set_sent_bytes(event.sent_bytes);
  out->set_received_bytes(event.received_bytes);
}

bool Decode(const recorded::ConnOpen& in, ConnOpen* out) {
  out->id = in.id();
  out->boot_ns = in.boot_ns();
  out->netns = in.netns();
  out->unix_path = in.unix_path();
  out->unix_inode = in.unix_inode();
  out->unix_peer_inode = in.unix_peer_inode();
  out->tgid = in.tgid();
  out->tid = in.tid();
  out->connect_duration_ns = in.connect_duration_ns();
  out->sent_bytes = in.sent_bytes();
  out->received_bytes = in.received_bytes();
  return ParseEnum(in.origin(), ConnOrigin::kFirstData, &out->origin) &&
         ParseEnum(in.transport(), model::Transport::kUnix, &out->transport) &&
         ParseEnum(in.side(), model::Side::kServer, &out->side) &&
         ParseAddress(in.local(), &out->local) && ParseAddress(in.remote(), &out->remote) &&
         ParsePort(in.local_port(), &out->local_port) &&
         ParsePort(in.remote_port(), &out->remote_port);
}

void Encode(const ConnectFailure& event, recorded::ConnectFailure* out) {
  out->set_boot_ns(event.boot_ns);
  out->set_transport(static_cast<uint32_t>(event.transport));
  out->set_netns(event.netns);
  out->set_local(AddressBytes(event.local));
  out->set_remote(AddressBytes(event.remote));
  out->set_remote_port(event.remote_port);
  out->set_tgid(event.tgid);
  out->set_error(event.error);
  out->set_duration_ns(event.duration_ns);
}

bool Decode(const recorded::ConnectFailure& in, ConnectFailure* out) {
  out->boot_ns = in.boot_ns();
  out->netns = in.netns();
  out->tgid = in.tgid();
  out->error = in.error();
  out->duration_ns = in.duration_ns();
  return ParseEnum(in.transport(), model::Transport::kUnix, &out->transport) &&
         ParseAddress(in.local(), &out->local) && ParseAddress(in.remote(), &out->remote) &&
         ParsePort(in.remote_port(), &out->remote_port);
}

void Encode(const ConnCounters& event, recorded::ConnCounters* out) {
  out->set_id(event.id);
  out->set_boot_ns(event.boot_ns);
  out->set_sent_bytes(event.sent_bytes);
  out->set_received_bytes(event.received_bytes);
  out->set_turns(event.turns);
  out->set_closed(event.closed);
}

bool Decode(const recorded::ConnCounters& in, ConnCounters* out) {
  *out = {.id = in.id(),
          .boot_ns = in.boot_ns(),
          .sent_bytes = in.sent_bytes(),
          .received_bytes = in.received_bytes(),
          .turns = in.turns(),
          .closed = in.closed()};
  return true;
}

void Encode(const DataEvent& event, recorded::Data* out) {
  out->set_id(event.id);
  out->set_boot_ns(event.boot_ns);
  out->set_direction(static_cast<uint32_t>(event.direction));
  out->set_position(event.position);
  out->set_size(event.size);
  out->set_payload(event.bytes.data(), event.bytes.size());
  out->set_tcp_seq(event.tcp_seq);
  out->set_turn(event.turn);
  out->set_tgid(event.tgid);
  out->set_tid(event.tid);
  out->set_execution_unit(event.execution_unit);
  out->set_remote(AddressBytes(event.remote));
  out->set_remote_port(event.remote_port);
  out->set_remote_unknown(event.remote_unknown);
}

bool Decode(const recorded::Data& in, DataEvent* out) {
  out->id = in.id();
  out->boot_ns = in.boot_ns();
  out->position = in.position();
  out->size = in.size();
  out->bytes = base::AsBytes(in.payload());
  out->tcp_seq = in.tcp_seq();
  out->turn = in.turn();
  out->tgid = in.tgid();
  out->tid = in.tid();
  out->execution_unit = in.execution_unit();
  out->remote_unknown = in.remote_unknown();
  return ParseEnum(in.direction(), Direction::kReceived, &out->direction) && in.direction() != 0 &&
         in.payload().size() <= in.size() && ParseAddress(in.remote(), &out->remote) &&
         ParsePort(in.remote_port(), &out->remote_port);
}

void Encode(const ListenEvent& event, recorded::Listen* out) {
  out->set_boot_ns(event.boot_ns);
  out->set_transport(static_cast<uint32_t>(event.transport));
  out->set_netns(event.netns);
  out->set_local(AddressBytes(event.local));
  out->set_port(event.port);
  out->set_unix_path(event.unix_path);
  out->set_tgid(event.tgid);
}

bool Decode(const recorded::Listen& in, ListenEvent* out) {
  out->boot_ns = in.boot_ns();
  out->netns = in.netns();
  out->unix_path = in.unix_path();
  out->tgid = in.tgid();
  return ParseEnum(in.transport(), model::Transport::kUnix, &out->transport) &&
         ParseAddress(in.local(), &out->local) && ParsePort(in.port(), &out->port);
}

void Encode(const TaskEvent& event, recorded::Task* out) {
  out->set_boot_ns(event.boot_ns);
  out->set_kind(static_cast<uint32_t>(event.kind));
  out->set_tgid(event.tgid);
  out->set_parent_tgid(event.parent_tgid);
  out->set_wait_status(event.wait_status);
  out->set_start_boot_ns(event.start_boot_ns);
  out->set_comm(event.comm);
}

bool Decode(const recorded::Task& in, TaskEvent* out) {
  out->boot_ns = in.boot_ns();
  out->tgid = in.tgid();
  out->parent_tgid = in.parent_tgid();
  out->wait_status = in.wait_status();
  out->start_boot_ns = in.start_boot_ns();
  out->comm = in.comm();
  return in.kind() != 0 && ParseEnum(in.kind(), TaskEventKind::kFound, &out->kind);
}

void Encode(const KernelLoss& loss, recorded::KernelLoss* out) {
  out->set_control_ring_events(loss.control_ring_events);
  out->set_data_ring_events(loss.data_ring_events);
  out->set_data_ring_bytes(loss.data_ring_bytes);
  out->set_map_full(loss.map_full);
  out->set_unread_payload(loss.unread_payload);
}

bool Decode(const recorded::KernelLoss& in, KernelLoss* out) {
  *out = {.control_ring_events = in.control_ring_events(),
          .data_ring_events = in.data_ring_events(),
          .data_ring_bytes = in.data_ring_bytes(),
          .map_full = in.map_full(),
          .unread_payload = in.unread_payload()};
  return true;
}

void Encode(uint32_t tgid, const ProcessFacts& facts, recorded::ProcessFacts* out) {
  out->set_tgid(tgid);
  out->set_found(facts.found);
  out->set_parent_tgid(facts.parent_tgid);
  out->set_executable(facts.executable);
  out->set_comm(facts.comm);
  for (const std::string& argument : facts.arguments) out->add_arguments(argument);
  out->set_cgroup(facts.cgroup);
  out->set_start_ticks(facts.start_ticks);
}

bool Decode(const recorded::ProcessFacts& in, ProcessFacts* out) {
  out->found = in.found();
  out->parent_tgid = in.parent_tgid();
  out->executable = in.executable();
  out->comm = in.comm();
  out->arguments.assign(in.arguments().begin(), in.arguments().end());
  out->cgroup = in.cgroup();
  out->start_ticks = in.start_ticks();
  return true;
}

}  // namespace kindling::agent
