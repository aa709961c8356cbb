#include "agent/kernel/bpf_capture.h"

#include <glog/logging.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>
#include <tuple>

#include "absl/time/clock.h"
#include "agent/kernel/translate.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "bpf/wire/control.h"
#include "bpf/wire/data.h"
#include "bpf/wire/drops.h"
#include "bpf/wire/tcp.h"

namespace kindling::agent {
namespace {

constexpr size_t kUnixListenersMax = 4096;
constexpr absl::Duration kWritten = absl::Milliseconds(5);

}  // namespace

absl::StatusOr<std::unique_ptr<KernelSource>> KernelSource::Open(
    const KernelSourceOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<BpfPrograms> programs, BpfPrograms::Load(options));
  ASSIGN_OR_RETURN(std::unique_ptr<Ring> control,
                   Ring::Open(programs->control_ring_fd(), options.control_ring_bytes));
  ASSIGN_OR_RETURN(std::unique_ptr<Ring> data,
                   Ring::Open(programs->data_ring_fd(), options.data_ring_bytes));
  return std::make_unique<BpfCapture>(std::move(programs), std::move(control), std::move(data));
}

absl::Status BpfCapture::Start(EventSink& sink) {
  const base::Clock& clock = base::SystemClock();
  cycle_boot_ns_ = clock.BootNs();
  cycle_wall_ns_ = clock.WallNs();
  RETURN_IF_ERROR(programs_->AttachAll());
  RETURN_IF_ERROR(FindSockets(sink));
  SampleTcp(sink);
  return absl::OkStatus();
}

absl::Status BpfCapture::FindSockets(EventSink& sink) {
  ASSIGN_OR_RETURN(const std::string bytes, programs_->FindSockets());
  std::vector<ConnOpen> opens;
  std::set<std::tuple<uint32_t, model::Transport, uint16_t>> listeners;
  std::set<std::tuple<uint32_t, uint32_t, uint16_t, std::string>> told;
  std::set<uint32_t> processes;
  for (size_t at = 0; at + sizeof(kd_control) <= bytes.size();) {
    kd_control control;
    std::memcpy(&control, bytes.data() + at, sizeof(control));
    if (control.size < sizeof(control) || at + control.size > bytes.size()) break;
    if (control.type == KD_CONTROL_LISTEN && control.size >= sizeof(kd_listen)) {
      kd_listen wire;
      std::memcpy(&wire, bytes.data() + at, sizeof(wire));
      const ListenEvent listen = ToListenEvent(wire);
      if (listen.port != 0) listeners.emplace(listen.netns, listen.transport, listen.port);
      // Every descriptor of a listener is met: one event per process.
      if (told.emplace(listen.tgid, listen.netns, listen.port,
                       ToString(listen.local) + listen.unix_path)
              .second) {
        if (listen.transport == model::Transport::kUnix) {
          unix_listeners_.emplace(listen.tgid, listen.unix_path);
        }
        sink.OnListen(listen);
      }
    } else if (control.type == KD_CONTROL_OPEN && control.size >= sizeof(kd_conn_open)) {
      kd_conn_open wire;
      std::memcpy(&wire, bytes.data() + at, sizeof(wire));
      opens.push_back(ToConnOpen(wire));
    } else if (control.type == KD_CONTROL_TASK && control.size >= sizeof(kd_task_event)) {
      kd_task_event wire;
      std::memcpy(&wire, bytes.data() + at, sizeof(wire));
      // Threads may have files of their own.
      if (processes.insert(wire.tgid).second) sink.OnTask(ToTaskEvent(wire));
    }
    at += control.size;
  }
  for (ConnOpen& open : opens) {
    if (open.side == model::Side::kUnknown && open.transport == model::Transport::kTcp) {
      // A port that someone listens on here is the server's.
      if (listeners.contains({open.netns, open.transport, open.local_port})) {
        open.side = model::Side::kServer;
      } else if (listeners.contains({open.netns, open.transport, open.remote_port})) {
        open.side = model::Side::kClient;
      }
    }
    OnOpen(open, sink);
  }
  return absl::OkStatus();
}

void BpfCapture::OnOpen(const ConnOpen& open, EventSink& sink) {
  const auto [known, is_new] = known_.try_emplace(open.id);
  if (!is_new) return;  // two threads that used a socket first may both announce it
  known->second.last.id = open.id;
  known->second.seen_in_sweep = sweeps_;
  sink.OnConnOpen(open);
  // No hook tells that a unix socket listens: the first connection accepted from it does.
  if (open.transport == model::Transport::kUnix && open.side == model::Side::kServer &&
      open.origin == ConnOrigin::kFirstData && unix_listeners_.size() < kUnixListenersMax &&
      unix_listeners_.emplace(open.tgid, open.unix_path).second) {
    sink.OnListen({.boot_ns = open.boot_ns,
                   .transport = open.transport,
                   .netns = open.netns,
                   .unix_path = open.unix_path,
                   .tgid = open.tgid});
  }
}

