#include "storage/blocks/span_filter.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "storage/blocks/bloom.h"
#include "storage/blocks/frame.h"
#include "storage/blocks/span_attributes.h"
#include "storage/blocks/span_layout.h"
#include "storage/blocks/span_rows.h"

namespace kindling::storage {
namespace {

// On disk: never renumber.
enum Section : uint32_t {
  kAttributePairs = 0,  // of the block
  kTraces = 64,         // of each unit, as the next
  kParents = 128,
};

// About one block in seventy is read in vain: a filter is not small.
constexpr size_t kBitsPerPair = 9;
constexpr size_t kBitsPerTrace = 9;
// All spans of a trace are asked for as parents at once.
constexpr size_t kBitsPerParent = 11;
// More parents than these are not worth asking for one by one.
constexpr size_t kMaxParents = 1000;

uint64_t PairHash(uint64_t name_hash, std::string_view value) {
  return StableHash(value, name_hash);
}

uint64_t TraceHash(const model::TraceId& id) { return StableMix(StableMix(id.high) + id.low); }

void MakeDistinct(std::vector<uint64_t>& hashes) {
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
}

// Nothing when it cannot be read.
std::optional<FrameReader> OpenFilter(std::string_view filter) {
  static const ZstdDictionaries none;  // filters are noise and are never compressed
  auto frame = FrameReader::Open(filter, FrameClass::kSpanFilter, kSpanFilterVersion, none);
  return frame.ok() ? std::optional(*std::move(frame)) : std::nullopt;
}

// Whether a section may hold one of the hashes; true when it cannot be read.
bool MayHold(const FrameReader& frame, uint32_t section, const std::vector<uint64_t>& hashes) {
  std::string room;
  const auto bytes = frame.Read(section, room);
  return !bytes.ok() || std::any_of(hashes.begin(), hashes.end(),
                                    [&](uint64_t hash) { return Bloom::MayHold(*bytes, hash); });
}

// Those of the units whose section, numbered from `first` on, may hold one of the hashes.
SpanUnits UnitsWith(std::string_view filter, Section first, const std::vector<uint64_t>& hashes,
                    SpanUnits among) {
  const std::optional<FrameReader> frame = OpenFilter(filter);
  if (!frame.has_value()) return among;
  SpanUnits units = SpanUnits::None();
  for (uint32_t unit = 0; unit < kMaxSpanUnits; ++unit) {
    if (among.Has(unit) && frame->Has(first + unit) && MayHold(*frame, first + unit, hashes)) {
      units.Add(unit);
    }
  }
  return units;
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
  for (uint32_t number = 0; number < rows.units.size(); ++number) {
    const SpanRows::Unit& unit = rows.units[number];
    hashes.clear();
    const std::span members = std::span(rows.span_of_row).subspan(unit.first_row, unit.rows);
    for (const uint32_t member : members) {
      const model::Span& span = *rows.spans[member];
      if (span.trace_id != model::TraceId{}) hashes.push_back(TraceHash(span.trace_id));
    }
    MakeDistinct(hashes);
    frame.Add(kTraces + number, Bloom::Make(hashes, kBitsPerTrace), Packing::kStored);
    hashes.clear();
    for (const uint32_t member : members) {
      const model::SpanId parent = rows.spans[member]->parent_id;
      if (parent != 0) hashes.push_back(StableMix(parent));
    }
    if (hashes.empty()) continue;
    MakeDistinct(hashes);
    frame.Add(kParents + number, Bloom::Make(hashes, kBitsPerParent), Packing::kStored);
  }
  return frame.Finish();
}

bool SpanFilterMayMatch(std::string_view filter, const SpanSearch& search) {
  if (search.attributes.empty()) return true;
  const std::optional<FrameReader> frame = OpenFilter(filter);
  return !frame.has_value() ||
         std::all_of(search.attributes.begin(), search.attributes.end(), [&](const auto& pair) {
           return MayHold(*frame, kAttributePairs, {PairHash(StableHash(pair.first), pair.second)});
         });
}

SpanUnits SpanFilterTraceUnits(std::string_view filter, const model::TraceId& id, SpanUnits among) {
  return UnitsWith(filter, kTraces, {TraceHash(id)}, among);
}

SpanUnits SpanFilterChildUnits(std::string_view filter, const std::vector<model::SpanId>& parents,
                               SpanUnits among) {
  if (parents.size() > kMaxParents) return among;
  std::vector<uint64_t> hashes;
  for (const model::SpanId parent : parents) hashes.push_back(StableMix(parent));
  return UnitsWith(filter, kParents, hashes, among);
}

}  // namespace kindling::storage
