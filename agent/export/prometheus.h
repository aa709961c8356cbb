#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/metrics_text.h"
#include "model/records.h"

namespace kindling::agent {

struct PrometheusOptions {
  size_t max_series = 20'000;
  int64_t expiry_ns = 600'000'000'000;
};

// The aggregates of this agent as Prometheus series: Kindling's metrics with Kindling's labels,
// true latency histograms in seconds under names of our own, and the losses.
//
// Of Kindling's labels those that a plain host does not have (namespace, pod, ...) are empty.
// `entity` series come from rows that the server's side observed, `topology` and connection series
// from the client's. TCP's others come from both: what an end sent goes from it to the other. DNS's
// come from both too, from client to server, and say which end observed them. Those of the host's
// network have the names that the store has, after "kindling_".
//
// Threads:  safe from any.
// Limits:   max_series lines of text: what is new beyond them is summed in one overflow series per
//           family, whose workload is "(other)". A series without change for expiry_ns is dropped.
class PrometheusSeries {
 public:
  explicit PrometheusSeries(PrometheusOptions options) : options_(options) {}

  // `now_ns` of any clock that does not go back.
  void Add(const model::Batch& batch, int64_t now_ns);
  void WriteTo(base::MetricsText& text) const;

  size_t series() const;
  // Rows that were summed in an overflow series.
  uint64_t overflowed_rows() const;

 private:
  // Upper bounds of latency buckets, powers of two in ns, which the recorded histograms share:
  // counts are exact. 16 us to 17 s.
  static constexpr size_t kBounds = 16;
  static constexpr std::array<int, kBounds> kBoundExponents = {14, 16, 18, 20, 22, 24, 25, 26,
                                                               27, 28, 29, 30, 31, 32, 33, 34};
  static double BoundNs(size_t i) { return static_cast<double>(uint64_t{1} << kBoundExponents[i]); }

  struct Requests {
    int64_t changed_ns = 0;
    uint64_t fast = 0;
    uint64_t slow = 0;
    uint64_t duration_ns = 0;
    uint64_t sent_bytes = 0;      // client to server
    uint64_t received_bytes = 0;  // server to client
  };
  struct Latency {
    int64_t changed_ns = 0;
    std::array<uint64_t, kBounds> cumulative{};
    uint64_t count = 0;
    uint64_t sum_ns = 0;
  };
  struct Connects {
    int64_t changed_ns = 0;
    uint64_t count = 0;
    uint64_t duration_ns = 0;  // of those whose duration is known
  };
  struct Losses {
    uint64_t requests = 0;
    uint64_t events = 0;
    uint64_t bytes = 0;
  };
  struct Tcp {
    int64_t changed_ns = 0;
    double srtt_us = 0;  // median of the last window that had any
    double retransmits = 0;
    double lost = 0;
    double resets_sent = 0;
    double resets_received = 0;
    double listen_drops = 0;
  };
  struct Drops {
    int64_t changed_ns = 0;
    double packets = 0;
    double bytes = 0;
  };
  struct Dns {
    int64_t changed_ns = 0;
    double retries = 0;
    double late_answers = 0;
    double truncated = 0;
    double tcp_fallbacks = 0;
    double search_waste = 0;
  };
  struct DnsQueries {
    int64_t changed_ns = 0;
    double count = 0;
  };
  // One series of NAT, or of the host's network.
  struct Network {
    int64_t changed_ns = 0;
    double value = 0;
  };
  // By rendered labels.
  template <typename Values>
  struct Family {
    std::map<std::string, Values, std::less<>> entries;
    Values overflow;
    size_t lines_per_entry = 0;
  };

