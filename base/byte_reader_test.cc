#include "base/byte_reader.h"

#include <gtest/gtest.h>

namespace kindling::base {
namespace {

TEST(ByteReader, ReadsBothByteOrders) {
  ByteReader reader(AsBytes(std::string_view("\x01\x02\x03\x04\x05\x06\x07\x08\x09", 9)));
  EXPECT_EQ(reader.U16Be(), 0x0102);
  EXPECT_EQ(reader.U16Le(), 0x0403);
  EXPECT_EQ(reader.U24Le(), 0x070605u);
  EXPECT_EQ(reader.Text(2), "\x08\x09");
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(ByteReader, FailureIsSticky) {
  ByteReader reader(AsBytes("abc"));
  EXPECT_EQ(reader.U32Be(), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.U8(), 0u);
  EXPECT_TRUE(reader.Text(1).empty());
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(ByteReader, HugeLengthDoesNotWrap) {
  ByteReader reader(AsBytes("abc"));
  reader.Skip(1);
  reader.Skip(SIZE_MAX);
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace kindling::base
