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

}  // namespace
}  // namespace kindling::agent
