#include "storage/keys.h"

#include <gtest/gtest.h>

#include <string>

namespace kindling::storage {
namespace {

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
  const Space space{"tenant", "cluster"};
  ExpectRoundTrip(DictionaryKey{7});
  ExpectRoundTrip(RawBatchKey{UINT64_MAX});
  ExpectRoundTrip(BlockKey{space, BlockClass::kFlows, 0x0102030405060708, BlockPart::kBody});
  ExpectRoundTrip(BlockKey{{}, BlockClass::kSpans, 0, BlockPart::kSummary});
  ExpectRoundTrip(AliasKey{space, 1, 2});
  ExpectRoundTrip(ChunkKey{space, INT64_MIN, 3});
  ExpectRoundTrip(SpanChunkKey{space, UINT64_MAX, -1, 4});
  ExpectRoundTrip(ContentKey{space, 5, 6});
  ExpectRoundTrip(AddressKey{.tenant = "t",
                             .cluster = "c",
                             .address = "10.0.0.1",
                             .port = 65535,
                             .transport = model::Transport::kTcp,
                             .host = "node",
                             .first_ns = -1});
}

TEST(KeysTest, KeysOfOneTableAreNoKeysOfAnother) {
  EXPECT_EQ(SequenceKey::Parse(MetaKey{"format"}.Encode()), std::nullopt);
  EXPECT_EQ(BlockKey::Parse(AddressKey{.address = "10.0.0.1"}.Encode()), std::nullopt);
}

TEST(KeysTest, BlocksSortByNumberThenPart) {
  std::string before;
  for (const uint64_t number : {uint64_t{0}, uint64_t{255}, uint64_t{256}, UINT64_MAX}) {
    for (const BlockPart part : {BlockPart::kSummary, BlockPart::kFilter, BlockPart::kBody}) {
      const std::string key = BlockKey{{"t", "c"}, BlockClass::kEdges, number, part}.Encode();
      EXPECT_LT(before, key);
      before = key;
    }
  }
}

TEST(KeysTest, ChunksSortByTime) {
  std::string before;
  for (const int64_t time_ns : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{255}, int64_t{256},
                                int64_t{1'700'000'000'000'000'000}, INT64_MAX}) {
    const std::string key = ChunkKey{{"t", "c"}, time_ns, 1}.Encode();
    EXPECT_LT(before, key);
    EXPECT_TRUE(key.starts_with(ChunkKey::Prefix({"t", "c"})));
    before = key;
    EXPECT_EQ(ParseTime(TimeValue(time_ns)), time_ns);
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
