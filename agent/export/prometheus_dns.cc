#include <string>
#include <utility>

#include "agent/export/prometheus.h"
#include "agent/export/prometheus_labels.h"
#include "model/dns_metrics.h"
#include "model/edge_labels.h"

namespace kindling::agent {

using base::MetricType;

void PrometheusSeries::AddDns(const model::MetricSeries& series, const model::MetricPoint& point,
                              int64_t now_ns) {
  namespace dns = model::dns;
  static constexpr std::pair<const char*, double Dns::*> kCounters[] = {
      {dns::kRetries, &Dns::retries},          {dns::kLateAnswers, &Dns::late_answers},
      {dns::kTruncated, &Dns::truncated},      {dns::kTcpFallbacks, &Dns::tcp_fallbacks},
      {dns::kSearchWaste, &Dns::search_waste},
  };
  if (!series.name.starts_with("dns_")) return;
  // Names are left out: there are too many.
  base::MetricLabels labels = DnsLabels(model::EndsOf(series.labels));
  if (series.name == dns::kQueries) {
    labels.emplace_back("result", model::LabelOf(series.labels, dns::kResult));
    Find(dns_queries_, base::RenderLabels(labels), now_ns).count += point.value;
    return;
  }
  if (series.name == dns::kLatency) {
    return AddTo(Find(dns_latency_, base::RenderLabels(labels), now_ns), point.histogram);
  }
  for (const auto& [name, member] : kCounters) {
    if (series.name != name) continue;
    Find(dns_, base::RenderLabels(labels), now_ns).*member += point.value;
  }
}

void PrometheusSeries::WriteDns(base::MetricsText& text) const {
  base::MetricLabels none = DnsLabels({});
  const std::string overflow = OverflowLabels(none);
  none.emplace_back("result", "");
  text.Family("kindling_dns_query_total", MetricType::kCounter,
              "DNS queries that are over, by the code of their response; timeout: none in 5 s.");
  for (const auto& [labels, queries] : dns_queries_.entries) text.Sample(labels, queries.count);
  if (dns_queries_.overflow.changed_ns != 0) {
    text.Sample(OverflowLabels(none), dns_queries_.overflow.count);
  }
  text.Family("kindling_dns_latency_seconds", MetricType::kHistogram,
              "Time from a DNS query to its response, of all that were answered.");
  WriteHistograms(dns_latency_, overflow, text);
  WriteDnsCounts(dns_, text);
}

void PrometheusSeries::WriteDnsCounts(const Family<Dns>& family, base::MetricsText& text) {
  const std::string overflow = OverflowLabels(DnsLabels({}));
  const auto counter = [&](const char* name, const char* help, double Dns::*value) {
    text.Family(name, MetricType::kCounter, help);
    for (const auto& [labels, dns] : family.entries) text.Sample(labels, dns.*value);
    if (family.overflow.changed_ns != 0) text.Sample(overflow, family.overflow.*value);
  };
  counter("kindling_dns_retry_total", "Queries for what had got no answer yet.", &Dns::retries);
  counter("kindling_dns_late_answer_total", "Responses to queries that had timed out.",
          &Dns::late_answers);
  counter("kindling_dns_truncated_total", "Responses that did not fit.", &Dns::truncated);
  counter("kindling_dns_tcp_fallback_total", "Queries over TCP that followed a truncated response.",
          &Dns::tcp_fallbacks);
  counter("kindling_dns_search_waste_total",
          "NXDOMAINs on the way through a search list to a name that was there.",
          &Dns::search_waste);
}

}  // namespace kindling::agent
