#include "agent/capture/early_events.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/byte_reader.h"

namespace kindling::agent {
namespace {

DataEvent Event(Direction direction, uint64_t position, uint32_t turn, std::string_view text = "") {
  return {.direction = direction,
          .position = position,
          .size = static_cast<uint32_t>(text.size()),
          .bytes = base::AsBytes(text),
          .turn = turn};
}

TEST(EarlyEventsTest, AreInTheConnectionsOrder) {
  EarlyEvents early;
  early.Add(Event(Direction::kReceived, 0, 4));
  early.Add(Event(Direction::kSent, 20, 3));
  early.Add(Event(Direction::kSent, 10, 3));
  ASSERT_EQ(early.size(), 3u);
  EXPECT_EQ(early.Take().event.position, 10u);
  EXPECT_EQ(early.Take().event.position, 20u);
  EXPECT_EQ(early.front().direction, Direction::kReceived);
}

TEST(EarlyEventsTest, KeepTheirBytes) {
  EarlyEvents early;
  {
    const std::string second = "second";  // gone when the rest is added, as in a ring
    early.Add(Event(Direction::kSent, 5, 1, second));
  }
  early.Add(Event(Direction::kSent, 0, 1, "first"));
  EarlyEvents::Held held = early.Take();
  EXPECT_EQ(base::AsText(held.event.bytes), "first");
  held = early.Take();
  EXPECT_EQ(base::AsText(held.event.bytes), "second");
  EXPECT_TRUE(early.empty());
}

// Two writers and a reader: the first bytes were counted before, but their turn after those of
// others.
TEST(EarlyEventsTest, TurnsFollowPositions) {
  EarlyEvents early;
  early.Add(Event(Direction::kSent, 10, 1));
  early.Add(Event(Direction::kReceived, 0, 2));
  early.Add(Event(Direction::kSent, 0, 3));
  const DataEvent first = early.Take().event;
  EXPECT_EQ(first.position, 0u);
  EXPECT_EQ(first.turn, 1u);
  EXPECT_EQ(early.Take().event.direction, Direction::kReceived);
  const DataEvent last = early.Take().event;
  EXPECT_EQ(last.position, 10u);
  EXPECT_EQ(last.turn, 3u);
}

}  // namespace
}  // namespace kindling::agent
