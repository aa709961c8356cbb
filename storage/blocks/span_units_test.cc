#include "storage/blocks/span_units.h"

#include <gtest/gtest.h>

#include <vector>

#include "storage/blocks/span_rows.h"
#include "storage/blocks/zstd_dictionaries.h"

namespace kindling::storage {
namespace {

const ZstdDictionaries kNone;
constexpr uint32_t kFirstColumn = 5;

std::vector<model::Span> SpansEachMs(size_t count) {
  std::vector<model::Span> spans(count);
  for (size_t i = 0; i < count; ++i) {
    spans[i].start_ns = static_cast<int64_t>(i) * 1'000'000;
    spans[i].trace_id = {1000 + i, i};
  }
  return spans;
}

SpanRows InUnits(const std::vector<model::Span>& spans, size_t unit_rows) {
  std::vector<const model::Span*> pointers;
  for (const model::Span& span : spans) pointers.push_back(&span);
  return OrderSpans(pointers, unit_rows);
}

SpanUnitRanges RangesOf(const SpanRows& rows) {
  FrameWriter writer(FrameClass::kSpanSummary, 1, kNone);
  SpanUnitRanges::Encode(rows, writer, kFirstColumn);
  const std::string bytes = writer.Finish();
  const auto frame = FrameReader::Open(bytes, FrameClass::kSpanSummary, 1, kNone);
  EXPECT_TRUE(frame.ok()) << frame.status();
  SpanUnitRanges ranges;
  EXPECT_TRUE(ranges.Read(*frame, kFirstColumn, rows.units.size()));
  return ranges;
}

size_t CountOf(SpanUnits units) {
  size_t count = 0;
  for (size_t unit = 0; unit < 64; ++unit) count += units.Has(unit) ? 1 : 0;
  return count;
}

TEST(SpanUnitRangesTest, NameTheUnitOfEachRow) {
  const std::vector<model::Span> spans = SpansEachMs(2000);
  const SpanRows rows = InUnits(spans, 100);
  ASSERT_GT(rows.units.size(), 10);
  const SpanUnitRanges ranges = RangesOf(rows);
  for (size_t unit = 0; unit < rows.units.size(); ++unit) {
    const SpanRows::Unit& u = rows.units[unit];
    for (uint32_t row = u.first_row; row < u.first_row + u.rows; ++row) {
      const model::Span& span = *rows.spans[rows.span_of_row[row]];
      const SpanUnits of_trace = ranges.OfTrace(span.trace_id);
      EXPECT_TRUE(of_trace.Has(unit));
      EXPECT_LE(CountOf(of_trace), 2);  // its own, and that of the slowest
      const SpanUnits then = ranges.Between(span.start_ns, span.start_ns + 1);
      EXPECT_TRUE(then.Has(unit));
      EXPECT_LE(CountOf(then), 2);
    }
  }
  EXPECT_TRUE(ranges.OfTrace({999, 0}).empty());
  EXPECT_TRUE(ranges.OfTrace({3000, 0}).empty());
  EXPECT_TRUE(ranges.Between(-1000, 0).empty());
  EXPECT_TRUE(ranges.Between(1'999'000'001, INT64_MAX).empty());
}

TEST(SpanUnitRangesTest, FewOldTracesDoNotWidenARange) {
  std::vector<model::Span> spans = SpansEachMs(1000);
  for (size_t i = 5; i < spans.size(); i += 100) spans[i].trace_id.high = i;  // long before
  const SpanRows rows = InUnits(spans, 100);
  const SpanUnitRanges ranges = RangesOf(rows);
  for (size_t i = 5; i < spans.size(); i += 100) {
    const SpanUnits units = ranges.OfTrace(spans[i].trace_id);
    EXPECT_FALSE(units.empty());
    EXPECT_LE(CountOf(units), 2);
  }
  // But that of the slowest, who are few and from any time.
  EXPECT_LE(CountOf(ranges.OfTrace({500, 0})), 1);
}

TEST(SpanUnitRangesTest, RandomTracesMayBeAnywhere) {
  std::vector<model::Span> spans = SpansEachMs(1000);
  for (size_t i = 0; i < spans.size(); ++i) {
    spans[i].trace_id.high = (i + 1) * 0x9e3779b97f4a7c15;
  }
  const SpanRows rows = InUnits(spans, 100);
  const SpanUnitRanges ranges = RangesOf(rows);
  for (size_t unit = 0; unit < rows.units.size(); ++unit) {
    const uint32_t row = rows.units[unit].first_row;
    EXPECT_TRUE(ranges.OfTrace(rows.spans[rows.span_of_row[row]]->trace_id).Has(unit));
  }
}

TEST(SpanUnitRangesTest, RankNoRowTooLow) {
  std::vector<model::Span> spans = SpansEachMs(1000);
  for (size_t i = 0; i < spans.size(); ++i) {
    spans[i].wait_duration_ns = static_cast<int64_t>(i * 7919 % 1000);
  }
  const SpanRows rows = InUnits(spans, 100);
  const SpanUnitRanges ranges = RangesOf(rows);
  constexpr int64_t kMiddleNs = 500'000'000;
  for (const auto order : {SpanSearch::Order::kNewest, SpanSearch::Order::kSlowest}) {
    size_t ruled_out = 0;
    for (size_t unit = 0; unit < rows.units.size(); ++unit) {
      const SpanRows::Unit& u = rows.units[unit];
      int64_t highest = INT64_MIN;
      int64_t highest_after = INT64_MIN;
      for (uint32_t row = u.first_row; row < u.first_row + u.rows; ++row) {
        const model::Span& span = *rows.spans[rows.span_of_row[row]];
        highest = std::max(highest, RankOf(span, order));
        if (span.start_ns >= kMiddleNs)
          highest_after = std::max(highest_after, RankOf(span, order));
      }
      EXPECT_EQ(ranges[unit].HighestRank({.order = order}), highest);
      const int64_t after = ranges[unit].HighestRank({.start_ns = kMiddleNs, .order = order});
      EXPECT_GE(after, highest_after);
      ruled_out += after == INT64_MIN ? 1 : 0;
      EXPECT_EQ(ranges[unit].HighestRank({.order = order, .min_duration_ns = 1001}), INT64_MIN);
    }
    EXPECT_GT(ruled_out, 3);
  }
}

TEST(SpanUnitRangesTest, RowsWithoutATraceAreOfNone) {
  std::vector<model::Span> spans = SpansEachMs(300);
  for (model::Span& span : spans) span.trace_id = {};
  const SpanUnitRanges ranges = RangesOf(InUnits(spans, 100));
  for (const uint64_t high : {uint64_t{0}, uint64_t{1}, UINT64_MAX}) {
    EXPECT_TRUE(ranges.OfTrace({high, 1}).empty());
  }
  EXPECT_FALSE(ranges.Between(0, 1).empty());
}

}  // namespace
}  // namespace kindling::storage
