#include "agent/network/tcp_stats.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/aggregate/edge_table.h"
#include "model/tcp_metrics.h"

namespace kindling::agent {
namespace {

namespace tcp = model::tcp;

constexpr std::array<const char*, 5> kCongestionNames = {"open", "disorder", "reduced", "recovery",
                                                         "loss"};
constexpr std::array<const char*, 5> kRetransmitNames = {"timeout", "fast", "syn", "synack",
                                                         "other"};

std::string ErrorName(int error) {
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : std::to_string(error);
}

// Why a connection ended. A reset is the cause, whatever error it left.
std::string EndReason(const TcpSample& end) {
  if (end.error == ETIMEDOUT) return "timeout";
  if (end.resets_received > 0) return "reset_received";
  if (end.resets_sent > 0) return "reset_sent";
  return end.error != 0 ? ErrorName(end.error) : "closed";
}

// A counter may be read a moment before another that it is made of; it never goes back.
template <typename T>
T Grown(T now, T before) {
  return now > before ? now - before : 0;
}

std::string ReasonText(const std::string& reason) { return reason.empty() ? "unknown" : reason; }

}  // namespace

// Appends series and points of one row.
class TcpStats::Writer {
 public:
  Writer(model::Labels labels, int64_t time_ns, model::Batch& batch)
      : labels_(std::move(labels)), time_ns_(time_ns), batch_(batch) {}

  void Delta(const char* name, double value, const char* label = nullptr,
             std::string_view text = {}) {
    if (value != 0) Point(name, model::MetricKind::kDelta, label, text).value = value;
  }
  void Delta(const char* name, uint64_t value, const char* label = nullptr,
             std::string_view text = {}) {
    Delta(name, static_cast<double>(value), label, text);
  }
  void Gauge(const char* name, double value) {
    Point(name, model::MetricKind::kGauge, nullptr, {}).value = value;
  }
  void Histogram(const char* name, const model::LatencyHistogram& histogram,
                 const char* label = nullptr, std::string_view text = {}) {
    if (histogram.count() == 0) return;
    Point(name, model::MetricKind::kHistogram, label, text).histogram = histogram;
  }

 private:
  model::MetricPoint& Point(const char* name, model::MetricKind kind, const char* label,
                            std::string_view text) {
    model::MetricSeries& series = batch_.series.emplace_back();
    series.name = name;
    series.kind = kind;
    series.labels = labels_;
    if (label != nullptr) model::AddLabel(label, text, series.labels);
    model::MetricPoint& point = batch_.points.emplace_back();
    point.series = static_cast<uint32_t>(batch_.series.size() - 1);
    point.time_ns = time_ns_;
    return point;
  }

