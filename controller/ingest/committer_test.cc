#include "controller/ingest/committer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/testing/status_matchers.h"
#include "controller/testing/memory_store.h"

namespace kindling::controller {
namespace {

// Remembers what was appended; can be made to wait and to fail.
class FakeStore final : public MemoryStore {
 public:
  absl::Status Append(const std::vector<BatchPtr>& batches) override {
    absl::MutexLock lock(&mu_);
    ++calls_;
    mu_.Await(absl::Condition(&open_));
    if (!status_.ok()) return status_;
    for (const auto& batch : batches) {
      if (batch->id.sequence == malformed_) return absl::InvalidArgumentError("malformed");
    }
    for (const auto& batch : batches) sequences_.push_back(batch->id.sequence);
    return absl::OkStatus();
  }

  void SetOpen(bool open) {
    absl::MutexLock lock(&mu_);
    open_ = open;
  }
  void SetStatus(absl::Status status) {
    absl::MutexLock lock(&mu_);
    status_ = std::move(status);
  }
  void SetMalformed(uint64_t sequence) {
    absl::MutexLock lock(&mu_);
    malformed_ = sequence;
  }
  void AwaitCall(int number) {
    absl::MutexLock lock(&mu_);
    const auto called = [&] { return calls_ >= number; };
    mu_.Await(absl::Condition(&called));
  }
  std::vector<uint64_t> sequences() {
    absl::MutexLock lock(&mu_);
    return sequences_;
  }
  int calls() {
    absl::MutexLock lock(&mu_);
    return calls_;
  }

 private:
  absl::Mutex mu_;
  bool open_ = true;
  int calls_ = 0;
  absl::Status status_;
  uint64_t malformed_ = 0;
  std::vector<uint64_t> sequences_;
};

model::Batch BatchOf(uint64_t sequence) {
  model::Batch batch;
  batch.id.sequence = sequence;
  return batch;
}

// Collects what became of submitted batches.
struct Results {
  absl::Mutex mu;
  std::vector<absl::Status> statuses;

