#include "agent/assembly.h"

#include <optional>
#include <utility>

#include "model/protocol.h"
#include "model/rule_version.h"

namespace kindling::agent {

AggregatorOptions AggregatorOptionsOf(const config::v1::AgentConfig& config,
                                      uint64_t span_id_seed) {
  AggregatorOptions options;
  options.host = config.host();
  options.window_ns = int64_t{config.window_s()} * 1'000'000'000;
  if (const auto all = config.slow_ms().find("default"); all != config.slow_ms().end()) {
    options.slow.SetDefaultNs(int64_t{all->second} * 1'000'000);
  }
  for (const auto& [name, ms] : config.slow_ms()) {
    const std::optional<model::Protocol> protocol = model::ProtocolFromName(name);
    if (protocol.has_value()) options.slow.SetNs(*protocol, int64_t{ms} * 1'000'000);
  }
  options.keep_all_spans = config.spans().keep() == "all";
  options.sampled_spans = config.spans().per_endpoint();
  options.names.endpoints = config.limits().endpoints();
  options.rule_version = model::kRuleVersion;
  options.span_id_seed = span_id_seed;
  return options;
}

ControllerAddress ControllerAddressOf(const config::v1::AgentConfig& config) {
  return {.address = config.controller().address(),
          .ca_file = config.controller().ca_file(),
          .insecure = config.controller().insecure()};
}

ScopeOptions ScopeOptionsOf(const config::v1::AgentConfig& config) {
  const auto& scope = config.scope();
  return {
      .host = scope.host(),
      .network_namespaces = {scope.network_namespaces().begin(), scope.network_namespaces().end()},
      .cgroups = {scope.cgroups().begin(), scope.cgroups().end()},
      .pids = {scope.pids().begin(), scope.pids().end()}};
}

Pipeline::Options PipelineOptionsOf(const config::v1::AgentConfig& config, std::string own_cgroup) {
  Pipeline::Options options;
  options.host = config.host();
  options.own_cgroup = std::move(own_cgroup);
  options.drops.host = options.host;
  options.conns.max_connections = config.limits().connections();
  options.conns.no_response_ns = int64_t{config.no_response_s()} * 1'000'000'000;
  options.keep_values = config.redaction().keep_values();
  return options;
}

}  // namespace kindling::agent
