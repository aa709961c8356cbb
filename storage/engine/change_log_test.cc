#include "storage/engine/change_log.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace kindling::storage {
namespace {

constexpr int64_t kMinute = 60'000'000'000;

TEST(ChangeLogTest, TellsMinutesApart) {
  ChangeLog log;
  log.Note(10 * kMinute + 5, 11 * kMinute);
  const uint64_t before = log.LastIn(10 * kMinute, 12 * kMinute);
  EXPECT_GT(before, 0);
  EXPECT_EQ(log.LastIn(0, 10 * kMinute - 1), 0);
  log.Note(20 * kMinute, 20 * kMinute);
  EXPECT_EQ(log.LastIn(10 * kMinute, 12 * kMinute), before);
  EXPECT_GT(log.LastIn(10 * kMinute, 20 * kMinute), before);
  EXPECT_GT(log.LastIn(20 * kMinute + 30, 20 * kMinute + 40), before);
}

TEST(ChangeLogTest, AChangeOfAllIsOneOfEachTime) {
  ChangeLog log;
  log.Note(10 * kMinute, 10 * kMinute);
  const uint64_t before = log.LastIn(5 * kMinute, 6 * kMinute);
  log.NoteAll();
  EXPECT_GT(log.LastIn(5 * kMinute, 6 * kMinute), before);
}

TEST(ChangeLogTest, StrangeTimesCountAsAll) {
  ChangeLog log;
  const struct {
    int64_t first_ns;
    int64_t last_ns;
  } cases[] = {{-1, 5}, {INT64_MIN, INT64_MAX}, {INT64_MAX, INT64_MAX}, {0, 1'000 * kMinute}};
  uint64_t last = 0;
  for (const auto& [first_ns, last_ns] : cases) {
    log.Note(first_ns, last_ns);
    EXPECT_GT(log.LastIn(7 * kMinute, 8 * kMinute), last) << first_ns;
    last = log.LastIn(7 * kMinute, 8 * kMinute);
  }
  log.Note(INT64_MAX, INT64_MIN);  // nothing
  EXPECT_EQ(log.LastIn(INT64_MIN, INT64_MAX), last);
}

TEST(ChangeLogTest, ForgottenMinutesCountAsChanged) {
  ChangeLog log;
  log.Note(0, 0);
  const uint64_t before = log.LastIn(0, 0);
  for (size_t i = 1; i <= ChangeLog::kMaxMinutes + 10; ++i) {
    const auto minute = static_cast<int64_t>(i) * kMinute;
    log.Note(minute, minute);
  }
  EXPECT_GT(log.LastIn(0, 0), before);
  const auto newest = static_cast<int64_t>(ChangeLog::kMaxMinutes) * kMinute;
  EXPECT_GT(log.LastIn(newest, newest), log.LastIn(0, 0));
}

}  // namespace
}  // namespace kindling::storage
