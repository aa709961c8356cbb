#include "agent/network/nat_stats.h"

#include <utility>

#include "model/nat_metrics.h"

namespace kindling::agent {

namespace nat = model::nat;

NatStats::NatStats(Options options)
    : options_(std::move(options)),
      table_(options_.table, [this](const NatView& view, model::Transport transport) {
        model::EdgeEnds ends;  // neither end is one that observes it
        ends.client.address = ToString(view.client.address);
        ends.server.address = ToString(view.server.address);
        ends.server.port = view.server.port;
        OnConnection(ends, view, transport);
      }) {}

void NatStats::OnEvent(const NatEvent& event) {
  if (event.kind == NatEventKind::kLost) lost_ += event.lost;
  table_.OnEvent(event);
}

void NatStats::OnConnection(const model::EdgeEnds& ends, const NatView& view,
                            model::Transport transport) {
  Row row{.ends = ends, .transport = transport};
  const bool is_dnat = view.asked != view.server;
  // A port that is changed alone has as many values as there are connections, and tells nothing.
  const bool is_snat = view.client.address != view.seen_as.address;
  row.kind = is_dnat ? is_snat ? "dnat+snat" : "dnat" : "snat";
  if (is_dnat) row.asked = ToString(view.asked);
  if (is_snat) row.seen_as = ToString(view.seen_as.address);
  if (rows_.size() >= options_.max_rows && !rows_.contains(row)) {
    const std::string other(model::kOtherName);
    row = {.ends = {.observer = ends.observer,
                    .client = {.workload = other},
                    .server = {.workload = other}},
           .transport = transport,
           .kind = std::move(row.kind)};
  }
  ++rows_[std::move(row)];
}

void NatStats::EmitWindow(int64_t start_ns, model::Batch& batch) {
  table_.EndWindow();
  const auto emit = [&](const char* name, model::Labels labels, uint64_t value) {
    batch.series.push_back(
        {.name = name, .kind = model::MetricKind::kDelta, .labels = std::move(labels)});
    batch.points.push_back({.series = static_cast<uint32_t>(batch.series.size() - 1),
                            .time_ns = start_ns,
                            .value = static_cast<double>(value)});
  };
  for (const auto& [row, count] : rows_) {
    model::Labels labels = model::LabelsOf(row.ends);
    model::AddLabel(nat::kKind, row.kind, labels);
    model::AddLabel(model::kTransportLabel, model::Name(row.transport), labels);
    if (!row.asked.empty()) model::AddLabel(nat::kAsked, row.asked, labels);
    if (!row.seen_as.empty()) model::AddLabel(nat::kSeenAs, row.seen_as, labels);
    emit(nat::kConnections, std::move(labels), count);
  }
  rows_.clear();
  for (const auto& [name, count] : {std::pair(nat::kLostEvents, std::exchange(lost_, 0)),
                                    {nat::kForgotten, table_.TakeForgotten()}}) {
    if (count > 0) emit(name, {{nat::kHost, options_.host}}, count);
  }
}

}  // namespace kindling::agent
