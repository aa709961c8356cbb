#pragma once

#include <cstddef>
#include <cstdint>

#include "model/records.h"
#include "storage/blocks/ends_table.h"
#include "storage/blocks/number_column.h"

// What is where in a block of spans. On disk: never renumber. README.md says what each column
// holds. What all rows share has columns of the block; the rows are in units, each with columns of
// its own.
namespace kindling::storage {

inline constexpr uint8_t kSpanBlockVersion = 1;
inline constexpr uint8_t kSpanSummaryVersion = 1;
inline constexpr uint8_t kSpanFilterVersion = 1;

// Limits of what a reader makes of a block, whatever the block says.
inline constexpr size_t kMaxSpanRows = 32'768;
inline constexpr size_t kMaxSpanTextBytes = size_t{128} << 20;  // distinct texts of a block
inline constexpr size_t kMaxAttributeCells = size_t{1} << 21;   // attributes of all rows
inline constexpr size_t kMaxSpanUnits = 64;
// Attributes beyond so many names share a column.
inline constexpr size_t kMaxAttributeColumns = 200;

enum SpanColumn : uint32_t {
  kMetaColumn = 0,   // its first section: varints
  kTextsColumn = 1,  // the text table
  kEndsColumns = 2,  // the ends table and on

  // Of a unit.
  kEndsConnections = kEndsColumns + kEndsTableColumns,  // connections of each ends
  kConnectionRows = 12,                                 // rows of each connection, less one
  kConnectionPort = 13,
  kConnectionPid = 14,
  kConnectionStart = 15,  // start of its first row, from the unit's least

  // Of the block.
  kEndpointText = 16,
  kResultText = 17,
  kResultKind = 18,  // outcome, and 256 if slow

  // Of a unit, by row.
  kStart = 20,  // from the row before of the connection
  kEndpoint = 21,
  kResult = 22,
  kRequestDuration = 23,
  kWaitDuration = 24,
  kResponseDuration = 25,
  kConnectDuration = 26,
  kRequestBytes = 27,
  kResponseBytes = 28,
  kRequestSeq = 29,
  kResponseSeq = 30,
  kStreamId = 31,
  kRequestTid = 32,
  kResponseTid = 33,
  kExecutionUnit = 34,
  kSampleWeight = 35,
  kBlame = 36,  // one for each cause
  kBlameEnd = kBlame + model::kCauseCount,

  // By row, in an order of their own.
  kIdByStart = 47,  // instead of kId
  kId = 48,
  kParentKind = 49,
  kParentBack = 50,
  kParentRow = 51,
  kParentFar = 52,
  kTraceKind = 53,
  kTraceBack = 54,
  kTraceHigh = 55,
  kTraceLow = 56,
  kAliasKind = 57,
  kAliasPairBack = 58,

  // Of the block: pairs of alias and parent as they come up, row by row and unit by unit.
  kAliasPairTrace = 59,
  kAliasTraces = 60,   // its first section: 16 bytes each
  kAliasParents = 61,  // its first section: 8 bytes each

  kParentCounter = 62,
  kTraceCounter = 63,

  kShape = 64,  // of a unit, by row
  // Of the block.
  kShapeSize = 65,   // attributes of each shape
  kShapeSlot = 66,   // their slots
  kSlotName = 67,    // text of each slot
  kSlotColumn = 68,  // its column
  kColumnKind = 69,  // of each attribute column: AttributeColumnKind

  kAttributes = 72,  // of a unit, three numbers each: texts, or prefix, suffix and bytes

  // Of the block, by unit.
  kUnitRows = 900,
  kUnitConnections = 901,
  kUnitStart = 902,     // least start, from that of the unit before
  kUnitTime = 903,      // greatest start less the least
  kUnitDuration = 904,  // least duration
  kUnitSlowest = 905,   // greatest duration less the least
  kUnitId = 906,        // least id, from that of the unit before
  kUnitIds = 907,       // greatest id less the least
  kUnitPairs = 908,     // new pairs of alias and parent
};
inline constexpr uint32_t kColumnsPerAttribute = 3;

// Columns of unit u are numbered from here on; those of the block from 0 on.
inline constexpr uint32_t kUnitColumns = 1024;
inline uint32_t FirstColumnOf(size_t unit) {
  return static_cast<uint32_t>(unit + 1) * kUnitColumns;
}
static_assert(kAttributes + kMaxAttributeColumns * kColumnsPerAttribute <= kUnitRows);

enum class AttributeColumnKind : uint8_t { kTexts = 0, kRaw = 1 };

inline uint32_t SectionOf(uint32_t column) { return column * kSectionsPerColumn; }

static_assert(kConnectionRows == kEndsConnections + 1);
static_assert(kBlameEnd <= kIdByStart);

// What the meta column says.
struct SpanMeta {
  uint64_t rows = 0;
  uint64_t parties = 0;
  uint64_t ends = 0;
  uint64_t units = 0;
  uint64_t endpoints = 0;
  uint64_t results = 0;
  uint64_t shapes = 0;
  uint64_t slots = 0;
  uint64_t attribute_columns = 0;
  uint64_t rest_cause = 0;  // 1 + the cause kept as difference to the rest of the duration; 0: none
  uint64_t alias_pairs = 0;
  uint64_t alias_traces = 0;
};

// As Span::duration_ns, of times that may be anything.
inline int64_t WrappedSum(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
inline int64_t WrappedDuration(const model::Span& span) {
  return WrappedSum(WrappedSum(span.request_duration_ns, span.wait_duration_ns),
                    span.response_duration_ns);
}

}  // namespace kindling::storage
