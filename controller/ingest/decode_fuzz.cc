// Any bytes as a batch: decoding never crashes, and what it gives obeys the limits.

#include <cstdint>
#include <cstdlib>

#include "controller/ingest/decode.h"
#include "kindling/v1/ingest.pb.h"
#include "model/content_hash.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr int64_t kLatestNs = 1'800'000'000'000'000'000;
  kindling::v1::Batch in;
  if (!in.ParseFromArray(data, static_cast<int>(size))) return 0;
  const auto batch = kindling::controller::DecodeBatch(in, kLatestNs);
  if (!batch.ok()) return 0;
  for (const auto& span : batch->spans) {
    if (span.start_ns < 0 || span.start_ns > kLatestNs || span.duration_ns() < 0) std::abort();
  }
  for (const auto& edge : batch->edges) {
    if (edge.window_start_ns < 0 || edge.latency.min_ns() > edge.latency.max_ns()) std::abort();
  }
  for (const auto& point : batch->points) {
    if (point.series >= batch->series.size() || point.value != point.value) std::abort();
  }
  for (const auto& series : batch->series) {
    for (size_t i = 1; i < series.labels.size(); ++i) {
      if (series.labels[i - 1].first >= series.labels[i].first) std::abort();
    }
  }
  for (const auto& chunk : batch->chunks) {
    if (chunk.first_ns < 0 || chunk.first_ns > chunk.last_ns) std::abort();
  }
  for (const auto& content : batch->contents) {
    if (kindling::model::HashOf(content.bytes) != content.hash) std::abort();
  }
  return 0;
}
