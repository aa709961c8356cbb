#include "storage/blocks/edge_block.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/byte_reader.h"
#include "base/status_macros.h"
#include "storage/blocks/edge_rows.h"
#include "storage/blocks/frame.h"
#include "storage/blocks/id_column.h"
#include "storage/blocks/range_coder.h"
#include "storage/blocks/series_rows.h"
#include "storage/blocks/text_table.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint64_t kMaxRows = 2 * kEdgeBlockRows;

// On disk: never renumber.
enum Section : uint32_t { kTexts = 1, kSeries = 2, kDirectory = 3, kFirstSegment = 16 };

// Both tables in a number stream. Made with at least one text and one party.
class SeriesTables {
 public:
  SeriesTables(size_t texts, size_t parties)
      : workload_(Size(texts)),
        workload_kind_(Size(texts)),
        host_(Size(texts)),
        address_(Size(texts)),
        dns_name_(Size(texts)),
        port_(uint32_t{UINT16_MAX} + 1),
        observer_(kEnum),
        server_(Size(parties)),
        client_(Size(parties)),
        protocol_(kEnum),
        transport_(kEnum),
        endpoint_(Size(texts)),
        outcome_(kEnum),
        status_code_(Size(texts)) {}

  template <typename Coder>
  void Code(Coder& coder, PartyIds& party) {
    party.workload = workload_.Code(coder, party.workload);
    party.workload_kind = workload_kind_.Code(coder, party.workload_kind);
    party.host = host_.Code(coder, party.host);
    party.address = address_.Code(coder, party.address);
    party.dns_name = dns_name_.Code(coder, party.dns_name);
    party.port = port_.Code(coder, party.port);
  }

  template <typename Coder>
  void Code(Coder& coder, SeriesIds& series) {
    series.observer = observer_.Code(coder, series.observer);
    series.server = server_.Code(coder, series.server);
    series.client = client_.Code(coder, series.client);
    series.protocol = protocol_.Code(coder, series.protocol);
    series.transport = transport_.Code(coder, series.transport);
    series.endpoint = endpoint_.Code(coder, series.endpoint);
    series.outcome = outcome_.Code(coder, series.outcome);
    series.status_code = status_code_.Code(coder, series.status_code);
  }

 private:
  static constexpr uint32_t kEnum = 256;
  static uint32_t Size(size_t size) { return static_cast<uint32_t>(size); }

  IdColumn workload_;
  IdColumn workload_kind_;
  IdColumn host_;
  IdColumn address_;
  IdColumn dns_name_;
  IdColumn port_;
  IdColumn observer_;
  IdColumn server_;
  IdColumn client_;
  IdColumn protocol_;
  IdColumn transport_;
  IdColumn endpoint_;
  IdColumn outcome_;
  IdColumn status_code_;
};

// Rows by series and time. What other series of the table there may be is left out of the block:
// what is numbered in the order of blocks still is after that.
class EdgeEncoder {
 public:
  EdgeEncoder(const EdgeSeries& names, std::span<const EdgeRow> rows)
      : names_(names), rows_(rows) {}

  SealedBlock Encode(const ZstdDictionaries& dictionaries) {
    FrameWriter frame(FrameClass::kEdges, kVersion, dictionaries);
    CollectNames();
    frame.Add(kTexts, EncodeTexts(texts_), Packing::kText);
    frame.Add(kSeries, EncodeSeries(), Packing::kStored);
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
    frame.Add(kDirectory, EncodeDirectory(directory), Packing::kStored);
    uint32_t number = kFirstSegment;
    for (const SeriesSegment& segment : directory.segments) {
      frame.Add(number++, EncodeSegment(segment, directory.base_ns), Packing::kStored);
    }
    block.body = frame.Finish();
    FrameWriter summary(FrameClass::kEdgeSummary, kVersion, dictionaries);
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

  static std::array<uint32_t*, 5> TextsOf(PartyIds& party) {
    return {&party.workload, &party.workload_kind, &party.host, &party.address, &party.dns_name};
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

// What names the series of a block.
class SeriesNames {
 public:
  static absl::StatusOr<SeriesNames> Parse(const FrameReader& frame, uint64_t series) {
    std::string room;
    ASSIGN_OR_RETURN(const std::string_view texts, frame.Read(kTexts, room));
    SeriesNames names;
    ASSIGN_OR_RETURN(names.texts_, TextTable::Parse(texts, kMaxEdgeBlockTextBytes));
    ASSIGN_OR_RETURN(const std::string_view bytes, frame.Read(kSeries, room));
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

size_t TextBytes(const model::EdgeStats& row) {
  size_t bytes = row.endpoint.size() + row.status_code.size();
  for (const model::Party* party : {&row.client, &row.server}) {
    bytes += party->workload.size() + party->workload_kind.size() + party->host.size() +
             party->address.size() + party->dns_name.size();
  }
  return bytes;
}

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

absl::Status ReadEdgeBlock(std::string_view body, const ZstdDictionaries& dictionaries,
                           int64_t start_ns, int64_t end_ns, const EdgeVisitor& visit) {
  ASSIGN_OR_RETURN(const FrameReader frame,
                   FrameReader::Open(body, FrameClass::kEdges, kVersion, dictionaries));
  std::string room;
  ASSIGN_OR_RETURN(const std::string_view bytes, frame.Read(kDirectory, room));
  ASSIGN_OR_RETURN(const SegmentDirectory directory, ParseDirectory(bytes, kMaxRows));
  ASSIGN_OR_RETURN(const SeriesNames names, SeriesNames::Parse(frame, directory.series));

  uint64_t series = 0;
  uint32_t number = kFirstSegment;
  bool stopped = false;
  model::EdgeStats row;
  std::vector<int64_t> times;
  std::vector<int64_t> windows;
  for (const SeriesSegment& segment : directory.segments) {
    ASSIGN_OR_RETURN(const std::string_view stream, frame.Read(number++, room));
    RangeDecoder decoder(stream);
    const auto rows = std::make_unique<EdgeRows>(directory.base_ns);
    uint64_t left = segment.rows;
    for (uint64_t i = 0; i < segment.series; ++i, ++series) {
      rows->Code(
          decoder, times, windows, left, [&](size_t) -> model::EdgeStats& { return row; },
          [&](size_t) {
            const int64_t time_ns = row.window_start_ns;
            if (stopped || time_ns < start_ns || (time_ns >= end_ns && end_ns != INT64_MAX)) return;
            names.Fill(series, row);
            stopped = !visit(row);
          });
      if (!decoder.ok()) return absl::DataLossError("rows are damaged");
      if (stopped) return absl::OkStatus();
      left -= times.size();
    }
    if (left != 0 || !decoder.Finished()) return absl::DataLossError("rows are damaged");
  }
  return absl::OkStatus();
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
