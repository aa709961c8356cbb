#pragma once

#include <cstdint>
#include <vector>

#include "storage/blocks/frame.h"
#include "storage/blocks/text_table.h"
#include "storage/span_search.h"

// The distinct ends of a block: parties once each, ends as pairs of them.
namespace kindling::storage {

// Column numbers that a table takes, from the first on.
inline constexpr uint32_t kEndsTableColumns = 9;

// Adds the texts of `ends` to `texts`; to be called before texts.Sort and WriteEnds.
void AddEndsTexts(const std::vector<const SpanEnds*>& ends, TextTableBuilder& texts);

// `ends` should be sorted: neighbours are written as differences.
void WriteEnds(FrameWriter& frame, uint32_t first_column, const std::vector<const SpanEnds*>& ends,
               const TextTableBuilder& texts);

struct EndsTable {
  struct Party {
    uint32_t workload = 0;  // texts by number
    uint32_t workload_kind = 0;
    uint32_t host = 0;
    uint32_t address = 0;
    uint32_t dns_name = 0;
    uint16_t port = 0;
  };
  struct Ends {
    model::Side side = model::Side::kUnknown;
    model::Protocol protocol = model::Protocol::kUnknown;
    model::Transport transport = model::Transport::kUnknown;
    uint32_t client = 0;  // parties by number
    uint32_t server = 0;
  };
  std::vector<Party> parties;
  std::vector<Ends> ends;

  // False: damaged, or numbers of texts that `texts` has not.
  [[nodiscard]] bool Read(const FrameReader& frame, uint32_t first_column, size_t party_count,
                          size_t ends_count, const TextTable& texts);
  model::Party MakeParty(size_t number, const TextTable& texts) const;
  SpanEnds MakeEnds(size_t number, const TextTable& texts) const;
};

// What WriteEnds writes for `ends`: the number of each one's client, and how many parties there
// are.
struct ClientNumbers {
  std::vector<uint32_t> of_ends;
  uint32_t parties = 0;
};
ClientNumbers NumberClients(const std::vector<const SpanEnds*>& ends);

}  // namespace kindling::storage
