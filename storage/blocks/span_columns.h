#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "storage/blocks/number_column.h"
#include "storage/blocks/span_attributes.h"
#include "storage/blocks/span_layout.h"
#include "storage/blocks/span_links.h"
#include "storage/blocks/span_tables.h"

// The columns of a unit of a block of spans, each decoded when it is first asked for.
namespace kindling::storage {

// How rows of TCP positions are predicted: by what the message before of the connection took.
// Undoes itself: encoding gives differences, decoding the positions. Both want the rows in the
// block's order.
void PredictSeqs(std::span<const uint32_t> connection_of_row, std::span<const uint64_t> bytes,
                 std::span<uint64_t> seqs, bool decode);

// Failure: sticky, and the block's; once damaged() every answer is empty or meaningless.
// Lifetime: `tables` must outlive this. Not to be moved: readers of parts point to others.
class SpanColumns {
 public:
  // Rows that have the same ends stand together.
  struct Run {
    uint32_t ends = 0;
    uint32_t first_row = 0;
    uint32_t end_row = 0;
  };

  // Of unit number `unit`.
  SpanColumns(SpanTables& tables, size_t unit)
      : tables_(tables), unit_(tables.units()[unit]), base_(FirstColumnOf(unit)) {}
  SpanColumns(const SpanColumns&) = delete;
  SpanColumns& operator=(const SpanColumns&) = delete;

  // Connections: what everything else rests on. False: damaged.
  [[nodiscard]] bool Open();

  bool damaged() const { return tables_.damaged(); }
  size_t rows() const { return unit_.rows; }
  const SpanTables::Unit& unit() const { return unit_; }
  const std::vector<Run>& runs() const { return runs_; }

  // A column by row. All zeros when damaged.
  const std::vector<uint64_t>& Numbers(SpanColumn column);
  const std::vector<int64_t>& StartTimes();
  // Request, wait and response together.
  const std::vector<int64_t>& Durations();

  // Null: damaged.
  AttributesReader* Attributes();
  const std::vector<model::SpanId>& Ids();
  const std::vector<model::TraceId>& Traces();
  const std::vector<model::SpanId>& Parents() {
    Traces();
    return links_.parents;
  }
  // 1 + the number in the block's table of aliases, 0: none.
  const std::vector<uint32_t>& Aliases();

  // So that Get may be called for these rows. False: damaged.
  [[nodiscard]] bool LoadFor(std::vector<uint32_t> rows);
  // The span of the row with this number among those.
  model::Span Get(size_t number) const;

 private:
  bool ReadConnections();
  bool Read(uint32_t column, size_t count, std::vector<uint64_t>& values,
            std::span<const ColumnContext> contexts = {}) {
    return DecodeNumberColumn(tables_.frame(), base_ + column, count, values, contexts);
  }
  bool Decode(uint32_t column, std::vector<uint64_t>& values);
  const std::vector<uint32_t>& Endpoints();
  const std::vector<uint32_t>& Results();
  const LinkRows& LinkInput();
  bool Fail() { return tables_.Fail(); }

  SpanTables& tables_;
  const SpanTables::Unit& unit_;
  const uint32_t base_;  // its first column
  std::vector<Run> runs_;
  std::vector<uint32_t> ends_of_row_;
  std::vector<uint32_t> connection_of_row_;
  std::vector<uint16_t> ports_;  // by connection, as the next
  std::vector<uint32_t> pids_;
  std::vector<uint64_t> first_starts_;
  std::vector<uint32_t> ends_of_connection_;
  std::array<std::optional<std::vector<uint64_t>>, kBlameEnd> columns_;
  std::optional<std::vector<int64_t>> start_times_;
  std::optional<std::vector<int64_t>> durations_;
  std::optional<std::vector<uint32_t>> endpoints_;  // as contexts
  std::optional<std::vector<uint32_t>> result_numbers_;
  std::optional<AttributesReader> attributes_;
  std::optional<LinkRows> link_rows_;
  std::optional<std::vector<uint32_t>> aliases_;
  std::vector<uint32_t> rows_;                           // that are loaded
  std::array<std::vector<uint64_t>, kBlameEnd> picked_;  // their values
  Links links_;
  bool has_ids_ = false;
  bool has_traces_ = false;
};

}  // namespace kindling::storage
