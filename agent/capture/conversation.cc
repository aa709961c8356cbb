#include "agent/capture/conversation.h"

#include <utility>

namespace kindling::agent {
namespace {

// Segments that no detector recognises before the conversation is given up. A connection seen from
// its first byte shows its protocol at once; one found open may be in the middle of a message.
constexpr int kMaxFailuresFresh = 3;
constexpr int kMaxFailuresFound = 16;

model::Side SideOf(Match match, Direction direction) {
  return (match == Match::kRequest) == (direction == Direction::kSent) ? model::Side::kClient
                                                                       : model::Side::kServer;
}

}  // namespace

Conversation::Conversation(const ConnOpen& open, ConversationSink& sink, LossAccount& account)
    : open_(open), sink_(sink), account_(account), last_boot_ns_(open.boot_ns) {}

void Conversation::SetTask(uint32_t tgid, uint32_t tid) {
  if (open_.tgid != 0 || tgid == 0) return;
  open_.tgid = tgid;
  open_.tid = tid;
}

Flow Conversation::FlowOf(Direction direction) const {
  return (direction == Direction::kSent) == (open_.side == model::Side::kClient) ? Flow::kRequest
                                                                                 : Flow::kResponse;
}

void Conversation::OnSegment(Direction direction, const Segment& segment) {
  last_boot_ns_ = segment.boot_ns;
  switch (state_) {
    case State::kDeciding:
      return Decide(direction, segment);
    case State::kParsed:
      return Feed(direction, segment);
    case State::kUnparsed:
      return;
  }
}

void Conversation::Feed(Direction direction, const Segment& segment) {
  codec_->Feed(FlowOf(direction), segment, *this);
  if (codec_->appetite() == Appetite::kNothing) {
    codec_->OnClose(segment.boot_ns, *this);
    // What goes on under another cover is named by it.
    if (codec_->opaque_reason() == "tls") protocol_ = model::Protocol::kTls;
    if (codec_->opaque_reason() == "compressed") protocol_ = model::Protocol::kMysqlCompressed;
    codec_.reset();
    state_ = State::kUnparsed;
  }
}

void Conversation::Decide(Direction direction, const Segment& segment) {
  if (segment.bytes.empty()) {  // a filler says nothing
    has_fillers_ = true;
    return;
  }
  pending_.push_back({direction, segment, {segment.bytes.begin(), segment.bytes.end()}});
  pending_.back().segment.bytes = pending_.back().bytes;
  pending_bytes_ += segment.bytes.size();

  // All that this direction said so far: the first message may come in pieces.
  std::vector<std::byte> joined;
  std::span<const std::byte> head = pending_.back().bytes;
  for (const PendingSegment& earlier : pending_) {
    if (&earlier == &pending_.back() || earlier.direction != direction) continue;
    joined.insert(joined.end(), earlier.bytes.begin(), earlier.bytes.end());
  }
  if (!joined.empty()) {
    joined.insert(joined.end(), head.begin(), head.end());
    head = joined;
  }

  const Detection detection = DetectProtocol(head, open_.transport);
  if (detection.match == Match::kRequest || detection.match == Match::kResponse) {
    const model::Side side = SideOf(detection.match, direction);
    // A peer that contradicts what the kernel knows of the roles does not speak this protocol.
    if (open_.side == model::Side::kUnknown || open_.side == side) {
      return Adopt(*detection.entry, side);
    }
  }
  if (detection.match != Match::kNeedMore) {
    ++failures_;
    if (open_.origin == ConnOrigin::kFound) {
      // The middle of a message: forget it and try the next segment afresh.
      DropPending(segment.boot_ns);
    }
  }
  const int allowed = open_.origin == ConnOrigin::kFound ? kMaxFailuresFound : kMaxFailuresFresh;
  if (failures_ >= allowed || pending_bytes_ > kMaxPendingBytes ||
      pending_.size() >= kMaxPendingSegments) {
    GiveUp();
  }
}

void Conversation::Adopt(const ProtocolEntry& entry, model::Side side) {
  protocol_ = entry.protocol;
  open_.side = side;
  account_.SetRequestDirection(side == model::Side::kClient ? Direction::kSent
                                                            : Direction::kReceived);
  if (entry.make_codec == nullptr) return GiveUp();
  codec_ = entry.make_codec(open_.transport);
  state_ = State::kParsed;
  const std::vector<PendingSegment> pending = std::exchange(pending_, {});
  pending_bytes_ = 0;
  for (const PendingSegment& each : pending) {
    if (state_ == State::kParsed) {
      Segment segment = each.segment;
      segment.bytes = each.bytes;
      Feed(each.direction, segment);
    }
  }
}

// Requests among the kept bytes are lost should the protocol be found later.
void Conversation::DropPending(int64_t boot_ns) {
  for (const PendingSegment& each : pending_) {
    if (open_.side == model::Side::kUnknown || FlowOf(each.direction) == Flow::kRequest) {
      account_.OnGivenUp(boot_ns);
      break;
    }
  }
  pending_.clear();
  pending_bytes_ = 0;
}

void Conversation::GiveUp() {
  state_ = State::kUnparsed;
  pending_ = {};
  pending_bytes_ = 0;
}

void Conversation::OnGap(Direction direction, uint64_t lost_bytes) {
  if (state_ == State::kParsed) {
    codec_->OnGap(FlowOf(direction), lost_bytes, *this);
  } else if (state_ == State::kDeciding) {
    // What follows is the middle of a message.
    open_.origin = ConnOrigin::kFound;
    DropPending(last_boot_ns_);
  }
}

void Conversation::OnTick(int64_t boot_ns, int64_t no_response_ns) {
  if (has_open_request()) codec_->OnTick(boot_ns, no_response_ns, *this);
}

void Conversation::OnClose(int64_t boot_ns) {
  if (codec_ != nullptr) codec_->OnClose(boot_ns, *this);
  codec_.reset();
  GiveUp();
  sink_.OnClosed(*this, boot_ns);
}

void Conversation::OnRecord(const Record& record) {
  records_ += record.requests();
  account_.OnRequests(record.request_start_ns, record.requests());
  sink_.OnRequest(*this, record);
}

void Conversation::OnUnparsed(uint64_t bytes, uint64_t requests) {
  account_.OnRequests(last_boot_ns_, requests);  // known to be lost, they are not estimated too
  sink_.OnUnparsed(*this, bytes, requests);
}

}  // namespace kindling::agent
