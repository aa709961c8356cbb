#include "storage/blocks/span_filter.h"

#include <algorithm>
#include <vector>

#include "storage/blocks/bloom.h"
#include "storage/blocks/frame.h"
#include "storage/blocks/span_attributes.h"
#include "storage/blocks/span_layout.h"
#include "storage/blocks/span_rows.h"

namespace kindling::storage {
namespace {

// On disk: never renumber.
enum Section : uint32_t { kAttributePairs = 0, kTraces = 1 };

// About one block in thirty is read in vain: reading one column is cheap, a filter is not small.
constexpr size_t kBitsPerPair = 7;
constexpr size_t kBitsPerTrace = 9;

uint64_t PairHash(uint64_t name_hash, std::string_view value) {
  return StableHash(value, name_hash);
}

uint64_t TraceHash(const model::TraceId& id) { return StableMix(StableMix(id.high) + id.low); }

void MakeDistinct(std::vector<uint64_t>& hashes) {
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
}

// Calls `check` with a section; true when it cannot be read.
template <typename Check>
bool AskSection(std::string_view filter, Section section, Check check) {
  const ZstdDictionaries none;  // filters are noise and are never compressed
  const auto frame = FrameReader::Open(filter, FrameClass::kSpanFilter, kSpanFilterVersion, none);
  std::string room;
  if (!frame.ok() || !frame->Has(section)) return true;
  const auto bytes = frame->Read(section, room);
  return !bytes.ok() || check(*bytes);
}

}  // namespace

std::string EncodeSpanFilter(const SpanRows& rows, const AttributesWriter& attributes,
                             const ZstdDictionaries& dictionaries) {
  std::vector<uint64_t> hashes;
  std::string_view last_name;
  uint64_t name_hash = StableHash(last_name);
  attributes.VisitPairs([&](std::string_view name, std::string_view value) {
    if (name.data() != last_name.data() || name.size() != last_name.size()) {
      last_name = name;
      name_hash = StableHash(name);
    }
    hashes.push_back(PairHash(name_hash, value));
  });
  MakeDistinct(hashes);
  FrameWriter frame(FrameClass::kSpanFilter, kSpanFilterVersion, dictionaries);
  frame.Add(kAttributePairs, Bloom::Make(hashes, kBitsPerPair), Packing::kStored);
  hashes.clear();
  for (const model::Span* span : rows.spans) {
    if (span->trace_id != model::TraceId{}) hashes.push_back(TraceHash(span->trace_id));
  }
  MakeDistinct(hashes);
  frame.Add(kTraces, Bloom::Make(hashes, kBitsPerTrace), Packing::kStored);
  return frame.Finish();
}

bool SpanFilterMayMatch(std::string_view filter, const SpanSearch& search) {
  if (search.attributes.empty()) return true;
  return AskSection(filter, kAttributePairs, [&](std::string_view bytes) {
    return std::all_of(search.attributes.begin(), search.attributes.end(), [&](const auto& pair) {
      return Bloom::MayHold(bytes, PairHash(StableHash(pair.first), pair.second));
    });
  });
}

bool SpanFilterMayHoldTrace(std::string_view filter, const model::TraceId& id) {
  return AskSection(filter, kTraces,
                    [&](std::string_view bytes) { return Bloom::MayHold(bytes, TraceHash(id)); });
}

}  // namespace kindling::storage
