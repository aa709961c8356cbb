#include "agent/capture/loss_account.h"

#include <algorithm>
#include <cmath>

namespace kindling::agent {

LossAccount::LossAccount(uint64_t sent_bytes, uint64_t received_bytes)
    : next_position_{sent_bytes, received_bytes} {}

void LossAccount::SetRequestDirection(Direction direction) {
  if (request_direction_known_ && request_direction_ == direction) return;
  request_direction_known_ = true;
  if (request_direction_ != direction) {
    // The turns seen so far were taken the other way round; they are few, start over with this one.
    intact_exchanges_ = intact_records_ = exchange_records_ = 0;
    exchange_intact_ = exchange_answered_ = false;
  }
  request_direction_ = direction;
}

LossAccount::Gap LossAccount::OnEvent(const DataEvent& event) {
  Gap gap;
  const size_t index = Index(event.direction);
  uint64_t& next = next_position_[index];
  bool missing = false;
  if (event.position > next) {
    missing = has_gap_ = true;
    if (!told_[index]) gap.bytes = event.position - next;
  } else if (event.position < next) {
    gap.already_seen = static_cast<uint32_t>(std::min<uint64_t>(next - event.position, event.size));
  }
  told_[index] = false;
  next = std::max(next, event.position + event.size);
  if (turn_ == 0 && !request_direction_known_) request_direction_ = event.direction;
  if (event.turn > turn_ + 1 && turn_ != 0) gap.other_turn = told_[1 - index] = true;
  if (event.turn != turn_) EnterTurn(event.turn, event.direction);
  if (missing) exchange_intact_ = false;
  return gap;
}

void LossAccount::EnterTurn(uint32_t turn, Direction direction) {
  const bool adjacent = turn == turn_ + 1;
  if (turn_ != 0 && !adjacent) {
    has_gap_ = true;
    exchange_intact_ = false;
  }
  odd_direction_ =
      (turn % 2 == 1) == (direction == Direction::kSent) ? Direction::kSent : Direction::kReceived;
  if (direction == request_direction_) {
    FinishExchange();
    exchange_intact_ = true;
    exchange_answered_ = false;
  } else {
    if (!adjacent) {  // the request turn of this response never came
      FinishExchange();
      exchange_intact_ = false;
    }
    exchange_answered_ = true;
  }
  turn_ = turn;
}

void LossAccount::FinishExchange() {
  if (exchange_intact_ && exchange_answered_) {
    ++intact_exchanges_;
    intact_records_ += exchange_records_;
  }
  exchange_records_ = 0;
}

uint64_t LossAccount::EstimateLost(uint32_t turns, bool closed) const {
  // Before any event is seen, the client is taken to speak first.
  const bool odd_is_request = turn_ == 0 || odd_direction_ == request_direction_;
  const bool last_is_request = (turns % 2 == 1) == odd_is_request;
  uint32_t ended = turns;  // turns up to the end of the last whole exchange
  if (last_is_request) {
    ended -= std::min(ended, 1u);  // waits for its response
  } else if (!closed) {
    ended -= std::min(ended, 2u);  // its response may be under way
  }
  // When the server speaks first, turn 1 belongs to no exchange.
  const uint32_t exchanges = odd_is_request ? ended / 2 : (ended - std::min(ended, 1u)) / 2;
  const double per_exchange = intact_exchanges_ > 0 ? static_cast<double>(intact_records_) /
                                                          static_cast<double>(intact_exchanges_)
                                                    : 1.0;
  const auto expected = static_cast<uint64_t>(std::llround(per_exchange * exchanges));
  return expected > records_ ? expected - records_ : 0;
}

uint64_t LossAccount::OnCounters(const ConnCounters& counters) {
  if (counters.sent_bytes > next_position_[0] || counters.received_bytes > next_position_[1] ||
      counters.turns > turn_) {
    has_gap_ = true;
  }
  if (!has_gap_) return 0;
  const uint64_t lost = EstimateLost(counters.turns, counters.closed);
  if (lost <= lost_requests_) return 0;
  const uint64_t more = lost - lost_requests_;
  lost_requests_ = lost;
  return more;
}

void LossAccount::AdvanceTo(const ConnCounters& counters) {
  next_position_[0] = std::max(next_position_[0], counters.sent_bytes);
  next_position_[1] = std::max(next_position_[1], counters.received_bytes);
}

}  // namespace kindling::agent
