#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/protocols/mysql/commands.h"
#include "agent/protocols/mysql/handshake.h"
#include "agent/protocols/mysql/packet.h"
#include "agent/protocols/mysql/response.h"
#include "agent/protocols/mysql/statements.h"
#include "agent/protocols/mysql/wire.h"
#include "agent/protocols/part_observer.h"
#include "agent/protocols/record.h"
#include "agent/protocols/request_ring.h"
#include "agent/protocols/stream_buffer.h"

namespace kindling::agent::mysql {

// Pairs the commands of one connection with their responses and makes records of them; Handshake
// and PreparedStatements follow what else is said about the commands.
//
// Client and server take turns. That is how the matcher finds its place again after bytes that were
// not seen: what the client sends after the server has answered is the next command.
//
// Threads: the capture thread only.
// Limits:  kMaxOpenRequests commands wait (a client may send several at once); more are counted as
//          unparsed, in order. Of each statement kMaxStatementBytes are looked at.
class Matcher {
 public:
  Matcher();

  // A segment begins. False if its bytes are of no use; the buffer is then to be emptied.
  // `is_rest`: it begins with the rest of the last packet.
  bool OnRequestSegment(int64_t boot_ns, uint64_t bytes, bool is_rest, RecordSink& sink);
  bool OnResponseSegment(int64_t boot_ns, uint64_t bytes, RecordSink& sink);

  // `first` is where the packet begins, `end_ns` when the last byte of it that was seen came.
  void OnClientPacket(const Packet& packet, const ByteOrigin& first, int64_t end_ns,
                      RecordSink& sink);
  void OnServerPacket(const Packet& packet, const ByteOrigin& first, int64_t end_ns,
                      RecordSink& sink);
  // Whether this may be a server's packet, by its number and length.
  bool AcceptsServerPacket(const Packet& packet) const;
  // What the payload of a packet is that was not taken yet and of which at least one byte is there;
  // none: a value.
  std::optional<Part> PartOf(Flow flow, const Packet& packet) const;
  // Whether this may be a client's packet, as far as its head is there.
  bool AcceptsClientPacket(const Packet& packet) const;
  // False where further packets of the same segment are of no use.
  bool understands_commands() const { return !commands_lost_; }
  bool understands_responses() const { return !responses_lost_; }

  // As in the codec: of what a gap took the commands that were seen are told as dropped, the others
  // are the caller's to account for; what was moved but not captured or not understood is counted
  // here.
  enum class Loss : uint8_t { kGap, kUnseen };
  void OnCommandsLost(Loss loss, RecordSink& sink);
  // `keeps_front`: the response being read was understood up to here.
  void OnResponsesLost(Loss loss, bool keeps_front);

  void OnTick(int64_t boot_ns, int64_t no_response_ns, RecordSink& sink);
  void OnClose(RecordSink& sink);

  bool has_open_request() const { return !open_.empty(); }
  // Why the rest of the connection is not understood: "tls", "compressed", "replication"; else "".
  std::string_view opaque_reason() const {
    return is_replication_ ? "replication" : handshake_.opaque_reason();
  }

  // How long a response that was cut by a hole must have been quiet to count as whole when no
  // further command says so.
  static constexpr int64_t kQuietNs = 1'000'000'000;

 private:
  void OnHandshake(const Packet& packet, const ByteOrigin& first, int64_t end_ns, RecordSink& sink);
  void OnCommand(const Packet& packet, const ByteOrigin& first, int64_t end_ns, RecordSink& sink);
  void EndFront(RecordSink& sink);
  void EndLostResponses(RecordSink& sink);
  void EmitLoginError(const Packet& packet, const ByteOrigin& first, int64_t end_ns,
                      RecordSink& sink);
  void Emit(const Command& command, bool is_answered, RecordSink& sink);

  RequestRing<Command> open_;
  uint64_t overflow_ = 0;  // commands after those in open_ that it had no room for

  // The response to open_.front(); none before its first packet.
  std::optional<Response> response_;
  ByteOrigin response_first_;
  int64_t response_end_ns_ = 0;
  uint64_t response_bytes_ = 0;
  uint8_t next_sequence_ = 1;     // of the server's next packet
  bool is_clients_turn_ = false;  // within an exchange: LOCAL INFILE, authentication

  Handshake handshake_;
  bool sends_eof_ = false;
  bool is_replication_ = false;
  std::string database_;
  PreparedStatements prepared_;

  bool in_response_ = false;   // the last segment was a response
  bool last_is_open_ = false;  // the last packet of the client is open_.back()
  bool commands_lost_ = false;
  bool replied_since_ = false;
  Loss commands_loss_ = Loss::kGap;
  bool has_dropped_ = false;  // what was sent last, and no command began since
  bool responses_lost_ = false;
  bool keeps_front_ = false;
  Loss responses_loss_ = Loss::kGap;
  int64_t last_response_ns_ = 0;
};

}  // namespace kindling::agent::mysql
