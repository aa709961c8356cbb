// Any bytes, as an edge block, and as its sections in a frame whose checksums are right. What can
// be decoded must be encoded and decoded to the same again.

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "storage/blocks/edge_block.h"
#include "storage/blocks/framed_sections.h"

namespace kindling::storage {
namespace {

void Check(std::string_view body) {
  const ZstdDictionaries none;
  FlowEnds ends;
  size_t flow_rows = 0;
  const bool has_flows = ReadFlows(body, none, INT64_MIN, INT64_MAX, ends,
                                   [&](uint32_t flow, std::span<const FlowRow> run) {
                                     if (flow >= ends.size()) std::abort();
                                     return (flow_rows += run.size()) <= 1000;
                                   })
                             .ok();
  // Of a size that is quickly compared.
  size_t rows = 0;
  if (!ReadEdgeBlock(body, none, INT64_MIN, INT64_MAX,
                     [&rows](model::EdgeStats&) { return ++rows <= 1000; })
           .ok() ||
      rows > 1000) {
    return;
  }
  const auto decoded = DecodeEdgeBlock(body, none);
  if (!decoded.ok()) return;
  if (!has_flows || flow_rows != decoded->size()) std::abort();
  // Series of one name that were written twice are merged once.
  const SealedBlock block = EncodeEdgeBlock(*decoded, none);
  const auto again = DecodeEdgeBlock(block.body, none);
  if (!again.ok() || again->size() != block.rows) std::abort();
  const SealedBlock third = EncodeEdgeBlock(*again, none);
  const auto last = DecodeEdgeBlock(third.body, none);
  if (third.body != block.body || !last.ok() || *last != *again) std::abort();
}

}  // namespace
}  // namespace kindling::storage

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kindling::storage;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Check(bytes);
  Check(FramedSections(FrameClass::kEdges, bytes));
  return 0;
}
