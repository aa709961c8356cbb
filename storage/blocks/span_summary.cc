#include "storage/blocks/span_summary.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>
#include <vector>

#include "base/byte_reader.h"
#include "base/status_macros.h"
#include "storage/blocks/bloom.h"
#include "storage/blocks/ends_pool.h"
#include "storage/blocks/ends_table.h"
#include "storage/blocks/frame.h"
#include "storage/blocks/number_column.h"
#include "storage/blocks/span_layout.h"
#include "storage/blocks/span_rows.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

// Columns of a summary. On disk: never renumber.
enum Column : uint32_t {
  kMeta = 0,
  kTexts = 1,
  kEnds = 2,  // the ends table and on
  kEndsRows = 16,
  kEndsErrors = 17,
  kEndsDuration = 18,  // greatest, as a Steep number, from the block's least
  kEndsStart = 19,     // least distance from the block's greatest, as a Steep number
  kEndpoints = 20,     // its first section: a Bloom filter of the endpoints
  kUnits = 21,         // the ranges of units and on
};

// More ends than these are left out: a block with so many says little about any of them.
constexpr size_t kMaxEnds = 2048;
constexpr size_t kMaxRows = size_t{1} << 30;
constexpr size_t kBitsPerEndpoint = 8;
constexpr size_t kMaxTextBytes = size_t{64} << 20;

// Steep numbers: 0, 1, and the powers of two from 2 on with what lies halfway between two of them.
// They say how large a value is in little room. ToSteep gives the greatest that is not above.
uint64_t ToSteep(uint64_t value) {
  if (value < 2) return value;
  const uint64_t power = static_cast<uint64_t>(std::bit_width(value)) - 1;
  return 2 * power + (value >> (power - 1) & 1);
}
uint64_t FromSteep(uint64_t steep) {
  if (steep < 2) return steep;
  const uint64_t power = steep / 2;
  return (uint64_t{1} << power) + (steep % 2 << (power - 1));
}
// Least Steep number whose value is not below; 128 if there is none.
uint64_t SteepCeiling(uint64_t value) {
  const uint64_t steep = ToSteep(value);
  return FromSteep(steep) == value ? steep : steep + 1;
}

uint64_t Minus(int64_t a, int64_t b) { return static_cast<uint64_t>(a) - static_cast<uint64_t>(b); }

struct Range {
  int64_t least = INT64_MAX;
  int64_t greatest = INT64_MIN;
  void Add(int64_t value) {
    least = std::min(least, value);
    greatest = std::max(greatest, value);
  }
};

}  // namespace

struct SpanSummary::Parts {
  // Of one kind of ends, in little room: there are many.
  struct Ends {
    uint8_t duration = 0;  // greatest, as a Steep number, from the block's least; 128: unknown
    uint8_t start = 0;     // least distance from the block's last start, as a Steep number
    bool has_errors = false;
  };
  uint64_t rows = 0;
  uint64_t errors = 0;
  uint64_t slow = 0;
  int64_t first_ns = 0;
  int64_t last_ns = 0;
  int64_t min_duration_ns = 0;
  int64_t max_duration_ns = 0;
  uint64_t least_id = 0;
  uint64_t greatest_id = 0;
  SpanUnitRanges units;
  bool knows_ends = false;
  HeldEnds ends;
  std::vector<Ends> of_ends;
  std::string endpoints;

  int64_t MaxDuration(const Ends& e) const {
    const uint64_t duration = e.duration == 128 ? UINT64_MAX : FromSteep(e.duration);
    const uint64_t range = Minus(max_duration_ns, min_duration_ns);
    return WrappedSum(min_duration_ns, static_cast<int64_t>(std::min(duration, range)));
  }
  int64_t MaxStart(const Ends& e) const {
    return static_cast<int64_t>(static_cast<uint64_t>(last_ns) -
                                std::min(FromSteep(e.start), Minus(last_ns, first_ns)));
  }
  bool EndsMayMatch(const SpanSearch& search, size_t i, EndsAnswers& answers) const {
    const Ends& e = of_ends[i];
    if (search.only_errors && !e.has_errors) return false;
    if (MaxDuration(e) < search.min_duration_ns) return false;
    const int64_t start = MaxStart(e);
    return start >= search.start_ns && (!answers.asks() || answers.Wants(ends, i));
  }
};

