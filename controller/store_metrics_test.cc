#include "controller/store_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "base/testing/fake_clock.h"
#include "base/testing/temp_dir.h"
#include "controller/testing/fake_store_admin.h"

namespace kindling::controller {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kNowNs = 1'700'000'000 * kSecondNs;

class StoreMetricsTest : public ::testing::Test {
 protected:
  StoreMetricsTest() { AddStoreMetrics(metrics_, admin_, clock_); }

  base::FakeClock clock_{kSecondNs, kNowNs};
  FakeStoreAdmin admin_;
  base::Metrics metrics_;
};

TEST_F(StoreMetricsTest, EveryNumberIsThere) {
  admin_.status = {.max_bytes = 2,
                   .free_bytes = 3,
                   .unsealed_batches = 5,
                   .unsealed_bytes = 6,
                   .oldest_unsealed_ns = kNowNs - 3 * kSecondNs / 2,
                   .late_refused = 8,
                   .write_stalls = 9,
                   .write_stall_seconds = 0.25,
                   .cache_hits = 11,
                   .cache_misses = 12,
                   .memory_bytes = 13,
                   .memory_limit_bytes = 14,
                   .stopped = "the disk is nearly full",
                   .buckets = {{.record_class = "spans", .blocks = 2, .rows = 20, .bytes = 200},
                               {.record_class = "series_10s", .blocks = 7, .rows = 1, .bytes = 1},
                               {.record_class = "spans", .blocks = 3, .rows = 30, .bytes = 300}}};
  const std::string text = metrics_.Text();
  for (const char* line :
       {"store_max_bytes 2\n", "store_free_bytes 3\n", "store_ingest_stopped 1\n",
        "store_unsealed_batches 5\n", "store_unsealed_bytes 6\n", "store_seal_lag_seconds 1.5\n",
        "store_late_records_total 8\n", "store_write_stalls_total 9\n",
        "store_write_stall_seconds_total 0.25\n", "store_cache_hits_total 11\n",
        "store_cache_misses_total 12\n", "store_memory_bytes 13\n", "store_memory_limit_bytes 14\n",
        "store_buckets{class=\"spans\"} 2\n", "store_blocks{class=\"spans\"} 5\n",
        "store_rows{class=\"spans\"} 50\n", "store_class_bytes{class=\"spans\"} 500\n",
        "store_blocks{class=\"series_10s\"} 7\n"}) {
    EXPECT_THAT(text, HasSubstr(std::string("\nkindling_controller_") + line));
  }
}

TEST_F(StoreMetricsTest, NothingUnsealedHasNoLag) {
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("store_seal_lag_seconds 0\n"));
  EXPECT_THAT(text, HasSubstr("store_ingest_stopped 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("store_buckets")));
}

TEST_F(StoreMetricsTest, PromtoolHasNothingToSay) {
  admin_.status.buckets = {{.record_class = "spans"}};
  const base::TempDir dir;
  std::ofstream(dir.File("metrics")) << metrics_.Text();
  const std::string command = "/usr/bin/promtool check metrics < " + dir.File("metrics") + " 2>&1";
  std::FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string output;
  char buffer[4096];
  for (size_t got; (got = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) {
    output.append(buffer, got);
  }
  EXPECT_EQ(pclose(pipe), 0) << output;
  EXPECT_EQ(output, "");
}

}  // namespace
}  // namespace kindling::controller
