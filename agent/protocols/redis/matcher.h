#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "agent/protocols/record.h"
#include "agent/protocols/redis/command_framer.h"
#include "agent/protocols/redis/commands.h"
#include "agent/protocols/redis/reply_framer.h"
#include "agent/protocols/request_ring.h"

namespace kindling::agent::redis {

// When and where an item was on the wire.
struct Extent {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  uint32_t tcp_seq = 0;
  uint32_t tid = 0;
};

// Pairs the commands of one connection with their replies, which come in the order of the commands,
// and makes records of them. Knows which replies answer nothing (pushes, further confirmations of a
// SUBSCRIBE) and which commands get no reply (CLIENT REPLY OFF and SKIP).
//
// A client that sends and then reads is in step with its server whenever it sends again. That is
// how the matcher finds its place again after bytes that were not seen: until then nothing is
// matched, and what is known to have been there is counted.
//
// Threads: the capture thread only.
// Limits:  kMaxOpenRequests commands wait; more are counted as unparsed, in order.
class Matcher {
 public:
  Matcher();

  // A request segment of `bytes` begins. False if commands in it could not be matched: its bytes
  // are then of no use, and the framer of commands is to be reset.
  bool OnRequestSegment(int64_t boot_ns, uint64_t bytes, RecordSink& sink);
  // A response segment of `bytes` begins. False if replies in it could not be cut out.
  bool OnResponseSegment(int64_t boot_ns, uint64_t bytes, RecordSink& sink);

  void OnCommand(const Command& command, const Extent& extent, RecordSink& sink);
  void OnReply(const Reply& reply, const Extent& extent, RecordSink& sink);

  // Gives what OnReply() holds back to make a run of it, for a sink that takes runs. REQUIRES:
  // called at the end of each response segment.
  void EndSegment(RecordSink& sink);

  // Why bytes are missing: the caller of the codec accounts for what was lost on the way, the codec
  // itself for what was moved but not captured and for what it could not understand.
  enum class Loss : uint8_t { kGap, kUnseen };
  // Where the next command begins is not known. `partial`, if its name is known, is the command
  // that the hole cut; the bytes up to the reply belong to it.
  void OnCommandsLost(Loss loss, const Command& partial, const Extent& extent, RecordSink& sink);
  // Where the next reply begins is not known. `partial` is what is known of the reply that the hole
  // cut, if its `bytes` are not 0.
  void OnRepliesLost(Loss loss, const Reply& partial, const Extent& extent);

  void OnTick(int64_t boot_ns, int64_t no_response_ns, RecordSink& sink);
  void OnClose(RecordSink& sink);

  // The next reply is a stream that is not made of values: the answer to SYNC or PSYNC.
  bool awaits_replication() const {
    return open_.size() > 0 && open_[0].kind == CommandKind::kTakesOver &&
           open_[0].endpoint().ends_with("SYNC");
  }
  // `bytes` of it came.
  void OnReplicationStream(uint64_t bytes, const Extent& extent, RecordSink& sink);

  bool has_open_request() const { return !open_.empty(); }
  // False where further commands of the same segment are of no use.
  bool understands_commands() const { return !commands_lost_; }
  // False where further replies of the same segment are of no use.
  bool understands_replies() const { return !taken_over_ && !replies_lost_; }
  // After MONITOR, SYNC and PSYNC.
  bool is_taken_over() const { return taken_over_; }

  // How long a reply that was cut by a hole must have been quiet to count as whole when no further
  // command says so.
  static constexpr int64_t kQuietNs = 1'000'000'000;

 private:
  struct Open {
    int64_t start_ns = 0;
    int64_t end_ns = 0;
    uint32_t bytes = 0;
    uint32_t tcp_seq = 0;
    uint32_t tid = 0;
    uint32_t arguments = 0;
    CommandKind kind = CommandKind::kPlain;
    bool is_reported = false;  // as unanswered; its reply may still come
    bool is_cut = false;       // a hole hid its end
    uint8_t name_size = 0;
    std::array<char, 40> name{};  // the endpoint

    std::string_view endpoint() const { return {name.data(), name_size}; }
  };

  struct PreparedRecord;

  // Where a command's record is prepared.
  static PreparedRecord& Prepared(std::string_view endpoint, uint32_t arguments);
  Open Describe(const Command& command, const Extent& extent);
  bool AwaitsReply(const Command& command, const Open& open);
  bool IsPush(const Reply& reply, const Extent& extent, RecordSink& sink);
  void Complete(const Reply& reply, const Extent& extent, RecordSink& sink);
  void EndLostReplies(RecordSink& sink);
  void EndRun(RecordSink& sink);
  // True if the request was added to the run.
  bool JoinRun(const Open& open, const Reply& reply, const Extent& extent);
  void Emit(const Open& open, const Reply* reply, const Extent& extent, model::Outcome outcome,
            RecordSink& sink);

  RequestRing<Open> open_;
  PreparedRecord* run_ = nullptr;  // not given yet: the next request may join it
  bool takes_runs_ = false;        // in this segment
  uint64_t overflow_ = 0;          // commands after those in open_ that it had no room for

  bool in_response_ = false;  // the last segment was a response
  bool taken_over_ = false;

  // Commands went unseen after those in open_.
  bool commands_lost_ = false;
  bool replied_since_ = false;  // since then the server has sent something
  Loss commands_loss_ = Loss::kGap;

  // Replies went unseen, to all or some of open_.
  bool replies_lost_ = false;
  Loss replies_loss_ = Loss::kGap;
  Reply cut_reply_;  // without its views; bytes 0 if none
  Extent cut_extent_;
  int64_t last_reply_ns_ = 0;

  bool replies_off_ = false;
  bool skip_next_ = false;
  bool subscribed_ = false;     // RESP2: only (un)subscribe, PING, QUIT and RESET are answered
  uint32_t confirmations_ = 0;  // of SUBSCRIBEs already recorded, still to come
};

}  // namespace kindling::agent::redis
