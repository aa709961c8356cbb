#include "base/process_usage.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace kindling::base {
namespace {

TEST(ProcessUsageTest, SeesMemoryAndTimeBeingUsed) {
  const ProcessUsage before = ReadProcessUsage();
  EXPECT_GT(before.resident_bytes, 100'000u);
  std::vector<char> memory(32 << 20);
  ProcessUsage after;
  do {
    std::memset(memory.data(), 1, memory.size());
    after = ReadProcessUsage();
  } while (after.cpu_seconds <= before.cpu_seconds);
  EXPECT_GT(after.resident_bytes, before.resident_bytes + (16 << 20));
  EXPECT_EQ(memory[memory.size() / 2], 1);
}

}  // namespace
}  // namespace kindling::base
