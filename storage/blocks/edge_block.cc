#include "storage/blocks/edge_block.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
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

// A party, its texts by number.
struct PartyIds {
  uint32_t workload = 0;
  uint32_t workload_kind = 0;
  uint32_t host = 0;
  uint32_t address = 0;
  uint32_t dns_name = 0;
  uint32_t port = 0;
  auto operator<=>(const PartyIds&) const = default;
};

// What names a series, parties and texts by number; in the order in which series are stored.
struct SeriesIds {
  uint32_t observer = 0;
  uint32_t server = 0;
  uint32_t client = 0;
  uint32_t protocol = 0;
  uint32_t transport = 0;
  uint32_t endpoint = 0;
  uint32_t outcome = 0;
  uint32_t status_code = 0;
  auto operator<=>(const SeriesIds&) const = default;
};

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

// Rows by series and time, each series by number.
class EdgeEncoder {
 public:
  explicit EdgeEncoder(std::vector<model::EdgeStats> rows) : rows_(std::move(rows)) {}

  SealedBlock Encode(const ZstdDictionaries& dictionaries) {
    NameSeries();
    Sort();
    FrameWriter frame(FrameClass::kEdges, kVersion, dictionaries);
    frame.Add(kTexts, texts_.Encode(), Packing::kText);
    frame.Add(kSeries, EncodeSeries(), Packing::kStored);
    SegmentDirectory directory;
    directory.segments = CutSegments(sizes_);
    SealedBlock block;
    block.rows = order_.size();
    if (!order_.empty()) {
      block.first_ns = INT64_MAX;
      block.last_ns = INT64_MIN;
    }
    for (const Place& place : order_) {
      block.first_ns = std::min(block.first_ns, place.start_ns);
      block.last_ns = std::max(block.last_ns, place.start_ns);
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
  struct Place {
    uint32_t series = 0;
    uint32_t row = 0;
    int64_t start_ns = 0;
  };

  // By what they refer to.
  struct PartyKey {
    const model::Party* party;
    bool operator==(const PartyKey& other) const { return *party == *other.party; }
    template <typename H>
    friend H AbslHashValue(H h, const PartyKey& key) {
      const model::Party& p = *key.party;
      return H::combine(std::move(h), p.workload, p.workload_kind, p.host, p.address, p.port,
                        p.dns_name);
    }
  };
  struct SeriesKey {
    const model::EdgeStats* row;
    uint32_t client;
    uint32_t server;
    bool operator==(const SeriesKey& other) const {
      const auto key = [](const SeriesKey& k) {
        return std::tie(k.client, k.server, k.row->observer, k.row->protocol, k.row->transport,
                        k.row->outcome, k.row->endpoint, k.row->status_code);
      };
      return key(*this) == key(other);
    }
    template <typename H>
    friend H AbslHashValue(H h, const SeriesKey& key) {
      return H::combine(std::move(h), key.client, key.server, key.row->observer, key.row->protocol,
                        key.row->transport, key.row->outcome, key.row->endpoint,
                        key.row->status_code);
    }
  };

  static std::string EncodeSummary(const SealedBlock& block) {
    std::string out;
    PutVarint(out, ZigZag(block.first_ns));
    PutVarint(out, ZigZag(block.last_ns));
    PutVarint(out, block.rows);
    return out;
  }

  // Texts as they were added.
  PartyIds Add(const model::Party& party) {
    return {.workload = texts_.Add(party.workload),
            .workload_kind = texts_.Add(party.workload_kind),
            .host = texts_.Add(party.host),
            .address = texts_.Add(party.address),
            .dns_name = texts_.Add(party.dns_name),
            .port = party.port};
  }

  // Parties and series are first numbered as they come, so that each text is looked up once for
  // each series and not for each row.
  void NameSeries() {
    absl::flat_hash_map<PartyKey, uint32_t> party_numbers;
    absl::flat_hash_map<SeriesKey, uint32_t> series_numbers;
    std::vector<SeriesKey> series;
    const auto party_number = [&](const model::Party& party) {
      const auto [it, added] =
          party_numbers.try_emplace({&party}, static_cast<uint32_t>(parties_.size()));
      if (added) parties_.push_back(Add(party));
      return it->second;
    };
    order_.reserve(rows_.size());
    for (size_t i = 0; i < rows_.size(); ++i) {
      const model::EdgeStats& row = rows_[i];
      uint32_t number = 0;
      if (i > 0 && SameEdgeSeries(row, rows_[i - 1])) {
        number = order_.back().series;
      } else {
        const SeriesKey key = {
            .row = &row, .client = party_number(row.client), .server = party_number(row.server)};
        const auto [it, added] =
            series_numbers.try_emplace(key, static_cast<uint32_t>(series.size()));
        if (added) series.push_back(key);
        number = it->second;
      }
      order_.push_back(
          {.series = number, .row = static_cast<uint32_t>(i), .start_ns = row.window_start_ns});
    }

    std::vector<std::pair<uint32_t, uint32_t>> texts_of_series;  // endpoint, status
    for (const SeriesKey& key : series) {
      const uint32_t endpoint = texts_.Add(key.row->endpoint);
      texts_of_series.emplace_back(endpoint, texts_.Add(key.row->status_code));
    }
    texts_.Sort();

    for (PartyIds& party : parties_) {
      for (uint32_t* text :
           {&party.workload, &party.workload_kind, &party.host, &party.address, &party.dns_name}) {
        *text = texts_.Number(*text);
      }
    }
    const std::vector<uint32_t> party_places = SortedPlaces(parties_);
    std::sort(parties_.begin(), parties_.end());

    for (size_t i = 0; i < series.size(); ++i) {
      const SeriesKey& key = series[i];
      const model::EdgeStats& row = *key.row;
      series_.push_back({
          .observer = static_cast<uint8_t>(row.observer),
          .server = party_places[key.server],
          .client = party_places[key.client],
          .protocol = static_cast<uint8_t>(row.protocol),
          .transport = static_cast<uint8_t>(row.transport),
          .endpoint = texts_.Number(texts_of_series[i].first),
          .outcome = static_cast<uint8_t>(row.outcome),
          .status_code = texts_.Number(texts_of_series[i].second),
      });
    }
    const std::vector<uint32_t> series_places = SortedPlaces(series_);
    std::sort(series_.begin(), series_.end());
    for (Place& place : order_) place.series = series_places[place.series];
  }

  // Where each of these, all different, comes in their order.
  template <typename T>
  static std::vector<uint32_t> SortedPlaces(const std::vector<T>& things) {
    std::vector<uint32_t> order(things.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&things](uint32_t a, uint32_t b) { return things[a] < things[b]; });
    std::vector<uint32_t> places(things.size());
    for (uint32_t i = 0; i < order.size(); ++i) places[order[i]] = i;
    return places;
  }

  // Also merges the rows of the same series and window.
  void Sort() {
    const auto before = [this](const Place& a, const Place& b) {
      return std::tie(a.series, a.start_ns, rows_[a.row].window_ns) <
             std::tie(b.series, b.start_ns, rows_[b.row].window_ns);
    };
    if (!std::is_sorted(order_.begin(), order_.end(), before)) {
      std::sort(order_.begin(), order_.end(), before);
    }
    size_t kept = 0;
    for (const Place& place : order_) {
      if (kept > 0 && !before(order_[kept - 1], place)) {
        AddEdgeNumbers(rows_[order_[kept - 1].row], rows_[place.row]);
      } else {
        order_[kept++] = place;
      }
    }
    order_.resize(kept);
    sizes_.assign(series_.size(), 0);
    for (const Place& place : order_) ++sizes_[place.series];
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
      const size_t first = next_;
      next_ += sizes_[next_series_++];
      times.clear();
      windows.clear();
      for (size_t at = first; at < next_; ++at) {
        times.push_back(order_[at].start_ns);
        windows.push_back(rows_[order_[at].row].window_ns);
      }
      rows->Code(
          encoder, times, windows, times.size(),
          [&](size_t at) -> model::EdgeStats& { return rows_[order_[first + at].row]; },
          [](size_t) {});
    }
    return encoder.Finish();
  }

