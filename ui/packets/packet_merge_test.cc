#include "ui/packets/packet_merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"

namespace kindling::ui {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::shared_ptr<v1::PacketBatch> Batch(const std::vector<int64_t>& times, uint32_t bytes = 1) {
  auto batch = std::make_shared<v1::PacketBatch>();
  int64_t before = 0;
  for (const int64_t time : times) {
    batch->add_interface(0);
    batch->add_packet_type(0);
    batch->add_time_delta_ns(time - before);
    before = time;
    batch->add_original_bytes(bytes);
    batch->add_captured_bytes(bytes);
    batch->add_sender(0);
    batch->add_receiver(0);
    batch->mutable_data()->append(bytes, 'x');
  }
  return batch;
}

class PacketMergeTest : public testing::Test {
 protected:
  PacketMerge merge_{{.max_bytes = 100'000, .patience_ns = 1000}};

  std::vector<int64_t> Emitted(int64_t now_ns) {
    std::vector<int64_t> times;
    merge_.Emit(now_ns, [&](const MergedPacket& packet) { times.push_back(packet.time_ns); });
    return times;
  }
  std::vector<int64_t> Rest() {
    std::vector<int64_t> times;
    merge_.EmitAll([&](const MergedPacket& packet) { times.push_back(packet.time_ns); });
    return times;
  }
};

TEST_F(PacketMergeTest, APacketWaitsForEveryStream) {
  merge_.Begin(0, 0);
  merge_.Begin(1, 0);
  ASSERT_OK(merge_.Add(0, Batch({10, 20, 30}), 0));
  merge_.CaughtUp(0, 30, 0);
  EXPECT_THAT(Emitted(0), IsEmpty()) << "stream 1 has not said anything";
  ASSERT_OK(merge_.Add(1, Batch({5, 25}), 0));
  merge_.CaughtUp(1, 25, 0);
  EXPECT_THAT(Emitted(0), ElementsAre(5, 10, 20));
  merge_.CaughtUp(1, 100, 0);
  EXPECT_THAT(Emitted(0), ElementsAre(25));
  EXPECT_THAT(Rest(), ElementsAre(30));
  EXPECT_EQ(merge_.late(), 0);
  EXPECT_EQ(merge_.held_bytes(), 0);
}

TEST_F(PacketMergeTest, EqualTimesStayInTheOrderOfTheirComing) {
  std::vector<size_t> offsets;
  ASSERT_OK(merge_.Add(0, Batch({7, 7, 7}, 4), 0));
  merge_.Emit(0, [&](const MergedPacket& packet) { offsets.push_back(packet.offset); });
  EXPECT_THAT(offsets, ElementsAre(0, 4, 8));
}

TEST_F(PacketMergeTest, AStreamThatEndedHoldsNothingBack) {
  merge_.Begin(0, 0);
  merge_.Begin(1, 0);
  ASSERT_OK(merge_.Add(0, Batch({10, 20}), 0));
  merge_.CaughtUp(0, 15, 0);
  merge_.End(1);
  EXPECT_THAT(Emitted(0), ElementsAre(10));
  merge_.End(0);
  EXPECT_THAT(Emitted(0), ElementsAre(20));
}

TEST_F(PacketMergeTest, ASilentStreamIsNotWaitedForAndCountedWhenItComesLate) {
  merge_.Begin(0, 0);
  merge_.Begin(1, 0);
  ASSERT_OK(merge_.Add(0, Batch({10, 20}), 900));
  merge_.CaughtUp(0, 20, 900);
  EXPECT_THAT(Emitted(1000), IsEmpty());
  EXPECT_THAT(Emitted(1001), ElementsAre(10));
  ASSERT_OK(merge_.Add(1, Batch({5, 15}), 1002));
  EXPECT_THAT(Rest(), ElementsAre(5, 15, 20));
  EXPECT_EQ(merge_.late(), 1);
}

TEST_F(PacketMergeTest, IsBounded) {
  merge_.Begin(0, 0);
  merge_.Begin(1, 0);
  size_t emitted = 0;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_OK(merge_.Add(0, Batch({i}, 936), 0));  // 1000 with what it costs besides
    emitted += Emitted(0).size();
    EXPECT_LE(merge_.held_bytes(), 100'000);
  }
  EXPECT_EQ(emitted, 900);
}

// Against a plain sort, of streams that are only nearly in order.
TEST_F(PacketMergeTest, ManyStreams) {
  std::minstd_rand random(1);
  constexpr int kStreams = 5, kBatches = 40, kDisorder = 30;
  std::vector<int64_t> all, got;
  int64_t time[kStreams] = {};
  for (int s = 0; s < kStreams; ++s) merge_.Begin(s, 0);
  for (int b = 0; b < kBatches * kStreams; ++b) {
    const int s = static_cast<int>(random() % kStreams);
    std::vector<int64_t> times;
    for (int i = 0; i < 10; ++i) {
      time[s] += random() % 100;
      times.push_back(time[s] + static_cast<int64_t>(random() % kDisorder));
    }
    all.insert(all.end(), times.begin(), times.end());
    ASSERT_OK(merge_.Add(s, Batch(times), 0));
    merge_.CaughtUp(s, time[s], 0);
    const auto some = Emitted(0);
    got.insert(got.end(), some.begin(), some.end());
  }
  EXPECT_GT(got.size(), all.size() / 4);
  const auto rest = Rest();
  got.insert(got.end(), rest.begin(), rest.end());
  std::ranges::sort(all);
  EXPECT_EQ(got, all);
  EXPECT_EQ(merge_.late(), 0);
}

TEST_F(PacketMergeTest, BatchesThatDoNotFitTogether) {
  const auto refused = [this](const std::function<void(v1::PacketBatch&)>& spoil) {
    auto batch = Batch({1, 2});
    spoil(*batch);
    return absl::IsInvalidArgument(merge_.Add(0, batch, 0));
  };
  EXPECT_TRUE(refused([](auto& batch) { batch.add_interface(0); }));
  EXPECT_TRUE(refused([](auto& batch) { batch.clear_time_delta_ns(); }));
  EXPECT_TRUE(refused([](auto& batch) { batch.mutable_data()->pop_back(); }));
  EXPECT_TRUE(refused([](auto& batch) { batch.set_captured_bytes(0, 0xffffffff); }));
  EXPECT_TRUE(refused([](auto& batch) { batch.set_sender(0, 1); }));
  EXPECT_TRUE(refused([](auto& batch) { batch.set_receiver(1, 7); }));
  EXPECT_TRUE(refused([](auto& batch) { batch.clear_packet_type(); }));
  EXPECT_THAT(Rest(), IsEmpty());
  // Times of any value.
  auto batch = Batch({1, 2, 3});
  batch->set_time_delta_ns(1, INT64_MAX);
  batch->set_time_delta_ns(2, INT64_MAX);
  ASSERT_OK(merge_.Add(0, batch, 0));
  EXPECT_EQ(Rest().size(), 3);
}

}  // namespace
}  // namespace kindling::ui
