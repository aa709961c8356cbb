#include "model/edge_labels.h"

#include <algorithm>

#include "absl/strings/numbers.h"

namespace kindling::model {
namespace {

void Add(const char* name, const std::string& value, Labels& labels) {
  if (!value.empty()) labels.emplace_back(name, value);
}

}  // namespace

Labels LabelsOf(const EdgeEnds& ends) {
  Labels labels;
  labels.reserve(13);  // one more is often added
  Add("client", ends.client.workload, labels);
  Add("client_address", ends.client.address, labels);
  Add("client_dns", ends.client.dns_name, labels);
  Add("client_host", ends.client.host, labels);
  Add("client_kind", ends.client.workload_kind, labels);
  if (ends.observer != Side::kUnknown) {
    labels.emplace_back("observer", std::string(Name(ends.observer)));
  }
  Add("server", ends.server.workload, labels);
  Add("server_address", ends.server.address, labels);
  Add("server_dns", ends.server.dns_name, labels);
  Add("server_host", ends.server.host, labels);
  Add("server_kind", ends.server.workload_kind, labels);
  if (ends.server.port != 0) labels.emplace_back("server_port", std::to_string(ends.server.port));
  return labels;
}

EdgeEnds EndsOf(const Labels& labels) {
  EdgeEnds ends;
  for (const auto& [name, value] : labels) {
    if (name == "observer") {
      for (const Side side : {Side::kClient, Side::kServer}) {
        if (value == Name(side)) ends.observer = side;
      }
      continue;
    }
    const bool is_client = name.starts_with("client");
    if (!is_client && !name.starts_with("server")) continue;
    Party& party = is_client ? ends.client : ends.server;
    const std::string_view rest = std::string_view(name).substr(6);
    if (rest.empty()) {
      party.workload = value;
    } else if (rest == "_address") {
      party.address = value;
    } else if (rest == "_dns") {
      party.dns_name = value;
    } else if (rest == "_host") {
      party.host = value;
    } else if (rest == "_kind") {
      party.workload_kind = value;
    } else if (rest == "_port") {
      uint32_t port = 0;
      if (absl::SimpleAtoi(value, &port) && port <= UINT16_MAX) {
        party.port = static_cast<uint16_t>(port);
      }
    }
  }
  return ends;
}

void AddLabel(std::string_view name, std::string_view value, Labels& labels) {
  const auto place = std::ranges::lower_bound(
      labels, name, {}, [](const auto& label) { return std::string_view(label.first); });
  labels.emplace(place, name, value);
}

std::string_view LabelOf(const Labels& labels, std::string_view name) {
  for (const auto& [key, value] : labels) {
    if (key == name) return value;
  }
  return "";
}

}  // namespace kindling::model
