#include "storage/keys.h"

#include <gtest/gtest.h>

#include <string>

namespace kindling::storage {
namespace {

BlockKey SomeBlockKey() {
  return {.space = {Table::kEdges, "tenant", "cluster"},
          .bucket_start_ns = 3'600'000'000'000,
          .first_ns = 3'600'000'000'001,
          .last_ns = 3'700'000'000'000,
          .agent_id = "agent",
          .boot_epoch = 0x0102030405060708,
          .sequence = 9,
          .part = 1};
}

template <typename Key>
void ExpectRoundTrip(const Key& key) {
  const std::string bytes = key.Encode();
  EXPECT_EQ(Key::Parse(bytes), key);
  // No shorter or longer text is a key.
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(Key::Parse(bytes.substr(0, size)), std::nullopt) << size;
  }
  EXPECT_EQ(Key::Parse(bytes + '\0'), std::nullopt);
}

TEST(KeysTest, ParseGivesWhatWasEncoded) {
  ExpectRoundTrip(MetaKey{"format"});
  ExpectRoundTrip(SequenceKey{"agent", 1'700'000'000'000'000'000});
  ExpectRoundTrip(SequenceKey{std::string("nul\0inside", 10), UINT64_MAX});
  ExpectRoundTrip(SomeBlockKey());
  BlockKey negative = SomeBlockKey();
  negative.first_ns = INT64_MIN;
  negative.space.tenant = "";
  ExpectRoundTrip(negative);
  ExpectRoundTrip(AddressKey{.tenant = "t",
                             .cluster = "c",
                             .address = "10.0.0.1",
                             .port = 65535,
                             .transport = model::Transport::kTcp,
                             .first_ns = -1});
}

TEST(KeysTest, KeysOfOneTableAreNoKeysOfAnother) {
  EXPECT_EQ(SequenceKey::Parse(MetaKey{"format"}.Encode()), std::nullopt);
  EXPECT_EQ(BlockKey::Parse(AddressKey{.address = "10.0.0.1"}.Encode()), std::nullopt);
}

TEST(KeysTest, BlocksSortByTime) {
  std::string before;
  for (const int64_t bucket : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{255}, int64_t{256},
                               int64_t{1'700'000'000'000'000'000}, INT64_MAX}) {
    BlockKey key = SomeBlockKey();
    key.bucket_start_ns = bucket;
    EXPECT_LT(before, key.Encode());
    EXPECT_GE(key.Encode(), key.space.BucketStart(bucket));
    EXPECT_TRUE(key.Encode().starts_with(key.space.Encode()));
    before = key.Encode();
  }
}

TEST(KeysTest, OneAgentIsNoPrefixOfAnother) {
  const std::string longer = SequenceKey{"agent-10", 1}.Encode();
  EXPECT_FALSE(longer.starts_with(SequenceKey::Prefix("agent-1")));
}

TEST(KeysTest, PrefixEndIsTheNextKeyThatDoesNotBeginSo) {
  EXPECT_EQ(PrefixEnd("ab"), "ac");
  EXPECT_EQ(PrefixEnd("a\xff"), "b");
  EXPECT_EQ(PrefixEnd("\xff\xff"), "");
}

}  // namespace
}  // namespace kindling::storage
