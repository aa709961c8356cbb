#include "controller/topology/coverage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kindling::controller {
namespace {

using ::testing::ElementsAre;

Slots Counts(const std::vector<uint64_t>& counts) {
  Slots slots;
  for (uint32_t i = 0; i < counts.size(); ++i) slots[i].count = counts[i];
  return slots;
}

TEST(CoverageTest, OfEqualViewsTheServersStands) {
  EXPECT_EQ(ChooseViews(Counts({5, 5}), Counts({5, 5})).stands, Stands::kServer);
  EXPECT_EQ(ChooseViews({}, {}).stands, Stands::kServer);
  EXPECT_EQ(ChooseViews({}, Counts({5})).stands, Stands::kServer);
  EXPECT_EQ(ChooseViews(Counts({5}), {}).stands, Stands::kClient);
}

TEST(CoverageTest, TheServersAgentStartedLater) {
  const Slots server = Counts({0, 40, 100, 100});
  EXPECT_EQ(ChooseViews(Counts({100, 100, 100, 100}), server).stands, Stands::kClient);
  const Choice choice = ChooseViews(Counts({100, 100, 100, 0}), server);
  EXPECT_EQ(choice.stands, Stands::kMixed);
  EXPECT_THAT(choice.client_slots, ElementsAre(0, 1));
}

TEST(CoverageTest, EachSideWasAwayForAWhile) {
  const Choice choice = ChooseViews(Counts({9, 9, 0, 0, 9}), Counts({0, 0, 9, 9, 0}));
  EXPECT_THAT(choice.client_slots, ElementsAre(0, 1, 4));
}

TEST(CoverageTest, WhatOneSideCountsASlotLaterChangesNothing) {
  const Choice choice =
      ChooseViews(Counts({99, 101, 99, 101, 99, 101}), Counts({100, 100, 100, 100, 100, 100}));
  EXPECT_EQ(choice.stands, Stands::kServer);
}

TEST(CoverageTest, TheViewThatLostLessStands) {
  Slots server = Counts({80, 80});
  server[0].lost = server[1].lost = 20;
  EXPECT_EQ(ChooseViews(Counts({100, 100}), server).stands, Stands::kClient);
  // Of equal counts the one that knows what it lost.
  EXPECT_EQ(ChooseViews(Counts({80, 80}), server).stands, Stands::kServer);
  EXPECT_EQ(ChooseViews(server, Counts({80, 80})).stands, Stands::kClient);
}

TEST(CoverageTest, LossesThatAreToldLateAreNotAViewOfTheirOwn) {
  // Of 901 the client counted more and knows less of what it lost.
  Slots client = Counts({108, 0});
  client[1].lost = 711;
  Slots server = Counts({82, 0});
  server[1].lost = 819;
  EXPECT_EQ(ChooseViews(client, server).stands, Stands::kServer);
}

}  // namespace
}  // namespace kindling::controller
