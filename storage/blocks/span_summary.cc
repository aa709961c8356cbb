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
};

// More ends than these are left out: a block with so many says little about any of them.
constexpr size_t kMaxEnds = 512;
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
  struct Ends {
    std::shared_ptr<const SpanEnds> ends;
    uint32_t rows = 0;
    uint32_t errors = 0;
    int64_t max_duration_ns = 0;
    int64_t max_start_ns = 0;
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
  uint64_t least_trace = 1;  // upper halves; least above greatest: no row has a trace
  uint64_t greatest_trace = 0;
  bool knows_ends = false;
  std::vector<Ends> ends;
  std::string endpoints;

  bool EndsMayMatch(const SpanSearch& search, const Ends& e) const {
    return e.max_duration_ns >= search.min_duration_ns && e.max_start_ns >= search.start_ns &&
           (!search.only_errors || e.errors > 0) &&
           (search.ends == nullptr ||
            search.ends(*e.ends, std::clamp(e.max_start_ns, first_ns, last_ns)));
  }
};

std::string EncodeSpanSummary(const SpanRows& rows,
                              const std::vector<std::string_view>& endpoints) {
  Range start;
  Range duration;
  uint64_t errors = 0;
  uint64_t slow = 0;
  std::array<uint64_t, 2> ids = {UINT64_MAX, 0};
  std::array<uint64_t, 2> traces = {UINT64_MAX, 0};
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
    if (span.trace_id != model::TraceId{}) {
      traces = {std::min(traces[0], span.trace_id.high), std::max(traces[1], span.trace_id.high)};
    }
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
  std::string meta;
  for (const uint64_t field :
       {static_cast<uint64_t>(rows.spans.size()), errors, slow, ZigZag(start.least),
        Minus(start.greatest, start.least), ZigZag(duration.least),
        Minus(duration.greatest, duration.least), ids[0], ids[1] - ids[0], traces[0],
        traces[1] - traces[0], uint64_t{knows_ends}, uint64_t{knows_ends ? rows.ends.size() : 0},
        uint64_t{parties}}) {
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
  parts->least_trace = ReadVarint(reader);
  parts->greatest_trace = parts->least_trace + ReadVarint(reader);
  const uint64_t knows_ends = ReadVarint(reader);
  const uint64_t ends_count = ReadVarint(reader);
  const uint64_t party_count = ReadVarint(reader);
  if (!reader.ok() || parts->rows == 0 || parts->rows > kMaxRows || knows_ends > 1 ||
      ends_count > kMaxEnds || party_count > 2 * kMaxEnds || parts->last_ns < parts->first_ns ||
      parts->max_duration_ns < parts->min_duration_ns) {
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
  if (!table.Read(frame, kEnds, party_count, ends_count, texts) ||
      !DecodeNumberColumn(frame, kEndsRows, ends_count, counts) ||
      !DecodeNumberColumn(frame, kEndsErrors, ends_count, errors) ||
      !DecodeNumberColumn(frame, kEndsDuration, ends_count, durations) ||
      !DecodeNumberColumn(frame, kEndsStart, ends_count, starts)) {
    return damaged;
  }
  const uint64_t duration_range = Minus(parts->max_duration_ns, parts->min_duration_ns);
  const uint64_t start_range = Minus(parts->last_ns, parts->first_ns);
  size_t text_bytes = 0;  // each text may be named by all ends
  for (size_t i = 0; i < ends_count; ++i) {
    if (counts[i] > parts->rows || errors[i] > parts->rows || durations[i] > 128 ||
        starts[i] >= 128) {
      return damaged;
    }
    SpanEnds made = table.MakeEnds(i, texts);
    for (const model::Party* party : {&made.client, &made.server}) {
      text_bytes += party->workload.size() + party->workload_kind.size() + party->host.size() +
                    party->address.size() + party->dns_name.size();
    }
    if (text_bytes > kMaxTextBytes) return damaged;
    Parts::Ends e;
    e.ends = SharedEnds(std::move(made));
    e.rows = static_cast<uint32_t>(counts[i]);
    e.errors = static_cast<uint32_t>(errors[i]);
    const uint64_t duration = durations[i] == 128 ? UINT64_MAX : FromSteep(durations[i]);
    e.max_duration_ns = WrappedSum(parts->min_duration_ns,
                                   static_cast<int64_t>(std::min(duration, duration_range)));
    e.max_start_ns = static_cast<int64_t>(static_cast<uint64_t>(parts->last_ns) -
                                          std::min(FromSteep(starts[i]), start_range));
    parts->ends.push_back(std::move(e));
  }
  return SpanSummary(std::move(parts));
}

bool SpanSummary::MayMatch(const SpanSearch& search) const {
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
  if (search.ends == nullptr || !p.knows_ends) return true;
  return std::any_of(p.ends.begin(), p.ends.end(),
                     [&](const Parts::Ends& e) { return p.EndsMayMatch(search, e); });
}

int64_t SpanSummary::HighestRank(const SpanSearch& search) const {
  const Parts& p = *parts_;
  if (search.order == SpanSearch::Order::kNewest) {
    const int64_t before_end = search.end_ns == INT64_MIN ? INT64_MIN : search.end_ns - 1;
    return std::min({p.last_ns, search.highest_rank, before_end});
  }
  int64_t rank = p.max_duration_ns;
  if (search.ends != nullptr && p.knows_ends) {
    rank = INT64_MIN;
    for (const Parts::Ends& e : p.ends) {
      if (e.max_duration_ns > rank && p.EndsMayMatch(search, e)) rank = e.max_duration_ns;
    }
  }
  return std::min({rank, search.highest_rank, search.max_duration_ns});
}

bool SpanSummary::MayHoldSpan(model::SpanId id) const {
  return parts_->least_id <= id && id <= parts_->greatest_id;
}

bool SpanSummary::MayHoldTrace(const model::TraceId& id) const {
  return parts_->least_trace <= id.high && id.high <= parts_->greatest_trace;
}

uint64_t SpanSummary::rows() const { return parts_->rows; }

size_t SpanSummary::memory_bytes() const {
  return sizeof(Parts) + parts_->ends.capacity() * sizeof(Parts::Ends) +
         parts_->endpoints.capacity();
}

}  // namespace kindling::storage
