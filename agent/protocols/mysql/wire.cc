#include "agent/protocols/mysql/wire.h"

#include <algorithm>
#include <iterator>

#include "base/byte_reader.h"

namespace kindling::agent::mysql {
namespace {

using base::ByteReader;

// Bytes up to a NUL, which is taken too; to the end if there is none.
std::string_view TakeZeroEnded(ByteReader& reader, std::span<const std::byte> payload) {
  const std::string_view rest = base::AsText(payload.subspan(reader.position()));
  const std::string_view text = rest.substr(0, rest.find('\0'));
  reader.Skip(std::min(rest.size(), text.size() + 1));
  return text;
}

}  // namespace

std::string_view CommandName(CommandCode code) {
  static constexpr std::string_view kNames[] = {"",
                                                "QUIT",
                                                "INIT_DB",
                                                "QUERY",
                                                "FIELD_LIST",
                                                "CREATE_DB",
                                                "DROP_DB",
                                                "REFRESH",
                                                "SHUTDOWN",
                                                "STATISTICS",
                                                "PROCESS_INFO",
                                                "CONNECT",
                                                "PROCESS_KILL",
                                                "DEBUG",
                                                "PING",
                                                "",
                                                "",
                                                "CHANGE_USER",
                                                "BINLOG_DUMP",
                                                "TABLE_DUMP",
                                                "",
                                                "REGISTER_SLAVE",
                                                "PREPARE",
                                                "EXECUTE",
                                                "SEND_LONG_DATA",
                                                "CLOSE",
                                                "RESET",
                                                "SET_OPTION",
                                                "FETCH",
                                                "",
                                                "BINLOG_DUMP_GTID",
                                                "RESET_CONNECTION"};
  if (code == CommandCode::kStmtBulkExecute) return "EXECUTE";
  const auto index = static_cast<size_t>(code);
  return index < std::size(kNames) ? kNames[index] : std::string_view();
}

std::optional<Greeting> ParseGreeting(std::span<const std::byte> payload) {
  ByteReader reader(payload);
  if (reader.U8() != 10) return std::nullopt;
  Greeting greeting;
  greeting.version = TakeZeroEnded(reader, payload);
  const bool is_printable = std::all_of(greeting.version.begin(), greeting.version.end(),
                                        [](char c) { return c > 0x20 && c < 0x7f; });
  if (greeting.version.empty() || greeting.version.size() > 80 || !is_printable) {
    return std::nullopt;
  }
  reader.Skip(4 + 8);  // connection id, first part of the salt
  if (reader.U8() != 0) return std::nullopt;
  greeting.capabilities = reader.U16Le();
  reader.Skip(1 + 2);  // character set, status
  greeting.capabilities |= static_cast<uint32_t>(reader.U16Le()) << 16;
  if (!reader.ok()) return std::nullopt;
  return greeting;
}

std::optional<Login> ParseLogin(std::span<const std::byte> payload) {
  ByteReader reader(payload);
  Login login;
  login.capabilities = reader.U32Le();
  if ((login.capabilities & kProtocol41) == 0) return std::nullopt;
  reader.Skip(4 + 1 + 23);  // largest packet, character set, reserved
  if (!reader.ok()) return std::nullopt;
  if (reader.remaining() == 0) {
    login.asks_for_tls = (login.capabilities & kSsl) != 0;
    return login;
  }
  TakeZeroEnded(reader, payload);  // user
  if ((login.capabilities & kPluginAuthLenenc) != 0) {
    const auto size = ParseLengthEncoded(payload.subspan(reader.position()));
    if (!size.has_value() || size->value > reader.remaining()) return login;
    reader.Skip(size->size + static_cast<size_t>(size->value));
  } else if ((login.capabilities & kSecureConnection) != 0) {
    reader.Skip(reader.U8());
  } else {
    TakeZeroEnded(reader, payload);
  }
  if (reader.ok() && (login.capabilities & kConnectWithDb) != 0) {
    login.database = TakeZeroEnded(reader, payload);
  }
  return login;
}

std::optional<ErrorPacket> ParseError(std::span<const std::byte> payload) {
  ByteReader reader(payload);
  if (reader.U8() != 0xff) return std::nullopt;
  ErrorPacket error;
  error.code = reader.U16Le();
  if (!reader.ok() || error.code == 0) return std::nullopt;
  error.message = base::AsText(payload.subspan(reader.position()));
  constexpr size_t kSqlStateBytes = 6;  // '#' and five
  if (error.message.starts_with('#') && error.message.size() >= kSqlStateBytes) {
    error.message.remove_prefix(kSqlStateBytes);
  }
  return error;
}

std::optional<LengthEncoded> ParseLengthEncoded(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  LengthEncoded result;
  const uint8_t first = reader.U8();
  switch (first) {
    case 0xfb:
    case 0xff:
      return std::nullopt;
    case 0xfc:
      result.value = reader.U16Le();
      break;
    case 0xfd:
      result.value = reader.U24Le();
      break;
    case 0xfe:
      result.value = reader.U64Le();
      break;
    default:
      result.value = first;
  }
  result.size = reader.position();
  if (!reader.ok()) return std::nullopt;
  return result;
}

std::optional<uint16_t> OkStatus(std::span<const std::byte> payload) {
  if (payload.empty()) return std::nullopt;
  payload = payload.subspan(1);
  for (int i = 0; i < 2; ++i) {  // affected rows, last insert id
    const auto field = ParseLengthEncoded(payload);
    if (!field.has_value()) return std::nullopt;
    payload = payload.subspan(field->size);
  }
  ByteReader reader(payload);
  const uint16_t status = reader.U16Le();
  if (!reader.ok()) return std::nullopt;
  return status;
}

std::optional<uint16_t> EofStatus(std::span<const std::byte> payload) {
  if (payload.size() != 5) return std::nullopt;
  ByteReader reader(payload);
  reader.Skip(3);  // 0xfe, warnings
  return reader.U16Le();
}

bool IsServerError(uint16_t code) {
  // Out of connections, memory, disk or threads; shutting down; a storage engine failed; read-only.
  static constexpr uint16_t kCodes[] = {1021, 1026, 1030, 1037, 1038, 1040, 1041, 1053, 1077, 1079,
                                        1114, 1135, 1181, 1194, 1195, 1203, 1290, 1836, 1878, 1912};
  return std::binary_search(std::begin(kCodes), std::end(kCodes), code);
}

}  // namespace kindling::agent::mysql
