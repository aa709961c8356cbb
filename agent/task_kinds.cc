#include "agent/task_kinds.h"

#include <algorithm>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "agent/assembly.h"
#include "agent/capture/event_sinks.h"
#include "agent/capture/events.h"
#include "agent/connections/capture_requests.h"
#include "agent/connections/connections_task.h"
#include "agent/firewall/rules_task.h"
#include "agent/kernel/kernel_source.h"
#include "agent/packets/packet_task.h"
#include "agent/path/path_task.h"
#include "agent/pipeline/pipeline.h"
#include "base/status_macros.h"

namespace kindling::agent {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(3);

struct TcpSamples final : NoSink {
  void OnTcp(const TcpSample& sample) override { by_id[sample.id] = sample; }

  absl::flat_hash_map<ConnId, TcpSample> by_id;
};

absl::StatusOr<OpenConnections> ListOpen(const TaskSources& sources, size_t most) {
  OpenConnections open;
  // Not to the pipeline, which would sum the samples.
  TcpSamples samples;
  RETURN_IF_ERROR(sources.requests.Ask(
      [&] {
        open = sources.pipeline.ListConnections(most);
        sources.source.SampleTcp(samples);
      },
      kPatience));
  for (OpenConnection& connection : open.connections) {
    const auto found = samples.by_id.find(connection.open.id);
    if (found != samples.by_id.end()) connection.tcp = found->second;
  }
  return open;
}

}  // namespace

std::vector<TaskKind> TaskKindsOf(const config::v1::AgentConfig& config, TaskSources sources) {
  std::vector<TaskKind> kinds = {
      ConnectionsTaskKind([sources](size_t most) { return ListOpen(sources, most); }),
      RulesTaskKind(sources.find_namespaces),
      PacketCaptureKind(sources.capture_scope, sources.packet_owners),
      PathTaskKind(
          {.scope = ScopeOptionsOf(config),
           .disable = {config.capture().disable().begin(), config.capture().disable().end()},
           .node = config.host()})};
  const auto& disabled = config.tasks().disable();
  std::erase_if(kinds, [&](const TaskKind& kind) {
    return std::ranges::any_of(
        disabled, [&](const std::string& word) { return word == "all" || word == kind.word; });
  });
  return kinds;
}

}  // namespace kindling::agent
