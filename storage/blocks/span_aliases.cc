#include "storage/blocks/span_aliases.h"

#include <algorithm>
#include <string_view>

#include "base/byte_reader.h"
#include "storage/blocks/number_column.h"

namespace kindling::storage {
namespace {

// On disk: never renumber.
enum AliasKind : uint8_t {
  kNoAlias = 0,
  kRecentPair = 1,  // how many pairs came up since
  kNewPair = 2,
};

void PutU64(std::string& out, uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>(value >> shift));
}

// A column's first section, of exactly so many bytes.
bool ReadBytes(const FrameReader& frame, uint32_t column, size_t bytes, std::string& room,
               std::string_view* out) {
  if (bytes == 0) return true;
  const auto section = frame.Read(SectionOf(column), room, bytes);
  if (!section.ok() || section->size() != bytes) return false;
  *out = *section;
  return true;
}

}  // namespace

uint64_t AliasesWriter::WriteUnit(uint32_t base, const std::vector<Alias>& rows) {
  const size_t before = pairs_.size();
  std::vector<uint64_t> kinds;
  std::vector<uint64_t> backs;
  kinds.reserve(rows.size());
  for (const Alias& alias : rows) {
    if (alias == Alias{}) {
      kinds.push_back(kNoAlias);
      continue;
    }
    const TraceKey trace(alias.trace.high, alias.trace.low);
    const auto [pair, is_new] =
        pairs_.try_emplace(std::pair(trace, alias.parent), static_cast<uint32_t>(pairs_.size()));
    if (!is_new) {
      kinds.push_back(kRecentPair);
      backs.push_back(pairs_.size() - 1 - pair->second);
      continue;
    }
    kinds.push_back(kNewPair);
    PutU64(parent_bytes_, alias.parent);
    const auto [known, is_new_trace] =
        traces_.try_emplace(trace, static_cast<uint32_t>(traces_.size()));
    traces_of_pairs_.push_back(is_new_trace ? 0 : traces_.size() - known->second);
    if (is_new_trace) {
      PutU64(trace_bytes_, alias.trace.high);
      PutU64(trace_bytes_, alias.trace.low);
    }
  }
  EncodeNumberColumn(frame_, base + kAliasKind, kinds);
  EncodeNumberColumn(frame_, base + kAliasPairBack, backs);
  return pairs_.size() - before;
}

void AliasesWriter::WriteBlock(SpanMeta& meta) {
  meta.alias_pairs = pairs_.size();
  meta.alias_traces = traces_.size();
  EncodeNumberColumn(frame_, kAliasPairTrace, traces_of_pairs_);
  if (!trace_bytes_.empty()) frame_.Add(SectionOf(kAliasTraces), trace_bytes_, Packing::kDense);
  if (!parent_bytes_.empty()) frame_.Add(SectionOf(kAliasParents), parent_bytes_, Packing::kDense);
}

bool AliasTable::Read(const FrameReader& frame, const SpanMeta& meta) {
  std::string traces_room;
  std::string parents_room;
  std::string_view trace_bytes;
  std::string_view parent_bytes;
  std::vector<uint64_t> backs;
  if (meta.alias_pairs > meta.rows || meta.alias_traces > meta.alias_pairs ||
      !ReadBytes(frame, kAliasTraces, meta.alias_traces * 16, traces_room, &trace_bytes) ||
      !ReadBytes(frame, kAliasParents, meta.alias_pairs * 8, parents_room, &parent_bytes) ||
      !DecodeNumberColumn(frame, kAliasPairTrace, meta.alias_pairs, backs)) {
    return false;
  }
  base::ByteReader trace_reader(base::AsBytes(trace_bytes));
  base::ByteReader parent_reader(base::AsBytes(parent_bytes));
  std::vector<model::TraceId> traces(meta.alias_traces);
  for (model::TraceId& trace : traces) {
    trace.high = trace_reader.U64Le();
    trace.low = trace_reader.U64Le();
  }
  size_t seen = 0;
  pairs_.resize(meta.alias_pairs);
  for (size_t i = 0; i < pairs_.size(); ++i) {
    if (backs[i] > seen || (backs[i] == 0 && seen == traces.size())) return false;
    pairs_[i] = {.trace = traces[backs[i] == 0 ? seen++ : seen - backs[i]],
                 .parent = parent_reader.U64Le()};
  }
  return seen == traces.size();
}

bool AliasTable::ReadUnit(const FrameReader& frame, uint32_t base, size_t rows, size_t first,
                          std::vector<uint32_t>& pairs) const {
  pairs.assign(rows, 0);
  if (IsZeroColumn(frame, base + kAliasKind)) return true;
  std::vector<uint64_t> kinds;
  std::vector<uint64_t> backs;
  if (!DecodeNumberColumn(frame, base + kAliasKind, rows, kinds)) return false;
  const auto recent = static_cast<size_t>(std::count(kinds.begin(), kinds.end(), kRecentPair));
  if (!DecodeNumberColumn(frame, base + kAliasPairBack, recent, backs)) return false;
  size_t known = first;
  size_t at = 0;
  for (size_t i = 0; i < rows; ++i) {
    if (kinds[i] > kNewPair) return false;
    if (kinds[i] == kNewPair) {
      if (known == pairs_.size()) return false;
      pairs[i] = static_cast<uint32_t>(++known);
    } else if (kinds[i] == kRecentPair) {
      const uint64_t back = backs[at++];
      if (back >= known) return false;
      pairs[i] = static_cast<uint32_t>(known - back);
    }
  }
  return true;
}

}  // namespace kindling::storage
