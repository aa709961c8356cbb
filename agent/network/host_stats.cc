#include "agent/network/host_stats.h"

#include <utility>

#include "model/edge_labels.h"

namespace kindling::agent {

using model::MetricKind;
using model::host::Metric;

void HostStats::OnReading(const NetworkReading& reading) {
  for (const NetworkFigure& read : reading.figures) {
    Key key(reading.netns, read.metric, read.device, read.detail);
    auto found = figures_.find(key);
    const bool is_first = found == figures_.end();
    if (is_first) {
      if (figures_.size() >= options_.max_series) {
        ++left_out_;
        continue;
      }
      found = figures_.emplace(std::move(key), Figure()).first;
    }
    Figure& figure = found->second;
    figure.name_space = reading.name_space;
    figure.window = windows_;
    if (model::host::InfoOf(read.metric).kind == MetricKind::kGauge) {
      figure.value = read.value;
      figure.is_new = true;
      continue;
    }
    const double grown = is_first                   ? 0
                         : read.value < figure.seen ? read.value
                                                    : read.value - figure.seen;
    figure.seen = read.value;
    figure.value += grown;
    figure.is_new |= grown > 0;
  }
}

void HostStats::Emit(const Key& key, const Figure& figure, int64_t start_ns,
                     model::Batch& batch) const {
  const auto& [netns, metric, device, detail] = key;
  const model::host::MetricInfo& info = model::host::InfoOf(metric);
  model::MetricSeries& series = batch.series.emplace_back();
  series.name = info.name;
  series.kind = info.kind;
  const auto label = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) model::AddLabel(name, value, series.labels);
  };
  label(model::host::kHost, options_.host);
  label(model::host::kNetns, figure.name_space);
  label(model::host::kDevice, device);
  if (info.detail[0] != '\0') label(info.detail, detail);
  batch.points.push_back({.series = static_cast<uint32_t>(batch.series.size() - 1),
                          .time_ns = start_ns,
                          .value = figure.value});
}

void HostStats::EmitWindow(int64_t start_ns, model::Batch& batch) {
  for (auto& [key, figure] : figures_) {
    if (!figure.is_new) continue;
    Emit(key, figure, start_ns, batch);
    figure.value = 0;
    figure.is_new = false;
  }
  if (left_out_ > 0) {
    Emit(Key(0, Metric::kUnread, "", "too_many_series"),
         {.value = static_cast<double>(std::exchange(left_out_, 0))}, start_ns, batch);
  }
  ++windows_;
  absl::erase_if(figures_, [&](const auto& figure) {
    return windows_ - figure.second.window > kForgottenAfter;
  });
}

}  // namespace kindling::agent
