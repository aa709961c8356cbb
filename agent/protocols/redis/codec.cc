#include "agent/protocols/redis/codec.h"

#include "agent/protocols/redis/command_framer.h"
#include "agent/protocols/redis/matcher.h"
#include "agent/protocols/redis/observed_read.h"
#include "agent/protocols/redis/reply_framer.h"

namespace kindling::agent::redis {
namespace {

// Threads: the capture thread only.
class Codec : public ProtocolCodec {
 public:
  // `observer` may be null.
  explicit Codec(PartObserver* observer) : observer_(observer) {}

  void Feed(Flow flow, const Segment& segment, RecordSink& sink) override {
    if (matcher_.is_taken_over()) return;
    if (flow == Flow::kRequest) {
      FeedCommands(segment, sink);
    } else {
      FeedReplies(segment, sink);
      matcher_.EndSegment(sink);
    }
  }

  void OnGap(Flow flow, uint64_t lost_bytes, RecordSink& sink) override {
    if (matcher_.is_taken_over()) return;
    if (flow == Flow::kRequest) {
      SkipCommands(Matcher::Loss::kGap, lost_bytes, command_place_.start_ns, sink);
    } else {
      SkipReplies(Matcher::Loss::kGap, lost_bytes, reply_place_.start_ns, sink);
    }
  }

  void OnTick(int64_t boot_ns, int64_t no_response_ns, RecordSink& sink) override {
    matcher_.OnTick(boot_ns, no_response_ns, sink);
  }

  void OnClose(int64_t /*boot_ns*/, RecordSink& sink) override { matcher_.OnClose(sink); }

  Appetite appetite() const override {
    return matcher_.is_taken_over() ? Appetite::kNothing : Appetite::kFull;
  }
  std::string_view opaque_reason() const override {
    return matcher_.is_taken_over() ? "replication" : "";
  }
  bool has_open_request() const override { return matcher_.has_open_request(); }

 private:
  // Of one flow.
  struct Place {
    int64_t start_ns = 0;  // of the item being read
    uint32_t start_tid = 0;
    uint32_t next_seq = 0;  // of the byte after those consumed; 0: not TCP

    void Enter(const Segment& segment) { next_seq = segment.tcp_seq; }
    void Begin(const Segment& segment) {
      start_ns = segment.boot_ns;
      start_tid = segment.tid;
    }
    void Advance(uint64_t bytes) {
      if (next_seq != 0) next_seq += static_cast<uint32_t>(bytes);
    }
    // Of an item of `bytes` that ended here.
    Extent ItemExtent(uint64_t bytes, int64_t end_ns) const {
      return Extent{.start_ns = start_ns,
                    .end_ns = end_ns,
                    .tcp_seq = next_seq == 0 ? 0 : next_seq - static_cast<uint32_t>(bytes),
                    .tid = start_tid};
    }
  };

  static Command ItemOf(const CommandFramer& framer) { return framer.command(); }
  static Reply ItemOf(const ReplyFramer& framer) { return framer.reply(); }

  // The next step of `framer`; `item` is what it took if that is kFrame.
  template <typename Framer, typename Item>
  Step Take(Framer& framer, std::span<const std::byte>& input, Item& item) {
    Step step;
    if (observer_ != nullptr) {
      step = ReadObserved(framer, input, *observer_);
    } else if (framer.bytes() == 0 && Framer::TakeWhole(input, item)) {
      return Step::kFrame;
    } else {
      step = framer.Next(input);
    }
    if (step == Step::kFrame) item = ItemOf(framer);
    return step;
  }

  void FeedCommands(const Segment& segment, RecordSink& sink) {
    Place& place = command_place_;
    place.Enter(segment);
    if (!matcher_.OnRequestSegment(segment.boot_ns, segment.bytes.size() + segment.unseen_bytes,
                                   sink)) {
      return;
    }
    std::span<const std::byte> input = segment.bytes;
    while (!input.empty()) {
      if (commands_.bytes() == 0) place.Begin(segment);
      const size_t before = input.size();
      Command command;
      const Step step = Take(commands_, input, command);
      place.Advance(before - input.size());
      if (step == Step::kNeedMore) break;
      if (step == Step::kInvalid) {
        sink.OnUnparsed(commands_.bytes() + input.size(), 0);
        commands_.Reset();
        matcher_.OnCommandsLost(Matcher::Loss::kUnseen, {}, {}, sink);
        return;
      }
      matcher_.OnCommand(command, place.ItemExtent(command.bytes, segment.boot_ns), sink);
      if (!matcher_.understands_commands()) {
        sink.OnUnparsed(input.size(), 0);
        return;
      }
    }
    if (segment.unseen_bytes > 0) {
      SkipCommands(Matcher::Loss::kUnseen, segment.unseen_bytes, segment.boot_ns, sink);
    }
  }

