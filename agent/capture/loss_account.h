#pragma once

#include <array>
#include <cstdint>

#include "agent/capture/events.h"

namespace kindling::agent {

// Estimates how many requests of one connection were lost, from what arrived and the kernel's own
// counters, which do not pass through the rings.
//
// The kernel numbers the turns of a connection (runs of bytes in one direction). An exchange is a
// request turn with the response turn after it. Exchanges that arrived whole tell how many records
// one exchange gives (1, or more with pipelining); times the number of exchanges the kernel
// counted, less the records that were made, is what was lost. With nothing missing the estimate is
// exactly 0.
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
  // Accounts for one event. A gap is told once: bytes of a turn that was told as `other_turn` are
  // not told again when their direction goes on.
  Gap OnEvent(const DataEvent& event);

  void OnRecord() { ++records_, ++exchange_records_; }

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
  static size_t Index(Direction direction) { return direction == Direction::kSent ? 0 : 1; }
  void EnterTurn(uint32_t turn, Direction direction);
  void FinishExchange();
  uint64_t EstimateLost(uint32_t turns, bool closed) const;

  std::array<uint64_t, 2> next_position_;      // by Index()
  std::array<bool, 2> told_ = {false, false};  // its next gap was told as other_turn
  Direction request_direction_ = Direction::kSent;
  bool request_direction_known_ = false;
  Direction odd_direction_ = Direction::kSent;  // of turns 1, 3, 5, ...
  uint32_t turn_ = 0;                           // of the last event; 0: none yet
  bool has_gap_ = false;
  bool exchange_intact_ = false;
  bool exchange_answered_ = false;  // its response turn was entered
  uint64_t exchange_records_ = 0;
  uint64_t intact_exchanges_ = 0;
  uint64_t intact_records_ = 0;
  uint64_t records_ = 0;
  uint64_t lost_requests_ = 0;
};

}  // namespace kindling::agent
