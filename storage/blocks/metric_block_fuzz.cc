// Any bytes, as a metric block and its filter, and as its sections in a frame whose checksums are
// right. What can be decoded must be encoded and decoded to the same again.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "storage/blocks/framed_sections.h"
#include "storage/blocks/metric_block.h"

namespace kindling::storage {
namespace {

void Check(std::string_view body) {
  const ZstdDictionaries none;
  const auto series = DecodeMetricSeries(body, none);
  (void)DecodeLabelValues(body, "a", none);
  const auto decoded = DecodeMetricBlock(body, none);
  if (!decoded.ok()) return;
  if (!series.ok()) std::abort();
  // Series that were written twice are joined once.
  const SealedBlock block = EncodeMetricBlock(*decoded, none);
  const auto again = DecodeMetricBlock(block.body, none);
  if (!again.ok()) std::abort();
  for (const MetricRun& run : *again) {
    if (!MetricFilterMayMatch(block.filter, run.series.name, run.series.labels)) std::abort();
  }
  // Compared as bytes: a value that is not a number equals nothing.
  if (EncodeMetricBlock(*again, none).body != block.body) std::abort();
}

}  // namespace
}  // namespace kindling::storage

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kindling::storage;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)MetricFilterMayMatch(bytes, "a", {{"b", "c"}});
  Check(bytes);
  Check(FramedSections(FrameClass::kMetrics, bytes));
  return 0;
}