  std::vector<model::EdgeStats> rows_;
  TextTableBuilder texts_;
  std::vector<PartyIds> parties_;
  std::vector<SeriesIds> series_;
  std::vector<Place> order_;
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

bool SameEdgeSeries(const model::EdgeStats& a, const model::EdgeStats& b) {
  const auto key = [](const model::EdgeStats& row) {
    return std::tie(row.observer, row.client, row.server, row.protocol, row.transport, row.endpoint,
                    row.outcome, row.status_code);
  };
  return key(a) == key(b);
}

void AddEdgeNumbers(model::EdgeStats& row, const model::EdgeStats& other) {
  row.count += other.count;
  row.slow_count += other.slow_count;
  row.sent_bytes += other.sent_bytes;
  row.received_bytes += other.received_bytes;
  row.connections += other.connections;
  row.connect_failures += other.connect_failures;
  row.connect_count += other.connect_count;
  row.connect_sum_ns += other.connect_sum_ns;
  row.lost += other.lost;
  row.latency.Merge(other.latency);
  row.blame += other.blame;
}

SealedBlock EncodeEdgeBlock(std::vector<model::EdgeStats> rows,
                            const ZstdDictionaries& dictionaries) {
  return EdgeEncoder(std::move(rows)).Encode(dictionaries);
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