void BpfCapture::OnControl(std::span<const std::byte> record, EventSink& sink) {
  if (record.size() < sizeof(kd_control)) return;
  const auto& control = *reinterpret_cast<const kd_control*>(record.data());
  if (control.size > record.size()) return;
  const void* wire = record.data();
  switch (control.type) {
    case KD_CONTROL_OPEN:
      OnOpen(ToConnOpen(*static_cast<const kd_conn_open*>(wire)), sink);
      break;
    case KD_CONTROL_CLOSE: {
      const ConnCounters end = ToConnCounters(*static_cast<const kd_conn_close*>(wire));
      auto known = known_.find(end.id);
      if (known == known_.end() || known->second.is_ending) break;
      known->second.is_ending = true;
      ends_.push_back(end);
      break;
    }
    case KD_CONTROL_CONNECT_FAILED:
      sink.OnConnectFailure(ToConnectFailure(*static_cast<const kd_connect_failed*>(wire)));
      break;
    case KD_CONTROL_LISTEN:
      sink.OnListen(ToListenEvent(*static_cast<const kd_listen*>(wire)));
      break;
    case KD_CONTROL_TASK: {
      const TaskEvent event = ToTaskEvent(*static_cast<const kd_task_event*>(wire));
      if (event.kind == TaskEventKind::kExit) {
        std::erase_if(unix_listeners_,
                      [&](const auto& listener) { return listener.first == event.tgid; });
        exits_.push_back(event);
      } else {
        sink.OnTask(event);
      }
      break;
    }
    case KD_CONTROL_TCP:
    case KD_CONTROL_LISTENER:
      OnTcpRecord(record.first(control.size), sink);
      break;
    default:
      break;
  }
}

void BpfCapture::OnTcpRecord(std::span<const std::byte> record, EventSink& sink) {
  const auto type = reinterpret_cast<const kd_control*>(record.data())->type;
  const void* wire = record.data();
  if (type == KD_CONTROL_TCP && record.size() >= sizeof(kd_tcp_stats)) {
    sink.OnTcp(ToTcpSample(*static_cast<const kd_tcp_stats*>(wire), programs_->reset_reasons()));
  } else if (type == KD_CONTROL_LISTENER && record.size() >= sizeof(kd_listener_stats)) {
    sink.OnListener(
        ToListenerSample(*static_cast<const kd_listener_stats*>(wire), programs_->reset_reasons()));
  } else if (type == KD_CONTROL_UDP && record.size() >= sizeof(kd_udp_stats)) {
    sink.OnDatagrams(ToDatagramSample(*static_cast<const kd_udp_stats*>(wire)));
  }
}

void BpfCapture::OnRecord(std::span<const std::byte> record, EventSink& sink) {
  DataEvent event;
  if (!ToDataEvent(record, event)) return;
  const uint8_t flags = reinterpret_cast<const kd_data*>(record.data())->flags;
  if (flags & KD_DATA_STREAMLESS) {
    if (flags & KD_DATA_PEER_OF) {
      peers_.Resolve(event.id, event.position, event.remote, event.remote_port, sink);
      return;
    }
    // No hook sees the end of such a socket: its last counters are what its data said.
    if (auto known = known_.find(event.id); known != known_.end()) {
      known->second.asks_for_peers |= (flags & KD_DATA_PEER_FOLLOWS) != 0;
      ConnCounters& last = known->second.last;
      uint64_t& total = event.direction == Direction::kSent ? last.sent_bytes : last.received_bytes;
      total = std::max(total, event.position + event.size);
      last.turns = std::max(last.turns, event.turn);
    }
    if (peers_.Hold(event, flags & KD_DATA_PEER_FOLLOWS, sink)) return;
  }
  sink.OnData(event);
}

// By now all data before the sweep has been drained. Counters that know of data which is held still
// are no use: the next sweep has others.
void BpfCapture::GiveSwept(EventSink& sink) {
  for (const ConnCounters& counters : swept_) {
    if (!peers_.Holds(counters.id)) sink.OnConnCounters(counters);
  }
  swept_.clear();
}