std::string EncodeSpanSummary(const SpanRows& rows,
                              const std::vector<std::string_view>& endpoints) {
  Range start;
  Range duration;
  uint64_t errors = 0;
  uint64_t slow = 0;
  std::array<uint64_t, 2> ids = {UINT64_MAX, 0};
  struct OfEnds {
    uint64_t rows = 0;
    uint64_t errors = 0;
    int64_t duration = INT64_MIN;
    int64_t start = INT64_MIN;
  };
  std::vector<OfEnds> of_ends(rows.ends.size());
  for (size_t i = 0; i < rows.spans.size(); ++i) {
    const model::Span& span = *rows.spans[i];
    start.Add(span.start_ns);
    duration.Add(WrappedDuration(span));
    errors += model::IsError(span.outcome);
    slow += span.slow;
    ids = {std::min(ids[0], span.id), std::max(ids[1], span.id)};
    OfEnds& e = of_ends[rows.ends_of_row[rows.row_of_span[i]]];
    ++e.rows;
    e.errors += model::IsError(span.outcome);
    e.duration = std::max(e.duration, WrappedDuration(span));
    e.start = std::max(e.start, span.start_ns);
  }
  std::vector<uint64_t> endpoint_hashes;
  for (const std::string_view endpoint : endpoints) {
    endpoint_hashes.push_back(StableHash(endpoint));
  }

  const ZstdDictionaries none;
  FrameWriter frame(FrameClass::kSpanSummary, kSpanSummaryVersion, none);
  const bool knows_ends = rows.ends.size() <= kMaxEnds;
  size_t parties = 0;
  if (knows_ends) {
    const std::vector<const SpanEnds*> ends = rows.ends_pointers();
    TextTableBuilder texts;
    AddEndsTexts(ends, texts);
    texts.Sort();
    frame.Add(SectionOf(kTexts), texts.Encode(), Packing::kText);
    WriteEnds(frame, kEnds, ends, texts);
    parties = NumberClients(ends).parties;
    std::vector<uint64_t> counts;
    std::vector<uint64_t> error_counts;
    std::vector<uint64_t> durations;
    std::vector<uint64_t> starts;
    for (const OfEnds& e : of_ends) {
      counts.push_back(e.rows);
      error_counts.push_back(e.errors);
      durations.push_back(SteepCeiling(Minus(e.duration, duration.least)));
      starts.push_back(ToSteep(Minus(start.greatest, e.start)));
    }
    EncodeNumberColumn(frame, kEndsRows, counts);
    EncodeNumberColumn(frame, kEndsErrors, error_counts);
    EncodeNumberColumn(frame, kEndsDuration, durations);
    EncodeNumberColumn(frame, kEndsStart, starts);
  }
  frame.Add(SectionOf(kEndpoints), Bloom::Make(endpoint_hashes, kBitsPerEndpoint),
            Packing::kStored);
  SpanUnitRanges::Encode(rows, frame, kUnits);
  std::string meta;
  for (const uint64_t field :
       {static_cast<uint64_t>(rows.spans.size()), errors, slow, ZigZag(start.least),
        Minus(start.greatest, start.least), ZigZag(duration.least),
        Minus(duration.greatest, duration.least), ids[0], ids[1] - ids[0],
        uint64_t{rows.units.size()}, uint64_t{knows_ends},
        uint64_t{knows_ends ? rows.ends.size() : 0}, uint64_t{parties}}) {
    PutVarint(meta, field);
  }
  frame.Add(SectionOf(kMeta), meta, Packing::kStored);
  return frame.Finish();
}

