#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "agent/capture/events.h"
#include "agent/capture/loss_account.h"
#include "agent/protocols/codec.h"
#include "agent/protocols/part_observer.h"
#include "agent/protocols/record.h"
#include "model/protocol.h"

namespace kindling::agent {

// Replaces values in payload by others of the same length, and leaves what a codec needs, so that
// the masked bytes give the records that the bytes give: framing, lengths, methods, routes,
// commands, SQL without its literals, status. Each connection is followed by a codec of its own,
// which tells what it reads; what it does not read is a value, and what is left of the parts that
// it reads is in mask_http.h, mask_redis.h and mask_mysql.h. Of protocols that are only recognised
// the bytes by which they are stay, of DNS all: names are what it is watched for.
//
// Threads: the capture thread only.
// Failure: where a codec has lost its place everything is a value.
// Limits:  follows kMaxConns connections; then those not heard of for longest are forgotten, and of
//          their next bytes all are values until the codec finds a message.
class PayloadMasker final : private PartObserver, private RecordSink {
 public:
  // To be given every event of a connection in order. `bytes` are event.bytes in a copy of their
  // own; `protocol` and `flow` are what the pipeline took the event for.
  void Mask(const DataEvent& event, model::Protocol protocol, Flow flow,
            std::span<std::byte> bytes);

 private:
  static constexpr size_t kMaxConns = 65'536;

  struct Piece {
    Direction direction = Direction::kSent;
    std::string bytes;
    uint32_t unseen_bytes = 0;  // that follow it
  };
  struct Conn {
    LossAccount account{0, 0};
    std::array<bool, 2> is_seen{};  // by direction
    model::Protocol protocol = model::Protocol::kUnknown;
    std::unique_ptr<ProtocolCodec> codec;  // of `protocol`, once something was read by it
    Flow sent_flow = Flow::kRequest;       // as told to `codec`
    bool is_recognised = false;    // the bytes that show a protocol that is not parsed went by
    std::vector<Piece> undecided;  // what came while the protocol is not known
    uint64_t last_used = 0;
  };

  Conn& Enter(ConnId id);
  void Begin(Conn& conn, model::Protocol protocol, Flow sent_flow);
  // Has the codec read `bytes`, which masked_ ends with if that is not empty.
  void Read(Conn& conn, Flow flow, std::string_view bytes, uint32_t unseen_bytes);
  // Has the codec read pieces that were masked before.
  void ReadAgain(Conn& conn, std::span<const Piece> pieces);
  void Follow(Conn& conn, const DataEvent& event, model::Protocol protocol, Flow flow,
              const LossAccount::Gap& gap);
  // Keeps what may turn out to be the beginning of a message.
  void Guess(Conn& conn, const DataEvent& event, Flow flow);
  void KeepRecognised(Conn& conn, const DataEvent& event, model::Protocol protocol);

  void OnPart(Flow flow, Part part, std::string_view text, size_t after) override;
  void OnRecord(const Record& /*record*/) override {}
  void OnUnparsed(uint64_t /*bytes*/, uint64_t /*requests*/) override {}

  absl::flat_hash_map<ConnId, Conn> conns_;
  uint64_t events_ = 0;
  // Of the present call.
  std::string raw_;
  std::span<std::byte> masked_;
};

}  // namespace kindling::agent
