#include <cmath>
#include <string>

#include "controller/ingest/decode.h"
#include "controller/ingest/decode_tables.h"
#include "kindling/v1/ingest.pb.h"

namespace kindling::controller {
namespace {

model::MetricKind KindOf(BatchReader& in, uint32_t value) {
  const auto kind = in.Enum<model::MetricKind>(value, "kind");
  switch (kind) {
    case model::MetricKind::kGauge:
    case model::MetricKind::kDelta:
    case model::MetricKind::kHistogram:
      return kind;
    case model::MetricKind::kUnset:
      break;
  }
  // Points of a kind that is not known cannot be summed.
  in.Fail("kind of a series is not known");
  return model::MetricKind::kUnset;
}

// `at` is the place of the first label that no row before has taken.
void DecodeLabels(BatchReader& in, const v1::SeriesColumns& c, int row, int& at,
                  model::MetricSeries& series) {
  const uint32_t count = At(c.label_count(), row);
  if (count > kMaxLabels || static_cast<int>(count) > c.label_name_size() - at) {
    return in.Fail("label_count does not add up");
  }
  series.labels.resize(count);
  const std::string* before = nullptr;
  for (auto& [name, value] : series.labels) {
    in.Text(c.label_name(at), name);
    in.Text(c.label_value(at), value);
    ++at;
    if (name.empty()) in.Fail("a label has no name");
    if (before != nullptr && name <= *before) in.Fail("the labels of a series are not in order");
    before = &name;
  }
}

}  // namespace

void DecodeSeries(BatchReader& in, const v1::SeriesColumns& c,
                  std::vector<model::MetricSeries>& out) {
  const int rows = in.Rows("series", {c.name_size(), c.kind_size(), c.label_count_size()});
  if (c.label_name_size() != c.label_value_size()) in.Fail("labels lack names or values");
  out.reserve(rows);
  int label = 0;
  for (int i = 0; i < rows && in.ok(); ++i) {
    model::MetricSeries& series = out.emplace_back();
    in.Text(At(c.name(), i), series.name);
    if (series.name.empty()) in.Fail("a series has no name");
    series.kind = KindOf(in, At(c.kind(), i));
    DecodeLabels(in, c, i, label, series);
  }
  if (label != c.label_name_size()) in.Fail("label_count does not add up");
}

void DecodePoints(BatchReader& in, const v1::PointColumns& c,
                  const std::vector<model::MetricSeries>& series,
                  std::vector<model::MetricPoint>& out) {
  const int rows = in.Rows(
      "points", {c.series_size(), c.time_delta_ns_size(), c.value_size(), c.latency_offset_size(),
                 c.latency_bucket_count_size(), c.latency_zero_count_size(),
                 c.latency_sum_ns_size(), c.latency_min_ns_size(), c.latency_max_ns_size()});
  out.reserve(rows);
  int64_t time_ns = in.first_ns();
  int bucket = 0;
  for (int i = 0; i < rows && in.ok(); ++i) {
    model::MetricPoint& point = out.emplace_back();
    point.series = At(c.series(), i);
    if (point.series >= series.size()) return in.Fail("no such series");
    point.time_ns = in.Later(time_ns, At(c.time_delta_ns(), i), "time_delta_ns");
    point.value = At(c.value(), i);
    // Also refuses what is not a number.
    if (!(std::abs(point.value) <= kMaxValue)) in.Fail("value is out of range");
    in.Latency(c, i, bucket, point.histogram);
    const bool is_histogram = series[point.series].kind == model::MetricKind::kHistogram;
    if (is_histogram ? point.value != 0 : point.histogram != model::LatencyHistogram()) {
      in.Fail("a point is not of its series' kind");
    }
  }
  if (bucket != c.latency_buckets_size()) in.Fail("latency_bucket_count does not add up");
}

}  // namespace kindling::controller