  Committer::Done Done() {
    return [this](const absl::Status& status) {
      absl::MutexLock lock(&mu);
      statuses.push_back(status);
    };
  }
  void Await(size_t count) {
    absl::MutexLock lock(&mu);
    const auto all = [&] { return statuses.size() >= count; };
    mu.Await(absl::Condition(&all));
  }
};

TEST(CommitterTest, WhatArrivesDuringACommitGoesTogetherIntoTheNext) {
  FakeStore store;
  store.SetOpen(false);
  Results results;
  Committer committer(store, {.gather = absl::ZeroDuration()});
  const auto lane = std::make_shared<Committer::Lane>();
  ASSERT_OK(committer.Submit(lane, BatchOf(1), 1, results.Done()));
  store.AwaitCall(1);
  std::vector<uint64_t> in_order = {1};
  for (uint64_t i = 2; i <= 20; ++i) {
    ASSERT_OK(committer.Submit(lane, BatchOf(i), 1, results.Done()));
    in_order.push_back(i);
  }
  store.SetOpen(true);
  results.Await(20);
  EXPECT_EQ(store.calls(), 2);
  EXPECT_EQ(store.sequences(), in_order);
  EXPECT_EQ(committer.counters().batches, 20);
  EXPECT_EQ(committer.counters().pending_bytes, 0);
}

TEST(CommitterTest, WhoWaitsForRoomIsCalledOnceThereIsSome) {
  FakeStore store;
  store.SetOpen(false);
  Results results;
  Committer committer(store, {.pause_bytes = 100, .gather = absl::ZeroDuration()});
  const auto lane = std::make_shared<Committer::Lane>();
  absl::Mutex mu;
  int called = 0;
  const auto again = [&] {
    absl::MutexLock lock(&mu);
    ++called;
  };
  EXPECT_TRUE(committer.HasRoom(again));
  ASSERT_OK(committer.Submit(lane, BatchOf(1), 99, results.Done()));
  EXPECT_TRUE(committer.HasRoom(again));
  ASSERT_OK(committer.Submit(lane, BatchOf(2), 1, results.Done()));
  EXPECT_FALSE(committer.HasRoom(again));
  EXPECT_FALSE(committer.HasRoom(again));
  // What comes all the same is taken.
  ASSERT_OK(committer.Submit(lane, BatchOf(3), 1000, results.Done()));
  {
    absl::MutexLock lock(&mu);
    EXPECT_EQ(called, 0);
  }
  store.SetOpen(true);
  results.Await(3);
  // Not only the first, although nothing is submitted after it.
  absl::MutexLock lock(&mu);
  const auto both = [&] { return called == 2; };
  EXPECT_TRUE(mu.AwaitWithTimeout(absl::Condition(&both), absl::Seconds(30)));
}

TEST(CommitterTest, AfterAFailureTheLaterBatchesOfTheStreamFailToo) {
  FakeStore store;
  store.SetOpen(false);
  store.SetStatus(absl::ResourceExhaustedError("disk full"));
  Results failing;
  Results other;
  Committer committer(store, {.gather = absl::ZeroDuration()});
  const auto lane = std::make_shared<Committer::Lane>();
  ASSERT_OK(committer.Submit(lane, BatchOf(1), 1, failing.Done()));
  store.AwaitCall(1);
  store.SetOpen(true);
  failing.Await(1);
  store.SetStatus(absl::OkStatus());
  ASSERT_OK(committer.Submit(lane, BatchOf(2), 1, failing.Done()));
  ASSERT_OK(committer.Submit(std::make_shared<Committer::Lane>(), BatchOf(3), 1, other.Done()));
  failing.Await(2);
  other.Await(1);
  EXPECT_TRUE(absl::IsResourceExhausted(failing.statuses[0]));
  EXPECT_FALSE(failing.statuses[1].ok());
  EXPECT_OK(other.statuses[0]);
  EXPECT_EQ(store.sequences(), std::vector<uint64_t>{3});
}

TEST(CommitterTest, AMalformedBatchFailsItsOwnStreamOnly) {
  FakeStore store;
  store.SetOpen(false);
  store.SetMalformed(3);
  Results first;
  Results failing;
  Results other;
  Committer committer(store, {.gather = absl::ZeroDuration()});
  const auto lane = std::make_shared<Committer::Lane>();
  const auto other_lane = std::make_shared<Committer::Lane>();
  ASSERT_OK(committer.Submit(lane, BatchOf(1), 1, first.Done()));
  store.AwaitCall(1);
  // One group: 2 and 3 of one stream, 10 and 11 of another between them, 4 after the malformed one.
  ASSERT_OK(committer.Submit(lane, BatchOf(2), 1, failing.Done()));
  ASSERT_OK(committer.Submit(other_lane, BatchOf(10), 1, other.Done()));
  ASSERT_OK(committer.Submit(lane, BatchOf(3), 1, failing.Done()));
  ASSERT_OK(committer.Submit(other_lane, BatchOf(11), 1, other.Done()));
  ASSERT_OK(committer.Submit(lane, BatchOf(4), 1, failing.Done()));
  store.SetOpen(true);
  failing.Await(3);
  other.Await(2);
  EXPECT_OK(failing.statuses[0]);
  EXPECT_TRUE(absl::IsInternal(failing.statuses[1])) << failing.statuses[1];
  EXPECT_TRUE(absl::IsAborted(failing.statuses[2])) << failing.statuses[2];
  EXPECT_OK(other.statuses[0]);
  EXPECT_OK(other.statuses[1]);
  EXPECT_EQ(store.sequences(), (std::vector<uint64_t>{1, 2, 10, 11}));
  EXPECT_EQ(committer.counters().malformed, 1);
  EXPECT_EQ(committer.counters().batches, 4);
  EXPECT_EQ(committer.counters().pending_bytes, 0);
}

TEST(CommitterTest, AMalformedBatchAloneIsNotTriedAgain) {
  FakeStore store;
  store.SetOpen(false);
  store.SetMalformed(1);
  Results results;
  Results other;
  Committer committer(store, {.gather = absl::ZeroDuration()});
  ASSERT_OK(committer.Submit(std::make_shared<Committer::Lane>(), BatchOf(1), 1, results.Done()));
  store.SetOpen(true);
  results.Await(1);
  EXPECT_TRUE(absl::IsInternal(results.statuses[0])) << results.statuses[0];
  EXPECT_EQ(store.calls(), 1);  // alone it is found without another try
  store.SetStatus(absl::ResourceExhaustedError("disk full"));
  ASSERT_OK(committer.Submit(std::make_shared<Committer::Lane>(), BatchOf(2), 1, other.Done()));
  other.Await(1);
  EXPECT_TRUE(absl::IsResourceExhausted(other.statuses[0])) << other.statuses[0];
}

TEST(CommitterTest, MoreThanTheLimitIsRefused) {
  FakeStore store;
  store.SetOpen(false);
  Results results;
  Committer committer(store, {.max_pending_bytes = 100, .gather = absl::ZeroDuration()});
  const auto lane = std::make_shared<Committer::Lane>();
  ASSERT_OK(committer.Submit(lane, BatchOf(1), 60, results.Done()));
  EXPECT_TRUE(absl::IsResourceExhausted(committer.Submit(lane, BatchOf(2), 60, results.Done())));
  ASSERT_OK(committer.Submit(lane, BatchOf(3), 40, results.Done()));
  EXPECT_EQ(committer.counters().refused, 1);
  store.SetOpen(true);
  results.Await(2);
}

TEST(CommitterTest, TheDestructorCommitsWhatWasSubmitted) {
  FakeStore store;
  Results results;
  {
    Committer committer(store, {.gather = absl::Hours(1)});
    const auto lane = std::make_shared<Committer::Lane>();
    for (uint64_t i = 1; i <= 5; ++i) {
      ASSERT_OK(committer.Submit(lane, BatchOf(i), 1, results.Done()));
    }
  }
  EXPECT_EQ(results.statuses.size(), 5);
  EXPECT_EQ(store.sequences().size(), 5);
}

}  // namespace
}  // namespace kindling::controller
