#include "storage/blocks/ends_table.h"

#include <algorithm>
#include <string>

#include "storage/blocks/number_column.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

// Columns of the table, from the first on. On disk: never renumber.
enum Column : uint32_t {
  kWorkload = 0,
  kWorkloadKind = 1,
  kHost = 2,
  kAddress = 3,
  kDnsName = 4,
  kPort = 5,
  kKind = 6,  // side, protocol and transport: a byte each, lowest first
  kClient = 7,
  kServer = 8,
};

// Sorted, each once.
std::vector<const model::Party*> Parties(const std::vector<const SpanEnds*>& ends) {
  std::vector<const model::Party*> parties;
  for (const SpanEnds* e : ends) {
    parties.push_back(&e->client);
    parties.push_back(&e->server);
  }
  std::sort(parties.begin(), parties.end(),
            [](const model::Party* a, const model::Party* b) { return *a < *b; });
  parties.erase(std::unique(parties.begin(), parties.end(),
                            [](const model::Party* a, const model::Party* b) { return *a == *b; }),
                parties.end());
  return parties;
}

uint64_t Place(const std::vector<const model::Party*>& parties, const model::Party& party) {
  return static_cast<uint64_t>(
      std::lower_bound(parties.begin(), parties.end(), &party,
                       [](const model::Party* a, const model::Party* b) { return *a < *b; }) -
      parties.begin());
}

}  // namespace

ClientNumbers NumberClients(const std::vector<const SpanEnds*>& ends) {
  const std::vector<const model::Party*> parties = Parties(ends);
  ClientNumbers numbers;
  numbers.parties = static_cast<uint32_t>(parties.size());
  for (const SpanEnds* e : ends) {
    numbers.of_ends.push_back(static_cast<uint32_t>(Place(parties, e->client)));
  }
  return numbers;
}

void AddEndsTexts(const std::vector<const SpanEnds*>& ends, TextTableBuilder& texts) {
  for (const SpanEnds* e : ends) {
    for (const model::Party* party : {&e->client, &e->server}) {
      texts.Add(party->workload);
      texts.Add(party->workload_kind);
      texts.Add(party->host);
      texts.Add(party->address);
      texts.Add(party->dns_name);
    }
  }
}

void WriteEnds(FrameWriter& frame, uint32_t first_column, const std::vector<const SpanEnds*>& ends,
               const TextTableBuilder& texts) {
  const std::vector<const model::Party*> parties = Parties(ends);
  const auto party_column = [&](Column column, auto get) {
    std::vector<uint64_t> values;
    for (const model::Party* party : parties) values.push_back(get(*party));
    EncodeNumberColumn(frame, first_column + column, values);
  };
  party_column(kWorkload, [&](const auto& p) { return texts.NumberOf(p.workload); });
  party_column(kWorkloadKind, [&](const auto& p) { return texts.NumberOf(p.workload_kind); });
  party_column(kHost, [&](const auto& p) { return texts.NumberOf(p.host); });
  party_column(kAddress, [&](const auto& p) { return texts.NumberOf(p.address); });
  party_column(kDnsName, [&](const auto& p) { return texts.NumberOf(p.dns_name); });
  party_column(kPort, [&](const auto& p) { return p.port; });
  const auto ends_column = [&](Column column, auto get) {
    std::vector<uint64_t> values;
    for (const SpanEnds* e : ends) values.push_back(get(*e));
    EncodeNumberColumn(frame, first_column + column, values);
  };
  ends_column(kKind, [](const SpanEnds& e) {
    return ToBits(e.side) | ToBits(e.protocol) << 8 | ToBits(e.transport) << 16;
  });
  ends_column(kClient, [&](const SpanEnds& e) { return Place(parties, e.client); });
  ends_column(kServer, [&](const SpanEnds& e) { return Place(parties, e.server); });
}

bool EndsTable::Read(const FrameReader& frame, uint32_t first_column, size_t party_count,
                     size_t ends_count, const TextTable& texts) {
  std::vector<uint64_t> values;
  parties.assign(party_count, {});
  const auto text_column = [&](Column column, uint32_t Party::*field) {
    if (!DecodeNumberColumn(frame, first_column + column, party_count, values)) return false;
    for (size_t i = 0; i < party_count; ++i) {
      if (values[i] >= texts.size()) return false;
      parties[i].*field = static_cast<uint32_t>(values[i]);
    }
    return true;
  };
  if (!text_column(kWorkload, &Party::workload) ||
      !text_column(kWorkloadKind, &Party::workload_kind) || !text_column(kHost, &Party::host) ||
      !text_column(kAddress, &Party::address) || !text_column(kDnsName, &Party::dns_name) ||
      !DecodeNumberColumn(frame, first_column + kPort, party_count, values)) {
    return false;
  }
  for (size_t i = 0; i < party_count; ++i) {
    if (!FromBits(values[i], parties[i].port)) return false;
  }
  ends.assign(ends_count, {});
  if (!DecodeNumberColumn(frame, first_column + kKind, ends_count, values)) return false;
  for (size_t i = 0; i < ends_count; ++i) {
    if (!FromBits(values[i] & 0xff, ends[i].side) ||
        !FromBits(values[i] >> 8 & 0xff, ends[i].protocol) ||
        !FromBits(values[i] >> 16, ends[i].transport)) {
      return false;
    }
  }
  const auto party_number = [&](Column column, uint32_t Ends::*field) {
    if (!DecodeNumberColumn(frame, first_column + column, ends_count, values)) return false;
    for (size_t i = 0; i < ends_count; ++i) {
      if (values[i] >= party_count) return false;
      ends[i].*field = static_cast<uint32_t>(values[i]);
    }
    return true;
  };
  return party_number(kClient, &Ends::client) && party_number(kServer, &Ends::server);
}

model::Party EndsTable::MakeParty(size_t number, const TextTable& texts) const {
  const Party& party = parties[number];
  return {.workload = std::string(texts[party.workload]),
          .workload_kind = std::string(texts[party.workload_kind]),
          .host = std::string(texts[party.host]),
          .address = std::string(texts[party.address]),
          .port = party.port,
          .dns_name = std::string(texts[party.dns_name])};
}

SpanEnds EndsTable::MakeEnds(size_t number, const TextTable& texts) const {
  const Ends& e = ends[number];
  return {.side = e.side,
          .protocol = e.protocol,
          .transport = e.transport,
          .client = MakeParty(e.client, texts),
          .server = MakeParty(e.server, texts)};
}

}  // namespace kindling::storage
