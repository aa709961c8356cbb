#include "base/pcapng.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/byte_reader.h"
#include "base/testing/pcapng_reader.h"

namespace kindling::base {
namespace {

using ::testing::ElementsAre;
using Option = PcapngOption;

std::string Le32(uint32_t value) { return {reinterpret_cast<const char*>(&value), 4}; }
std::string Le64(uint64_t value) { return {reinterpret_cast<const char*>(&value), 8}; }

TEST(PcapngTest, Section) {
  const std::vector<std::string> comments = {"partial: host-a went away"};
  std::string file;
  AppendPcapng(PcapngSection{.os = "Linux 6.1", .application = "kindlingctl", .comments = comments},
               &file);
  const auto blocks = ParsePcapng(file);
  ASSERT_EQ(blocks.size(), 1);
  EXPECT_EQ(blocks[0].body, Le32(0x1A2B3C4D) + std::string("\x01\0\0\0", 4) + Le64(UINT64_MAX));
  EXPECT_THAT(blocks[0].options, ElementsAre(Option{1, comments[0]}, Option{3, "Linux 6.1"},
                                             Option{4, "kindlingctl"}));
}

TEST(PcapngTest, Interface) {
  std::string file;
  AppendPcapng(PcapngInterface{.link = PcapngLink::kRawIp,
                               .snap_bytes = 96,
                               .name = "tun0",
                               .description = "host-a, network namespace shop",
                               .filter = "tcp port 80"},
               &file);
  const auto blocks = ParsePcapng(file);
  ASSERT_EQ(blocks.size(), 1);
  EXPECT_EQ(blocks[0].body, std::string("\x65\0\0\0", 4) + Le32(96));
  EXPECT_THAT(blocks[0].options,
              ElementsAre(Option{2, "tun0"}, Option{3, "host-a, network namespace shop"},
                          Option{9, "\x09"}, Option{11, std::string("\0tcp port 80", 12)}));
}

TEST(PcapngTest, PacketsOfEverySize) {
  for (size_t size = 0; size < 9; ++size) {
    const std::string bytes(size, 'x');
    const std::vector<std::string> comments = {"sender: process nginx", "receiver: process shop"};
    std::string file;
    AppendPcapng(PcapngPacket{.interface = 3,
                              .time_ns = 0x0102030405060708,
                              .original_bytes = 1500,
                              .bytes = AsBytes(bytes),
                              .direction = PcapngDirection::kOutbound,
                              .reception = PcapngReception::kBroadcast,
                              .comments = comments},
                 &file);
    const auto blocks = ParsePcapng(file);
    ASSERT_EQ(blocks.size(), 1);
    EXPECT_EQ(blocks[0].body, Le32(3) + Le32(0x01020304) + Le32(0x05060708) +
                                  Le32(static_cast<uint32_t>(size)) + Le32(1500) + bytes +
                                  std::string((4 - size % 4) % 4, '\0'));
    EXPECT_THAT(blocks[0].options, ElementsAre(Option{2, Le32(0b01110)}, Option{1, comments[0]},
                                               Option{1, comments[1]}));
  }
}

TEST(PcapngTest, PacketOfWhichNothingMoreIsKnownHasNoOptions) {
  std::string file;
  AppendPcapng(PcapngPacket{}, &file);
  EXPECT_EQ(file.size(), 32);
  EXPECT_TRUE(ParsePcapng(file).at(0).options.empty());
}

TEST(PcapngTest, Statistics) {
  std::string file;
  AppendPcapng(PcapngStatistics{.interface = 1,
                                .time_ns = 30,
                                .start_ns = int64_t{1} << 32,
                                .end_ns = 2,
                                .accepted = 1000,
                                .os_dropped = 0},
               &file);
  const auto blocks = ParsePcapng(file);
  ASSERT_EQ(blocks.size(), 1);
  EXPECT_EQ(blocks[0].body, Le32(1) + Le32(0) + Le32(30));
  EXPECT_THAT(blocks[0].options,
              ElementsAre(Option{2, Le32(1) + Le32(0)}, Option{3, Le32(0) + Le32(2)},
                          Option{6, Le64(1000)}, Option{7, Le64(0)}));
}

TEST(PcapngTest, HostileTexts) {
  const std::vector<std::string> comments = {std::string(100'000, 'a'), "a\xff\xfe z"};
  std::string file;
  AppendPcapng(PcapngPacket{.comments = comments}, &file);
  const auto blocks = ParsePcapng(file);
  ASSERT_EQ(blocks.size(), 1);
  EXPECT_THAT(blocks[0].options,
              ElementsAre(Option{1, std::string(kMaxPcapngTextBytes, 'a')}, Option{1, "a?? z"}));
}

TEST(PcapngTest, WholeBlocksOfAnyCut) {
  std::string file;
  std::vector<size_t> ends = {0};
  AppendPcapng(PcapngSection{.application = "test"}, &file);
  ends.push_back(file.size());
  AppendPcapng(PcapngInterface{.name = "eth0"}, &file);
  ends.push_back(file.size());
  for (const std::string_view bytes : {"abc", "", "defgh"}) {
    AppendPcapng(PcapngPacket{.bytes = AsBytes(bytes)}, &file);
    ends.push_back(file.size());
  }
  size_t whole = 0;
  for (size_t size = 0; size <= file.size(); ++size) {
    if (whole + 1 < ends.size() && size == ends[whole + 1]) ++whole;
    EXPECT_EQ(WholePcapngBlocks(file, size), ends[whole]) << size;
  }
  EXPECT_EQ(WholePcapngBlocks(file, file.size() + 1), file.size());
}

}  // namespace
}  // namespace kindling::base
