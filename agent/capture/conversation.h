#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "agent/capture/events.h"
#include "agent/capture/loss_account.h"
#include "agent/protocols/codec.h"
#include "agent/protocols/record.h"
#include "model/protocol.h"

namespace kindling::agent {

class Conversation;

// Takes what conversations turn out to hold. Threads: the capture thread only.
class ConversationSink {
 public:
  virtual ~ConversationSink() = default;
  virtual void OnRequest(Conversation& conversation, const Record& record) = 0;
  // See RecordSink::takes_runs().
  virtual bool takes_runs() const { return false; }
  // See RecordSink::OnDnsQuery().
  virtual void OnDnsQuery(Conversation& conversation, const dns::QueryEvent& event) {
    (void)conversation;
    (void)event;
  }
  // Bytes of a conversation whose protocol is not parsed, since the last call.
  virtual void OnBytes(Conversation& conversation, uint64_t sent, uint64_t received) = 0;
  // Requests known or estimated lost before they were records.
  virtual void OnLost(Conversation& conversation, uint64_t requests) = 0;
  // Bytes of a parsed protocol that could not be understood, with the requests they held (0:
  // unknown).
  virtual void OnUnparsed(Conversation& conversation, uint64_t bytes, uint64_t requests) = 0;
  virtual void OnClosed(Conversation& conversation, int64_t boot_ns) = 0;
};

// What a sink may attach to a conversation, for example its edge.
class ConversationAttachment {
 public:
  virtual ~ConversationAttachment() = default;
};

// One process's dialogue with one peer: a TCP or AF_UNIX connection, or the datagrams between a UDP
// socket and one remote. Finds the protocol by content and runs its codec.
//
// Threads: the capture thread only.
// Limits:  holds at most kMaxPendingBytes until the protocol is decided.
class Conversation final : private RecordSink {
 public:
  // `sink` and `account`, which learns of every request, must outlive this.
  Conversation(const ConnOpen& open, ConversationSink& sink, LossAccount& account);

  void OnSegment(Direction direction, const Segment& segment);
  // `lost_bytes` of `direction` will never come.
  void OnGap(Direction direction, uint64_t lost_bytes);
  void OnTick(int64_t boot_ns, int64_t no_response_ns);
  void OnClose(int64_t boot_ns);

  const ConnOpen& open() const { return open_; }
  ConnId id() const { return open_.id; }
  model::Side side() const { return open_.side; }
  model::Protocol protocol() const { return protocol_; }
  // Records come from this conversation; otherwise it is counted by bytes.
  bool is_parsed() const { return codec_ != nullptr; }
  // False once more payload would be of no use.
  bool wants_payload() const { return state_ != State::kUnparsed; }
  // It has moved bytes, and none that the protocol could show in: a file sent by the kernel.
  bool shows_nothing() const {
    return state_ == State::kDeciding && has_fillers_ && pending_.empty();
  }
  bool has_open_request() const { return codec_ != nullptr && codec_->has_open_request(); }
  uint64_t records() const { return records_; }
  int64_t last_boot_ns() const { return last_boot_ns_; }

  Flow FlowOf(Direction direction) const;

  // The process that uses this end; set with the first data when it was not known at open.
  void SetTask(uint32_t tgid, uint32_t tid);

  std::unique_ptr<ConversationAttachment> attachment;

 private:
  enum class State : uint8_t {
    kDeciding,  // the protocol is not known yet; segments are kept
    kParsed,    // a codec takes the segments
    kUnparsed,  // never parsed, or the codec wants no more
  };
  struct PendingSegment {
    Direction direction;
    Segment segment;  // its bytes point into `bytes`
    std::vector<std::byte> bytes;
  };

  void OnRecord(const Record& record) override;
  void OnUnparsed(uint64_t bytes, uint64_t requests) override;
  void OnDropped(int64_t start_ns) override { account_.OnDropped(start_ns); }
  void OnDnsQuery(const dns::QueryEvent& event) override { sink_.OnDnsQuery(*this, event); }
  bool takes_runs() const override { return sink_.takes_runs(); }
  void Decide(Direction direction, const Segment& segment);
  void Adopt(const ProtocolEntry& entry, model::Side side);
  void GiveUp();
  void DropPending(int64_t boot_ns);
  void Feed(Direction direction, const Segment& segment);

  static constexpr size_t kMaxPendingBytes = 8192;
  static constexpr int kMaxPendingSegments = 8;

  ConnOpen open_;
  ConversationSink& sink_;
  LossAccount& account_;
  State state_ = State::kDeciding;
  model::Protocol protocol_ = model::Protocol::kUnknown;
  std::unique_ptr<ProtocolCodec> codec_;
  std::vector<PendingSegment> pending_;
  size_t pending_bytes_ = 0;
  bool has_fillers_ = false;
  int failures_ = 0;
  uint64_t records_ = 0;
  int64_t last_boot_ns_ = 0;
};

}  // namespace kindling::agent
