#include "controller/query/dns_sums.h"

#include <string_view>
#include <utility>

#include "kindling/v1/query.pb.h"
#include "model/dns_metrics.h"
#include "model/edge_labels.h"

namespace kindling::controller {
namespace {

namespace dns = model::dns;

// The deltas that are one number.
constexpr std::pair<const char*, double DnsSums::*> kNumbers[] = {
    {dns::kRetries, &DnsSums::retries},          {dns::kLateAnswers, &DnsSums::late_answers},
    {dns::kTruncated, &DnsSums::truncated},      {dns::kTcpFallbacks, &DnsSums::tcp_fallbacks},
    {dns::kSearchWaste, &DnsSums::search_waste},
};

// Beyond the store's cap for series a metric's labels are not kept.
std::string KindOf(const model::Labels& labels, const char* label) {
  const std::string_view kind = model::LabelOf(labels, label);
  return std::string(kind.empty() ? model::kOtherName : kind);
}

void MergeCounts(const DnsSums::Counts& from, DnsSums::Counts& to) {
  for (const auto& [name, count] : from) to[name] += count;
}

}  // namespace

void DnsSums::Add(const model::MetricSeries& series, const storage::MetricWindow& window) {
  const std::string_view name = series.name;
  for (const auto& [known, number] : kNumbers) {
    if (name == known) this->*number += window.sum;
  }
  if (name == dns::kLatency) latency.Merge(window.histogram);
  if (name != dns::kQueries) return;
  queries += window.sum;
  results[KindOf(series.labels, dns::kResult)] += window.sum;
  types[KindOf(series.labels, dns::kType)] += window.sum;
}

void DnsSums::Merge(const DnsSums& other) {
  for (const auto& [name, number] : kNumbers) this->*number += other.*number;
  queries += other.queries;
  MergeCounts(other.results, results);
  MergeCounts(other.types, types);
  latency.Merge(other.latency);
}

void DnsSums::WriteTo(v1::DnsEdge* out) const {
  out->set_queries(queries);
  for (const auto& [result, count] : results) (*out->mutable_results())[result] = count;
  for (const auto& [type, count] : types) (*out->mutable_types())[type] = count;
  out->set_latency_p50_ms(latency.QuantileNs(0.50) / 1e6);
  out->set_latency_p99_ms(latency.QuantileNs(0.99) / 1e6);
  out->set_retries(retries);
  out->set_late_answers(late_answers);
  out->set_truncated(truncated);
  out->set_tcp_fallbacks(tcp_fallbacks);
  out->set_search_waste(search_waste);
}

}  // namespace kindling::controller
