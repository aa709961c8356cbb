#include "ui/cli/commands.h"

#include <vector>

namespace kindling::ui {

std::span<const Command> Commands() {
  static const auto& commands = *new std::vector<Command>{
      MapCommand(),
      TopCommand(),
      GetServicesCommand(),
      GetEdgesCommand(),
      GetTcpCommand(),
      GetDnsCommand(),
      GetDropsCommand(),
      GetConnectionsCommand(),
      GetNatCommand(),
      GetInterfacesCommand(),
      GetSpansCommand(),
      DescribeSpanCommand(),
      GetTraceCommand(),
      GetEndpointsCommand(),
      GetValuesCommand(),
      GetLabelsCommand(),
      GetSeriesCommand(),
      GetMetricCommand(),
      GetAgentsCommand(),
      GetProcessesCommand(),
      CapturePacketsCommand(),
      TracePathCommand(),
      TraceRulesCommand(),
      StoreStatusCommand(),
      StoreCompactCommand(),
      StoreBackupCommand(),
      StoreVerifyCommand(),
      VersionCommand(),
      CompletionCommand(),
  };
  return commands;
}

}  // namespace kindling::ui
