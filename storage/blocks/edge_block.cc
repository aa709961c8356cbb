#include "storage/blocks/edge_block.h"

#include <memory>
#include <string>
#include <utility>

#include "base/byte_reader.h"
#include "base/status_macros.h"
#include "storage/blocks/edge_layout.h"
#include "storage/blocks/edge_rows.h"
#include "storage/blocks/frame.h"
#include "storage/blocks/range_coder.h"
#include "storage/blocks/series_rows.h"
#include "storage/blocks/text_table.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

constexpr uint64_t kMaxRows = 2 * kEdgeBlockRows;

// What names the series of a block.
class SeriesNames {
 public:
  static absl::StatusOr<SeriesNames> Parse(const FrameReader& frame, uint64_t series) {
    std::string room;
    ASSIGN_OR_RETURN(const std::string_view texts, frame.Read(kEdgeTexts, room));
    SeriesNames names;
    ASSIGN_OR_RETURN(names.texts_, TextTable::Parse(texts, kMaxEdgeBlockTextBytes));
    ASSIGN_OR_RETURN(const std::string_view bytes, frame.Read(kEdgeSeries, room));
    base::ByteReader reader(base::AsBytes(bytes));
    const uint64_t parties = ReadVarint(reader);
    const bool counted = ReadVarint(reader) == series;
    if (!reader.ok() || !counted || parties > 2 * series) {
      return absl::DataLossError("another number of series than rows are of");
    }
    if (series == 0) return names;
    if (parties == 0 || names.texts_.size() == 0) {
      return absl::DataLossError("series without names");
    }
    RangeDecoder decoder(bytes.substr(reader.position()));
    SeriesTables tables(names.texts_.size(), parties);
    names.parties_.resize(parties);
    for (PartyIds& party : names.parties_) tables.Code(decoder, party);
    names.series_.resize(series);
    for (SeriesIds& ids : names.series_) tables.Code(decoder, ids);
    if (!decoder.Finished()) return absl::DataLossError("names of series are damaged");
    return names;
  }

  const TextTable& texts() const { return texts_; }
  const std::vector<PartyIds>& parties() const { return parties_; }
  const std::vector<SeriesIds>& series() const { return series_; }

  void Fill(uint64_t series, model::EdgeStats& row) const {
    const SeriesIds& ids = series_[series];
    row.observer = static_cast<model::Side>(ids.observer);
    FillParty(parties_[ids.client], row.client);
    FillParty(parties_[ids.server], row.server);
    row.protocol = static_cast<model::Protocol>(ids.protocol);
    row.transport = static_cast<model::Transport>(ids.transport);
    row.endpoint = texts_[ids.endpoint];
    row.outcome = static_cast<model::Outcome>(ids.outcome);
    row.status_code = texts_[ids.status_code];
  }

 private:
  void FillParty(const PartyIds& ids, model::Party& party) const {
    party.workload = texts_[ids.workload];
    party.workload_kind = texts_[ids.workload_kind];
    party.host = texts_[ids.host];
    party.address = texts_[ids.address];
    party.port = static_cast<uint16_t>(ids.port);
    party.dns_name = texts_[ids.dns_name];
  }

  TextTable texts_;
  std::vector<PartyIds> parties_;
  std::vector<SeriesIds> series_;
};

// What the flows of a block are among all; looked up when they have rows that are wanted.
class FlowNumbers {
 public:
  FlowNumbers(const SeriesNames& names, FlowEnds& ends)
      : names_(names),
        ends_(ends),
        texts_(names.texts().size(), kUnknown),
        parties_(names.parties().size(), kUnknown) {}

  uint32_t Of(uint64_t series) {
    SeriesIds ids = names_.series()[series];
    ids.client = Party(ids.client);
    ids.server = Party(ids.server);
    return ends_.Flow(ids);
  }

 private:
  static constexpr uint32_t kUnknown = UINT32_MAX;

  uint32_t Party(uint32_t number) {
    uint32_t& known = parties_[number];
    if (known == kUnknown) {
      PartyIds ids = names_.parties()[number];
      for (uint32_t* text : TextsOf(ids)) *text = Text(*text);
      known = ends_.Party(ids);
    }
    return known;
  }

  uint32_t Text(uint32_t number) {
    uint32_t& known = texts_[number];
    if (known == kUnknown) known = ends_.Text(names_.texts()[number]);
    return known;
  }

  const SeriesNames& names_;
  FlowEnds& ends_;
  std::vector<uint32_t> texts_;
  std::vector<uint32_t> parties_;
};

