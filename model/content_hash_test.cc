#include "model/content_hash.h"

#include <gtest/gtest.h>

namespace kindling::model {
namespace {

// FIPS 180-2, appendix B: SHA-256 of "abc", and of nothing.
TEST(ContentHashTest, IsTheBeginningOfSha256) {
  EXPECT_EQ(HashOf("abc"), (ContentHash{0xba7816bf8f01cfea, 0x414140de5dae2223}));
  EXPECT_EQ(HashOf(""), (ContentHash{0xe3b0c44298fc1c14, 0x9afbf4c8996fb924}));
}

}  // namespace
}  // namespace kindling::model
