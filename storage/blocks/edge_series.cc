#include "storage/blocks/edge_series.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace kindling::storage {
namespace {

// Puts these, all different, in order; where each of them went.
template <typename T>
std::vector<uint32_t> SortedPlaces(std::vector<T>& things) {
  std::vector<uint32_t> order(things.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&things](uint32_t a, uint32_t b) { return things[a] < things[b]; });
  std::vector<uint32_t> places(things.size());
  std::vector<T> sorted;
  sorted.reserve(things.size());
  for (uint32_t i = 0; i < order.size(); ++i) {
    places[order[i]] = i;
    sorted.push_back(things[order[i]]);
  }
  things = std::move(sorted);
  return places;
}

void SortEdgeRows(std::vector<EdgeRow>& rows, size_t series) {
  if (std::is_sorted(rows.begin(), rows.end(), EdgeRow::Before)) return;
  std::vector<size_t> ends(series + 1);
  for (const EdgeRow& row : rows) ++ends[row.series + 1];
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  std::vector<EdgeRow> sorted(rows.size());
  for (const EdgeRow& row : rows) sorted[ends[row.series]++] = row;
  size_t begin = 0;
  for (size_t i = 0; i < series; ++i) {
    const auto first = sorted.begin() + static_cast<ptrdiff_t>(begin);
    const auto last = sorted.begin() + static_cast<ptrdiff_t>(ends[i]);
    if (!std::is_sorted(first, last, EdgeRow::Before)) std::sort(first, last, EdgeRow::Before);
    begin = ends[i];
  }
  rows = std::move(sorted);
}

}  // namespace

bool EdgeSeries::SeriesKey::operator==(const SeriesKey& other) const {
  const auto key = [](const SeriesKey& k) {
    return std::tie(k.client, k.server, k.row->observer, k.row->protocol, k.row->transport,
                    k.row->outcome, k.row->endpoint, k.row->status_code);
  };
  return key(*this) == key(other);
}

uint32_t EdgeSeries::TextNumber(std::string_view text) {
  const auto [it, added] = text_numbers_.try_emplace(text, static_cast<uint32_t>(texts_.size()));
  if (added) texts_.push_back(text);
  return it->second;
}

uint32_t EdgeSeries::PartyNumber(const model::Party& party) {
  return recent_parties_.Find(
      base::QuickHash(party.workload) + 31 * base::QuickHash(party.address) + party.port,
      [&party](const model::Party* other) { return party == *other; },
      [this, &party] { return std::pair(&party, AddParty(party)); });
}

uint32_t EdgeSeries::AddParty(const model::Party& party) {
  const auto [it, added] =
      party_numbers_.try_emplace({&party}, static_cast<uint32_t>(parties_.size()));
  if (added) {
    parties_.push_back({.workload = TextNumber(party.workload),
                        .workload_kind = TextNumber(party.workload_kind),
                        .host = TextNumber(party.host),
                        .address = TextNumber(party.address),
                        .dns_name = TextNumber(party.dns_name),
                        .port = party.port});
  }
  return it->second;
}

uint32_t EdgeSeries::Add(const model::EdgeStats& row) {
  if (!keys_.empty() && SameEdgeSeries(row, *keys_[last_].row)) return last_;
  const SeriesKey key = {
      .row = &row, .client = PartyNumber(row.client), .server = PartyNumber(row.server)};
  const auto [it, added] = series_numbers_.try_emplace(key, static_cast<uint32_t>(keys_.size()));
  if (added) {
    keys_.push_back(key);
    series_.push_back({.observer = static_cast<uint8_t>(row.observer),
                       .server = key.server,
                       .client = key.client,
                       .protocol = static_cast<uint8_t>(row.protocol),
                       .transport = static_cast<uint8_t>(row.transport),
                       .endpoint = TextNumber(row.endpoint),
                       .outcome = static_cast<uint8_t>(row.outcome),
                       .status_code = TextNumber(row.status_code)});
  }
  return last_ = it->second;
}

void EdgeSeries::Sort() {
  const std::vector<uint32_t> texts = SortedPlaces(texts_);
  for (PartyIds& party : parties_) {
    for (uint32_t* text :
         {&party.workload, &party.workload_kind, &party.host, &party.address, &party.dns_name}) {
      *text = texts[*text];
    }
  }
  const std::vector<uint32_t> parties = SortedPlaces(parties_);
  for (SeriesIds& series : series_) {
    series.client = parties[series.client];
    series.server = parties[series.server];
    series.endpoint = texts[series.endpoint];
    series.status_code = texts[series.status_code];
  }
  places_ = SortedPlaces(series_);
}

bool SameEdgeSeries(const model::EdgeStats& a, const model::EdgeStats& b) {
  const auto key = [](const model::EdgeStats& row) {
    return std::tie(row.observer, row.client, row.server, row.protocol, row.transport, row.endpoint,
                    row.outcome, row.status_code);
  };
  return key(a) == key(b);
}

void JoinEdgeRows(std::vector<EdgeRow>& rows, size_t series, EdgeSums& sums) {
  SortEdgeRows(rows, series);
  size_t kept = 0;
  model::EdgeStats* sum = nullptr;  // of the row that was kept last
  for (const EdgeRow& row : rows) {
    if (kept == 0 || EdgeRow::Before(rows[kept - 1], row)) {
      rows[kept++] = row;
      sum = nullptr;
      continue;
    }
    if (sum == nullptr) {
      sum = &sums.emplace_back();
      model::AddNumbers(*rows[kept - 1].numbers, *sum);
      rows[kept - 1].numbers = sum;
    }
    model::AddNumbers(*row.numbers, *sum);
  }
  rows.resize(kept);
}

std::vector<EdgeRow> NameEdgeRows(const std::vector<model::EdgeStats>& rows, EdgeSeries& series,
                                  EdgeSums& sums) {
  std::vector<EdgeRow> out;
  out.reserve(rows.size());
  for (const model::EdgeStats& row : rows) {
    out.push_back({.series = series.Add(row),
                   .start_ns = row.window_start_ns,
                   .window_ns = row.window_ns,
                   .numbers = &row});
  }
  series.Sort();
  for (EdgeRow& row : out) row.series = series.Place(row.series);
  JoinEdgeRows(out, series.size(), sums);
  return out;
}

}  // namespace kindling::storage