// Reads the rows of a block, a series after another.
class EdgeReader {
 public:
  static absl::StatusOr<EdgeReader> Open(std::string_view body,
                                         const ZstdDictionaries& dictionaries) {
    ASSIGN_OR_RETURN(FrameReader frame,
                     FrameReader::Open(body, FrameClass::kEdges, kEdgeBlockVersion, dictionaries));
    std::string room;
    ASSIGN_OR_RETURN(const std::string_view bytes, frame.Read(kEdgeDirectory, room));
    ASSIGN_OR_RETURN(SegmentDirectory directory, ParseDirectory(bytes, kMaxRows));
    ASSIGN_OR_RETURN(SeriesNames names, SeriesNames::Parse(frame, directory.series));
    return EdgeReader(std::move(frame), std::move(directory), std::move(names));
  }

  const SeriesNames& names() const { return names_; }

  // Of a series in the range give(series, row) gets every row, without names, then done(series) is
  // called; either returns false to stop.
  template <typename Give, typename Done>
  absl::Status Read(int64_t start_ns, int64_t end_ns, Give give, Done done) const {
    uint64_t series = 0;
    uint32_t number = kFirstEdgeSegment;
    bool stopped = false;
    model::EdgeStats row;
    std::string room;
    std::vector<int64_t> times;
    std::vector<int64_t> windows;
    for (const SeriesSegment& segment : directory_.segments) {
      ASSIGN_OR_RETURN(const std::string_view stream, frame_.Read(number++, room));
      RangeDecoder decoder(stream);
      const auto rows = std::make_unique<EdgeRows>(directory_.base_ns);
      uint64_t left = segment.rows;
      for (uint64_t i = 0; i < segment.series; ++i, ++series) {
        rows->Code(
            decoder, times, windows, left, [&](size_t) -> model::EdgeStats& { return row; },
            [&](size_t) {
              const int64_t time_ns = row.window_start_ns;
              if (stopped || time_ns < start_ns) return;
              if (time_ns >= end_ns && end_ns != INT64_MAX) return;
              stopped = !give(series, row);
            });
        if (!decoder.ok()) return absl::DataLossError("rows are damaged");
        stopped = stopped || !done(series);
        if (stopped) return absl::OkStatus();
        left -= times.size();
      }
      if (left != 0 || !decoder.Finished()) return absl::DataLossError("rows are damaged");
    }
    return absl::OkStatus();
  }

 private:
  EdgeReader(FrameReader frame, SegmentDirectory directory, SeriesNames names)
      : frame_(std::move(frame)), directory_(std::move(directory)), names_(std::move(names)) {}

  FrameReader frame_;
  SegmentDirectory directory_;
  SeriesNames names_;
};

size_t TextBytes(const model::EdgeStats& row) {
  size_t bytes = row.endpoint.size() + row.status_code.size();
  for (const model::Party* party : {&row.client, &row.server}) {
    bytes += party->workload.size() + party->workload_kind.size() + party->host.size() +
             party->address.size() + party->dns_name.size();
  }
  return bytes;
}

}  // namespace

absl::Status ReadEdgeBlock(std::string_view body, const ZstdDictionaries& dictionaries,
                           int64_t start_ns, int64_t end_ns, const EdgeVisitor& visit) {
  ASSIGN_OR_RETURN(const EdgeReader reader, EdgeReader::Open(body, dictionaries));
  return reader.Read(
      start_ns, end_ns,
      [&](uint64_t series, model::EdgeStats& row) {
        reader.names().Fill(series, row);
        return visit(row);
      },
      [](uint64_t) { return true; });
}

absl::Status ReadFlows(std::string_view body, const ZstdDictionaries& dictionaries,
                       int64_t start_ns, int64_t end_ns, FlowEnds& ends, const FlowVisitor& visit) {
  ASSIGN_OR_RETURN(const EdgeReader reader, EdgeReader::Open(body, dictionaries));
  FlowNumbers numbers(reader.names(), ends);
  std::vector<FlowRow> rows;
  return reader.Read(
      start_ns, end_ns,
      [&](uint64_t, const model::EdgeStats& row) {
        rows.push_back(FlowRowOf(row));
        return true;
      },
      [&](uint64_t series) {
        if (rows.empty()) return true;
        const bool goes_on = visit(numbers.Of(series), rows);
        rows.clear();
        return goes_on;
      });
}

absl::StatusOr<std::vector<model::EdgeStats>> DecodeEdgeBlock(std::string_view body,
                                                              const ZstdDictionaries& dictionaries,
                                                              int64_t start_ns, int64_t end_ns) {
  std::vector<model::EdgeStats> rows;
  size_t text_bytes = 0;
  RETURN_IF_ERROR(ReadEdgeBlock(body, dictionaries, start_ns, end_ns, [&](model::EdgeStats& row) {
    text_bytes += TextBytes(row);
    if (text_bytes > kMaxEdgeBlockTextBytes) return false;
    rows.push_back(std::move(row));
    return true;
  }));
  if (text_bytes > kMaxEdgeBlockTextBytes) return absl::DataLossError("texts are too large");
  return rows;
}

}  // namespace kindling::storage
