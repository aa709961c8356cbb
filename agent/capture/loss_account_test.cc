#include "agent/capture/loss_account.h"

#include <gtest/gtest.h>

#include <random>

namespace kindling::agent {
namespace {

// A client's connection: `exchanges` request/response pairs of `pipeline` requests each, every
// event dropped with probability `drop`. Records are made as a codec would: for exchanges that came
// whole.
struct Simulation {
  uint64_t lost_estimate = 0;
  uint64_t lost_truth = 0;
};

Simulation Simulate(int exchanges, int pipeline, double drop, unsigned seed) {
  std::mt19937 random(seed);
  std::bernoulli_distribution dropped(drop);
  LossAccount account(0, 0);
  account.SetRequestDirection(Direction::kSent);
  uint64_t position[2] = {0, 0};
  uint32_t turn = 0;
  Simulation result;
  for (int i = 0; i < exchanges; ++i) {
    bool whole = true;
    for (const Direction direction : {Direction::kSent, Direction::kReceived}) {
      DataEvent event{.id = 1, .boot_ns = i, .direction = direction, .size = 100, .turn = ++turn};
      uint64_t& at = position[direction == Direction::kSent ? 0 : 1];
      event.position = at;
      at += event.size;
      if (dropped(random)) {
        whole = false;
      } else {
        account.OnEvent(event);
      }
    }
    for (int k = 0; k < pipeline; ++k) {
      if (whole) account.OnRequests(i, 1);
    }
    if (!whole) result.lost_truth += pipeline;
  }
  account.OnCounters({.id = 1,
                      .sent_bytes = position[0],
                      .received_bytes = position[1],
                      .turns = turn,
                      .closed = true});
  result.lost_estimate = account.lost_requests();
  return result;
}

TEST(LossAccount, NothingLostIsExactlyZero) {
  for (const int pipeline : {1, 3, 16}) {
    const Simulation run = Simulate(1000, pipeline, 0.0, 1);
    EXPECT_EQ(run.lost_estimate, 0u);
    EXPECT_EQ(run.lost_truth, 0u);
  }
}

TEST(LossAccount, EstimateAgreesWithTruthWithinATenthOfTheLoss) {
  for (const int pipeline : {1, 8}) {
    for (const double drop : {0.02, 0.1, 0.5}) {
      for (unsigned seed = 1; seed <= 5; ++seed) {
        const Simulation run = Simulate(4000, pipeline, drop, seed);
        ASSERT_GT(run.lost_truth, 0u);
        EXPECT_NEAR(static_cast<double>(run.lost_estimate), static_cast<double>(run.lost_truth),
                    0.1 * static_cast<double>(run.lost_truth))
            << "pipeline " << pipeline << " drop " << drop;
      }
    }
  }
}

TEST(LossAccount, OneExchangePerTurnIsExactUnderLoss) {
  for (const double drop : {0.1, 0.5, 0.9}) {
    const Simulation run = Simulate(500, 1, drop, 9);
    EXPECT_EQ(run.lost_estimate, run.lost_truth) << drop;
  }
}

TEST(LossAccount, SeesLossThatOnlyTheCountersKnow) {
  LossAccount account(0, 0);
  account.SetRequestDirection(Direction::kReceived);
  // A server connection of which not one event arrived: ten requests, ten responses.
  EXPECT_EQ(
      account.OnCounters({.sent_bytes = 1000, .received_bytes = 500, .turns = 20, .closed = true}),
      10u);
  EXPECT_EQ(
      account.OnCounters({.sent_bytes = 1000, .received_bytes = 500, .turns = 20, .closed = true}),
      0u);
}

TEST(LossAccount, ReportsMissingAndRepeatedBytes) {
  LossAccount account(1000, 0);
  const auto sent = [&account](uint64_t position) {
    return account.OnEvent(
        {.direction = Direction::kSent, .position = position, .size = 10, .turn = 1});
  };
  EXPECT_EQ(sent(1000).bytes, 0u);
  EXPECT_EQ(sent(1030).bytes, 20u);
  EXPECT_EQ(sent(1035).already_seen, 5u);
  EXPECT_TRUE(account.has_gap());
}

TEST(LossAccount, AMissingTurnIsToldWhenTheOtherSideGoesOnAndOnlyOnce) {
  LossAccount account(0, 0);
  account.OnEvent({.direction = Direction::kSent, .position = 0, .size = 10, .turn = 1});
  const LossAccount::Gap next_request =
      account.OnEvent({.direction = Direction::kSent, .position = 10, .size = 10, .turn = 3});
  EXPECT_TRUE(next_request.other_turn);
  EXPECT_EQ(next_request.bytes, 0u);
  const LossAccount::Gap response =
      account.OnEvent({.direction = Direction::kReceived, .position = 50, .size = 10, .turn = 4});
  EXPECT_FALSE(response.other_turn);
  EXPECT_EQ(response.bytes, 0u);
}

TEST(LossAccount, RequestUnderWayIsNotLost) {
  LossAccount account(0, 0);
  account.OnEvent({.direction = Direction::kSent, .position = 0, .size = 10, .turn = 1});
  account.OnEvent({.direction = Direction::kReceived, .position = 0, .size = 10, .turn = 2});
  account.OnRequests(0, 1);
  account.OnEvent({.direction = Direction::kSent, .position = 20, .size = 10, .turn = 5});
  // Turns 3 and 4 are lost; 5 waits for its response.
  EXPECT_EQ(account.OnCounters({.sent_bytes = 30, .received_bytes = 20, .turns = 5}), 1u);
}

// One event of a turn of its own.
DataEvent Event(Direction direction, uint32_t turn, uint64_t position, uint32_t size) {
  return {
      .boot_ns = turn, .direction = direction, .position = position, .size = size, .turn = turn};
}

TEST(LossAccount, BatchesThatAreLostForTheirSizeAreNotTakenForSingles) {
  std::mt19937 random(4);
  std::uniform_int_distribution<uint32_t> batches(1, 16);
  LossAccount account(0, 0);
  account.SetRequestDirection(Direction::kSent);
  uint64_t sent = 0, received = 0, truth = 0;
  uint32_t turn = 0;
  for (int i = 0; i < 2000; ++i) {
    const uint32_t batch = batches(random);
    const uint32_t bytes = batch * 40;
    // The larger, the likelier it finds no room.
    const bool lost = std::bernoulli_distribution(batch / 20.0)(random);
    turn += 2;
    if (lost) {
      truth += batch;
    } else {
      account.OnEvent(Event(Direction::kSent, turn - 1, sent, bytes));
      account.OnEvent(Event(Direction::kReceived, turn, received, bytes));
      account.OnRequests(turn - 1, batch);
    }
    sent += bytes;
    received += bytes;
  }
  account.OnCounters(
      {.sent_bytes = sent, .received_bytes = received, .turns = turn, .closed = true});
  EXPECT_NEAR(static_cast<double>(account.lost_requests()), static_cast<double>(truth),
              0.02 * static_cast<double>(truth));
}

TEST(LossAccount, RequestsThatWereSeenAndDroppedAreKnownExactly) {
  LossAccount account(0, 0);
  account.SetRequestDirection(Direction::kSent);
  // Singles arrive; the responses to batches of five never do, so no batch gives a record.
  uint64_t sent = 0, received = 0, truth = 0;
  uint32_t turn = 0;
  for (int i = 0; i < 100; ++i) {
    const uint32_t batch = i % 4 == 3 ? 5 : 1;
    account.OnEvent(Event(Direction::kSent, ++turn, sent, batch * 40));
    sent += batch * 40;
    const int64_t start_ns = turn;
    if (batch == 1) {
      account.OnEvent(Event(Direction::kReceived, ++turn, received, 50));
      account.OnRequests(start_ns, 1);
    } else {
      ++turn;
      for (uint32_t k = 0; k < batch; ++k) account.OnDropped(start_ns);
      truth += batch;
    }
    received += batch * 50;
  }
  account.OnCounters(
      {.sent_bytes = sent, .received_bytes = received, .turns = turn, .closed = true});
  EXPECT_EQ(account.lost_requests(), truth);
}

TEST(LossAccount, WhatWasGivenUpBeforeAProtocolWasKnownIsLost) {
  LossAccount account(0, 0);
  account.SetRequestDirection(Direction::kSent);
  uint64_t at = 0;
  for (uint32_t turn = 1; turn <= 20; turn += 2, at += 10) {
    account.OnEvent(Event(Direction::kSent, turn, at, 10));
    if (turn < 6) {
      account.OnGivenUp(turn);
    } else {
      account.OnRequests(turn, 1);
    }
    account.OnEvent(Event(Direction::kReceived, turn + 1, at, 10));
  }
  account.OnCounters({.sent_bytes = at, .received_bytes = at, .turns = 20, .closed = true});
  EXPECT_EQ(account.records(), 7u);
  EXPECT_EQ(account.lost_requests(), 3u);
}

TEST(LossAccount, RecordsThatComeWithTheNextRequestBelongToTheirExchange) {
  LossAccount account(0, 0);
  account.SetRequestDirection(Direction::kSent);
  // Batches of 10 and of 1 in turn; every record comes late. The batch at the end is lost.
  uint64_t sent = 0, received = 0;
  uint32_t turn = 0, late = 0;
  int64_t late_ns = 0;
  for (int i = 0; i < 100; ++i) {
    const uint32_t batch = i % 2 == 0 ? 10 : 1;
    account.OnEvent(Event(Direction::kSent, ++turn, sent, batch * 40));
    account.OnRequests(late_ns, late);
    late = batch;
    late_ns = turn;
    account.OnEvent(Event(Direction::kReceived, ++turn, received, 50));
    sent += batch * 40;
    received += 50;
  }
  account.OnRequests(late_ns, late);
  account.OnCounters({.sent_bytes = sent + 400,
                      .received_bytes = received + 50,
                      .turns = turn + 2,
                      .closed = true});
  EXPECT_EQ(account.lost_requests(), 10u);
}

}  // namespace
}  // namespace kindling::agent
