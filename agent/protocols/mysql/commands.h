#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "agent/protocols/mysql/packet.h"
#include "agent/protocols/mysql/statements.h"
#include "agent/protocols/mysql/wire.h"
#include "agent/protocols/stream_buffer.h"

// What single commands of a client say, whatever is answered. Pure.
namespace kindling::agent::mysql {

// A request that was sent: a command, or the login.
struct Command {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  uint64_t bytes = 0;
  uint32_t tcp_seq = 0;
  uint32_t tid = 0;
  CommandCode code = CommandCode::kSleep;
  bool is_reported = false;  // as unanswered; its response may still come
  std::shared_ptr<const Statement> statement;
  std::string database;  // that becomes current if the command succeeds
};

// When and where `packet` was sent; what it says is not looked at.
Command CommandOf(const Packet& packet, const ByteOrigin& first, int64_t end_ns);

// Fills in the statement and the database of `command` from its packet. `keeps_text` false: the
// statement is named, but its text is not kept.
void Describe(const Packet& packet, bool keeps_text, PreparedStatements& prepared,
              Command& command);

// Whether a command has a length and a text that it may have.
bool IsPlausibleCommand(const Packet& packet);
bool GetsNoResponse(CommandCode code);
bool StartsReplication(CommandCode code);

// A name of a database as it is shown.
std::string DatabaseName(std::string_view text);

}  // namespace kindling::agent::mysql
