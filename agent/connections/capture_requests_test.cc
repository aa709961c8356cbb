#include "agent/connections/capture_requests.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/testing/status_matchers.h"

namespace kindling::agent {
namespace {

TEST(CaptureRequestsTest, RunsWhatIsAskedOnTheServingThread) {
  CaptureRequests requests;
  std::atomic<bool> answered = false;
  std::thread::id ran_on;
  std::thread asking([&] {
    EXPECT_OK(requests.Ask([&] { ran_on = std::this_thread::get_id(); }, absl::Seconds(30)));
    answered = true;
  });
  while (!answered) requests.Serve();
  asking.join();
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(CaptureRequestsTest, WhatWasGivenUpIsNotRun) {
  CaptureRequests requests;
  bool ran = false;
  EXPECT_TRUE(absl::IsDeadlineExceeded(requests.Ask([&] { ran = true; }, absl::Milliseconds(10))));
  requests.Serve();
  EXPECT_FALSE(ran);
}

TEST(CaptureRequestsTest, OneTooManyIsRefused) {
  CaptureRequests requests;
  std::atomic<int> refused = 0;
  std::vector<std::thread> asking;
  for (size_t i = 0; i < CaptureRequests::kMaxWaiting + 1; ++i) {
    asking.emplace_back([&] {
      const absl::Status status = requests.Ask([] {}, absl::InfiniteDuration());
      if (absl::IsResourceExhausted(status))
        ++refused;
      else
        EXPECT_OK(status);
    });
  }
  while (refused == 0) std::this_thread::yield();
  requests.Serve();
  requests.Close();
  for (std::thread& thread : asking) thread.join();
  EXPECT_EQ(refused, 1);
}

TEST(CaptureRequestsTest, AfterTheEndNothingRuns) {
  CaptureRequests requests;
  requests.Close();
  EXPECT_TRUE(absl::IsUnavailable(requests.Ask([] { FAIL(); }, absl::InfiniteDuration())));
}

}  // namespace
}  // namespace kindling::agent
