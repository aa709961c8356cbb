#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "storage/blocks/edge_series.h"
#include "storage/blocks/id_column.h"

// How blocks of edges are laid out, for what writes and what reads them.
namespace kindling::storage {

inline constexpr uint8_t kEdgeBlockVersion = 1;

// On disk: never renumber.
enum EdgeSection : uint32_t {
  kEdgeTexts = 1,
  kEdgeSeries = 2,
  kEdgeDirectory = 3,
  kFirstEdgeSegment = 16
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

inline std::array<uint32_t*, 5> TextsOf(PartyIds& party) {
  return {&party.workload, &party.workload_kind, &party.host, &party.address, &party.dns_name};
}

}  // namespace kindling::storage
