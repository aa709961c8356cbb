#include "agent/network/tcp_stats.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/errno_status.h"
#include "model/tcp_metrics.h"

namespace kindling::agent {
namespace {

namespace tcp = model::tcp;

constexpr std::array<const char*, 5> kRetransmitNames = {"timeout", "fast", "syn", "synack",
                                                         "other"};

// Why a connection ended. A reset is the cause, whatever error it left.
std::string EndReason(const TcpSample& end) {
  if (end.error == ETIMEDOUT) return "timeout";
  if (end.resets_received > 0) return "reset_received";
  if (end.resets_sent > 0) return "reset_sent";
  return end.error != 0 ? base::ErrnoName(end.error) : "closed";
}

// By how much a counter has grown since it was last seen. One that is read a moment before another
// that it is made of may go back; what it grows again then is no news.
template <typename T>
T TakeGrowth(T now, T& seen) {
  const T grown = now > seen ? now - seen : 0;
  seen = std::max(seen, now);
  return grown;
}

std::string ReasonText(const std::string& reason) { return reason.empty() ? "unknown" : reason; }

// Of a row's results and reasons: there are not so many errnos that connects end with.
constexpr size_t kMaxKinds = 64;

template <typename Kinds>
typename Kinds::mapped_type& KindOf(Kinds& kinds, std::string name) {
  if (kinds.size() >= kMaxKinds && !kinds.contains(name)) name = model::kOtherName;
  return kinds[std::move(name)];
}

}  // namespace

TcpStats::Row& TcpStats::RowOf(const model::EdgeEnds& ends) {
  auto found = rows_.find(ends);
  if (found == rows_.end()) {
    model::EdgeEnds key = ends;
    if (rows_.size() >= options_.max_edges) {
      const std::string other(model::kOtherName);
      key = {
          .observer = ends.observer, .client = {.workload = other}, .server = {.workload = other}};
    }
    found = rows_.try_emplace(std::move(key)).first;
    if (found->second == nullptr) found->second = std::make_unique<Row>();
  }
  return *found->second;
}

void TcpStats::OnConnect(const model::EdgeEnds& ends, int error, int64_t duration_ns) {
  Attempts& attempts = KindOf(RowOf(ends).attempts, error == 0 ? tcp::kOk : base::ErrnoName(error));
  ++attempts.count;
  if (duration_ns > 0) attempts.time.Record(duration_ns);
}

void TcpStats::OnConnectFailure(const model::EdgeEnds& ends, const ConnectFailure& failure) {
  OnConnect(ends, failure.error == 0 ? ECANCELED : failure.error, failure.duration_ns);
  Row& row = RowOf(ends);
  row.retransmits[kSyn] += failure.syn_retransmits;
  row.resets_received += failure.resets_received;
}

void TcpStats::OnSample(const model::EdgeEnds& ends, const Origin& origin, const TcpSample& now) {
  const auto found = sampled_.find(now.id);
  const bool is_first = found == sampled_.end();
  if (is_first && !now.ended && sampled_.size() >= options_.max_sampled) return;
  Row& row = RowOf(ends);
  if (is_first && origin.accepted) ++row.accepts;
  // What an older connection had counted before is nothing that happened now.
  TcpSample first = origin.since_start ? TcpSample() : now;
  TcpSample& seen = is_first ? first : found->second;

  // The causes are of hooks, the sum is the socket's own and stands.
  uint32_t left = TakeGrowth(now.retransmits, seen.retransmits);
  const auto take = [&left](uint32_t of_cause) {
    const uint32_t taken = std::min(left, of_cause);
    left -= taken;
    return taken;
  };
  row.retransmits[kSyn] += take(TakeGrowth(now.syn_retransmits, seen.syn_retransmits));
  row.retransmits[kTimeout] += take(TakeGrowth(now.timeout_retransmits, seen.timeout_retransmits));
  row.retransmits[kFast] += take(TakeGrowth(now.fast_retransmits, seen.fast_retransmits));
  row.retransmits[kOtherCause] += left;
  row.lost_segments += TakeGrowth(now.lost_segments, seen.lost_segments);
  row.out_of_order += TakeGrowth(now.out_of_order, seen.out_of_order);
  row.sent_segments += TakeGrowth(now.sent_segments, seen.sent_segments);
  row.received_segments += TakeGrowth(now.received_segments, seen.received_segments);
  row.sent_bytes += TakeGrowth(now.sent_bytes, seen.sent_bytes);
  row.received_bytes += TakeGrowth(now.received_bytes, seen.received_bytes);
  row.busy_ns += TakeGrowth(now.busy_ns, seen.busy_ns);
  row.receiver_limited_ns += TakeGrowth(now.receiver_limited_ns, seen.receiver_limited_ns);
  row.sender_limited_ns += TakeGrowth(now.sender_limited_ns, seen.sender_limited_ns);
  row.resets_received += TakeGrowth(now.resets_received, seen.resets_received);
  if (const uint32_t resets = TakeGrowth(now.resets_sent, seen.resets_sent); resets > 0) {
    KindOf(row.resets_sent, ReasonText(now.reset_reason)) += resets;
  }
  if (now.srtt_ns > 0) row.srtt.Record(now.srtt_ns);
  if (now.min_rtt_ns > 0 && (row.min_rtt_ns == 0 || now.min_rtt_ns < row.min_rtt_ns)) {
    row.min_rtt_ns = now.min_rtt_ns;
  }
  if (now.ended) {
    ++KindOf(row.ends, EndReason(now));
    if (!is_first) sampled_.erase(found);
    return;
  }
  ++row.congestion[static_cast<size_t>(now.congestion)];
  row.zero_windows += now.zero_window ? 1 : 0;
  if (!is_first) return;
  first.reset_reason.clear();
  sampled_.emplace(now.id, std::move(first));
}

void TcpStats::OnListener(const model::EdgeEnds& ends, const ListenerSample& now) {
  const auto found = listeners_.find(now.id);
  const bool is_first = found == listeners_.end();
  if (is_first && !now.ended && listeners_.size() >= options_.max_sampled) return;
  Listener first;
  Listener& seen = is_first ? first : found->second;
  Row& row = RowOf(ends);
  row.listen_drops += TakeGrowth(now.drops, seen.drops);
  row.retransmits[kSynAck] += TakeGrowth(now.synack_retransmits, seen.synack_retransmits);
  if (const uint32_t resets = TakeGrowth(now.resets_sent, seen.resets_sent); resets > 0) {
    KindOf(row.resets_sent, ReasonText(now.reset_reason)) += resets;
  }
  if (now.ended) {
    if (!is_first) listeners_.erase(found);
    return;
  }
  if (!row.listens || now.queued > row.queued) {
    row.listens = true;
    row.queued = now.queued;
    row.queue_max = now.queue_max;
  }
  seen.window = windows_;
  if (is_first) listeners_.emplace(now.id, first);
}

void TcpStats::Write(const Row& row, EdgeSeriesWriter& out) {
  for (const auto& [result, attempts] : row.attempts) {
    out.Delta(tcp::kConnects, attempts.count, {{tcp::kResult, result}});
    out.Histogram(tcp::kConnectTime, attempts.time, {{tcp::kResult, result}});
  }
  out.Delta(tcp::kAccepts, row.accepts);
  for (const auto& [reason, count] : row.ends)
    out.Delta(tcp::kEnds, count, {{tcp::kReason, reason}});
  for (size_t i = 0; i < kRetransmitKinds; ++i) {
    out.Delta(tcp::kRetransmits, row.retransmits[i], {{tcp::kKind, kRetransmitNames[i]}});
  }
  out.Delta(tcp::kLostSegments, row.lost_segments);
  out.Delta(tcp::kOutOfOrder, row.out_of_order);
  out.Delta(tcp::kSentSegments, row.sent_segments);
  out.Delta(tcp::kReceivedSegments, row.received_segments);
  out.Delta(tcp::kSentBytes, row.sent_bytes);
  out.Delta(tcp::kReceivedBytes, row.received_bytes);
  for (const auto& [reason, count] : row.resets_sent) {
    out.Delta(tcp::kResetsSent, count, {{tcp::kReason, reason}});
  }
  out.Delta(tcp::kResetsReceived, row.resets_received);
  out.Delta(tcp::kBusyTime, static_cast<double>(row.busy_ns) / 1e9);
  out.Delta(tcp::kReceiverLimitedTime, static_cast<double>(row.receiver_limited_ns) / 1e9);
  out.Delta(tcp::kSenderLimitedTime, static_cast<double>(row.sender_limited_ns) / 1e9);
  out.Histogram(tcp::kSrtt, row.srtt);
  if (row.min_rtt_ns > 0) out.Gauge(tcp::kMinRtt, static_cast<double>(row.min_rtt_ns) / 1e9);
  for (size_t i = 1; i < row.congestion.size(); ++i) {
    out.Delta(tcp::kCongestion, row.congestion[i],
              {{tcp::kState, Name(static_cast<CongestionState>(i))}});
  }
  out.Delta(tcp::kZeroWindow, row.zero_windows);
  out.Delta(tcp::kListenDrops, row.listen_drops);
  if (row.listens) {
    out.Gauge(tcp::kAcceptQueue, row.queued);
    out.Gauge(tcp::kAcceptQueueMax, row.queue_max);
  }
}

void TcpStats::EmitWindow(int64_t start_ns, model::Batch& batch) {
  for (const auto& [ends, row] : rows_) {
    EdgeSeriesWriter out(model::LabelsOf(ends), start_ns, batch);
    Write(*row, out);
  }
  rows_.clear();
  // Each is met in every window; the word that one ended may have been lost.
  ++windows_;
  absl::erase_if(listeners_, [&](const auto& listener) {
    return windows_ - listener.second.window > kForgottenAfter;
  });
}

}  // namespace kindling::agent
