#include "agent/capture/loss_account.h"

#include <algorithm>
#include <cmath>

namespace kindling::agent {
LossAccount::LossAccount(uint64_t sent_bytes, uint64_t received_bytes)
    : start_position_{sent_bytes, received_bytes}, next_position_{sent_bytes, received_bytes} {}

void LossAccount::SetRequestDirection(Direction direction) {
  if (request_direction_known_ && request_direction_ == direction) return;
  request_direction_known_ = true;
  if (request_direction_ != direction) {
    // The turns seen so far were taken the other way round; they are few, start over with this one.
    model_ = ExchangeModel();
    intact_exchanges_ = intact_bytes_ = intact_requests_ = 0;
    before_ = present_ = Exchange();
  }
  request_direction_ = direction;
}

LossAccount::Gap LossAccount::OnEvent(const DataEvent& event) {
  Gap gap;
  const size_t index = Index(event.direction);
  uint64_t& next = next_position_[index];
  if (turn_ == 0 && !request_direction_known_) request_direction_ = event.direction;
  if (event.turn > turn_ + 1 && turn_ != 0) gap.other_turn = true;
  // Of threads that write at once one may be late: its bytes are not of an earlier turn for that.
  const bool is_first = event.turn > turn_;
  if (is_first) EnterTurn(event);
  if (event.position > next) {
    OnMissing(event.boot_ns);
    if (event.direction == request_direction_) {
      present_.is_intact = false;
      // The missing bytes may be the end of the request turn before.
      if (is_first) before_.is_intact = false;
    } else if (is_first) {
      before_.is_doubtful = true;
    }
    if (!told_[index]) gap.bytes = event.position - next;
  } else if (event.position < next) {
    gap.already_seen = static_cast<uint32_t>(std::min<uint64_t>(next - event.position, event.size));
  }
  told_[index] = false;
  if (gap.other_turn) told_[1 - index] = true;
  next = std::max(next, event.position + event.size);
  if (event.direction == request_direction_ && present_.is_known) {
    present_.request_bytes = next - present_.request_begin;
  }
  return gap;
}

void LossAccount::OnMissing(int64_t boot_ns) {
  has_gap_ = is_resuming_ = true;
  resumes_ns_ = boot_ns;
  present_.is_doubtful = true;
}

void LossAccount::EnterTurn(const DataEvent& event) {
  const bool adjacent = event.turn == turn_ + 1;
  const bool is_request = event.direction == request_direction_;
  odd_direction_ = (event.turn % 2 == 1) == (event.direction == Direction::kSent)
                       ? Direction::kSent
                       : Direction::kReceived;
  if (!adjacent && turn_ != 0) OnMissing(event.boot_ns);
  if (is_request) {
    BeginExchange();
    present_ = Exchange{.is_known = true,
                        .is_intact = true,
                        .is_doubtful = is_resuming_,
                        .turn = event.turn,
                        .start_ns = event.boot_ns,
                        .request_begin = event.position};
  } else {
    if (!adjacent && turn_ != 0) {  // the request turn of this response never came
      BeginExchange();
      present_ = Exchange{.is_known = true,
                          .turn = event.turn - 1,
                          .start_ns = event.boot_ns,
                          .request_begin = next_position_[Index(request_direction_)]};
    }
    present_.is_answered = true;
  }
  turn_ = event.turn;
}

void LossAccount::BeginExchange() {
  Commit(before_);
  before_ = present_;
}

void LossAccount::Commit(const Exchange& exchange) {
  if (!exchange.is_known || !exchange.is_intact) return;
  if (exchange.is_doubtful && exchange.requests == 0) return;  // the codec passed it over
  ++intact_exchanges_;
  intact_bytes_ += exchange.request_bytes;
  intact_requests_ += exchange.requests;
  model_.Add(exchange.request_bytes, exchange.requests);
}

void LossAccount::OnRequests(int64_t start_ns, uint64_t count) {
  records_ += count;
  CountIn(start_ns, count);
}

void LossAccount::OnDropped(int64_t start_ns) {
  has_gap_ = true;
  ++dropped_;
  CountIn(start_ns, 1);
}

void LossAccount::CountIn(int64_t start_ns, uint64_t count) {
  if (start_ns >= resumes_ns_) is_resuming_ = false;
  (before_.is_known && start_ns < present_.start_ns ? before_ : present_).requests += count;
}

void LossAccount::OnGivenUp(int64_t boot_ns) {
  OnMissing(boot_ns);
  before_.is_intact = present_.is_intact = false;
}

uint64_t LossAccount::Estimate(uint32_t turns, uint64_t request_bytes) const {
  // Before any event is seen, the client is taken to speak first.
  const bool odd_is_request = turn_ == 0 || odd_direction_ == request_direction_;
  // When the server speaks first, turn 1 belongs to no exchange.
  const uint32_t before_first = odd_is_request ? 0 : std::min(turns, 1u);
  const uint64_t exchanges = (turns - before_first) / 2;
  if (exchanges <= intact_exchanges_) return dropped_;
  const double expected = model_.Expect(exchanges - intact_exchanges_,
                                        request_bytes - std::min(request_bytes, intact_bytes_));
  const uint64_t known = records_ + dropped_;
  const uint64_t others = known - std::min(known, intact_requests_);
  const auto wanted = static_cast<uint64_t>(std::llround(expected));
  return dropped_ + (wanted > others ? wanted - others : 0);
}

uint64_t LossAccount::EstimateAt(const ConnCounters& counters) {
  const size_t requests = Index(request_direction_);
  const uint64_t at = requests == 0 ? counters.sent_bytes : counters.received_bytes;
  const uint64_t bytes = at - std::min(at, start_position_[requests]);
  if (counters.closed) {
    Commit(before_);
    if (present_.is_answered) Commit(present_);
    before_ = present_ = Exchange();
    return Estimate(counters.turns, bytes);
  }
  // As it is now: the exchanges seen go on, so a copy is ended.
  LossAccount over = *this;
  over.Commit(over.before_);
  if (counters.turns <= turn_) {  // the present exchange may still give records
    if (!present_.is_known || present_.turn <= 1) return dropped_;
    over.records_ -= std::min(over.records_, present_.requests);
    return over.Estimate(present_.turn - 1, present_.request_begin - start_position_[requests]);
  }
  // Turns went by unseen; the last exchange may be under way.
  over.Commit(over.present_);
  const bool odd_is_request = turn_ == 0 || odd_direction_ == request_direction_;
  const bool last_is_request = (counters.turns % 2 == 1) == odd_is_request;
  const uint32_t under_way = std::min(counters.turns, last_is_request ? 1u : 2u);
  const uint32_t ended = counters.turns - under_way;
  const uint64_t seen = next_position_[requests] - start_position_[requests];
  const uint64_t unseen = bytes - std::min(bytes, seen);
  const uint64_t unseen_turns = counters.turns - turn_;
  const uint64_t share = unseen * (unseen_turns - std::min<uint64_t>(unseen_turns, under_way)) /
                         std::max<uint64_t>(1, unseen_turns);
  return over.Estimate(ended, seen + share);
}

uint64_t LossAccount::OnCounters(const ConnCounters& counters) {
  if (counters.sent_bytes > next_position_[0] || counters.received_bytes > next_position_[1] ||
      counters.turns > turn_) {
    OnMissing(counters.boot_ns);
    const size_t requests = Index(request_direction_);
    const uint64_t at = requests == 0 ? counters.sent_bytes : counters.received_bytes;
    if (at > next_position_[requests]) present_.is_intact = false;
    if (counters.turns > turn_) present_.is_answered = true;
  }
  if (!has_gap_) return 0;
  const uint64_t lost = EstimateAt(counters);
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
