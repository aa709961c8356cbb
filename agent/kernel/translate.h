#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "agent/capture/events.h"
#include "agent/kernel/drop_reasons.h"
#include "bpf/wire/control.h"
#include "bpf/wire/counters.h"
#include "bpf/wire/data.h"
#include "bpf/wire/drops.h"
#include "bpf/wire/tcp.h"

// From the records that the BPF programs write to the events of the pipeline.
namespace kindling::agent {

ConnOpen ToConnOpen(const kd_conn_open& wire);
ConnCounters ToConnCounters(const kd_conn_close& wire);
ConnCounters ToConnCounters(const kd_counters& wire, int64_t boot_ns);
ConnectFailure ToConnectFailure(const kd_connect_failed& wire);
ListenEvent ToListenEvent(const kd_listen& wire);
TaskEvent ToTaskEvent(const kd_task_event& wire);
// `reset_reasons` are this kernel's, by number; without the number of one it has no name.
TcpSample ToTcpSample(const kd_tcp_stats& wire, const std::vector<std::string>& reset_reasons);
ListenerSample ToListenerSample(const kd_listener_stats& wire,
                                const std::vector<std::string>& reset_reasons);
// What the packets have in common; when and how many is the caller's.
DropSample ToDropSample(const kd_drop_key& wire, const DropReasons& reasons);
DatagramSample ToDatagramSample(const kd_udp_stats& wire);

// `record` is a whole record of the data ring; the event's bytes point into it. False: it is too
// short to be one.
bool ToDataEvent(std::span<const std::byte> record, DataEvent& event);

// Address of a peer record.
IpAddress PeerAddress(const kd_peer& wire);

}  // namespace kindling::agent
