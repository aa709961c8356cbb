#include "agent/network/dns_stats.h"

#include "agent/protocols/dns/message.h"
#include "agent/protocols/dns/name_template.h"
#include "model/dns_metrics.h"

namespace kindling::agent {
namespace {

namespace metrics = model::dns;
using dns::QueryStage;

// Of a name: what is usual are two types and two or three results.
constexpr size_t kMaxKinds = 32;

}  // namespace

DnsStats::Row& DnsStats::RowOf(const Key& key, std::string_view name) {
  auto edge = edges_.find(key);
  if (edge == edges_.end()) {
    Key wanted = key;
    if (edges_.size() >= options_.max_edges) {
      const std::string other(model::kOtherName);
      wanted.first = {.observer = key.first.observer,
                      .client = {.workload = other},
                      .server = {.workload = other}};
    }
    edge = edges_.try_emplace(std::move(wanted)).first;
  }
  Names& names = edge->second;
  auto found = names.find(name);
  if (found == names.end()) {
    const bool is_full = names.size() >= options_.max_names_of_edge || names_ >= options_.max_names;
    if (is_full) name = model::kOtherName;
    found = names.try_emplace(std::string(name)).first;
    if (found->second == nullptr) {
      found->second = std::make_unique<Row>();
      names_ += is_full ? 0 : 1;
    }
  }
  found->second->window = windows_;
  return *found->second;
}

void DnsStats::Count(Row& row, const dns::QueryEvent& event, std::string result) {
  std::pair<std::string, std::string> kind(event.operation, std::move(result));
  if (row.queries.size() >= kMaxKinds && !row.queries.contains(kind)) {
    kind = {std::string(model::kOtherName), std::string(model::kOtherName)};
  }
  ++row.queries[std::move(kind)];
}

void DnsStats::OnQuery(const model::EdgeEnds& ends, model::Transport transport,
                       const DnsAsker& asker, const dns::QueryEvent& event) {
  const Key key(ends, transport);
  const std::string name = dns::TemplatedName(event.name);
  switch (event.stage) {
    case QueryStage::kSent: {
      const DnsLookups::Sent sent = lookups_.OnSent(asker, transport, event);
      if (sent.is_retry) ++RowOf(key, name).retries;
      if (sent.is_tcp_fallback) ++RowOf(key, name).tcp_fallbacks;
      return;
    }
    case QueryStage::kOverdue:
      return Count(RowOf(key, name), event, metrics::kTimeout);
    case QueryStage::kAnswered: {
      Row& row = RowOf(key, name);
      if (event.is_overdue) {
        ++row.late_answers;
      } else {
        Count(row, event, dns::RcodeName(event.rcode));
      }
      row.latency.Record(event.at_ns - event.sent_ns);
      row.truncated += event.is_truncated ? 1 : 0;
      break;
    }
    case QueryStage::kUnanswered:
      if (!event.is_overdue) Count(RowOf(key, name), event, metrics::kTimeout);
      break;
    case QueryStage::kUnknown:
      if (!event.is_overdue) Count(RowOf(key, name), event, metrics::kUnknown);
      break;
  }
  const DnsSearch::Waste waste = lookups_.OnOver(asker, event);
  if (waste.queries > 0) {
    RowOf(key, dns::TemplatedName(waste.name)).search_waste += waste.queries;
  }
}

void DnsStats::Write(const std::string& name, const Row& row, EdgeSeriesWriter& out) {
  const EdgeSeriesWriter::Label of_name{metrics::kName, name};
  for (const auto& [kind, count] : row.queries) {
    out.Delta(metrics::kQueries, count,
              {of_name, {metrics::kType, kind.first}, {metrics::kResult, kind.second}});
  }
  out.Histogram(metrics::kLatency, row.latency, {of_name});
  out.Delta(metrics::kRetries, row.retries, {of_name});
  out.Delta(metrics::kLateAnswers, row.late_answers, {of_name});
  out.Delta(metrics::kTruncated, row.truncated, {of_name});
  out.Delta(metrics::kTcpFallbacks, row.tcp_fallbacks, {of_name});
  out.Delta(metrics::kSearchWaste, row.search_waste, {of_name});
}

void DnsStats::EmitWindow(int64_t start_ns, model::Batch& batch) {
  for (auto& [key, names] : edges_) {
    model::Labels labels = model::LabelsOf(key.first);
    model::AddLabel(model::kTransportLabel, model::Name(key.second), labels);
    EdgeSeriesWriter out(std::move(labels), start_ns, batch);
    std::erase_if(names, [&](const auto& entry) {
      Row& row = *entry.second;
      if (row.window == windows_) {
        Write(entry.first, row, out);
        row = Row{.window = windows_};
      }
      if (windows_ - row.window < kForgottenAfter) return false;
      if (entry.first != model::kOtherName) --names_;
      return true;
    });
  }
  absl::erase_if(edges_, [](const auto& edge) { return edge.second.empty(); });
  ++windows_;
  lookups_.Expire();
}

}  // namespace kindling::agent
