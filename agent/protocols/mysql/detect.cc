#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "agent/protocols/mysql/codec.h"
#include "agent/protocols/mysql/packet.h"
#include "agent/protocols/mysql/wire.h"
#include "base/byte_reader.h"

namespace kindling::agent::mysql {
namespace {

constexpr uint32_t kMaxFirstPayloadBytes = 1 << 20;
constexpr size_t kMinTextBytes = 6;

// Text that begins with a verb of SQL, after comments and an opening parenthesis.
Match DetectSql(std::string_view text, bool is_whole) {
  static constexpr std::string_view kVerbs[] = {
      "ALTER",   "ANALYZE",  "BEGIN",    "CALL",      "COMMIT",  "CREATE",  "DEALLOCATE",
      "DELETE",  "DESC",     "DO",       "DROP",      "EXECUTE", "EXPLAIN", "FLUSH",
      "GRANT",   "INSERT",   "KILL",     "LOAD",      "LOCK",    "PREPARE", "RENAME",
      "REPLACE", "RESET",    "ROLLBACK", "SAVEPOINT", "SELECT",  "SET",     "SHOW",
      "START",   "TRUNCATE", "UNLOCK",   "UPDATE",    "USE",     "WITH",    "XA"};
  if (text.starts_with(std::string_view("\0\1", 2))) text.remove_prefix(2);
  while (!text.empty() && (text[0] == ' ' || text[0] == '(' || text[0] == '\n' || text[0] == '\r' ||
                           text[0] == '\t')) {
    text.remove_prefix(1);
  }
  if (text.starts_with("/*")) {
    const size_t end = text.find("*/");
    return end == std::string_view::npos ? Match::kNeedMore
                                         : DetectSql(text.substr(end + 2), is_whole);
  }
  std::string word;
  for (const char c : text.substr(0, 12)) {
    const char upper = static_cast<char>(c & ~0x20);
    if (upper < 'A' || upper > 'Z') break;
    word += upper;
  }
  const bool word_ended = word.size() < text.size() || is_whole;
  for (const std::string_view verb : kVerbs) {
    if (word_ended && word == verb) return Match::kRequest;
    if (!word_ended && verb.starts_with(word)) return Match::kNeedMore;
  }
  return Match::kNo;
}

// A command, payload[0] being its code. Those that say too little are left for a later one.
Match DetectCommand(std::span<const std::byte> payload, uint32_t length) {
  const bool is_whole = payload.size() >= length;
  payload = payload.first(std::min<size_t>(length, payload.size()));
  const std::string_view text = base::AsText(payload.subspan(1));
  switch (static_cast<CommandCode>(payload[0])) {
    case CommandCode::kQuery:
    case CommandCode::kStmtPrepare:
      if (length < kMinTextBytes) return Match::kNo;
      if (text.empty()) return Match::kNeedMore;
      return DetectSql(text, is_whole);
    case CommandCode::kStmtExecute: {
      // Statement id, cursor type, and an iteration count that is always 1.
      if (length < 10) return Match::kNo;
      if (payload.size() < 10) return Match::kNeedMore;
      base::ByteReader reader(payload.subspan(1));
      reader.Skip(4);
      const uint8_t cursor = reader.U8();
      return cursor <= 0x0f && reader.U32Le() == 1 ? Match::kRequest : Match::kNo;
    }
    default:
      return Match::kNo;
  }
}

// Commands that say little, but are the whole of what the client sent: a connection of a pool that
// was open before anyone looked begins with one as often as not.
bool IsBareCommand(std::span<const std::byte> payload, uint32_t length) {
  if (payload.size() != length) return false;
  const std::string_view text = base::AsText(payload.subspan(1));
  switch (static_cast<CommandCode>(payload[0])) {
    case CommandCode::kPing:
    case CommandCode::kStatistics:
    case CommandCode::kResetConnection:
      return text.empty();
    case CommandCode::kInitDb:
      return !text.empty() && text.size() <= 64 &&
             std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                      c == '_' || c == '-' || c == '$';
             });
    default:
      return false;
  }
}

// The server's refusal of a connection: too many of them, or a host that may not.
Match DetectRefusal(std::span<const std::byte> payload, uint32_t length) {
  static constexpr uint16_t kCodes[] = {1040, 1129, 1130, 1203};
  if (length < 10 || length > 512) return Match::kNo;
  if (payload.size() < std::min<size_t>(length, 10)) return Match::kNeedMore;
  const auto error = ParseError(payload.first(std::min<size_t>(length, payload.size())));
  if (!error.has_value() ||
      std::find(std::begin(kCodes), std::end(kCodes), error->code) == std::end(kCodes)) {
    return Match::kNo;
  }
  const bool is_text = std::all_of(error->message.begin(), error->message.end(),
                                   [](char c) { return static_cast<unsigned char>(c) >= 0x20; });
  return is_text ? Match::kResponse : Match::kNo;
}

Match DetectGreeting(std::span<const std::byte> payload, uint32_t length) {
  if (length < 40 || length > 512) return Match::kNo;
  const std::string_view version = base::AsText(payload.subspan(1));
  // "5.5.5-10.11.6-MariaDB", "8.0.36": digits and a dot first.
  if (!version.empty() && (version[0] < '1' || version[0] > '9')) return Match::kNo;
  if (payload.size() < length) return Match::kNeedMore;
  const auto greeting = ParseGreeting(payload.first(length));
  if (!greeting.has_value() || greeting->version.find('.') == std::string_view::npos ||
      (greeting->capabilities & kProtocol41) == 0) {
    return Match::kNo;
  }
  return Match::kResponse;
}

}  // namespace

Match Detect(std::span<const std::byte> head, model::Transport transport) {
  if (transport == model::Transport::kUdp) return Match::kNo;
  if (head.size() < kHeaderBytes) {
    // The length is of three bytes; the last is 0 below 64 KiB.
    return head.size() == 3 && head[2] > std::byte{0x10} ? Match::kNo : Match::kNeedMore;
  }
  base::ByteReader reader(head);
  const uint32_t length = reader.U24Le();
  const uint8_t sequence = reader.U8();
  if (sequence != 0 || length < 1 || length > kMaxFirstPayloadBytes) return Match::kNo;
  const std::span<const std::byte> payload = head.subspan(kHeaderBytes);
  if (payload.empty()) return Match::kNeedMore;
  if (IsBareCommand(payload, length)) return Match::kRequest;
  if (length < 2) return Match::kNo;
  switch (static_cast<uint8_t>(payload[0])) {
    case 0x0a:
      return DetectGreeting(payload, length);
    case 0xff:
      return DetectRefusal(payload, length);
    default:
      return DetectCommand(payload, length);
  }
}

}  // namespace kindling::agent::mysql
