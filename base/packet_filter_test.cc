#include "base/packet_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cstring>
#include <vector>

#include "base/testing/status_matchers.h"
#include "base/unique_fd.h"

namespace kindling::base {
namespace {

using ::testing::HasSubstr;

// Whether the kernel itself takes the program.
bool KernelTakes(std::vector<sock_filter> program) {
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM, 0));
  const sock_fprog attached{.len = static_cast<unsigned short>(program.size()),
                            .filter = program.data()};
  return setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &attached, sizeof(attached)) == 0;
}

struct TestPacket {
  uint16_t hardware_type = ARPHRD_ETHER;
  uint8_t packet_type = PACKET_HOST;
  std::vector<uint8_t> bytes;
};

// What the kernel does with a classic program, for the instructions that these filters have:
// the bytes to keep, 0: rejected.
uint32_t Keeps(const std::vector<sock_filter>& program, const TestPacket& packet) {
  uint32_t a = 0, x = 0;
  std::vector<uint32_t> memory(16);
  for (size_t pc = 0; pc < program.size(); ++pc) {
    const sock_filter& at = program[pc];
    const auto load = [&](uint32_t offset, uint32_t size) {
      if (offset == static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_HATYPE))
        return uint64_t{packet.hardware_type};
      if (offset == static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE))
        return uint64_t{packet.packet_type};
      if (offset + size > packet.bytes.size()) return UINT64_MAX;
      uint64_t value = 0;
      for (uint32_t i = 0; i < size; ++i) value = value << 8 | packet.bytes[offset + i];
      return value;
    };
    const uint32_t size = BPF_SIZE(at.code) == BPF_W ? 4 : BPF_SIZE(at.code) == BPF_H ? 2 : 1;
    const uint32_t operand = BPF_SRC(at.code) == BPF_X ? x : at.k;
    switch (BPF_CLASS(at.code)) {
      case BPF_LD: {
        if (BPF_MODE(at.code) == BPF_IMM) {
          a = at.k;
          break;
        }
        if (BPF_MODE(at.code) == BPF_MEM) {
          a = memory.at(at.k);
          break;
        }
        const uint64_t value = load(BPF_MODE(at.code) == BPF_IND ? x + at.k : at.k, size);
        if (value == UINT64_MAX) return 0;
        a = static_cast<uint32_t>(value);
        break;
      }
      case BPF_LDX:
        if (BPF_MODE(at.code) == BPF_MSH) {
          if (at.k >= packet.bytes.size()) return 0;
          x = (packet.bytes[at.k] & 0xf) * 4;
        } else {
          x = BPF_MODE(at.code) == BPF_MEM ? memory.at(at.k) : at.k;
        }
        break;
      case BPF_ST:
        memory.at(at.k) = a;
        break;
      case BPF_STX:
        memory.at(at.k) = x;
        break;
      case BPF_ALU:
        if (BPF_OP(at.code) == BPF_AND)
          a &= operand;
        else if (BPF_OP(at.code) == BPF_ADD)
          a += operand;
        else
          ADD_FAILURE() << "operation " << at.code;
        break;
      case BPF_MISC:
        if (BPF_MISCOP(at.code) == BPF_TAX)
          x = a;
        else
          a = x;
        break;
      case BPF_JMP: {
        if (BPF_OP(at.code) == BPF_JA) {
          pc += at.k;
          break;
        }
        bool is_true = false;
        if (BPF_OP(at.code) == BPF_JEQ) is_true = a == operand;
        if (BPF_OP(at.code) == BPF_JGT) is_true = a > operand;
        if (BPF_OP(at.code) == BPF_JGE) is_true = a >= operand;
        if (BPF_OP(at.code) == BPF_JSET) is_true = (a & operand) != 0;
        pc += is_true ? at.jt : at.jf;
        break;
      }
      case BPF_RET:
        return at.k;
    }
  }
  ADD_FAILURE() << "the program does not end";
  return 0;
}

// An IPv4 TCP segment from 10.0.0.1:1000 to 10.0.0.2:80.
std::vector<uint8_t> Ip() {
  std::vector<uint8_t> bytes(40);
  bytes[0] = 0x45;
  bytes[9] = 6;
  bytes[12] = 10;
  bytes[15] = 1;
  bytes[16] = 10;
  bytes[19] = 2;
  bytes[20] = 1000 >> 8;
  bytes[21] = 1000 & 0xff;
  bytes[23] = 80;
  return bytes;
}
std::vector<uint8_t> Ethernet() {
  std::vector<uint8_t> bytes(14);
  bytes[12] = 8;
  const std::vector<uint8_t> ip = Ip();
  bytes.insert(bytes.end(), ip.begin(), ip.end());
  return bytes;
}

