#include "storage/blocks/span_block.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <utility>

#include "base/status_macros.h"
#include "storage/blocks/span_columns.h"
#include "storage/blocks/span_layout.h"
#include "storage/blocks/span_tables.h"

namespace kindling::storage {
namespace {

absl::Status Damaged() { return absl::DataLossError("block of spans is damaged"); }

static_assert(kMaxSpanRows == 2 * kSpanBlockRows);

constexpr size_t kBytesPerAttribute = 64;
// Rows of a unit that are made ready before it is known whether more are wanted.
constexpr size_t kFirstRows = 128;

}  // namespace

size_t SpanTextBytes(const model::Span& span) {
  size_t bytes = span.endpoint.size() + span.status_code.size();
  for (const model::Party* party : {&span.client, &span.server}) {
    bytes += party->workload.size() + party->workload_kind.size() + party->host.size() +
             party->address.size() + party->dns_name.size();
  }
  for (const auto& [name, value] : span.attributes) {
    bytes += name.size() + value.size() + kBytesPerAttribute;
  }
  return bytes;
}

struct SpanBlock::Parts {
  explicit Parts(FrameReader frame) : tables(std::move(frame)) {}

  // Whether `search` wants spans between ends number `number`; asked once each.
  bool WantsEnds(const SpanSearch& search, uint32_t number);
  // By row, whether it meets all of `search` and its rank is at least `lowest_rank`. Empty:
  // damaged.
  std::vector<bool> Wanted(SpanColumns& columns, const SpanSearch& search, int64_t lowest_rank);
  // Gives the wanted rows of a unit. False: damaged.
  bool SearchUnit(size_t unit, const SpanSearch& search, const SpanVisitor& visit,
                  int64_t& lowest_rank);
  // Appends rows of a unit. False: damaged.
  bool TakeRows(SpanColumns& columns, const std::vector<uint32_t>& rows,
                std::vector<model::Span>& spans);
  // The rows that `wants` tells of each unit that `may_hold`. What was read of these is kept: one
  // question asks for several things of the same units.
  template <typename MayHold, typename Wants>
  absl::StatusOr<std::vector<model::Span>> Find(MayHold may_hold, Wants wants);

