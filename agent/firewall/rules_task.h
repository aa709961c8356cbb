#pragma once

#include <functional>

#include "agent/network/host/scope_namespaces.h"
#include "agent/tasks/task.h"

namespace kindling::agent {

// Tells which rules of nftables the packets of a selection meet, in the namespaces that `find`
// gives. iptables' own rules of the legacy kind are not seen; those of iptables-nft are.
TaskKind RulesTaskKind(std::function<ScopeNamespaces()> find);

}  // namespace kindling::agent
