#pragma once

#include <cstdint>
#include <string_view>

namespace kindling::agent::redis {

// What is special about a command for whoever matches replies to it.
enum class CommandKind : uint8_t {
  kPlain,
  kContainer,    // its first argument is a subcommand: CONFIG GET
  kClient,       // CLIENT: a container whose REPLY subcommand turns replies off
  kBlocking,     // may wait for as long as it asked to
  kSubscribe,    // SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE: one confirmation per channel
  kUnsubscribe,  // their opposites
  kExec,         // its reply holds those of the queued commands
  kReset,        // RESET: leaves subscriber mode, turns replies on
  kTakesOver,    // MONITOR, SYNC, PSYNC: after its reply the connection is no dialogue
};

// `name` in upper case.
CommandKind KindOf(std::string_view name);

// Whether `name`, in upper case, is a command of Redis 7 or has the prefix of a well-known module.
bool IsKnownCommand(std::string_view name);

}  // namespace kindling::agent::redis