TEST(PacketFilterTest, MatchesByTheKindOfInterface) {
  const auto program = CompilePacketFilter("tcp port 80 and host 10.0.0.2", 96);
  ASSERT_OK(program);
  EXPECT_TRUE(KernelTakes(*program));
  EXPECT_EQ(Keeps(*program, {.bytes = Ethernet()}), 96);
  for (const uint16_t type : {ARPHRD_NONE, ARPHRD_RAWIP, ARPHRD_TUNNEL, ARPHRD_TUNNEL6, ARPHRD_SIT,
                              ARPHRD_IPGRE, ARPHRD_IP6GRE}) {
    EXPECT_EQ(Keeps(*program, {.hardware_type = type, .bytes = Ip()}), 96) << type;
    EXPECT_EQ(Keeps(*program, {.hardware_type = type, .bytes = Ethernet()}), 0) << type;
    EXPECT_TRUE(HasNoLinkLayer(type));
  }
  EXPECT_EQ(Keeps(*program, {.bytes = Ip()}), 0);
  EXPECT_EQ(Keeps(*program, {.hardware_type = ARPHRD_INFINIBAND, .bytes = Ethernet()}), 0);
  EXPECT_FALSE(HasNoLinkLayer(ARPHRD_ETHER));
}

TEST(PacketFilterTest, LoopbackOnceAndAsReceived) {
  const auto program = CompilePacketFilter("tcp port 80", 1500);
  ASSERT_OK(program);
  EXPECT_EQ(Keeps(*program, {ARPHRD_LOOPBACK, PACKET_HOST, Ethernet()}), 1500);
  EXPECT_EQ(Keeps(*program, {ARPHRD_LOOPBACK, PACKET_OUTGOING, Ethernet()}), 0);
  EXPECT_EQ(Keeps(*program, {ARPHRD_ETHER, PACKET_OUTGOING, Ethernet()}), 1500);
}

TEST(PacketFilterTest, EmptyMatchesEverything) {
  const auto program = CompilePacketFilter("", 65535);
  ASSERT_OK(program);
  EXPECT_TRUE(KernelTakes(*program));
  EXPECT_EQ(Keeps(*program, {.bytes = {1}}), 65535);
  EXPECT_EQ(Keeps(*program, {.hardware_type = ARPHRD_NONE, .bytes = {1}}), 65535);
}

TEST(PacketFilterTest, OnlyWithALinkLayer) {
  const auto program = CompilePacketFilter("ether host 00:00:00:00:00:00", 100);
  ASSERT_OK(program);
  EXPECT_EQ(Keeps(*program, {.bytes = Ethernet()}), 100);
  EXPECT_EQ(Keeps(*program, {.hardware_type = ARPHRD_NONE, .bytes = Ip()}), 0);
}

TEST(PacketFilterTest, Direction) {
  const auto program = CompilePacketFilter("outbound and tcp", 100);
  ASSERT_OK(program);
  EXPECT_EQ(Keeps(*program, {.packet_type = PACKET_OUTGOING, .bytes = Ethernet()}), 100);
  EXPECT_EQ(Keeps(*program, {.packet_type = PACKET_HOST, .bytes = Ethernet()}), 0);
}

TEST(PacketFilterTest, FaultsInLibpcapsWords) {
  const auto fault = [](const std::string& text) {
    const absl::Status status = CompilePacketFilter(text, 100).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    return std::string(status.message());
  };
  EXPECT_THAT(fault("tcp prot 80"), HasSubstr("syntax error"));
  EXPECT_THAT(fault("tcp port 80 and ("), HasSubstr("syntax error"));
  EXPECT_THAT(fault("ip and ip6"), HasSubstr("expression rejects all packets"));
  EXPECT_THAT(fault("vlan 5 and tcp"), HasSubstr("`vlan`"));
  EXPECT_THAT(fault(std::string("tcp\0", 4)), HasSubstr("zero byte"));
  EXPECT_THAT(fault(std::string(kMaxPacketFilterBytes + 1, ' ')), HasSubstr("bytes long"));
}

// Many addresses, as the filter of a service with many members has; then too many.
TEST(PacketFilterTest, AsLongAsTheKernelTakes) {
  std::string text = "tcp";
  std::string fault;
  size_t taken = 0;
  for (int i = 0; i < 700 && fault.empty(); ++i) {
    text += (i == 0 ? " and (" : " or ") + std::string("host 10.") + std::to_string(i / 200) +
            ".7." + std::to_string(i % 200);
    if (i % 50 != 49) continue;
    const auto program = CompilePacketFilter(text + ")", 100);
    if (!program.ok()) {
      fault = std::string(program.status().message());
    } else {
      ASSERT_TRUE(KernelTakes(*program)) << program->size();
      taken = program->size();
    }
  }
  EXPECT_GT(taken, 500);
  EXPECT_THAT(fault, HasSubstr("the kernel takes 4096"));
}

}  // namespace
}  // namespace kindling::base