  template <typename Values>
  Values& Find(Family<Values>& family, std::string labels, int64_t now_ns)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  template <typename Values>
  void Expire(Family<Values>& family, int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddRow(const model::EdgeStats& row, int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddTcp(const model::MetricSeries& series, const model::MetricPoint& point, int64_t now_ns)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddDrops(const model::MetricSeries& series, const model::MetricPoint& point, int64_t now_ns)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddDns(const model::MetricSeries& series, const model::MetricPoint& point, int64_t now_ns)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AddNetwork(const model::MetricSeries& series, const model::MetricPoint& point,
                  int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WriteRequests(const Family<Requests>& family, std::string_view prefix,
                     std::string_view overflow_labels, bool entity, base::MetricsText& text) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WriteLatency(const Family<Latency>& family, std::string_view side,
                    std::string_view overflow_labels, base::MetricsText& text) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void WriteConnects(const Family<Connects>& family, base::MetricsText& text);
  static void WriteTcp(const Family<Tcp>& family, base::MetricsText& text);
  void WriteDns(base::MetricsText& text) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void WriteDnsCounts(const Family<Dns>& family, base::MetricsText& text);
  static void AddTo(Latency& latency, const model::LatencyHistogram& histogram);
  static void WriteHistograms(const Family<Latency>& family, std::string_view overflow_labels,
                              base::MetricsText& text);
  // Labels of the series that takes what is beyond the cap: "(other)" where names are, else empty.
  static std::string OverflowLabels(base::MetricLabels labels);
  static void WriteNat(const Family<Network>& family, base::MetricsText& text);
  void WriteDrops(base::MetricsText& text) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void WriteNetwork(const Family<Network>& family, base::MetricsText& text);
  static void WriteLosses(const std::map<model::LossStage, Losses>& by_stage,
                          base::MetricsText& text);

  const PrometheusOptions options_;
  mutable absl::Mutex mu_;
  Family<Requests> entities_ ABSL_GUARDED_BY(mu_){.lines_per_entry = 5};
  Family<Requests> topology_ ABSL_GUARDED_BY(mu_){.lines_per_entry = 5};
  Family<Latency> server_latency_ ABSL_GUARDED_BY(mu_){.lines_per_entry = kBounds + 3};
  Family<Latency> client_latency_ ABSL_GUARDED_BY(mu_){.lines_per_entry = kBounds + 3};
  Family<Connects> connects_ ABSL_GUARDED_BY(mu_){.lines_per_entry = 2};
  Family<Tcp> tcp_ ABSL_GUARDED_BY(mu_){.lines_per_entry = 6};
  Family<Dns> dns_ ABSL_GUARDED_BY(mu_){.lines_per_entry = 5};
  Family<DnsQueries> dns_queries_ ABSL_GUARDED_BY(mu_){.lines_per_entry = 1};
  Family<Latency> dns_latency_ ABSL_GUARDED_BY(mu_){.lines_per_entry = kBounds + 3};
  Family<Network> nat_ ABSL_GUARDED_BY(mu_){.lines_per_entry = 1};
  Family<Drops> drops_ ABSL_GUARDED_BY(mu_){.lines_per_entry = 2};
  Family<Drops> udp_drops_ ABSL_GUARDED_BY(mu_){.lines_per_entry = 1};
  Family<Network> network_ ABSL_GUARDED_BY(mu_){.lines_per_entry = 1};
  std::map<model::LossStage, Losses> losses_ ABSL_GUARDED_BY(mu_);
  size_t lines_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t overflowed_rows_ ABSL_GUARDED_BY(mu_) = 0;
};

template <typename Values>
Values& PrometheusSeries::Find(Family<Values>& family, std::string labels, int64_t now_ns) {
  auto found = family.entries.find(labels);
  if (found == family.entries.end()) {
    if (lines_ + family.lines_per_entry > options_.max_series) {
      ++overflowed_rows_;
      family.overflow.changed_ns = now_ns;
      return family.overflow;
    }
    lines_ += family.lines_per_entry;
    found = family.entries.try_emplace(std::move(labels)).first;
  }
  found->second.changed_ns = now_ns;
  return found->second;
}

}  // namespace kindling::agent
