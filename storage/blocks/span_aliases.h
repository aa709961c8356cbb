#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "model/records.h"
#include "storage/blocks/frame.h"
#include "storage/blocks/span_layout.h"

// What another tracer says of the spans of a block: a trace and a parent of its own. They look
// random, so each is kept once a block; rows say which they have by how long ago it came up.
namespace kindling::storage {

// A trace and a parent in it.
struct Alias {
  model::TraceId trace;
  model::SpanId parent = 0;

  bool operator==(const Alias&) const = default;
};

// Lifetime: the frame must outlive this.
class AliasesWriter {
 public:
  explicit AliasesWriter(FrameWriter& frame) : frame_(frame) {}

  // The columns of one unit, whose rows are given by start; units one after the other. Returns how
  // many pairs are new.
  uint64_t WriteUnit(uint32_t base, const std::vector<Alias>& rows);
  // The columns of the block, after all units.
  void WriteBlock(SpanMeta& meta);

 private:
  using TraceKey = std::pair<uint64_t, uint64_t>;

  FrameWriter& frame_;
  absl::flat_hash_map<std::pair<TraceKey, model::SpanId>, uint32_t> pairs_;
  absl::flat_hash_map<TraceKey, uint32_t> traces_;
  std::vector<uint64_t> traces_of_pairs_;
  std::string trace_bytes_;
  std::string parent_bytes_;
};

// All pairs of a block.
class AliasTable {
 public:
  // False: damaged.
  [[nodiscard]] bool Read(const FrameReader& frame, const SpanMeta& meta);

  size_t size() const { return pairs_.size(); }
  const Alias& operator[](size_t number) const { return pairs_[number]; }

  // The pairs of a unit's rows by start: 0, or 1 + the number; `first` is the number of pairs that
  // came up in the units before. False: damaged.
  [[nodiscard]] bool ReadUnit(const FrameReader& frame, uint32_t base, size_t rows, size_t first,
                              std::vector<uint32_t>& pairs) const;

 private:
  std::vector<Alias> pairs_;
};

}  // namespace kindling::storage
