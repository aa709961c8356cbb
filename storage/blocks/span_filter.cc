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
  kPairs = 0,    // of the block, pairs of name and value of attributes
  kTraces = 64,  // of each unit, as the next
  kParents = 128,
  kPairsOfUnit = 192,
};

// About one block in seventy is read in vain: a filter is not small.
constexpr size_t kBitsPerPair = 9;
// Asked only where the block's says yes, so that one in seventeen may be in vain.
constexpr size_t kBitsPerUnitPair = 6;
constexpr size_t kBitsPerTrace = 9;
// All spans of a trace are asked for as parents at once.
constexpr size_t kBitsPerParent = 14;
// More parents than these are not worth asking for one by one.
constexpr size_t kMaxParents = 1000;

std::vector<uint64_t> PairHashes(std::string_view name,
                                 const std::vector<std::string_view>& values) {
  const uint64_t name_hash = StableHash(name);
  std::vector<uint64_t> hashes;
  hashes.reserve(values.size());
  for (const std::string_view value : values) hashes.push_back(StableHash(value, name_hash));
  return hashes;
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
  const std::vector<std::vector<uint64_t>> pairs = attributes.HashPairs(PairHashes);
  std::vector<uint64_t> hashes;
  std::vector<std::vector<uint32_t>> last_units;  // of each pair: 1 + the last unit that has it
  for (const std::vector<uint64_t>& of_slot : pairs) {
    hashes.insert(hashes.end(), of_slot.begin(), of_slot.end());
    last_units.emplace_back(of_slot.size());
  }
  MakeDistinct(hashes);
  FrameWriter frame(FrameClass::kSpanFilter, kSpanFilterVersion, dictionaries);
  frame.Add(kPairs, Bloom::Make(hashes, kBitsPerPair), Packing::kStored);
  for (uint32_t number = 0; number < rows.units.size(); ++number) {
    const SpanRows::Unit& unit = rows.units[number];
    hashes.clear();
    attributes.VisitPairsOf(unit, [&](uint32_t slot, uint32_t pair) {
      if (std::exchange(last_units[slot][pair], number + 1) == number + 1) return;
      hashes.push_back(pairs[slot][pair]);
    });
    frame.Add(kPairsOfUnit + number, Bloom::Make(hashes, kBitsPerUnitPair), Packing::kStored);
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

SpanUnits SpanFilterMatchingUnits(std::string_view filter, const SpanSearch& search) {
  if (search.attributes.empty()) return SpanUnits::All();
  const std::optional<FrameReader> frame = OpenFilter(filter);
  if (!frame.has_value()) return SpanUnits::All();
  std::vector<std::vector<uint64_t>> pairs;
  for (const auto& [name, value] : search.attributes) {
    pairs.push_back(PairHashes(name, {value}));
    if (!MayHold(*frame, kPairs, pairs.back())) return SpanUnits::None();
  }
  SpanUnits units = SpanUnits::None();
  for (uint32_t unit = 0; unit < kMaxSpanUnits; ++unit) {
    if (frame->Has(kPairsOfUnit + unit) &&
        std::all_of(pairs.begin(), pairs.end(), [&](const std::vector<uint64_t>& pair) {
          return MayHold(*frame, kPairsOfUnit + unit, pair);
        })) {
      units.Add(unit);
    }
  }
  return units;
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
