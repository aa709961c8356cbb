// Any bytes, as body, summary and filter of a block of spans, and as the sections of a frame whose
// checksums are right. What can be decoded must be encoded and decoded to the same number of rows
// again.

#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_reader.h"
#include "storage/blocks/frame.h"
#include "storage/blocks/span_block.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

const ZstdDictionaries kNone;

void CheckBody(std::string_view bytes) {
  auto block = SpanBlock::Open(bytes, kNone);
  if (!block.ok()) return;
  const SpanSearch search = {.max_duration_ns = 1'000'000,
                             .endpoints = {"a"},
                             .attributes = {{"a", "1"}},
                             .ends = [](const SpanEnds&) { return true; }};
  (void)block->Search(search, 0, [](const model::Span&) { return int64_t{0}; });
  (void)block->FindSpans({1, 2});
  (void)block->FindTraces({{1, 2}});
  (void)block->FindAliases({{1, 2}});
  (void)block->FindChildren({1, 2}, 0, INT64_MAX);
  const auto spans = block->Decode();
  if (!spans.ok()) return;
  const SealedBlock again = EncodeSpanBlock(*spans, kNone);
  const auto decoded = SpanBlock::Open(again.body, kNone)->Decode();
  if (!decoded.ok() || decoded->size() != spans->size()) std::abort();
  // Compared as bytes: a weight that is not a number equals nothing.
  const SealedBlock third = EncodeSpanBlock(*decoded, kNone);
  if (third.summary != again.summary || third.filter != again.filter) std::abort();
  if (!SpanSummary::Parse(again.summary).ok()) std::abort();
}

void CheckAll(std::string_view bytes) {
  CheckBody(bytes);
  const auto summary = SpanSummary::Parse(bytes);
  if (summary.ok()) {
    const SpanSearch search = {.order = SpanSearch::Order::kSlowest,
                               .ends = [](const SpanEnds&) { return true; }};
    EndsAnswers answers(search);
    (void)summary->MayMatch(search, answers);
    (void)summary->HighestRank(search, answers);
    (void)summary->WantedEnds(search, answers);
    (void)summary->units().OfTrace({1, 2});
    (void)summary->units().Between(0, 1);
  }
  (void)SpanFilterMatchingUnits(bytes, {.attributes = {{"a", "1"}}});
  (void)SpanFilterTraceUnits(bytes, {1, 2}, SpanUnits::All());
  (void)SpanFilterChildUnits(bytes, {1, 2}, SpanUnits::All());
}

// The bytes as sections: number, size, bytes, and so on.
std::string Framed(FrameClass frame_class, std::string_view bytes) {
  FrameWriter frame(frame_class, 1, kNone);
  base::ByteReader reader(base::AsBytes(bytes));
  constexpr uint64_t kSections = uint64_t{1} << 19;  // of a block with all units
  std::set<uint64_t> used;
  while (reader.remaining() > 0) {
    const uint64_t number = ReadVarint(reader) % kSections;
    const std::string_view section = reader.Text(ReadVarint(reader));
    if (!reader.ok() || !used.insert(number).second) break;
    frame.Add(static_cast<uint32_t>(number), section, Packing::kStored);
  }
  return frame.Finish();
}

}  // namespace
}  // namespace kindling::storage

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using kindling::storage::FrameClass;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  kindling::storage::CheckAll(bytes);
  for (const FrameClass frame_class :
       {FrameClass::kSpans, FrameClass::kSpanSummary, FrameClass::kSpanFilter}) {
    kindling::storage::CheckAll(kindling::storage::Framed(frame_class, bytes));
  }
  return 0;
}
