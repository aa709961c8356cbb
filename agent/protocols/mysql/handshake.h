#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/protocols/mysql/commands.h"
#include "agent/protocols/mysql/packet.h"
#include "agent/protocols/mysql/wire.h"
#include "agent/protocols/part_observer.h"
#include "agent/protocols/stream_buffer.h"

namespace kindling::agent::mysql {

// How a connection begins: the server's greeting, the client's login, the answer to it; and what
// they agree on for the commands that follow. A connection that was open before capture is in the
// commands at once.
//
// Threads: the capture thread only.
class Handshake {
 public:
  static constexpr uint32_t kMaxLoginBytes = 64 << 10;
  static constexpr uint8_t kMaxLoginPackets = 16;

  // True once commands were seen, or the login was accepted.
  bool is_over() const { return phase_ == Phase::kCommands; }
  // True until the client has logged in.
  bool awaits_login() const { return phase_ == Phase::kUnknown || phase_ == Phase::kGreeted; }

  // Whether this may be a packet of the client or of the server, outside of any command.
  bool AcceptsClient(const Packet& packet) const;
  bool AcceptsServer(const Packet& packet) const;
  // What the payload of a server's packet is, outside of any command; none: a value.
  std::optional<Part> ServerPart(const Packet& packet) const;

  void OnCommand() { phase_ = Phase::kCommands; }
  void OnLogin(const Packet& packet, const ByteOrigin& first, int64_t end_ns);
  enum class Step : uint8_t {
    kMore,
    kDone,     // the login was accepted
    kRefused,  // the packet says why
    kInvalid,  // not understood
  };
  // REQUIRES: !is_over().
  Step OnServerPacket(const Packet& packet);

  // What the client asked for when it was refused; without a statement.
  // `first` is where the refusal begins.
  Command RefusedLogin(const ByteOrigin& first) const;

  // Agreed on.
  uint32_t capabilities() const { return capabilities_; }
  bool sends_eof() const;
  const std::string& database() const { return database_; }
  // Why nothing more can be read: "tls", "compressed"; else "".
  std::string_view opaque_reason() const { return opaque_reason_; }

 private:
  enum class Phase : uint8_t {
    kUnknown,    // nothing seen yet
    kGreeted,    // the server has spoken
    kLoggingIn,  // the client has answered
    kCommands,
  };
  Phase phase_ = Phase::kUnknown;
  bool is_understood_ = false;  // the login was
  Command login_;
  uint32_t server_capabilities_ = 0;
  uint32_t capabilities_ = 0;
  std::string database_;
  std::string_view opaque_reason_;
};

// The end of a part of a response, in the protocol as it was before MySQL 5.7.
bool IsEof(const Packet& packet);

}  // namespace kindling::agent::mysql