  // `bytes`, 0 if unknown, of commands went unseen.
  void SkipCommands(Matcher::Loss loss, uint64_t bytes, int64_t boot_ns, RecordSink& sink) {
    const bool is_between = commands_.bytes() == 0;
    const Hole hole = bytes == 0 ? Hole::kLost : commands_.Skip(bytes);
    command_place_.Advance(bytes);
    if (hole == Hole::kInside) return;
    Command command;
    if (!is_between) command = commands_.command();
    if (hole == Hole::kFrame) {
      matcher_.OnCommand(command, command_place_.ItemExtent(command.bytes, boot_ns), sink);
      return;
    }
    command.bytes += bytes;
    matcher_.OnCommandsLost(loss, command, command_place_.ItemExtent(command.bytes, boot_ns), sink);
    commands_.Reset();
  }

  void FeedReplies(const Segment& segment, RecordSink& sink) {
    Place& place = reply_place_;
    place.Enter(segment);
    if (!matcher_.OnResponseSegment(segment.boot_ns, segment.bytes.size() + segment.unseen_bytes,
                                    sink)) {
      return;
    }
    std::span<const std::byte> input = segment.bytes;
    while (!input.empty()) {
      if (replies_.bytes() == 0) {
        place.Begin(segment);
        if (matcher_.awaits_replication() && input[0] != std::byte{'-'}) {
          place.Advance(input.size());
          matcher_.OnReplicationStream(input.size(),
                                       place.ItemExtent(input.size(), segment.boot_ns), sink);
          return;
        }
      }
      const size_t before = input.size();
      Reply reply;
      const Step step = Take(replies_, input, reply);
      place.Advance(before - input.size());
      if (step == Step::kNeedMore) break;
      if (step == Step::kInvalid) {
        sink.OnUnparsed(replies_.bytes() + input.size(), 0);
        replies_.Reset();
        matcher_.OnRepliesLost(Matcher::Loss::kUnseen, {}, {});
        return;
      }
      matcher_.OnReply(reply, place.ItemExtent(reply.bytes, segment.boot_ns), sink);
      if (!matcher_.understands_replies()) {
        if (!matcher_.is_taken_over()) sink.OnUnparsed(input.size(), 0);
        return;
      }
    }
    if (segment.unseen_bytes > 0) {
      SkipReplies(Matcher::Loss::kUnseen, segment.unseen_bytes, segment.boot_ns, sink);
    }
  }

  // `bytes`, 0 if unknown, of replies went unseen.
  void SkipReplies(Matcher::Loss loss, uint64_t bytes, int64_t boot_ns, RecordSink& sink) {
    const bool is_between = replies_.bytes() == 0;
    const Hole hole = bytes == 0 ? Hole::kLost : replies_.Skip(bytes);
    reply_place_.Advance(bytes);
    if (hole == Hole::kInside) return;
    Reply reply;
    if (!is_between) reply = replies_.reply();
    if (hole == Hole::kFrame) {
      matcher_.OnReply(reply, reply_place_.ItemExtent(reply.bytes, boot_ns), sink);
      return;
    }
    if (!is_between) reply.bytes += bytes;
    matcher_.OnRepliesLost(loss, reply, reply_place_.ItemExtent(reply.bytes, boot_ns));
    replies_.Reset();
  }

  PartObserver* const observer_;
  CommandFramer commands_;
  ReplyFramer replies_;
  Place command_place_;
  Place reply_place_;
  Matcher matcher_;
};

}  // namespace

std::unique_ptr<ProtocolCodec> MakeCodec(model::Transport /*transport*/) {
  return std::make_unique<Codec>(nullptr);
}

std::unique_ptr<ProtocolCodec> MakeObservedCodec(PartObserver& observer) {
  return std::make_unique<Codec>(&observer);
}

}  // namespace kindling::agent::redis
