#include "storage/engine/helper_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "absl/synchronization/barrier.h"

namespace kindling::storage {
namespace {

TEST(HelperThreadsTest, DoesEachPieceOnce) {
  for (const size_t threads : {0, 1, 3}) {
    HelperThreads helpers(threads);
    EXPECT_EQ(helpers.size(), threads);
    std::vector<std::atomic<int>> calls(100);
    helpers.Run(calls.size(), [&](size_t i) { ++calls[i]; });
    for (const auto& count : calls) EXPECT_EQ(count, 1);
    helpers.Run(0, [](size_t) { FAIL(); });
  }
}

TEST(HelperThreadsTest, PiecesRunAtTheSameTime) {
  HelperThreads helpers(2);
  // Would wait for ever if one came after the other.
  absl::Barrier barrier(3);
  absl::Mutex mu;
  std::set<std::thread::id> threads;
  helpers.Run(3, [&](size_t) {
    barrier.Block();
    absl::MutexLock lock(&mu);
    threads.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(threads.size(), 3);
}

TEST(HelperThreadsTest, ManyCallersAtOnce) {
  HelperThreads helpers(2);
  std::atomic<size_t> sum = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        std::atomic<size_t> own = 0;
        helpers.Run(10, [&](size_t piece) { own += piece; });
        sum += own;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, size_t{8} * 200 * 45);
}

}  // namespace
}  // namespace kindling::storage
