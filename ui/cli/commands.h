#pragma once

#include <span>

#include "ui/cli/command.h"

namespace kindling::ui {

// One function per command; each is in the file of its name, get labels beside get values.
Command GetServicesCommand();
Command GetEdgesCommand();
Command GetSpansCommand();
Command GetAgentsCommand();
Command GetProcessesCommand();
Command GetTraceCommand();
Command GetEndpointsCommand();
Command GetTcpCommand();
Command GetDnsCommand();
Command GetDropsCommand();
Command GetConnectionsCommand();
Command GetNatCommand();
Command GetInterfacesCommand();
Command GetValuesCommand();
Command GetLabelsCommand();
Command GetSeriesCommand();
Command GetMetricCommand();
Command DescribeSpanCommand();
Command CapturePacketsCommand();
Command MapCommand();
Command TopCommand();
Command TraceRulesCommand();
Command StoreStatusCommand();
Command StoreCompactCommand();
Command StoreBackupCommand();
Command StoreVerifyCommand();
Command TracePathCommand();
Command VersionCommand();
Command CompletionCommand();

// All of them, in the order of help.
std::span<const Command> Commands();

}  // namespace kindling::ui
