#include "storage/blocks/flow_ends.h"

namespace kindling::storage {

uint32_t FlowEnds::Text(std::string_view text) {
  const auto known = text_numbers_.find(text);
  if (known != text_numbers_.end()) return known->second;
  const auto number = static_cast<uint32_t>(texts_.size());
  text_numbers_.emplace(texts_.emplace_back(text), number);
  return number;
}

uint32_t FlowEnds::Party(const PartyIds& party) {
  const auto [it, is_new] =
      party_numbers_.try_emplace(party, static_cast<uint32_t>(parties_.size()));
  if (is_new) parties_.push_back(party);
  return it->second;
}

uint32_t FlowEnds::Flow(const SeriesIds& series) {
  const FlowIds key{.client = series.client,
                    .server = series.server,
                    .kind = series.observer << 16 | series.protocol << 8 | series.transport};
  const auto [it, is_new] =
      flow_numbers_.try_emplace(key, first_flow_ + static_cast<uint32_t>(flows_.size()));
  if (is_new) {
    flows_.push_back({.side = static_cast<model::Side>(series.observer),
                      .protocol = static_cast<model::Protocol>(series.protocol),
                      .transport = static_cast<model::Transport>(series.transport),
                      .client = PartyOf(series.client),
                      .server = PartyOf(series.server)});
  }
  return it->second;
}

uint32_t FlowEnds::Flow(const model::EdgeStats& row) {
  return Flow({.observer = static_cast<uint8_t>(row.observer),
               .server = Party(row.server),
               .client = Party(row.client),
               .protocol = static_cast<uint8_t>(row.protocol),
               .transport = static_cast<uint8_t>(row.transport)});
}

void FlowEnds::Forget() {
  first_flow_ += static_cast<uint32_t>(flows_.size());
  flow_numbers_.clear();
  flows_.clear();
  party_numbers_.clear();
  parties_.clear();
  text_numbers_.clear();
  texts_.clear();
}

uint32_t FlowEnds::Party(const model::Party& party) {
  return Party({.workload = Text(party.workload),
                .workload_kind = Text(party.workload_kind),
                .host = Text(party.host),
                .address = Text(party.address),
                .dns_name = Text(party.dns_name),
                .port = party.port});
}

model::Party FlowEnds::PartyOf(uint32_t number) const {
  const PartyIds& ids = parties_[number];
  return {.workload = texts_[ids.workload],
          .workload_kind = texts_[ids.workload_kind],
          .host = texts_[ids.host],
          .address = texts_[ids.address],
          .port = static_cast<uint16_t>(ids.port),
          .dns_name = texts_[ids.dns_name]};
}

}  // namespace kindling::storage