void BpfCapture::GiveEnds(EventSink& sink) {
  for (const ConnCounters& end : ends_before_) {
    known_.erase(end.id);
    if (!peers_.empty()) peers_.Release(end.id, sink);
    sink.OnConnCounters(end);
  }
  for (const TaskEvent& exit : exits_before_) sink.OnTask(exit);
  ends_before_.clear();
  exits_before_.clear();
  std::swap(ends_, ends_before_);
  std::swap(exits_, exits_before_);
}

void BpfCapture::ReportLoss(EventSink& sink) {
  const KernelLoss loss = programs_->loss();
  if (loss == reported_loss_) return;
  reported_loss_ = loss;
  sink.OnKernelLoss(loss);
}

void BpfCapture::Drain(EventSink& sink) {
  const base::Clock& clock = base::SystemClock();
  const int64_t boot_ns = clock.BootNs();
  const int64_t wall_ns = clock.WallNs();
  // A connection is announced before its first data is written: what is in the data ring now has
  // its announcement in the control ring by the time that is read.
  const uint64_t data_limit = data_->producer_position();
  control_->Drain(control_->producer_position(),
                  [&](std::span<const std::byte> record) { OnControl(record, sink); });
  data_->Drain(data_limit, [&](std::span<const std::byte> record) { OnRecord(record, sink); });
  if (!peers_.empty()) peers_.Expire(boot_ns, sink);
  GiveSwept(sink);
  GiveEnds(sink);
  ReportLoss(sink);
  sink.OnTick(cycle_boot_ns_, cycle_wall_ns_);
  cycle_boot_ns_ = boot_ns;
  cycle_wall_ns_ = wall_ns;
}

void BpfCapture::SweepCounters(EventSink& sink) {
  if (!programs_->can_sweep()) return;
  auto bytes = programs_->ReadCounters();
  if (!bytes.ok()) {
    LOG_FIRST_N(WARNING, 3) << "sweep of the connections: " << bytes.status();
    return;
  }
  const int64_t boot_ns = base::SystemClock().BootNs();
  ++sweeps_;
  for (size_t at = 0; at + sizeof(kd_counters) <= bytes->size(); at += sizeof(kd_counters)) {
    kd_counters wire;
    std::memcpy(&wire, bytes->data() + at, sizeof(wire));
    auto known = known_.find(wire.conn);
    if (known == known_.end()) continue;  // its announcement is still in the ring
    if (known->second.is_ending) continue;
    known->second.seen_in_sweep = sweeps_;
    known->second.last = ToConnCounters(wire, boot_ns);
    if (wire.closed) {
      known->second.is_ending = true;
      ends_.push_back(known->second.last);
    } else if (known->second.asks_for_peers) {
      swept_.push_back(known->second.last);
    } else {
      sink.OnConnCounters(known->second.last);
    }
  }
  for (auto& [id, known] : known_) {
    if (known.is_ending || known.seen_in_sweep == sweeps_) continue;
    // TCP's end is reported by a hook and may be in the ring still. And an iterator passes over a
    // live socket when others of its bucket go away between two reads: hardly ever twice running.
    if (known.seen_in_sweep + 2 > sweeps_) continue;
    known.is_ending = true;
    ends_.push_back(known.last);
    ends_.back().boot_ns = boot_ns;
    ends_.back().closed = true;
  }
}

void BpfCapture::SampleTcp(EventSink& sink) {
  auto bytes = programs_->SampleTcp();
  if (!bytes.ok()) {
    LOG_FIRST_N(WARNING, 3) << "sampling TCP's connections: " << bytes.status();
    return;
  }
  // Of a connection whose announcement is in the ring still this is nothing to the sink: it is told
  // of in the next sample, or at its end.
  for (size_t at = 0; at + sizeof(kd_control) <= bytes->size();) {
    kd_control control;
    std::memcpy(&control, bytes->data() + at, sizeof(control));
    if (control.size < sizeof(control) || at + control.size > bytes->size()) break;
    OnTcpRecord(std::as_bytes(std::span(bytes->data() + at, control.size)), sink);
    at += control.size;
  }
}

void BpfCapture::SampleDrops(EventSink& sink) {
  const absl::Status read = programs_->ReadDrops(base::SystemClock().BootNs(), sink);
  if (!read.ok()) {
    LOG_FIRST_N(WARNING, 3) << read;
  }
}

void BpfCapture::Finish(EventSink& sink) {
  Drain(sink);
  SampleTcp(sink);
  SampleDrops(sink);
  SweepCounters(sink);
  peers_.Expire(std::numeric_limits<int64_t>::max(), sink);
  // Counters are compared with the data in the tick after the next; what a processor has counted
  // and is about to write gets the time that it has between two cycles.
  for (int i = 0; i < 2; ++i) {
    absl::SleepFor(kWritten);
    Drain(sink);
  }
}

}  // namespace kindling::agent
