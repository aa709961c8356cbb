// Headers of packets, on the host: hostile ones above all.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace
{
// All that may be read: what the code under test asks for beyond it would be a fault in the kernel too.
std::vector<__UINT8_TYPE__> allowed;
int reads_outside;

int ReadAllowed(void *to, size_t bytes, __UINT64_TYPE__ address)
{
	const auto begin = reinterpret_cast<__UINT64_TYPE__>(allowed.data());
	if (address < begin || address + bytes > begin + allowed.size()) {
		++reads_outside;
		return -1;
	}
	std::memcpy(to, reinterpret_cast<const void *>(address), bytes);
	return 0;
}
} // namespace

#define KD_HEADERS_READ(to, bytes, address) ReadAllowed(to, bytes, address)
#include "bpf/lib/path_headers.h"

namespace
{

using Bytes = std::vector<__u8>;

Bytes operator+(Bytes a, const Bytes &b)
{
	a.insert(a.end(), b.begin(), b.end());
	return a;
}

Bytes Ipv4(__u8 protocol, const Bytes &above, __u16 fragment = 0, int options = 0)
{
	const size_t total = 20 + options + above.size();
	Bytes header = {static_cast<__u8>(0x45 + options / 4),
			0,
			static_cast<__u8>(total >> 8),
			static_cast<__u8>(total),
			0x12,
			0x34,
			static_cast<__u8>(fragment >> 8),
			static_cast<__u8>(fragment),
			64,
			protocol,
			0,
			0,
			10,
			0,
			0,
			1,
			10,
			0,
			0,
			2};
	header.resize(20 + options);
	return header + above;
}

Bytes Tcp(const Bytes &payload = {}, __u8 flags = 0x18)
{
	return Bytes{0x9c, 0x40, 0, 80, 0, 0, 1, 2, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0} +
	       payload;
}

Bytes Udp(__u16 port, const Bytes &payload)
{
	return Bytes{0x9c, 0x40, static_cast<__u8>(port >> 8), static_cast<__u8>(port), 0, 0,
		     0,	   0} +
	       payload;
}

Bytes Ipv6(__u8 next, const Bytes &above)
{
	Bytes header = {0x60, 0, 0, 0, 0, static_cast<__u8>(above.size()), next, 64};
	header.resize(40);
	header[8] = 0xfd;
	header[23] = 1;
	header[24] = 0xfd;
	header[39] = 2;
	return header + above;
}

Bytes Vxlan(const Bytes &inner, __u16 ethertype = KD_ETHERTYPE_IP)
{
	Bytes header = {8, 0, 0, 0, 0, 0, 42, 0};
	header.resize(8 + 12);
	return header + Bytes{static_cast<__u8>(ethertype >> 8), static_cast<__u8>(ethertype)} +
	       inner;
}

int Look(const Bytes &bytes, struct kd_packet *packet)
{
	allowed = bytes;
	const struct kd_bytes from = {reinterpret_cast<__u64>(allowed.data()),
				      static_cast<__u32>(allowed.size()), 0};
	return kd_read_packet(&from, packet);
}

TEST(PathHeadersTest, TcpOverIpv4)
{
	struct kd_packet packet;
	ASSERT_EQ(Look(Ipv4(6, Tcp({1, 2, 3})), &packet), 0);
	EXPECT_EQ(packet.tuple.source[10], 0xff);
	EXPECT_EQ(packet.tuple.source[15], 1);
	EXPECT_EQ(packet.tuple.destination[15], 2);
	EXPECT_EQ(packet.tuple.source_port, 40000);
	EXPECT_EQ(packet.tuple.destination_port, 80);
	EXPECT_EQ(packet.sequence, 0x102u);
	EXPECT_EQ(packet.payload_bytes, 3u);
	EXPECT_EQ(packet.ip_id, 0x1234);
	EXPECT_EQ(packet.tcp_flags, 0x18);
	EXPECT_EQ(packet.flags, 0);
}

TEST(PathHeadersTest, OptionsArePassedOver)
{
	struct kd_packet packet;
	ASSERT_EQ(Look(Ipv4(17, Udp(53, {7, 7, 7, 7, 7}), 0, 12), &packet), 0);
	EXPECT_EQ(packet.tuple.destination_port, 53);
	EXPECT_EQ(packet.payload_bytes, 5u);
	EXPECT_EQ(packet.sequence, 0x07070707u);
}

TEST(PathHeadersTest, ExtensionsOfIpv6ArePassedOver)
{
	struct kd_packet packet;
	const Bytes hop_by_hop = {6, 0, 1, 4, 0, 0, 0, 0};
	ASSERT_EQ(Look(Ipv6(0, hop_by_hop + Tcp({1})), &packet), 0);
	EXPECT_EQ(packet.tuple.protocol, 6);
	EXPECT_EQ(packet.tuple.destination_port, 80);
	EXPECT_EQ(packet.payload_bytes, 1u);
	// More than are passed over: no ports, and no reading on.
	Bytes many = Tcp();
	for (int i = 0; i < 9; ++i)
		many = Bytes{static_cast<__u8>(i ? 0 : 6), 0, 0, 0, 0, 0, 0, 0} + many;
	ASSERT_EQ(Look(Ipv6(0, many), &packet), 0);
	EXPECT_EQ(packet.tuple.destination_port, 0);
}

TEST(PathHeadersTest, LaterFragmentsHaveNoPorts)
{
	struct kd_packet packet;
	ASSERT_EQ(Look(Ipv4(17, Udp(53, {1, 2, 3, 4}), 0x2000), &packet), 0);
	EXPECT_EQ(packet.tuple.destination_port, 53);
	EXPECT_EQ(packet.flags, KD_PATH_FRAGMENT);
	ASSERT_EQ(Look(Ipv4(17, Udp(53, {1, 2, 3, 4}), 0x0010), &packet), 0);
	EXPECT_EQ(packet.tuple.destination_port, 0);
	EXPECT_EQ(packet.flags, KD_PATH_FRAGMENT);
	const Bytes fragment = {17, 0, 0, 8, 0, 0, 0, 9};
	ASSERT_EQ(Look(Ipv6(44, fragment + Udp(53, {})), &packet), 0);
	EXPECT_EQ(packet.tuple.destination_port, 0);
	EXPECT_EQ(packet.tuple.protocol, 17);
}

TEST(PathHeadersTest, VxlanShowsWhatItCarries)
{
	struct kd_packet packet;
	const Bytes inner = Ipv4(6, Tcp({1, 2}));
	ASSERT_EQ(Look(Ipv4(17, Udp(4789, Vxlan(inner))), &packet), 0);
	EXPECT_EQ(packet.flags, KD_PATH_VXLAN);
	EXPECT_EQ(packet.vni, 42u);
	EXPECT_EQ(packet.tuple.destination_port, 80);
	EXPECT_EQ(packet.outer.destination_port, 4789);
	EXPECT_EQ(packet.payload_bytes, 2u);
	// Neither ARP nor an absent packet is one; the outer one stays.
	ASSERT_EQ(Look(Ipv4(17, Udp(4789, Vxlan(inner, 0x0806))), &packet), 0);
	EXPECT_EQ(packet.tuple.destination_port, 4789);
	ASSERT_EQ(Look(Ipv4(17, Udp(4789, Vxlan({}))), &packet), 0);
	EXPECT_EQ(packet.flags, 0);
	EXPECT_EQ(packet.tuple.destination_port, 4789);
}

TEST(PathHeadersTest, CutAnywhereNothingOutsideIsRead)
{
	reads_outside = 0;
	const Bytes whole[] = {Ipv4(6, Tcp({1, 2, 3})), Ipv6(44, Bytes(8) + Tcp()),
			       Ipv4(17, Udp(4789, Vxlan(Ipv4(6, Tcp({1}), 0, 8))))};
	for (const Bytes &bytes : whole) {
		for (size_t size = 0; size <= bytes.size(); ++size) {
			struct kd_packet packet;
			Look(Bytes(bytes.begin(), bytes.begin() + size), &packet);
		}
	}
	EXPECT_EQ(reads_outside, 0);
}

TEST(PathHeadersTest, GarbageIsNoPacketOrHarmless)
{
	reads_outside = 0;
	unsigned seed = 1;
	for (int round = 0; round < 20000; ++round) {
		Bytes bytes(round % 200);
		for (__u8 &byte : bytes)
			byte = static_cast<__u8>((seed = seed * 1103515245 + 12345) >> 16);
		if (!bytes.empty() && round % 3)
			bytes[0] = round % 3 == 1 ? 0x45 : 0x60;
		struct kd_packet packet;
		Look(bytes, &packet);
	}
	EXPECT_EQ(reads_outside, 0);
	struct kd_packet packet;
	EXPECT_EQ(Look({}, &packet), -1);
	EXPECT_EQ(Look(Bytes(40, 0x55), &packet), -1);
	EXPECT_EQ(Look(Bytes(40, 0x41), &packet), -1); // a header of four bytes
}

} // namespace
