#include "agent/network/host/network_sampler.h"

#include <gtest/gtest.h>

#include <atomic>

#include "absl/synchronization/notification.h"
#include "agent/capture/event_sinks.h"

namespace kindling::agent {
namespace {

class Readings final : public NoSink {
 public:
  void OnNetwork(const NetworkReading& reading) override { netns.push_back(reading.netns); }

  std::vector<uint32_t> netns;
};

constexpr absl::Duration kLong = absl::Seconds(30);

TEST(NetworkSamplerTest, GivesWhatWasReadOnce) {
  std::atomic<uint32_t> reads = 0;
  NetworkSampler sampler([&] { return std::vector<NetworkReading>{{.netns = ++reads}}; });
  Readings seen;
  sampler.Deliver(seen, kLong);  // nobody asked
  EXPECT_TRUE(seen.netns.empty());
  sampler.Request();
  sampler.Deliver(seen, kLong);
  sampler.Deliver(seen, kLong);
  EXPECT_EQ(seen.netns, std::vector<uint32_t>{1});
}

TEST(NetworkSamplerTest, ARequestIsAnsweredByAReadingThatBeganAfterIt) {
  std::atomic<uint32_t> reads = 0;
  absl::Notification has_begun;
  absl::Notification may_end;
  NetworkSampler sampler([&] {
    const uint32_t number = ++reads;
    if (number == 1) {
      has_begun.Notify();
      may_end.WaitForNotification();
    }
    return std::vector<NetworkReading>{{.netns = number}};
  });
  sampler.Request();
  has_begun.WaitForNotification();
  sampler.Request();
  Readings seen;
  sampler.Deliver(seen, absl::ZeroDuration());  // does not wait for one that takes long
  EXPECT_TRUE(seen.netns.empty());
  may_end.Notify();
  sampler.Deliver(seen, kLong);
  EXPECT_EQ(seen.netns.back(), 2u);
}

TEST(NetworkSamplerTest, WaitsNoLongerThanItIsToldTo) {
  absl::Notification may_end;
  NetworkSampler sampler([&] {
    may_end.WaitForNotification();
    return std::vector<NetworkReading>{{.netns = 1}};
  });
  sampler.Request();
  Readings seen;
  sampler.Deliver(seen, absl::Milliseconds(1));
  EXPECT_TRUE(seen.netns.empty());
  may_end.Notify();
}

}  // namespace
}  // namespace kindling::agent
