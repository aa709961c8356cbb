#include "agent/kernel/peer_wait.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/capture/event_sinks.h"

namespace kindling::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Keeps "conn@position from port" of each event.
class Seen final : public NoSink {
 public:
  void OnData(const DataEvent& event) override {
    data.push_back(
        std::to_string(event.id) + "@" + std::to_string(event.position) + " " +
        (event.remote_unknown ? "?" : std::to_string(event.remote_port)) + " " +
        std::string(reinterpret_cast<const char*>(event.bytes.data()), event.bytes.size()));
  }
  std::vector<std::string> data;
};

const IpAddress kPeer = {.bytes = {10, 0, 0, 1}, .size = 4};

class PeerWaitTest : public ::testing::Test {
 protected:
  bool Hold(ConnId id, uint64_t position, bool peer_follows, std::string text = "x",
            int64_t boot_ns = 0) {
    DataEvent event;
    event.id = id;
    event.position = position;
    event.boot_ns = boot_ns;
    event.bytes = std::as_bytes(std::span(text));  // gone when this returns, as in a ring
    event.tid = tid_;
    return wait_.Hold(event, peer_follows, seen_);
  }

  PeerWait wait_;
  Seen seen_;
  uint32_t tid_ = 100;
};

TEST_F(PeerWaitTest, DeliversOnceTheSenderIsKnown) {
  EXPECT_TRUE(Hold(1, 0, true, "question"));
  EXPECT_THAT(seen_.data, IsEmpty());
  wait_.Resolve(1, 0, kPeer, 53, seen_);
  EXPECT_THAT(seen_.data, ElementsAre("1@0 53 question"));
  EXPECT_TRUE(wait_.empty());
}

TEST_F(PeerWaitTest, KeepsTheOrderOfAConnectionAndLeavesOthersAlone) {
  EXPECT_TRUE(Hold(1, 0, true));
  ++tid_;
  EXPECT_TRUE(Hold(1, 1, false));   // behind the one that waits
  EXPECT_FALSE(Hold(2, 0, false));  // another connection: delivered by the caller
  EXPECT_TRUE(Hold(1, 2, true));
  wait_.Resolve(1, 2, kPeer, 2, seen_);
  EXPECT_THAT(seen_.data, IsEmpty());
  wait_.Resolve(1, 0, kPeer, 1, seen_);
  EXPECT_THAT(seen_.data, ElementsAre("1@0 1 x", "1@1 0 x", "1@2 2 x"));
}

TEST_F(PeerWaitTest, GivesUpAfterAWhile) {
  EXPECT_TRUE(Hold(1, 0, true, "a", 1'000));
  wait_.Expire(500'000'000, seen_);
  EXPECT_THAT(seen_.data, IsEmpty());
  wait_.Expire(1'200'000'000, seen_);
  EXPECT_THAT(seen_.data, ElementsAre("1@0 ? a"));
}

TEST_F(PeerWaitTest, AThreadThatGoesOnHasToldWhatItWillTell) {
  EXPECT_TRUE(Hold(1, 0, true));
  EXPECT_FALSE(Hold(1, 0, false, "answer"));
  EXPECT_THAT(seen_.data, ElementsAre("1@0 ? x"));
  EXPECT_TRUE(wait_.empty());
}

TEST_F(PeerWaitTest, ReleasesWhatItHoldsOfAConnectionThatEnds) {
  EXPECT_TRUE(Hold(1, 0, true));
  EXPECT_TRUE(Hold(2, 0, true));
  wait_.Release(1, seen_);
  EXPECT_THAT(seen_.data, ElementsAre("1@0 ? x"));
  EXPECT_FALSE(wait_.Holds(1));
  EXPECT_TRUE(wait_.Holds(2));
}

TEST_F(PeerWaitTest, HoldsABoundedNumber) {
  for (int i = 0; i < 4096; ++i, ++tid_) EXPECT_TRUE(Hold(1, i, true));
  EXPECT_THAT(seen_.data, IsEmpty());
  EXPECT_TRUE(Hold(1, 4096, true));
  EXPECT_EQ(seen_.data.size(), 4096);  // none of them waits any more
  wait_.Resolve(1, 4096, kPeer, 7, seen_);
  EXPECT_EQ(seen_.data.back(), "1@4096 7 x");
  EXPECT_TRUE(wait_.empty());
}

}  // namespace
}  // namespace kindling::agent