  const model::Labels labels_;
  const int64_t time_ns_;
  model::Batch& batch_;
};

TcpStats::Row& TcpStats::RowOf(const model::EdgeEnds& ends) {
  auto found = rows_.find(ends);
  if (found == rows_.end()) {
    model::EdgeEnds key = ends;
    if (rows_.size() >= options_.max_edges) {
      const std::string other(kOther);
      key = {
          .observer = ends.observer, .client = {.workload = other}, .server = {.workload = other}};
    }
    found = rows_.try_emplace(std::move(key)).first;
    if (found->second == nullptr) found->second = std::make_unique<Row>();
  }
  return *found->second;
}

void TcpStats::OnConnect(const model::EdgeEnds& ends, int error, int64_t duration_ns) {
  Attempts& attempts = RowOf(ends).attempts[error == 0 ? tcp::kOk : ErrorName(error)];
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
  const TcpSample before = !is_first ? found->second : origin.since_start ? TcpSample() : now;

  // The causes are of hooks, the sum is the socket's own and stands.
  uint32_t left = Grown(now.retransmits, before.retransmits);
  const auto take = [&left](uint32_t of_cause) {
    const uint32_t taken = std::min(left, of_cause);
    left -= taken;
    return taken;
  };
  row.retransmits[kSyn] += take(Grown(now.syn_retransmits, before.syn_retransmits));
  row.retransmits[kTimeout] += take(Grown(now.timeout_retransmits, before.timeout_retransmits));
  row.retransmits[kFast] += take(Grown(now.fast_retransmits, before.fast_retransmits));
  row.retransmits[kOtherCause] += left;
  row.lost_segments += Grown(now.lost_segments, before.lost_segments);
  row.out_of_order += Grown(now.out_of_order, before.out_of_order);
  row.sent_segments += Grown(now.sent_segments, before.sent_segments);
  row.received_segments += Grown(now.received_segments, before.received_segments);
  row.sent_bytes += Grown(now.sent_bytes, before.sent_bytes);
  row.received_bytes += Grown(now.received_bytes, before.received_bytes);
  row.busy_ns += Grown(now.busy_ns, before.busy_ns);
  row.receiver_limited_ns += Grown(now.receiver_limited_ns, before.receiver_limited_ns);
  row.sender_limited_ns += Grown(now.sender_limited_ns, before.sender_limited_ns);
  row.resets_received += Grown(now.resets_received, before.resets_received);
  if (const uint32_t resets = Grown(now.resets_sent, before.resets_sent); resets > 0) {
    row.resets_sent[ReasonText(now.reset_reason)] += resets;
  }
  if (now.srtt_ns > 0) row.srtt.Record(now.srtt_ns);
  if (now.min_rtt_ns > 0 && (row.min_rtt_ns == 0 || now.min_rtt_ns < row.min_rtt_ns)) {
    row.min_rtt_ns = now.min_rtt_ns;
  }
  if (now.ended) {
    ++row.ends[EndReason(now)];
    if (!is_first) sampled_.erase(now.id);
    return;
  }
  ++row.congestion[static_cast<size_t>(now.congestion)];
  row.zero_windows += now.zero_window ? 1 : 0;
  TcpSample& kept = sampled_[now.id];
  kept = now;
  kept.reset_reason.clear();
  // A counter that was read too early once is not to count again.
  kept.sent_bytes = std::max(now.sent_bytes, before.sent_bytes);
  kept.received_bytes = std::max(now.received_bytes, before.received_bytes);
}

void TcpStats::OnListener(const model::EdgeEnds& ends, const ListenerSample& now) {
  const auto found = listeners_.find(now.id);
  if (found == listeners_.end() && !now.ended && listeners_.size() >= options_.max_sampled) return;
  const ListenerSample before = found == listeners_.end() ? ListenerSample() : found->second;
  Row& row = RowOf(ends);
  row.listen_drops += Grown(now.drops, before.drops);
  row.retransmits[kSynAck] += Grown(now.synack_retransmits, before.synack_retransmits);
  if (const uint32_t resets = Grown(now.resets_sent, before.resets_sent); resets > 0) {
    row.resets_sent[ReasonText(now.reset_reason)] += resets;
  }
  if (now.ended) {
    listeners_.erase(now.id);
    return;
  }
  if (!row.listens || now.queued > row.queued) {
    row.listens = true;
    row.queued = now.queued;
    row.queue_max = now.queue_max;
  }
  ListenerSample& kept = listeners_[now.id];
  kept = now;
  kept.reset_reason.clear();
}

void TcpStats::Write(const Row& row, Writer& out) {
  for (const auto& [result, attempts] : row.attempts) {
    out.Delta(tcp::kConnects, attempts.count, tcp::kResult, result);
    out.Histogram(tcp::kConnectTime, attempts.time, tcp::kResult, result);
  }
  out.Delta(tcp::kAccepts, row.accepts);
  for (const auto& [reason, count] : row.ends) out.Delta(tcp::kEnds, count, tcp::kReason, reason);
  for (size_t i = 0; i < kRetransmitKinds; ++i) {
    out.Delta(tcp::kRetransmits, row.retransmits[i], tcp::kKind, kRetransmitNames[i]);
  }
  out.Delta(tcp::kLostSegments, row.lost_segments);
  out.Delta(tcp::kOutOfOrder, row.out_of_order);
  out.Delta(tcp::kSentSegments, row.sent_segments);
  out.Delta(tcp::kReceivedSegments, row.received_segments);
  out.Delta(tcp::kSentBytes, row.sent_bytes);
  out.Delta(tcp::kReceivedBytes, row.received_bytes);
  for (const auto& [reason, count] : row.resets_sent) {
    out.Delta(tcp::kResetsSent, count, tcp::kReason, reason);
  }
  out.Delta(tcp::kResetsReceived, row.resets_received);
  out.Delta(tcp::kBusyTime, static_cast<double>(row.busy_ns) / 1e9);
  out.Delta(tcp::kReceiverLimitedTime, static_cast<double>(row.receiver_limited_ns) / 1e9);
  out.Delta(tcp::kSenderLimitedTime, static_cast<double>(row.sender_limited_ns) / 1e9);
  out.Histogram(tcp::kSrtt, row.srtt);
  if (row.min_rtt_ns > 0) out.Gauge(tcp::kMinRtt, static_cast<double>(row.min_rtt_ns) / 1e9);
  for (size_t i = 1; i < kCongestionNames.size(); ++i) {
    out.Delta(tcp::kCongestion, row.congestion[i], tcp::kState, kCongestionNames[i]);
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
    Writer out(model::LabelsOf(ends), start_ns, batch);
    Write(*row, out);
  }
  rows_.clear();
}

}  // namespace kindling::agent
