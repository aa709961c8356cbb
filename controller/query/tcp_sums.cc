#include "controller/query/tcp_sums.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "kindling/v1/query.pb.h"
#include "model/tcp_metrics.h"

namespace kindling::controller {
namespace {

namespace tcp = model::tcp;

void Merge(const TcpSums::Counts& from, TcpSums::Counts& to) {
  for (const auto& [name, count] : from) to[name] += count;
}

double SumOf(const TcpSums::Counts& counts) {
  double sum = 0;
  for (const auto& [name, count] : counts) sum += count;
  return sum;
}

double CountOf(const TcpSums::Counts& counts, std::string_view name) {
  const auto found = counts.find(name);
  return found == counts.end() ? 0 : found->second;
}

// The deltas that are one number.
constexpr std::pair<const char*, double TcpSums::*> kNumbers[] = {
    {tcp::kAccepts, &TcpSums::accepts},
    {tcp::kResetsReceived, &TcpSums::resets_received},
    {tcp::kLostSegments, &TcpSums::lost_segments},
    {tcp::kOutOfOrder, &TcpSums::out_of_order},
    {tcp::kSentSegments, &TcpSums::sent_segments},
    {tcp::kReceivedSegments, &TcpSums::received_segments},
    {tcp::kSentBytes, &TcpSums::sent_bytes},
    {tcp::kReceivedBytes, &TcpSums::received_bytes},
    {tcp::kBusyTime, &TcpSums::busy_seconds},
    {tcp::kReceiverLimitedTime, &TcpSums::receiver_limited_seconds},
    {tcp::kSenderLimitedTime, &TcpSums::sender_limited_seconds},
    {tcp::kZeroWindow, &TcpSums::zero_windows},
    {tcp::kListenDrops, &TcpSums::listen_drops},
};

// Those that come in kinds, by the label that tells them apart.
struct Kinds {
  const char* name;
  const char* label;
  TcpSums::Counts TcpSums::*counts;
};
constexpr Kinds kKinds[] = {
    {tcp::kConnects, tcp::kResult, &TcpSums::connects},
    {tcp::kEnds, tcp::kReason, &TcpSums::ends},
    {tcp::kRetransmits, tcp::kKind, &TcpSums::retransmits},
    {tcp::kResetsSent, tcp::kReason, &TcpSums::resets_sent},
    {tcp::kCongestion, tcp::kState, &TcpSums::congestion},
};

// The least of those there are, where 0 is none.
double Least(double a, double b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

double Ms(double ns) { return ns / 1e6; }

}  // namespace

void TcpSums::Add(const model::MetricSeries& series, const storage::MetricWindow& window) {
  const std::string_view name = series.name;
  for (const auto& [known, number] : kNumbers) {
    if (name == known) this->*number += window.sum;
  }
  for (const Kinds& kinds : kKinds) {
    if (name != kinds.name) continue;
    const std::string_view kind = model::LabelOf(series.labels, kinds.label);
    // Beyond the store's cap for series a metric's labels are not kept.
    (this->*kinds.counts)[std::string(kind.empty() ? model::kOtherName : kind)] += window.sum;
  }
  if (name == tcp::kSrtt) srtt.Merge(window.histogram);
  if (name == tcp::kConnectTime && model::LabelOf(series.labels, tcp::kResult) == tcp::kOk) {
    connect_time.Merge(window.histogram);
  }
  if (name == tcp::kMinRtt) min_rtt_seconds = Least(min_rtt_seconds, window.least);
  if (name == tcp::kAcceptQueue) accept_queue = std::max(accept_queue, window.most);
  if (name == tcp::kAcceptQueueMax) accept_queue_max = std::max(accept_queue_max, window.most);
}

void TcpSums::Merge(const TcpSums& other) {
  for (const auto& [name, number] : kNumbers) this->*number += other.*number;
  for (const Kinds& kinds : kKinds) {
    controller::Merge(other.*kinds.counts, this->*kinds.counts);
  }
  srtt.Merge(other.srtt);
  connect_time.Merge(other.connect_time);
  min_rtt_seconds = Least(min_rtt_seconds, other.min_rtt_seconds);
  if (other.accept_queue >= accept_queue && other.accept_queue_max > 0) {
    accept_queue = other.accept_queue;
    accept_queue_max = other.accept_queue_max;
  }
}

double TcpSums::connections() const { return std::max(SumOf(connects) + accepts, SumOf(ends)); }

void TcpSums::WriteTo(model::Side observer, v1::TcpEdge* out) const {
  const bool is_client = observer == model::Side::kClient;
  for (const auto& [result, count] : connects) {
    // What came of those beyond the store's cap for series is not known: they are no failures.
    if (result == tcp::kOk || result == model::kOtherName) {
      out->set_connects(out->connects() + count);
    } else {
      (*out->mutable_connect_failures())[result] = count;
    }
  }
  out->set_connect_p50_ms(Ms(connect_time.QuantileNs(0.50)));
  out->set_connect_p99_ms(Ms(connect_time.QuantileNs(0.99)));
  out->set_accepts(accepts);
  for (const auto& [reason, count] : ends) (*out->mutable_ends())[reason] = count;
  out->set_rtt_p50_ms(Ms(srtt.QuantileNs(0.50)));
  out->set_rtt_p99_ms(Ms(srtt.QuantileNs(0.99)));
  out->set_min_rtt_ms(min_rtt_seconds * 1e3);
  for (const auto& [kind, count] : retransmits) (*out->mutable_retransmits())[kind] = count;
  const double of_data =
      SumOf(retransmits) - CountOf(retransmits, "syn") - CountOf(retransmits, "synack");
  if (sent_segments > 0) out->set_retransmit_percent(100 * of_data / sent_segments);
  out->set_lost_segments(lost_segments);
  out->set_sent_segments(sent_segments);
  out->set_received_segments(received_segments);
  out->set_out_of_order_segments(out_of_order);
  out->set_bytes_sent(is_client ? sent_bytes : received_bytes);
  out->set_bytes_received(is_client ? received_bytes : sent_bytes);
  for (const auto& [reason, count] : resets_sent) (*out->mutable_resets_sent())[reason] = count;
  out->set_resets_received(resets_received);
  out->set_busy_seconds(busy_seconds);
  out->set_receiver_limited_seconds(receiver_limited_seconds);
  out->set_sender_limited_seconds(sender_limited_seconds);
  for (const auto& [state, count] : congestion) (*out->mutable_congestion())[state] = count;
  out->set_zero_windows(zero_windows);
  out->set_listen_drops(listen_drops);
  out->set_accept_queue(accept_queue);
  out->set_accept_queue_max(accept_queue_max);
}

}  // namespace kindling::controller
