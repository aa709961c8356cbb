#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/blocks/edge_block.h"
#include "storage/blocks/edge_layout.h"
#include "storage/blocks/edge_rows.h"
#include "storage/blocks/frame.h"
#include "storage/blocks/range_coder.h"
#include "storage/blocks/series_rows.h"
#include "storage/blocks/text_table.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

// Rows by series and time. What other series of the table there may be is left out of the block:
// what is numbered in the order of blocks still is after that.
class EdgeEncoder {
 public:
  EdgeEncoder(const EdgeSeries& names, std::span<const EdgeRow> rows)
      : names_(names), rows_(rows) {}

  SealedBlock Encode(const ZstdDictionaries& dictionaries) {
    FrameWriter frame(FrameClass::kEdges, kEdgeBlockVersion, dictionaries);
    CollectNames();
    frame.Add(kEdgeTexts, EncodeTexts(texts_), Packing::kText);
    frame.Add(kEdgeSeries, EncodeSeries(), Packing::kStored);
    SegmentDirectory directory;
    directory.segments = CutSegments(sizes_);
    SealedBlock block;
    block.rows = rows_.size();
    if (!rows_.empty()) {
      block.first_ns = INT64_MAX;
      block.last_ns = INT64_MIN;
    }
    for (const EdgeRow& row : rows_) {
      block.first_ns = std::min(block.first_ns, row.start_ns);
      block.last_ns = std::max(block.last_ns, row.start_ns);
    }
    directory.base_ns = block.first_ns;
    frame.Add(kEdgeDirectory, EncodeDirectory(directory), Packing::kStored);
    uint32_t number = kFirstEdgeSegment;
    for (const SeriesSegment& segment : directory.segments) {
      frame.Add(number++, EncodeSegment(segment, directory.base_ns), Packing::kStored);
    }
    block.body = frame.Finish();
    FrameWriter summary(FrameClass::kEdgeSummary, kEdgeBlockVersion, dictionaries);
    summary.Add(1, EncodeSummary(block), Packing::kStored);
    block.summary = summary.Finish();
    return block;
  }

 private:
  static constexpr uint32_t kUnused = UINT32_MAX;

  static std::string EncodeSummary(const SealedBlock& block) {
    std::string out;
    PutVarint(out, ZigZag(block.first_ns));
    PutVarint(out, ZigZag(block.last_ns));
    PutVarint(out, block.rows);
    return out;
  }

  // Numbers those that are marked, in their order; gives how many they are.
  static uint32_t Renumber(std::vector<uint32_t>& marked) {
    uint32_t next = 0;
    for (uint32_t& number : marked) {
      if (number != kUnused) number = next++;
    }
    return next;
  }

  void CollectNames() {
    std::vector<uint32_t> texts(names_.texts().size(), kUnused);
    std::vector<uint32_t> parties(names_.parties().size(), kUnused);
    uint32_t last = kUnused;
    for (const EdgeRow& row : rows_) {
      if (row.series != last) {
        last = row.series;
        const SeriesIds& series = series_.emplace_back(names_.series()[last]);
        sizes_.push_back(0);
        parties[series.client] = parties[series.server] = 0;
        texts[series.endpoint] = texts[series.status_code] = 0;
      }
      ++sizes_.back();
    }
    parties_.reserve(Renumber(parties));
    for (size_t i = 0; i < parties.size(); ++i) {
      if (parties[i] == kUnused) continue;
      PartyIds& party = parties_.emplace_back(names_.parties()[i]);
      for (const uint32_t* text : TextsOf(party)) texts[*text] = 0;
    }
    texts_.reserve(Renumber(texts));
    for (size_t i = 0; i < texts.size(); ++i) {
      if (texts[i] != kUnused) texts_.push_back(names_.texts()[i]);
    }
    for (PartyIds& party : parties_) {
      for (uint32_t* text : TextsOf(party)) *text = texts[*text];
    }
    for (SeriesIds& series : series_) {
      series.client = parties[series.client];
      series.server = parties[series.server];
      series.endpoint = texts[series.endpoint];
      series.status_code = texts[series.status_code];
    }
  }

  std::string EncodeSeries() {
    std::string out;
    PutVarint(out, parties_.size());
    PutVarint(out, series_.size());
    RangeEncoder encoder;
    SeriesTables tables(texts_.size(), parties_.size());
    for (PartyIds& party : parties_) tables.Code(encoder, party);
    for (SeriesIds& series : series_) tables.Code(encoder, series);
    return out + encoder.Finish();
  }

  std::string EncodeSegment(const SeriesSegment& segment, int64_t base_ns) {
    RangeEncoder encoder;
    const auto rows = std::make_unique<EdgeRows>(base_ns);
    std::vector<int64_t> times;
    std::vector<int64_t> windows;
    for (uint64_t i = 0; i < segment.series; ++i) {
      const std::span<const EdgeRow> of = rows_.subspan(next_, sizes_[next_series_++]);
      next_ += of.size();
      times.clear();
      windows.clear();
      for (const EdgeRow& row : of) {
        times.push_back(row.start_ns);
        windows.push_back(row.window_ns);
      }
      rows->Code(
          encoder, times, windows, times.size(),
          [&](size_t at) -> const model::EdgeStats& { return *of[at].numbers; }, [](size_t) {});
    }
    return encoder.Finish();
  }

  const EdgeSeries& names_;
  const std::span<const EdgeRow> rows_;
  std::vector<std::string_view> texts_;
  std::vector<PartyIds> parties_;
  std::vector<SeriesIds> series_;
  std::vector<uint64_t> sizes_;  // rows of each series
  size_t next_series_ = 0;       // what the next segment begins with
  size_t next_ = 0;
};

}  // namespace

SealedBlock EncodeEdgeBlock(const EdgeSeries& series, std::span<const EdgeRow> rows,
                            const ZstdDictionaries& dictionaries) {
  return EdgeEncoder(series, rows).Encode(dictionaries);
}

SealedBlock EncodeEdgeBlock(const std::vector<model::EdgeStats>& rows,
                            const ZstdDictionaries& dictionaries) {
  EdgeSeries series;
  EdgeSums sums;
  const std::vector<EdgeRow> named = NameEdgeRows(rows, series, sums);
  return EncodeEdgeBlock(series, named, dictionaries);
}

}  // namespace kindling::storage
