#include "agent/recording/frames.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/byte_reader.h"
#include "model/host_metrics.h"

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
  out->set_syn_retransmits(event.syn_retransmits);
  out->set_resets_received(event.resets_received);
}

bool Decode(const recorded::ConnectFailure& in, ConnectFailure* out) {
  out->boot_ns = in.boot_ns();
  out->netns = in.netns();
  out->tgid = in.tgid();
  out->error = in.error();
  out->duration_ns = in.duration_ns();
  out->syn_retransmits = in.syn_retransmits();
  out->resets_received = in.resets_received();
  return ParseEnum(in.transport(), model::Transport::kUnix, &out->transport) &&
         ParseAddress(in.local(), &out->local) && ParseAddress(in.remote(), &out->remote) &&
         ParsePort(in.remote_port(), &out->remote_port);
}

// A reason becomes a label of series: a recording may not name any.
bool ParseReason(const std::string& in, std::string* out) {
  constexpr size_t kMaxReasonBytes = 64;
  const bool is_name = std::all_of(in.begin(), in.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (!is_name || in.size() > kMaxReasonBytes) return false;
  *out = in;
  return true;
}

void Encode(const TcpSample& sample, recorded::TcpSample* out) {
  out->set_id(sample.id);
  out->set_boot_ns(sample.boot_ns);
  out->set_sent_bytes(sample.sent_bytes);
  out->set_received_bytes(sample.received_bytes);
  out->set_sent_segments(sample.sent_segments);
  out->set_received_segments(sample.received_segments);
  out->set_retransmits(sample.retransmits);
  out->set_timeout_retransmits(sample.timeout_retransmits);
  out->set_fast_retransmits(sample.fast_retransmits);
  out->set_syn_retransmits(sample.syn_retransmits);
  out->set_lost_segments(sample.lost_segments);
  out->set_out_of_order(sample.out_of_order);
  out->set_srtt_ns(sample.srtt_ns);
  out->set_min_rtt_ns(sample.min_rtt_ns);
  out->set_busy_ns(sample.busy_ns);
  out->set_receiver_limited_ns(sample.receiver_limited_ns);
  out->set_sender_limited_ns(sample.sender_limited_ns);
  out->set_resets_sent(sample.resets_sent);
  out->set_resets_received(sample.resets_received);
  out->set_reset_reason(sample.reset_reason);
  out->set_zero_window(sample.zero_window);
  out->set_ended(sample.ended);
  out->set_error(sample.error);
  out->set_congestion(static_cast<uint32_t>(sample.congestion));
}

bool Decode(const recorded::TcpSample& in, TcpSample* out) {
  out->id = in.id();
  out->boot_ns = in.boot_ns();
  out->sent_bytes = in.sent_bytes();
  out->received_bytes = in.received_bytes();
  out->sent_segments = in.sent_segments();
  out->received_segments = in.received_segments();
  out->retransmits = in.retransmits();
  out->timeout_retransmits = in.timeout_retransmits();
  out->fast_retransmits = in.fast_retransmits();
  out->syn_retransmits = in.syn_retransmits();
  out->lost_segments = in.lost_segments();
  out->out_of_order = in.out_of_order();
  out->srtt_ns = in.srtt_ns();
  out->min_rtt_ns = in.min_rtt_ns();
  out->busy_ns = in.busy_ns();
  out->receiver_limited_ns = in.receiver_limited_ns();
  out->sender_limited_ns = in.sender_limited_ns();
  out->resets_sent = in.resets_sent();
  out->resets_received = in.resets_received();
  out->zero_window = in.zero_window();
  out->ended = in.ended();
  out->error = in.error();
  return ParseReason(in.reset_reason(), &out->reset_reason) &&
         ParseEnum(in.congestion(), CongestionState::kLoss, &out->congestion);
}

void Encode(const ListenerSample& sample, recorded::ListenerSample* out) {
  out->set_id(sample.id);
  out->set_boot_ns(sample.boot_ns);
  out->set_netns(sample.netns);
  out->set_tgid(sample.tgid);
  out->set_drops(sample.drops);
  out->set_queued(sample.queued);
  out->set_queue_max(sample.queue_max);
  out->set_synack_retransmits(sample.synack_retransmits);
  out->set_resets_sent(sample.resets_sent);
  out->set_reset_reason(sample.reset_reason);
  out->set_ended(sample.ended);
  out->set_local(AddressBytes(sample.local));
  out->set_port(sample.port);
}

bool Decode(const recorded::ListenerSample& in, ListenerSample* out) {
  out->id = in.id();
  out->boot_ns = in.boot_ns();
  out->netns = in.netns();
  out->tgid = in.tgid();
  out->drops = in.drops();
  out->queued = in.queued();
  out->queue_max = in.queue_max();
  out->synack_retransmits = in.synack_retransmits();
  out->resets_sent = in.resets_sent();
  out->ended = in.ended();
  return ParseReason(in.reset_reason(), &out->reset_reason) &&
         ParseAddress(in.local(), &out->local) && ParsePort(in.port(), &out->port);
}

void Encode(const DropSample& sample, recorded::DropSample* out) {
  out->set_boot_ns(sample.boot_ns);
  out->set_netns(sample.netns);
  out->set_direction(static_cast<uint32_t>(sample.direction));
  out->set_reason(sample.reason);
  out->set_ethertype(sample.ethertype);
  out->set_protocol(sample.protocol);
  out->set_source(AddressBytes(sample.source));
  out->set_destination(AddressBytes(sample.destination));
  out->set_source_port(sample.source_port);
  out->set_destination_port(sample.destination_port);
  out->set_without_ends(sample.without_ends);
  out->set_packets(sample.packets);
  out->set_bytes(sample.bytes);
}

bool Decode(const recorded::DropSample& in, DropSample* out) {
  out->boot_ns = in.boot_ns();
  out->netns = in.netns();
  out->ethertype = static_cast<uint16_t>(in.ethertype());
  out->protocol = static_cast<uint8_t>(in.protocol());
  out->without_ends = in.without_ends();
  out->packets = in.packets();
  out->bytes = in.bytes();
  return ParseEnum(in.direction(), Direction::kReceived, &out->direction) && in.direction() != 0 &&
         in.ethertype() <= UINT16_MAX && in.protocol() <= UINT8_MAX &&
         ParseReason(in.reason(), &out->reason) && ParseAddress(in.source(), &out->source) &&
         ParseAddress(in.destination(), &out->destination) &&
         ParsePort(in.source_port(), &out->source_port) &&
         ParsePort(in.destination_port(), &out->destination_port);
}

void Encode(const DatagramSample& sample, recorded::DatagramSample* out) {
  out->set_id(sample.id);
  out->set_boot_ns(sample.boot_ns);
  out->set_netns(sample.netns);
  out->set_local(AddressBytes(sample.local));
  out->set_remote(AddressBytes(sample.remote));
  out->set_local_port(sample.local_port);
  out->set_remote_port(sample.remote_port);
  out->set_tgid(sample.tgid);
  out->set_drops(sample.drops);
}

bool Decode(const recorded::DatagramSample& in, DatagramSample* out) {
  out->id = in.id();
  out->boot_ns = in.boot_ns();
  out->netns = in.netns();
  out->tgid = in.tgid();
  out->drops = in.drops();
  return ParseAddress(in.local(), &out->local) && ParseAddress(in.remote(), &out->remote) &&
         ParsePort(in.local_port(), &out->local_port) &&
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

void Encode(const Endpoint& endpoint, recorded::Endpoint* out) {
  out->set_address(AddressBytes(endpoint.address));
  out->set_port(endpoint.port);
}

bool Decode(const recorded::Endpoint& in, Endpoint* out) {
  return ParseAddress(in.address(), &out->address) && ParsePort(in.port(), &out->port);
}

void Encode(const NatEvent& event, recorded::Nat* out) {
  out->set_kind(static_cast<uint32_t>(event.kind));
  out->set_netns(event.netns);
  out->set_transport(static_cast<uint32_t>(event.transport));
  Encode(event.client, out->mutable_client());
  Encode(event.asked, out->mutable_asked());
  Encode(event.server, out->mutable_server());
  Encode(event.seen_as, out->mutable_seen_as());
  out->set_lost(event.lost);
}

bool Decode(const recorded::Nat& in, NatEvent* out) {
  out->netns = in.netns();
  out->lost = in.lost();
  return in.kind() != 0 && ParseEnum(in.kind(), NatEventKind::kLost, &out->kind) &&
         ParseEnum(in.transport(), model::Transport::kUnix, &out->transport) &&
         Decode(in.client(), &out->client) && Decode(in.asked(), &out->asked) &&
         Decode(in.server(), &out->server) && Decode(in.seen_as(), &out->seen_as);
}

void Encode(const NetworkReading& reading, recorded::NetworkReading* out) {
  out->set_netns(reading.netns);
  out->set_name_space(reading.name_space);
  for (const NetworkFigure& figure : reading.figures) {
    recorded::NetworkFigure* to = out->add_figures();
    to->set_metric(model::host::InfoOf(figure.metric).name);
    to->set_device(figure.device);
    to->set_detail(figure.detail);
    to->set_value(figure.value);
  }
}

bool Decode(const recorded::NetworkReading& in, NetworkReading* out) {
  constexpr size_t kMaxLabelBytes = 256;
  out->netns = in.netns();
  out->name_space = in.name_space();
  if (out->name_space.size() > kMaxLabelBytes) return false;
  for (const recorded::NetworkFigure& figure : in.figures()) {
    const size_t index = model::host::IndexOf(figure.metric());
    if (index == model::host::kMetrics || figure.device().size() > kMaxLabelBytes ||
        figure.detail().size() > kMaxLabelBytes || !std::isfinite(figure.value())) {
      return false;
    }
    out->figures.push_back({.metric = static_cast<model::host::Metric>(index),
                            .device = figure.device(),
                            .detail = figure.detail(),
                            .value = figure.value()});
  }
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
