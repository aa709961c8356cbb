#include "storage/blocks/span_block.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "storage/blocks/span_columns.h"
#include "storage/blocks/span_layout.h"

namespace kindling::storage {
namespace {

absl::Status Damaged() { return absl::DataLossError("block of spans is damaged"); }

static_assert(kMaxSpanRows == 2 * kSpanBlockRows);

constexpr size_t kBytesPerAttribute = 64;

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
  explicit Parts(FrameReader frame) : columns(std::move(frame)) {}

  // By row, whether it meets all of `search` but its rank. Empty: damaged.
  std::vector<bool> Wanted(const SpanSearch& search);
  // Rows that `search` wants of those whose rank is at least `lowest_rank`.
  absl::StatusOr<std::vector<std::pair<int64_t, uint32_t>>> Ranked(const SpanSearch& search,
                                                                   int64_t lowest_rank);
  absl::StatusOr<std::vector<model::Span>> Rows(const std::vector<uint32_t>& rows);
  template <typename Id>
  absl::StatusOr<std::vector<model::Span>> Find(const std::vector<Id>& of_row,
                                                const std::vector<Id>& ids);

  SpanColumns columns;
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

}  // namespace

std::vector<bool> SpanBlock::Parts::Wanted(const SpanSearch& search) {
  const size_t rows = columns.rows();
  std::vector<bool> wanted(rows, true);
  if (search.start_ns != INT64_MIN || search.end_ns != INT64_MAX) {
    const std::vector<int64_t>& starts = columns.StartTimes();
    for (size_t row = 0; row < rows; ++row) {
      wanted[row] = starts[row] >= search.start_ns && starts[row] < search.end_ns;
    }
  }
  if (search.ends != nullptr) {
    const std::vector<int64_t>& starts = columns.StartTimes();
    for (size_t number = 0; number < columns.ends().ends.size(); ++number) {
      const uint32_t first = columns.first_row_of_ends(number);
      const uint32_t end = columns.first_row_of_ends(number + 1);
      const auto row = std::find(wanted.begin() + first, wanted.begin() + end, true);
      if (row == wanted.begin() + end) continue;
      if (!search.ends(columns.ends().MakeEnds(number, columns.texts()),
                       starts[static_cast<size_t>(row - wanted.begin())])) {
        std::fill(wanted.begin() + first, wanted.begin() + end, false);
      }
    }
  }
  if (search.min_duration_ns != INT64_MIN || search.max_duration_ns != INT64_MAX) {
    const std::vector<int64_t>& durations = columns.Durations();
    for (size_t row = 0; row < rows; ++row) {
      if (durations[row] < search.min_duration_ns || durations[row] > search.max_duration_ns) {
        wanted[row] = false;
      }
    }
  }
  const auto keep = [&](SpanColumn column, const std::vector<bool>& is_wanted) {
    const std::vector<uint64_t>& numbers = columns.Numbers(column);
    if (columns.damaged()) return;
    for (size_t row = 0; row < rows; ++row) {
      if (!is_wanted[numbers[row]]) wanted[row] = false;
    }
  };
  if (!search.endpoints.empty()) {
    keep(kEndpoint, AmongTexts(search.endpoints, columns.texts(), columns.endpoint_count(),
                               [&](size_t i) { return columns.EndpointText(i); }));
  }
  if (search.only_errors || search.only_slow || !search.status_codes.empty()) {
    std::vector<bool> is_wanted(columns.result_count(), true);
    if (!search.status_codes.empty()) {
      is_wanted = AmongTexts(search.status_codes, columns.texts(), columns.result_count(),
                             [&](size_t i) { return columns.ResultText(i); });
    }
    for (size_t i = 0; i < is_wanted.size(); ++i) {
      if ((search.only_errors && !model::IsError(columns.ResultOutcome(i))) ||
          (search.only_slow && !columns.ResultIsSlow(i))) {
        is_wanted[i] = false;
      }
    }
    keep(kResult, is_wanted);
  }
  for (const auto& [name, value] : search.attributes) {
    if (columns.damaged() || std::find(wanted.begin(), wanted.end(), true) == wanted.end()) break;
    AttributesReader* attributes = columns.Attributes();
    if (attributes == nullptr || !attributes->Keep(name, value, wanted)) return {};
  }
  return columns.damaged() ? std::vector<bool>() : wanted;
}

absl::StatusOr<std::vector<std::pair<int64_t, uint32_t>>> SpanBlock::Parts::Ranked(
    const SpanSearch& search, int64_t lowest_rank) {
  const std::vector<bool> wanted = Wanted(search);
  if (wanted.empty()) return Damaged();
  std::vector<std::pair<int64_t, uint32_t>> ranked;
  const auto first = std::find(wanted.begin(), wanted.end(), true);
  if (first == wanted.end()) return ranked;
  const std::vector<int64_t>& ranks =
      search.order == SpanSearch::Order::kNewest ? columns.StartTimes() : columns.Durations();
  if (columns.damaged()) return Damaged();
  for (auto row = static_cast<uint32_t>(first - wanted.begin()); row < wanted.size(); ++row) {
    if (wanted[row] && ranks[row] >= lowest_rank && ranks[row] <= search.highest_rank) {
      ranked.emplace_back(ranks[row], row);
    }
  }
  return ranked;
}

absl::StatusOr<std::vector<model::Span>> SpanBlock::Parts::Rows(const std::vector<uint32_t>& rows) {
  std::vector<model::Span> spans;
  if (rows.empty()) return spans;
  if (!columns.LoadAll()) return Damaged();
  size_t text_bytes = 0;
  spans.reserve(rows.size());
  for (const uint32_t row : rows) {
    spans.push_back(columns.Get(row));
    text_bytes += SpanTextBytes(spans.back());
    if (text_bytes > kSpanBlockTextBytes) return Damaged();
  }
  return spans;
}

template <typename Id>
absl::StatusOr<std::vector<model::Span>> SpanBlock::Parts::Find(const std::vector<Id>& of_row,
                                                                const std::vector<Id>& ids) {
  if (columns.damaged()) return Damaged();
  std::vector<uint32_t> rows;
  for (uint32_t row = 0; row < of_row.size(); ++row) {
    if (std::binary_search(ids.begin(), ids.end(), of_row[row])) rows.push_back(row);
  }
  return Rows(rows);
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
  if (!parts->columns.Open()) return Damaged();
  return SpanBlock(std::move(parts));
}

absl::StatusOr<int64_t> SpanBlock::Search(const SpanSearch& search, int64_t lowest_rank,
                                          const SpanVisitor& visit) {
  ASSIGN_OR_RETURN(auto ranked, parts_->Ranked(search, lowest_rank));
  if (ranked.empty()) return lowest_rank;
  if (!parts_->columns.LoadAll()) return Damaged();
  // The visitor mostly wants few of many.
  std::make_heap(ranked.begin(), ranked.end());
  for (auto end = ranked.end(); end != ranked.begin(); --end) {
    const auto [rank, row] = ranked.front();
    if (rank < lowest_rank) break;
    lowest_rank = visit(parts_->columns.Get(row));
    if (lowest_rank == INT64_MAX) break;
    std::pop_heap(ranked.begin(), end);
  }
  return lowest_rank;
}

absl::StatusOr<std::vector<model::Span>> SpanBlock::FindSpans(
    const std::vector<model::SpanId>& ids) {
  return parts_->Find(parts_->columns.Ids(), ids);
}

absl::StatusOr<std::vector<model::Span>> SpanBlock::FindTraces(
    const std::vector<model::TraceId>& ids) {
  return parts_->Find(parts_->columns.Traces(), ids);
}

absl::StatusOr<std::vector<model::Span>> SpanBlock::FindAliases(
    const std::vector<model::TraceId>& ids) {
  return parts_->Find(parts_->columns.AliasTraces(), ids);
}

absl::StatusOr<std::vector<model::Span>> SpanBlock::Decode() {
  std::vector<uint32_t> rows(parts_->columns.rows());
  for (uint32_t row = 0; row < rows.size(); ++row) rows[row] = row;
  return parts_->Rows(rows);
}

}  // namespace kindling::storage
