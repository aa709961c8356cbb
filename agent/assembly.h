#pragma once

#include "agent/aggregate/aggregator.h"
#include "agent/export/controller_channel.h"
#include "agent/kernel/kernel_scope.h"
#include "agent/pipeline/pipeline.h"
#include "kindling/config/v1/agent.pb.h"

namespace kindling::agent {

// A configuration in the options of the parts.
AggregatorOptions AggregatorOptionsOf(const config::v1::AgentConfig& config, uint64_t span_id_seed);
ControllerAddress ControllerAddressOf(const config::v1::AgentConfig& config);
ScopeOptions ScopeOptionsOf(const config::v1::AgentConfig& config);
Pipeline::Options PipelineOptionsOf(const config::v1::AgentConfig& config, std::string own_cgroup);

}  // namespace kindling::agent
