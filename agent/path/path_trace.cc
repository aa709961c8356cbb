#include "agent/path/path_trace.h"

#include <utility>

#include "agent/kernel/kernel_facts.h"
#include "base/status_macros.h"

namespace kindling::agent {

absl::StatusOr<std::unique_ptr<PathTrace>> PathTrace::Open(const PathSourceOptions& options,
                                                           const std::string& node,
                                                           const base::Clock& clock) {
  ASSIGN_OR_RETURN(std::unique_ptr<PathSource> source, PathSource::Open(options));
  ASSIGN_OR_RETURN(const std::unique_ptr<KernelFacts> facts, KernelFacts::Read());
  PathNames::Options names{.node = node, .netns_paths = options.scope.network_namespaces};
  for (const std::string& name : facts->NamesOf("skb_drop_reason")) {
    names.drop_reasons.push_back(DropReasonName(name));
  }
  NetnsNames netns(options.scope.network_namespaces);
  return std::unique_ptr<PathTrace>(new PathTrace(
      std::move(source), PathNames(std::move(names), std::move(netns), KernelSymbols()),
      clock.WallNs() - clock.BootNs()));
}

void PathTrace::Poll(const std::function<void(const model::PathHop&)>& sink) {
  source_->Drain([&](const KernelHop& hop) { sink(names_.Name(hop, wall_minus_boot_ns_)); });
}

}  // namespace kindling::agent
