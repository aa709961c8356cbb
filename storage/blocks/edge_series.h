#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/hash.h"
#include "base/recent_numbers.h"
#include "model/records.h"

namespace kindling::storage {

// A party, its texts by number.
struct PartyIds {
  uint32_t workload = 0;
  uint32_t workload_kind = 0;
  uint32_t host = 0;
  uint32_t address = 0;
  uint32_t dns_name = 0;
  uint32_t port = 0;
  auto operator<=>(const PartyIds&) const = default;

  template <typename H>
  friend H AbslHashValue(H h, const PartyIds& ids) {
    return H::combine(std::move(h), ids.workload, ids.workload_kind, ids.host, ids.address,
                      ids.dns_name, ids.port);
  }
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

// The series of rows of EdgeStats. They are named once, however many rows they have and blocks
// these go to.
//
// Lifetime: the rows that were added must outlive this.
class EdgeSeries {
 public:
  // The series of the row, by number as they came. Not after Sort().
  uint32_t Add(const model::EdgeStats& row);
  size_t size() const { return keys_.size(); }
  // A row of the series of this number, for what names it.
  const model::EdgeStats& row(uint32_t added) const { return *keys_[added].row; }

  // Gives texts, parties and series the numbers that they have in the order of blocks.
  void Sort();

  // After Sort(): the number of what Add() gave.
  uint32_t Place(uint32_t added) const { return places_[added]; }
  const std::vector<std::string_view>& texts() const { return texts_; }
  const std::vector<PartyIds>& parties() const { return parties_; }
  const std::vector<SeriesIds>& series() const { return series_; }

 private:
  // By what they refer to.
  struct PartyKey {
    const model::Party* party;
    bool operator==(const PartyKey& other) const { return *party == *other.party; }
    template <typename H>
    friend H AbslHashValue(H h, const PartyKey& key) {
      return H::combine(std::move(h), *key.party);
    }
  };
  struct SeriesKey {
    const model::EdgeStats* row;
    uint32_t client;
    uint32_t server;
    bool operator==(const SeriesKey& other) const;
    template <typename H>
    friend H AbslHashValue(H h, const SeriesKey& key) {
      return H::combine(std::move(h), key.client, key.server, key.row->observer, key.row->protocol,
                        key.row->transport, key.row->outcome, key.row->endpoint,
                        key.row->status_code);
    }
  };

  uint32_t TextNumber(std::string_view text);
  uint32_t PartyNumber(const model::Party& party);
  uint32_t AddParty(const model::Party& party);

  absl::flat_hash_map<std::string_view, uint32_t, base::StringHash> text_numbers_;
  base::RecentNumbers<const model::Party*, uint32_t, 4096> recent_parties_;
  absl::flat_hash_map<PartyKey, uint32_t> party_numbers_;
  absl::flat_hash_map<SeriesKey, uint32_t> series_numbers_;
  std::vector<SeriesKey> keys_;
  uint32_t last_ = 0;  // what was added last

  std::vector<std::string_view> texts_;
  std::vector<PartyIds> parties_;
  std::vector<SeriesIds> series_;
  std::vector<uint32_t> places_;
};

// True when two rows differ in nothing but the window and the numbers.
bool SameEdgeSeries(const model::EdgeStats& a, const model::EdgeStats& b);

// The numbers of a row and where they belong. Lifetime: refers to them.
struct EdgeRow {
  uint32_t series = 0;  // EdgeSeries::Place
  int64_t start_ns = 0;
  int64_t window_ns = 0;
  const model::EdgeStats* numbers = nullptr;

  // What rows are ordered by.
  static bool Before(const EdgeRow& a, const EdgeRow& b) {
    if (a.series != b.series) return a.series < b.series;
    if (a.start_ns != b.start_ns) return a.start_ns < b.start_ns;
    return a.window_ns < b.window_ns;
  }
};

// Sums that rows refer to: only windows, numbers, nothing of their names.
using EdgeSums = std::deque<model::EdgeStats>;

// Puts rows in order and merges those of the same series and window. Fast where those of a series
// are in order already. `series` is how many there are.
void JoinEdgeRows(std::vector<EdgeRow>& rows, size_t series, EdgeSums& sums);

// Rows under the names of their series, which are all there will be, in order and joined.
std::vector<EdgeRow> NameEdgeRows(const std::vector<model::EdgeStats>& rows, EdgeSeries& series,
                                  EdgeSums& sums);

}  // namespace kindling::storage
