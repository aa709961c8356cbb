#include "agent/protocols/mysql/handshake.h"

namespace kindling::agent::mysql {
namespace {

constexpr uint32_t kDeprecateEof = 1U << 24;
constexpr uint32_t kMinLoginBytes = 32;
constexpr uint32_t kEofBytes = 5;

}  // namespace

bool IsEof(const Packet& packet) { return packet.length == kEofBytes && packet.first() == 0xfe; }

bool Handshake::AcceptsClient(const Packet& packet) const {
  switch (phase_) {
    case Phase::kUnknown:
    case Phase::kGreeted:
      return packet.sequence == 1 && packet.length >= kMinLoginBytes &&
             packet.length <= kMaxLoginBytes;
    case Phase::kLoggingIn:
      return packet.sequence < kMaxLoginPackets && packet.length <= kMaxLoginBytes;
    case Phase::kCommands:
      return false;
  }
  return false;
}

bool Handshake::AcceptsServer(const Packet& packet) const {
  switch (phase_) {
    case Phase::kUnknown:
      return packet.sequence == 0 && packet.length <= kMaxLoginBytes;
    case Phase::kGreeted:
    case Phase::kLoggingIn:
      return packet.sequence < kMaxLoginPackets && packet.length <= kMaxLoginBytes;
    case Phase::kCommands:
      return packet.length == kEofBytes;  // after the definitions of a prepared statement
  }
  return false;
}

std::optional<Part> Handshake::ServerPart(const Packet& packet) const {
  if (packet.first() == 0xff) return Part::kMysqlError;
  if (awaits_login()) return Part::kMysqlGreeting;
  if (phase_ == Phase::kLoggingIn) {
    return packet.first() == 0 ? Part::kMysqlOk : Part::kMysqlRow;
  }
  return IsEof(packet) ? std::optional(Part::kStructure) : std::nullopt;
}

Handshake::Step Handshake::OnServerPacket(const Packet& packet) {
  if (packet.first() == 0xff) return Step::kRefused;
  if (phase_ == Phase::kLoggingIn) {
    if (packet.first() != 0x00) return Step::kMore;  // the authentication goes on
    phase_ = Phase::kCommands;
    if ((capabilities_ & (kCompress | kZstd)) != 0) opaque_reason_ = "compressed";
    return Step::kDone;
  }
  const std::optional<Greeting> greeting = ParseGreeting(packet.head);
  if (!greeting.has_value()) return Step::kInvalid;
  phase_ = Phase::kGreeted;
  server_capabilities_ = greeting->capabilities;
  return Step::kMore;
}

void Handshake::OnLogin(const Packet& packet, const ByteOrigin& first, int64_t end_ns) {
  const std::optional<Login> login = ParseLogin(packet.head);
  const bool was_greeted = phase_ == Phase::kGreeted;
  phase_ = Phase::kLoggingIn;
  login_ = CommandOf(packet, first, end_ns);
  if (!login.has_value()) return;
  capabilities_ = login->capabilities & (was_greeted ? server_capabilities_ : 0xffffffff);
  if (login->asks_for_tls && packet.length == kMinLoginBytes) {
    opaque_reason_ = "tls";
    return;
  }
  is_understood_ = true;
  database_ = DatabaseName(login->database);
}

bool Handshake::sends_eof() const { return is_understood_ && (capabilities_ & kDeprecateEof) == 0; }

Command Handshake::RefusedLogin(const ByteOrigin& first) const {
  if (phase_ == Phase::kLoggingIn) return login_;
  // Refused before the client said anything.
  return Command{.start_ns = first.boot_ns, .end_ns = first.boot_ns, .tid = first.tid};
}

}  // namespace kindling::agent::mysql
