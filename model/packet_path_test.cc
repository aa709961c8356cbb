#include "model/packet_path.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace kindling::model {
namespace {

TEST(PacketPathTest, EveryPlaceHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int place = 1; place <= static_cast<int>(kLastPathPlace); ++place) {
    EXPECT_EQ(ToPathPlace(place), static_cast<PathPlace>(place));
    EXPECT_FALSE(Name(static_cast<PathPlace>(place)).empty()) << place;
    names.insert(Name(static_cast<PathPlace>(place)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(kLastPathPlace));
}

TEST(PacketPathTest, APlaceFromOutsideMayBeAnything) {
  EXPECT_EQ(ToPathPlace(0), PathPlace::kUnknown);
  EXPECT_EQ(ToPathPlace(static_cast<uint64_t>(kLastPathPlace) + 1), PathPlace::kUnknown);
  EXPECT_EQ(ToPathPlace(~uint64_t{0}), PathPlace::kUnknown);
}

TEST(PacketPathTest, TuplesAsOneWritesThem) {
  EXPECT_EQ(ToString(PathTuple{"10.0.0.1", "10.0.0.2", 4000, 80, 6}),
            "10.0.0.1:4000 -> 10.0.0.2:80");
  EXPECT_EQ(ToString(PathTuple{"fe80::1", "fe80::2", 4000, 80, 6}),
            "[fe80::1]:4000 -> [fe80::2]:80");
  EXPECT_EQ(ToString(PathTuple{"fe80::1", "fe80::2", 0, 0, 58}), "fe80::1 -> fe80::2");
}

TEST(PacketPathTest, FlagsAndProtocols) {
  EXPECT_EQ(TcpFlagNames(0x02), "SYN");
  EXPECT_EQ(TcpFlagNames(0x12), "SYN ACK");
  EXPECT_EQ(TcpFlagNames(0x11), "FIN ACK");
  EXPECT_EQ(TcpFlagNames(0xc0), "");
  EXPECT_EQ(ProtocolName(6), "tcp");
  EXPECT_EQ(ProtocolName(47), "protocol 47");
}

}  // namespace
}  // namespace kindling::model
