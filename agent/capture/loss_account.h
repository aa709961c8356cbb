#pragma once

#include <array>
#include <cstdint>

#include "agent/capture/events.h"
#include "agent/capture/exchange_model.h"

namespace kindling::agent {

// Estimates how many requests of one connection were lost, from what arrived and the kernel's own
// counters, which do not pass through the rings.
//
// The kernel numbers the turns of a connection (runs of bytes in one direction). An exchange is a
// request turn with the response turn after it. Of an exchange whose request turn arrived whole the
// requests are known: those that gave no record for want of a response are lost. Such exchanges
// tell how many requests one holds (1, or more with pipelining, by its bytes); how many exchanges
// and bytes there were besides the kernel counted. What those are expected to hold, less what is
// known of them, was lost too. With nothing missing the estimate is exactly 0.
//
// Threads: the capture thread only.
class LossAccount {
 public:
  // Positions at which capture began.
  LossAccount(uint64_t sent_bytes, uint64_t received_bytes);

  // Which direction carries requests; until known, the direction of the first event is taken.
  void SetRequestDirection(Direction direction);

  // What is missing between an event and what came before it.
  struct Gap {
    uint64_t bytes = 0;         // of the event's direction, just before it
    bool other_turn = false;    // a whole turn of the other direction, of unknown size
    uint32_t already_seen = 0;  // leading bytes of the event that were delivered before
  };
  // Nothing is missing between what came before and the event; one that comes again is no
  // exception.
  bool IsNext(const DataEvent& event) const {
    return event.position <= next_position_[Index(event.direction)] && event.turn <= turn_ + 1;
  }
  // Accounts for one event. A gap is told once: bytes of a turn that was told as `other_turn` are
  // not told again when their direction goes on.
  Gap OnEvent(const DataEvent& event);

  // `count` requests whose first byte moved at `start_ns` are counted, as records or as lost.
  void OnRequests(int64_t start_ns, uint64_t count);

  // A request that was seen is lost all the same.
  void OnDropped(int64_t start_ns);

  // Bytes that arrived were given up for something lost before them: their requests are lost too.
  void OnGivenUp(int64_t boot_ns);

  // Compares with the kernel's counters and returns how many more requests are now known to be
  // lost. REQUIRES: every event before counters.boot_ns that was not lost has been given to
  // OnEvent.
  uint64_t OnCounters(const ConnCounters& counters);

  // Takes the kernel's byte counts as seen, for a connection whose payload is not wanted.
  void AdvanceTo(const ConnCounters& counters);

  bool has_gap() const { return has_gap_; }
  uint64_t lost_requests() const { return lost_requests_; }
  uint64_t records() const { return records_; }
  uint64_t sent_bytes() const { return next_position_[0]; }
  uint64_t received_bytes() const { return next_position_[1]; }

 private:
  struct Exchange {
    bool is_known = false;   // it was entered
    bool is_intact = false;  // nothing of its request turn is missing so far
    bool is_answered = false;
    bool is_doubtful = false;  // its response was lost, or the codec may have looked for a boundary
    uint32_t turn = 0;         // of its request
    int64_t start_ns = 0;
    uint64_t request_begin = 0;  // stream position
    uint64_t request_bytes = 0;
    uint64_t requests = 0;
  };

  static size_t Index(Direction direction) { return direction == Direction::kSent ? 0 : 1; }
  void EnterTurn(const DataEvent& event);
  void OnMissing(int64_t boot_ns);
  // The exchange before the last one takes no more records.
  void Commit(const Exchange& exchange);
  void BeginExchange();
  void CountIn(int64_t start_ns, uint64_t count);
  // Of the exchanges that ended before `turns` and hold `request_bytes`, with nothing under way.
  uint64_t Estimate(uint32_t turns, uint64_t request_bytes) const;
  uint64_t EstimateAt(const ConnCounters& counters);

  ExchangeModel model_;
  std::array<uint64_t, 2> start_position_;
  std::array<uint64_t, 2> next_position_;      // by Index()
  std::array<bool, 2> told_ = {false, false};  // its next gap was told as other_turn
  Direction request_direction_ = Direction::kSent;
  bool request_direction_known_ = false;
  Direction odd_direction_ = Direction::kSent;  // of turns 1, 3, 5, ...
  uint32_t turn_ = 0;                           // of the last event; 0: none yet
  bool has_gap_ = false;
  // Since the last gap no record was made: the codec may be looking for the next boundary.
  bool is_resuming_ = false;
  int64_t resumes_ns_ = 0;
  // Records come late: of one exchange before the present one they still count.
  Exchange before_;
  Exchange present_;
  uint64_t intact_exchanges_ = 0;
  uint64_t intact_bytes_ = 0;
  uint64_t intact_requests_ = 0;
  uint64_t records_ = 0;
  uint64_t dropped_ = 0;
  uint64_t lost_requests_ = 0;
};

}  // namespace kindling::agent
