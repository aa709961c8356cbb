#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "agent/protocols/record.h"
#include "model/protocol.h"

namespace kindling::agent {

// Which way bytes go in terms of the protocol, not of the socket's owner.
enum class Flow : uint8_t { kRequest = 0 /* client to server */, kResponse = 1 };

// Consecutive bytes of one flow of one connection: what one system call moved, or one datagram.
// Lifetime: `bytes` is valid only during the call that gets the segment.
struct Segment {
  std::span<const std::byte> bytes;  // the captured head
  uint32_t unseen_bytes = 0;  // stream bytes that follow `bytes` and were moved but not captured
  int64_t boot_ns = 0;
  uint32_t tcp_seq = 0;  // of the first byte; 0 if not TCP
  uint32_t tid = 0;
};

// What the kernel should go on capturing for a connection.
enum class Appetite : uint8_t {
  kFull = 0,     // payload
  kNothing = 1,  // this connection will give no more records (compressed, encrypted, upgraded)
};

// Parser and matcher of one connection of one protocol: turns bytes into records.
//
// Threads: the capture thread only.
// Failure: never crashes or grows on any input; what cannot be understood goes to
//          RecordSink::OnUnparsed and the codec resynchronises at the next plausible boundary.
// Limits:  each codec bounds what it buffers and how many requests it holds open (codec_limits.h).
class ProtocolCodec {
 public:
  virtual ~ProtocolCodec() = default;

  // Takes the next segment of `flow`. Records that became complete are given to `sink`.
  virtual void Feed(Flow flow, const Segment& segment, RecordSink& sink) = 0;

  // `lost_bytes` (0: unknown) bytes of `flow` will never come. Requests whose parts were lost are
  // dropped, not reported as unanswered: those seen are told to RecordSink::OnDropped, for the
  // others the caller accounts by the kernel's counters.
  virtual void OnGap(Flow flow, uint64_t lost_bytes, RecordSink& sink) = 0;

  // Ends requests that are older than `no_response_ns` as Outcome::kNoResponse.
  virtual void OnTick(int64_t boot_ns, int64_t no_response_ns, RecordSink& sink) = 0;

  // The connection closed: requests still open are reported as Outcome::kNoResponse.
  virtual void OnClose(int64_t boot_ns, RecordSink& sink) = 0;

  virtual Appetite appetite() const { return Appetite::kFull; }
  // Why the appetite is kNothing, in a word: "tls", "compressed", "replication"; else empty.
  virtual std::string_view opaque_reason() const { return {}; }
  // True while a request waits for its response.
  virtual bool has_open_request() const = 0;
};

// Answer of a detector for the first bytes of one flow.
enum class Match : uint8_t {
  kNo,        // cannot be this protocol
  kNeedMore,  // could be, too few bytes to tell
  kRequest,   // is, and these bytes go from client to server
  kResponse,  // is, and these bytes go from server to client
};

// One protocol. Adding one is a folder with a codec and a row in registry.cc.
struct ProtocolEntry {
  model::Protocol protocol;
  // Looks at bytes of either direction from the beginning of a segment. Pure.
  Match (*detect)(std::span<const std::byte> head, model::Transport transport);
  // Null: recognised and named, not parsed.
  std::unique_ptr<ProtocolCodec> (*make_codec)(model::Transport transport);
};

// All protocols, most specific detector first.
std::span<const ProtocolEntry> ProtocolRegistry();

// Runs the detectors in order over the first bytes of a connection.
// `entry` is null unless match is kRequest or kResponse.
struct Detection {
  Match match = Match::kNo;
  const ProtocolEntry* entry = nullptr;
};
Detection DetectProtocol(std::span<const std::byte> head, model::Transport transport);

}  // namespace kindling::agent
