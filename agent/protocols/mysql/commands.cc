#include "agent/protocols/mysql/commands.h"

#include <algorithm>
#include <span>
#include <utility>

#include "agent/protocols/codec_limits.h"
#include "base/byte_reader.h"
#include "model/sql_lexer.h"
#include "model/sql_template.h"

namespace kindling::agent::mysql {
namespace {

constexpr size_t kMaxDatabaseBytes = 64;
// Prepared statements past this size are named but not kept.
constexpr size_t kMaxPreparedStatementBytes = 512;

// The database that "USE name" chooses; empty for other text.
std::string UsedDatabase(std::string_view sql) {
  model::SqlLexer lexer(sql);
  const std::string_view verb = lexer.Next().text;
  const bool is_use = verb.size() == 3 && (verb[0] | 0x20) == 'u' && (verb[1] | 0x20) == 's' &&
                      (verb[2] | 0x20) == 'e';
  if (!is_use) return "";
  const model::SqlToken name = lexer.Next();
  const bool is_name =
      name.kind == model::SqlTokenKind::kWord || name.kind == model::SqlTokenKind::kIdentifier;
  return is_name ? DatabaseName(name.text) : "";
}

// The text of a QUERY. MySQL 8 may put attributes before it: their number, which must be none to be
// understood, and a 1.
std::string_view QueryText(std::span<const std::byte> payload) {
  std::string_view text = base::AsText(payload.subspan(1));
  if (text.starts_with(std::string_view("\0\1", 2))) text.remove_prefix(2);
  return text;
}

}  // namespace

Command CommandOf(const Packet& packet, const ByteOrigin& first, int64_t end_ns) {
  return Command{.start_ns = first.boot_ns,
                 .end_ns = end_ns,
                 .bytes = packet.bytes(),
                 .tcp_seq = first.tcp_seq,
                 .tid = first.tid};
}

bool GetsNoResponse(CommandCode code) {
  return code == CommandCode::kQuit || code == CommandCode::kStmtClose ||
         code == CommandCode::kStmtSendLongData;
}

bool StartsReplication(CommandCode code) {
  return code == CommandCode::kBinlogDump || code == CommandCode::kBinlogDumpGtid ||
         code == CommandCode::kTableDump;
}

// Whether a command has a length and a text that it may have.
bool IsPlausibleCommand(const Packet& packet) {
  const auto code = static_cast<CommandCode>(packet.first());
  switch (code) {
    case CommandCode::kQuery:
    case CommandCode::kStmtPrepare: {
      if (packet.length < 2) return false;
      if (packet.head.size() < 2) return true;
      const auto c = static_cast<uint8_t>(packet.head[1]);
      return c >= 0x20 || (c >= '\t' && c <= '\r') || c == 0;
    }
    case CommandCode::kQuit:
    case CommandCode::kStatistics:
    case CommandCode::kPing:
    case CommandCode::kResetConnection:
      return packet.length == 1;
    case CommandCode::kInitDb:
      return packet.length <= 1024;
    case CommandCode::kStmtExecute:
      return packet.length >= 10;
    case CommandCode::kStmtClose:
    case CommandCode::kStmtReset:
      return packet.length == 5;
    case CommandCode::kStmtSendLongData:
      return packet.length >= 7;
    case CommandCode::kStmtFetch:
      return packet.length == 9;
    case CommandCode::kSetOption:
      return packet.length == 3;
    default:
      return !CommandName(code).empty();
  }
}

std::string DatabaseName(std::string_view text) {
  std::string name(text.substr(0, kMaxDatabaseBytes));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '?');
  return name;
}

void Describe(const Packet& packet, bool keeps_text, PreparedStatements& prepared,
              Command& command) {
  base::ByteReader reader(packet.head);
  reader.Skip(1);
  const std::string_view text = base::AsText(packet.head.subspan(1));
  const auto named = [](std::string endpoint) {
    return std::make_shared<const Statement>(Statement{.endpoint = std::move(endpoint)});
  };
  switch (command.code) {
    case CommandCode::kQuery: {
      const std::string_view sql = QueryText(packet.head);
      auto statement = std::make_shared<Statement>();
      statement->endpoint = model::SqlEndpoint(sql);
      if (keeps_text) {
        statement->statement = model::SqlStatement(sql, kMaxStatementBytes);
      }
      command.statement = std::move(statement);
      command.database = UsedDatabase(sql);
      return;
    }
    case CommandCode::kStmtPrepare: {
      auto statement = std::make_shared<Statement>();
      statement->endpoint = model::SqlEndpoint(text);
      if (keeps_text) {
        statement->statement = model::SqlStatement(text, kMaxPreparedStatementBytes);
      }
      prepared.SetLast(statement);
      command.statement = std::move(statement);
      return;
    }
    case CommandCode::kStmtExecute:
    case CommandCode::kStmtBulkExecute:
    case CommandCode::kStmtFetch: {
      const uint32_t id = reader.U32Le();
      if (reader.ok()) command.statement = prepared.Find(id);
      break;
    }
    case CommandCode::kInitDb:
      command.database = DatabaseName(text);
      break;
    default:
      break;
  }
  if (command.statement == nullptr) {
    command.statement = named(std::string(CommandName(command.code)));
  }
}

}  // namespace kindling::agent::mysql