  SpanTables tables;
  std::map<size_t, std::unique_ptr<SpanColumns>> units;  // that Find has read
  std::vector<std::optional<bool>> wants_ends;           // of the search at hand
  size_t text_bytes = 0;                                 // of spans given by the call at hand
};

namespace {

// True for the numbers below `count` whose text is among `wanted`.
template <typename TextOf>
std::vector<bool> AmongTexts(const std::vector<std::string>& wanted, const TextTable& texts,
                             size_t count, TextOf text_of) {
  std::vector<size_t> numbers;
  for (const std::string& text : wanted) numbers.push_back(texts.Find(text));
  std::vector<bool> is_wanted(count);
  for (size_t i = 0; i < count; ++i) {
    is_wanted[i] = std::find(numbers.begin(), numbers.end(), text_of(i)) != numbers.end();
  }
  return is_wanted;
}

template <typename Id>
std::vector<uint32_t> RowsAmong(const std::vector<Id>& of_row, const std::vector<Id>& ids) {
  std::vector<uint32_t> rows;
  for (uint32_t row = 0; row < of_row.size(); ++row) {
    if (ids.size() == 1 ? of_row[row] == ids.front()
                        : std::binary_search(ids.begin(), ids.end(), of_row[row])) {
      rows.push_back(row);
    }
  }
  return rows;
}

// Whether one of the ids, which are sorted, may be a row's own.
bool HasIdOf(const SpanTables::Unit& unit, const std::vector<model::SpanId>& ids) {
  const auto id = std::lower_bound(ids.begin(), ids.end(), unit.least_id);
  return id != ids.end() && *id <= unit.greatest_id;
}

}  // namespace

bool SpanBlock::Parts::WantsEnds(const SpanSearch& search, uint32_t number) {
  std::optional<bool>& wants = wants_ends[number];
  if (!wants.has_value()) {
    wants = search.ends(tables.ends().MakeEnds(number, tables.texts()));
  }
  return *wants;
}

std::vector<bool> SpanBlock::Parts::Wanted(SpanColumns& columns, const SpanSearch& search,
                                           int64_t lowest_rank) {
  const size_t rows = columns.rows();
  const SpanMeta& meta = tables.meta();
  std::vector<bool> wanted(rows, true);
  const auto keep_within = [&](const std::vector<int64_t>& values, int64_t least, int64_t most) {
    for (size_t row = 0; row < rows; ++row) {
      if (values[row] < least || values[row] > most) wanted[row] = false;
    }
  };
  const auto is_done = [&] {
    return columns.damaged() || std::find(wanted.begin(), wanted.end(), true) == wanted.end();
  };
  const auto result = [&] { return columns.damaged() ? std::vector<bool>() : wanted; };
  if (search.end_ns == INT64_MIN) return std::vector<bool>(rows);

  // What a rank leaves is mostly little, so it comes first.
  const bool by_start = search.order == SpanSearch::Order::kNewest;
  const auto tell_start = [&] {
    const int64_t least = by_start ? std::max(search.start_ns, lowest_rank) : search.start_ns;
    const int64_t most =
        by_start ? std::min(search.end_ns - 1, search.highest_rank) : search.end_ns - 1;
    if (columns.unit().first_ns >= least && columns.unit().last_ns <= most) return;
    keep_within(columns.StartTimes(), least, most);
  };
  const auto tell_duration = [&] {
    const int64_t least =
        by_start ? search.min_duration_ns : std::max(search.min_duration_ns, lowest_rank);
    const int64_t most =
        by_start ? search.max_duration_ns : std::min(search.max_duration_ns, search.highest_rank);
    if (least == INT64_MIN && most == INT64_MAX) return;
    keep_within(columns.Durations(), least, most);
  };
  if (by_start) {
    tell_start();
  } else {
    tell_duration();
  }
  if (is_done()) return result();
  if (by_start) {
    tell_duration();
  } else {
    tell_start();
  }
  if (is_done()) return result();
  if (search.ends != nullptr) {
    for (const SpanColumns::Run& run : columns.runs()) {
      const auto end = wanted.begin() + run.end_row;
      const auto row = std::find(wanted.begin() + run.first_row, end, true);
      if (row == end) continue;
      if (!WantsEnds(search, run.ends)) std::fill(row, end, false);
    }
    if (is_done()) return result();
  }
  const auto keep = [&](SpanColumn column, const std::vector<bool>& is_wanted) {
    const std::vector<uint64_t>& numbers = columns.Numbers(column);
    if (columns.damaged()) return;
    for (size_t row = 0; row < rows; ++row) {
      if (!is_wanted[numbers[row]]) wanted[row] = false;
    }
  };
  if (!search.endpoints.empty()) {
    keep(kEndpoint, AmongTexts(search.endpoints, tables.texts(), meta.endpoints,
                               [&](size_t i) { return tables.EndpointText(i); }));
  }
  if (search.only_errors || search.only_slow || !search.status_codes.empty()) {
    std::vector<bool> is_wanted(meta.results, true);
    if (!search.status_codes.empty()) {
      is_wanted = AmongTexts(search.status_codes, tables.texts(), meta.results,
                             [&](size_t i) { return tables.ResultText(i); });
    }
    for (size_t i = 0; i < is_wanted.size(); ++i) {
      if ((search.only_errors && !model::IsError(tables.ResultOutcome(i))) ||
          (search.only_slow && !tables.ResultIsSlow(i))) {
        is_wanted[i] = false;
      }
    }
    keep(kResult, is_wanted);
  }
  for (const auto& [name, value] : search.attributes) {
    if (is_done()) break;
    AttributesReader* attributes = columns.Attributes();
    if (attributes == nullptr || !attributes->Keep(name, value, wanted)) return {};
  }
  return result();
}

bool SpanBlock::Parts::SearchUnit(size_t unit, const SpanSearch& search, const SpanVisitor& visit,
                                  int64_t& lowest_rank) {
  SpanColumns columns(tables, unit);
  if (!columns.Open()) return false;
  const std::vector<bool> wanted = Wanted(columns, search, lowest_rank);
  if (wanted.empty()) return false;
  const auto first_wanted = std::find(wanted.begin(), wanted.end(), true);
  if (first_wanted == wanted.end()) return true;
  const std::vector<int64_t>& ranks =
      search.order == SpanSearch::Order::kNewest ? columns.StartTimes() : columns.Durations();
  if (columns.damaged()) return false;
  std::vector<std::pair<int64_t, uint32_t>> ranked;  // with the row
  for (auto row = static_cast<uint32_t>(first_wanted - wanted.begin()); row < wanted.size();
       ++row) {
    if (wanted[row]) ranked.emplace_back(ranks[row], row);
  }
  // The visitor mostly wants few of many: the best are made ready first, then the rest.
  for (size_t first = 0; first < ranked.size();) {
    const size_t end = first == 0 ? std::min(ranked.size(), kFirstRows) : ranked.size();
    const auto from = ranked.begin() + static_cast<ptrdiff_t>(first);
    const auto to = ranked.begin() + static_cast<ptrdiff_t>(end);
    std::partial_sort(from, to, ranked.end(), std::greater<>());
    std::vector<uint32_t> rows;
    rows.reserve(end - first);
    for (auto it = from; it != to; ++it) rows.push_back(it->second);
    if (!columns.LoadFor(std::move(rows))) return false;
    for (size_t number = 0; first < end; ++number, ++first) {
      if (ranked[first].first < lowest_rank) return true;
      lowest_rank = visit(columns.Get(number));
      if (lowest_rank == INT64_MAX) return true;
    }
  }
  return true;
}

bool SpanBlock::Parts::TakeRows(SpanColumns& columns, const std::vector<uint32_t>& rows,
                                std::vector<model::Span>& spans) {
  if (columns.damaged()) return false;
  if (rows.empty()) return true;
  if (!columns.LoadFor(rows)) return false;
  for (size_t number = 0; number < rows.size(); ++number) {
    spans.push_back(columns.Get(number));
    text_bytes += SpanTextBytes(spans.back());
    if (text_bytes > kSpanBlockTextBytes) return false;
  }
  return true;
}

template <typename MayHold, typename Wants>
absl::StatusOr<std::vector<model::Span>> SpanBlock::Parts::Find(MayHold may_hold, Wants wants) {
  text_bytes = 0;
  std::vector<model::Span> spans;
  for (size_t unit = 0; unit < tables.units().size(); ++unit) {
    if (!may_hold(unit)) continue;
    std::unique_ptr<SpanColumns>& columns = units[unit];
    if (columns == nullptr) {
      columns = std::make_unique<SpanColumns>(tables, unit);
      if (!columns->Open()) return Damaged();
    }
    if (!TakeRows(*columns, wants(*columns), spans)) return Damaged();
  }
  return spans;
}

SpanBlock::SpanBlock(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
SpanBlock::SpanBlock(SpanBlock&&) noexcept = default;
SpanBlock& SpanBlock::operator=(SpanBlock&&) noexcept = default;
SpanBlock::~SpanBlock() = default;

absl::StatusOr<SpanBlock> SpanBlock::Open(std::string_view body,
                                          const ZstdDictionaries& dictionaries) {
  ASSIGN_OR_RETURN(FrameReader frame,
                   FrameReader::Open(body, FrameClass::kSpans, kSpanBlockVersion, dictionaries));
  auto parts = std::make_unique<Parts>(std::move(frame));
  if (!parts->tables.Open()) return Damaged();
  return SpanBlock(std::move(parts));
}

absl::StatusOr<int64_t> SpanBlock::Search(const SpanSearch& search, int64_t lowest_rank,
                                          const SpanVisitor& visit,
                                          const std::vector<bool>& wanted_ends, SpanUnits units) {
  const std::vector<SpanTables::Unit>& all = parts_->tables.units();
  for (const auto& [name, value] : search.attributes) {
    const AttributeTables* attributes = parts_->tables.Attributes();
    if (attributes == nullptr) return Damaged();
    if (!attributes->MayHave(name, value, parts_->tables.texts())) return lowest_rank;
  }
  std::vector<std::pair<int64_t, size_t>> order;
  for (size_t unit = 0; unit < all.size(); ++unit) {
    const int64_t rank = units.Has(unit) ? all[unit].HighestRank(search) : INT64_MIN;
    if (rank != INT64_MIN) order.emplace_back(rank, unit);
  }
  std::sort(order.rbegin(), order.rend());
  parts_->wants_ends.assign(search.ends == nullptr ? 0 : parts_->tables.meta().ends, {});
  if (wanted_ends.size() == parts_->wants_ends.size()) {
    std::copy(wanted_ends.begin(), wanted_ends.end(), parts_->wants_ends.begin());
  }
  for (const auto& [rank, unit] : order) {
    if (lowest_rank == INT64_MAX || rank < lowest_rank) break;
    if (!parts_->SearchUnit(unit, search, visit, lowest_rank)) return Damaged();
  }
  return lowest_rank;
}

absl::StatusOr<std::vector<model::Span>> SpanBlock::FindSpans(
    const std::vector<model::SpanId>& ids) {
  const auto may_hold = [&](size_t unit) { return HasIdOf(parts_->tables.units()[unit], ids); };
  return parts_->Find(may_hold,
                      [&](SpanColumns& columns) { return RowsAmong(columns.Ids(), ids); });
}

absl::StatusOr<std::vector<model::Span>> SpanBlock::FindTraces(
    const std::vector<model::TraceId>& ids, SpanUnits units) {
  return parts_->Find([&](size_t unit) { return units.Has(unit); },
                      [&](SpanColumns& columns) { return RowsAmong(columns.Traces(), ids); });
}

absl::StatusOr<std::vector<model::Span>> SpanBlock::FindChildren(
    const std::vector<model::SpanId>& parents, int64_t start_ns, int64_t end_ns, SpanUnits units) {
  const auto may_hold = [&](size_t number) {
    const SpanTables::Unit& unit = parts_->tables.units()[number];
    return units.Has(number) && unit.Overlaps(start_ns, end_ns);
  };
  return parts_->Find(may_hold, [&](SpanColumns& columns) {
    std::vector<uint32_t> rows = RowsAmong(columns.Parents(), parents);
    std::erase_if(rows, [&](uint32_t row) {
      const int64_t start = columns.StartTimes()[row];
      return start < start_ns || start >= end_ns;
    });
    return rows;
  });
}

absl::StatusOr<std::vector<model::Span>> SpanBlock::FindAliases(
    const std::vector<model::TraceId>& ids) {
  const AliasTable* aliases = parts_->tables.Aliases();
  if (aliases == nullptr) return Damaged();
  // By pair, and before them rows without one.
  std::vector<bool> is_wanted(aliases->size() + 1);
  is_wanted[0] = std::binary_search(ids.begin(), ids.end(), model::TraceId{});
  for (size_t i = 0; i < aliases->size(); ++i) {
    is_wanted[i + 1] = std::binary_search(ids.begin(), ids.end(), (*aliases)[i].trace);
  }
  const auto first = std::find(is_wanted.begin(), is_wanted.end(), true) - is_wanted.begin();
  // A pair comes up in one unit and may be in all after it.
  const auto may_hold = [&](size_t number) {
    const std::vector<SpanTables::Unit>& all = parts_->tables.units();
    const size_t end = number + 1 < all.size() ? all[number + 1].first_pair : aliases->size();
    return static_cast<size_t>(first) <= end;
  };
  return parts_->Find(may_hold, [&](SpanColumns& columns) {
    const std::vector<uint32_t>& pairs = columns.Aliases();
    std::vector<uint32_t> rows;
    for (uint32_t row = 0; row < pairs.size(); ++row) {
      if (is_wanted[pairs[row]]) rows.push_back(row);
    }
    return rows;
  });
}

absl::StatusOr<std::vector<model::Span>> SpanBlock::Decode() {
  parts_->text_bytes = 0;
  std::vector<model::Span> spans;
  for (size_t unit = 0; unit < parts_->tables.units().size(); ++unit) {
    SpanColumns columns(parts_->tables, unit);
    if (!columns.Open()) return Damaged();
    std::vector<uint32_t> rows(columns.rows());
    std::iota(rows.begin(), rows.end(), 0);
    if (!parts_->TakeRows(columns, rows, spans)) return Damaged();
  }
  return spans;
}

}  // namespace kindling::storage
