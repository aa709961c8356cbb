#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/protocols/codec.h"
#include "agent/protocols/http1/head.h"
#include "agent/protocols/part_observer.h"
#include "agent/protocols/stream_buffer.h"

namespace kindling::agent::http1 {

// Why bytes are missing.
enum class Missing : uint8_t {
  kLost,        // they never came; the caller estimates the requests in them
  kUncaptured,  // moved, but past what is captured of one call
};

// What follows a head.
enum class Body : uint8_t {
  kByHeaders,  // as its headers say
  kDoubtful,   // as they say, unless a head begins where the body should
  kNone,       // nothing, whatever they say: a response to HEAD, 1xx, 204, 304
  kStop,       // another protocol: this flow is read no more
};

// Cuts one flow into messages: heads are parsed, bodies skipped without being kept.
class MessageFramer {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // A head at `first`. With `is_cut` its later part was not captured: only the fields before that
    // are known, and the message ends where the next begins.
    virtual Body OnHead(Flow flow, const Head& head, const ByteOrigin& first, bool is_cut) = 0;
    // The message whose head came last ended; `bytes` of head and body.
    virtual void OnEnd(Flow flow, const ByteOrigin& last, uint64_t bytes) = 0;
    // Bytes of the flow are missing. In a body the message goes on until the next begins.
    virtual void OnBreak(Flow flow, Missing missing) = 0;
    // `bytes` could not be understood. Implies a break.
    virtual void OnInvalid(Flow flow, uint64_t bytes) = 0;
    // Whether this head, cut off by a hole, is worth having.
    virtual bool WantsCutHead(Flow flow, const Head& head) = 0;
    // See PartObserver.
    virtual void OnPart(Flow /*flow*/, Part /*part*/, std::string_view /*text*/, size_t /*after*/) {
    }
  };

  MessageFramer(Flow flow, Listener& listener) : flow_(flow), listener_(listener) {}

  void Feed(const Segment& segment);
  void OnGap(uint64_t lost_bytes);

  // A message without a known end (until close, or broken) ends now, if there is one.
  void EndOpenEnded();
  // Forgets the present message, if any, and waits for a segment that begins with a head.
  void Resynchronise();

  // Whether a message has begun and not ended.
  bool in_message() const { return in_message_; }
  // Whether that message ends only with the connection or the next message.
  bool is_open_ended() const {
    return in_message_ && (state_ == State::kUntilClose || state_ == State::kBroken);
  }
  // Whether its framing was lost.
  bool is_broken() const { return in_message_ && state_ == State::kBroken; }
  // Of the present message so far.
  const ByteOrigin& last() const { return buffer_.last(); }
  uint64_t message_bytes() const { return buffer_.offset() - message_offset_; }

 private:
  enum class State : uint8_t {
    kHead,        // a head begins here
    kFixedBody,   // the rest of a body of known length is being skipped
    kChunkSize,   // the line before a chunk
    kChunk,       // a chunk and its line end are being skipped
    kTrailers,    // lines after the last chunk
    kUntilClose,  // a body that ends with the connection
    kBroken,      // a body whose framing was lost: it ends where a head begins a segment
    kLost,        // no message: one begins where a head begins a segment
    kStopped,     // another protocol
  };

  void Run();
  // Each returns false where more bytes are needed or the state machine stopped.
  bool TakeHead();
  bool TakeChunkSize();
  bool TakeTrailers();
  void BeginBody(const Head& head, Body body);
  // The first `size` bytes of the buffer are `part`.
  void Tell(Part part, size_t size);
  // Whether a head now would show that the present message has no body. Of a response to an unknown
  // request any segment may show it, of a request only the first after its head.
  bool AwaitsBody() const;
  void End();
  void Break(Missing missing);
  void Invalid();

  const Flow flow_;
  Listener& listener_;
  StreamBuffer buffer_;
  State state_ = State::kHead;
  bool in_message_ = false;
  bool chunked_ = false;   // the message being skipped
  bool doubtful_ = false;  // it may have no body
  uint64_t message_offset_ = 0;
  uint64_t body_offset_ = 0;
};

}  // namespace kindling::agent::http1