SpanSummary::SpanSummary(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

absl::StatusOr<SpanSummary> SpanSummary::Parse(std::string_view bytes) {
  const absl::Status damaged = absl::DataLossError("summary of a block of spans is damaged");
  const ZstdDictionaries none;
  ASSIGN_OR_RETURN(const FrameReader frame,
                   FrameReader::Open(bytes, FrameClass::kSpanSummary, kSpanSummaryVersion, none));
  std::string room;
  ASSIGN_OR_RETURN(const std::string_view meta, frame.Read(SectionOf(kMeta), room, 256));
  base::ByteReader reader(base::AsBytes(meta));
  auto parts = std::make_shared<Parts>();
  parts->rows = ReadVarint(reader);
  parts->errors = ReadVarint(reader);
  parts->slow = ReadVarint(reader);
  parts->first_ns = UnZigZag(ReadVarint(reader));
  parts->last_ns =
      static_cast<int64_t>(static_cast<uint64_t>(parts->first_ns) + ReadVarint(reader));
  parts->min_duration_ns = UnZigZag(ReadVarint(reader));
  parts->max_duration_ns =
      static_cast<int64_t>(static_cast<uint64_t>(parts->min_duration_ns) + ReadVarint(reader));
  parts->least_id = ReadVarint(reader);
  parts->greatest_id = parts->least_id + ReadVarint(reader);
  const uint64_t unit_count = ReadVarint(reader);
  const uint64_t knows_ends = ReadVarint(reader);
  const uint64_t ends_count = ReadVarint(reader);
  const uint64_t party_count = ReadVarint(reader);
  if (!reader.ok() || parts->rows == 0 || parts->rows > kMaxRows || knows_ends > 1 ||
      unit_count > kMaxSpanUnits || ends_count > kMaxEnds || party_count > 2 * kMaxEnds ||
      parts->last_ns < parts->first_ns || parts->max_duration_ns < parts->min_duration_ns) {
    return damaged;
  }
  parts->knows_ends = knows_ends == 1;
  std::string endpoints_room;
  ASSIGN_OR_RETURN(const std::string_view endpoints,
                   frame.Read(SectionOf(kEndpoints), endpoints_room, kMaxTextBytes));
  parts->endpoints = endpoints;

  std::string texts_room;
  TextTable texts;
  if (frame.Has(SectionOf(kTexts))) {
    ASSIGN_OR_RETURN(const std::string_view section,
                     frame.Read(SectionOf(kTexts), texts_room, kMaxTextBytes));
    ASSIGN_OR_RETURN(texts, TextTable::Parse(section, kMaxTextBytes));
  }
  EndsTable table;
  std::vector<uint64_t> counts;
  std::vector<uint64_t> errors;
  std::vector<uint64_t> durations;
  std::vector<uint64_t> starts;
  if (!parts->units.Read(frame, kUnits, unit_count) ||
      !table.Read(frame, kEnds, party_count, ends_count, texts) ||
      !DecodeNumberColumn(frame, kEndsRows, ends_count, counts) ||
      !DecodeNumberColumn(frame, kEndsErrors, ends_count, errors) ||
      !DecodeNumberColumn(frame, kEndsDuration, ends_count, durations) ||
      !DecodeNumberColumn(frame, kEndsStart, ends_count, starts)) {
    return damaged;
  }
  size_t text_bytes = 0;  // each text may be named by all ends
  for (size_t i = 0; i < ends_count; ++i) {
    if (counts[i] > parts->rows || errors[i] > parts->rows || durations[i] > 128 ||
        starts[i] >= 128) {
      return damaged;
    }
    for (const uint32_t number : {table.ends[i].client, table.ends[i].server}) {
      const EndsTable::Party& party = table.parties[number];
      for (const uint32_t text :
           {party.workload, party.workload_kind, party.host, party.address, party.dns_name}) {
        text_bytes += texts[text].size();
      }
    }
    if (text_bytes > kMaxTextBytes) return damaged;
    parts->of_ends.push_back({.duration = static_cast<uint8_t>(durations[i]),
                              .start = static_cast<uint8_t>(starts[i]),
                              .has_errors = errors[i] > 0});
  }
  parts->ends = HeldEnds(table, texts);
  return SpanSummary(std::move(parts));
}

bool SpanSummary::MayMatch(const SpanSearch& search, EndsAnswers& answers) const {
  const Parts& p = *parts_;
  if (p.last_ns < search.start_ns || p.first_ns >= search.end_ns) return false;
  if (p.max_duration_ns < search.min_duration_ns || p.min_duration_ns > search.max_duration_ns) {
    return false;
  }
  const int64_t lowest_rank =
      search.order == SpanSearch::Order::kNewest ? p.first_ns : p.min_duration_ns;
  if (lowest_rank > search.highest_rank) return false;
  if ((search.only_errors && p.errors == 0) || (search.only_slow && p.slow == 0)) return false;
  if (!search.endpoints.empty() &&
      std::none_of(search.endpoints.begin(), search.endpoints.end(), [&](const std::string& text) {
        return Bloom::MayHold(p.endpoints, StableHash(text));
      })) {
    return false;
  }
  if (!answers.asks() || !p.knows_ends) return true;
  for (size_t i = 0; i < p.of_ends.size(); ++i) {
    if (p.EndsMayMatch(search, i, answers)) return true;
  }
  return false;
}

int64_t SpanSummary::HighestRank(const SpanSearch& search, EndsAnswers& answers) const {
  const Parts& p = *parts_;
  if (search.order == SpanSearch::Order::kNewest) {
    const int64_t before_end = search.end_ns == INT64_MIN ? INT64_MIN : search.end_ns - 1;
    return std::min({p.last_ns, search.highest_rank, before_end});
  }
  int64_t rank = p.max_duration_ns;
  if (answers.asks() && p.knows_ends) {
    rank = INT64_MIN;
    for (size_t i = 0; i < p.of_ends.size(); ++i) {
      const int64_t duration = p.MaxDuration(p.of_ends[i]);
      if (duration > rank && p.EndsMayMatch(search, i, answers)) rank = duration;
    }
  }
  return std::min({rank, search.highest_rank, search.max_duration_ns});
}

std::vector<bool> SpanSummary::WantedEnds(const SpanSearch& search, EndsAnswers& answers) const {
  std::vector<bool> wanted;
  if (!answers.asks() || !parts_->knows_ends) return wanted;
  wanted.resize(parts_->of_ends.size());
  for (size_t i = 0; i < wanted.size(); ++i) wanted[i] = parts_->EndsMayMatch(search, i, answers);
  return wanted;
}

bool SpanSummary::MayHoldSpan(model::SpanId id) const {
  return parts_->least_id <= id && id <= parts_->greatest_id;
}

const SpanUnitRanges& SpanSummary::units() const { return parts_->units; }

uint64_t SpanSummary::rows() const { return parts_->rows; }

size_t SpanSummary::memory_bytes() const {
  return sizeof(Parts) + parts_->of_ends.capacity() * (sizeof(Parts::Ends) + sizeof(uint32_t)) +
         parts_->endpoints.capacity() + parts_->units.memory_bytes();
}

}  // namespace kindling::storage
