#include "storage/checksum.h"

#include <gtest/gtest.h>

#include <string>

namespace kindling::storage {
namespace {

// Of the reference implementation, xxHash 0.8: `xxhsum -H3` prints the whole of 64 bits.
TEST(ChecksumTest, IsThatOfTheReference) {
  EXPECT_EQ(Checksum(""), 0x38d394c2);
  EXPECT_EQ(Checksum("kindling"), 0xc6216312);
  EXPECT_EQ(Checksum(std::string(1000, 'k')), 0x21066779);
}

}  // namespace
}  // namespace kindling::storage
