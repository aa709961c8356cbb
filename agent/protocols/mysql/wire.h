#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// Fields and packets of the MySQL client/server protocol as MySQL and MariaDB speak it. Pure.
namespace kindling::agent::mysql {

enum class CommandCode : uint8_t {
  kSleep = 0x00,
  kQuit = 0x01,
  kInitDb = 0x02,
  kQuery = 0x03,
  kFieldList = 0x04,
  kStatistics = 0x09,
  kPing = 0x0e,
  kChangeUser = 0x11,
  kBinlogDump = 0x12,
  kTableDump = 0x13,
  kRegisterSlave = 0x15,
  kStmtPrepare = 0x16,
  kStmtExecute = 0x17,
  kStmtSendLongData = 0x18,
  kStmtClose = 0x19,
  kStmtReset = 0x1a,
  kSetOption = 0x1b,
  kStmtFetch = 0x1c,
  kBinlogDumpGtid = 0x1e,
  kResetConnection = 0x1f,
  kStmtBulkExecute = 0xfa,  // MariaDB
};

// "QUERY", "PING"; empty if there is no such command.
std::string_view CommandName(CommandCode code);

// Capability flags.
inline constexpr uint32_t kConnectWithDb = 1U << 3;
inline constexpr uint32_t kCompress = 1U << 5;
inline constexpr uint32_t kProtocol41 = 1U << 9;
inline constexpr uint32_t kSsl = 1U << 11;
inline constexpr uint32_t kSecureConnection = 1U << 15;
inline constexpr uint32_t kPluginAuthLenenc = 1U << 21;
inline constexpr uint32_t kOptionalMetadata = 1U << 25;  // MySQL 8
inline constexpr uint32_t kZstd = 1U << 26;

// Status flags.
inline constexpr uint16_t kMoreResults = 1U << 3;
inline constexpr uint16_t kCursorExists = 1U << 6;

// The server's first packet.
struct Greeting {
  std::string_view version;
  uint32_t capabilities = 0;
};
std::optional<Greeting> ParseGreeting(std::span<const std::byte> payload);

// The client's answer to it.
struct Login {
  uint32_t capabilities = 0;
  bool asks_for_tls = false;  // no more of it in the clear
  std::string_view database;
};
std::optional<Login> ParseLogin(std::span<const std::byte> payload);

// Error packet, payload[0] == 0xff.
struct ErrorPacket {
  uint16_t code = 0;
  std::string_view message;

  // MariaDB reports progress of a long statement in packets of this code; nothing has failed.
  bool is_progress() const { return code == 0xffff; }
};
std::optional<ErrorPacket> ParseError(std::span<const std::byte> payload);

// Status flags of an OK packet, whether it begins with 0x00 or 0xfe.
std::optional<uint16_t> OkStatus(std::span<const std::byte> payload);
// Status flags of an EOF packet: 0xfe and five bytes in all.
std::optional<uint16_t> EofStatus(std::span<const std::byte> payload);

// A length-encoded integer at the beginning of `bytes`, and how many bytes it takes. None for NULL,
// an error or a cut one.
struct LengthEncoded {
  uint64_t value = 0;
  size_t size = 0;
};
std::optional<LengthEncoded> ParseLengthEncoded(std::span<const std::byte> bytes);

// Whether the server blames its own state with this error and not the request.
bool IsServerError(uint16_t code);

}  // namespace kindling::agent::mysql
