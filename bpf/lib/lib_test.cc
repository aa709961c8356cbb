// The programs' pure logic, on the host.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "bpf/lib/iovec.h"
#include "bpf/lib/messages.h"
#include "bpf/lib/packet.h"
#include "bpf/lib/syscalls.h"
#include "bpf/lib/turns.h"

namespace
{

TEST(SyscallsTest, DataCallsAreThoseWithAShape)
{
	for (__u64 nr = 0; nr < 1024; ++nr) {
		EXPECT_EQ(kd_is_data_call(nr) != 0, kd_shape_of(nr) != KD_SHAPE_NONE) << nr;
	}
	EXPECT_FALSE(kd_is_data_call(~0ULL));
	EXPECT_FALSE(kd_is_data_call(1ULL << 30)); // an x32 call
}

TEST(SyscallsTest, NumbersAreThisMachines)
{
	EXPECT_EQ(KD_NR_SENDFILE, SYS_sendfile);
	EXPECT_EQ(KD_NR_SPLICE, SYS_splice);
	EXPECT_EQ(KD_NR_RECVMMSG, SYS_recvmmsg);
	EXPECT_EQ(KD_NR_SENDMMSG, SYS_sendmmsg);
	EXPECT_EQ(KD_NR_PREADV2, SYS_preadv2);
	EXPECT_EQ(KD_NR_PWRITEV2, SYS_pwritev2);
	EXPECT_EQ(kd_shape_of(KD_NR_SENDTO), KD_SHAPE_BUFFER);
	EXPECT_EQ(kd_shape_of(KD_NR_PREADV2), KD_SHAPE_VECTOR);
	EXPECT_TRUE(kd_is_receive(KD_NR_RECVMMSG));
	EXPECT_FALSE(kd_is_receive(KD_NR_SENDMSG));
}

class PacketTest : public ::testing::Test
{
      protected:
	static std::vector<__u8> Ipv4(__u8 words, __u8 protocol, __u16 fragment)
	{
		std::vector<__u8> header(KD_IPV4_BYTES);

		header[0] = 0x40 | words;
		header[6] = fragment >> 8;
		header[7] = fragment & 0xff;
		header[9] = protocol;
		for (__u8 i = 0; i < 8; ++i)
			header[12 + i] = i + 1;
		return header;
	}

	struct kd_drop_key key_ = {};
};

TEST_F(PacketTest, Ipv4HasItsPortsBehindItsOptions)
{
	EXPECT_EQ(kd_parse_ipv4(Ipv4(5, 6, 0).data(), &key_), 20);
	EXPECT_EQ(key_.family, KD_FAMILY_IPV4);
	EXPECT_EQ(key_.protocol, 6);
	EXPECT_EQ(key_.source[0], 1);
	EXPECT_EQ(key_.destination[3], 8);
	EXPECT_EQ(kd_parse_ipv4(Ipv4(15, 17, 0).data(), &key_), 60);
	EXPECT_EQ(kd_parse_ipv4(Ipv4(5, 1, 0).data(), &key_), 0); // ICMP
}

TEST_F(PacketTest, OnlyTheFirstFragmentHasPorts)
{
	EXPECT_EQ(kd_parse_ipv4(Ipv4(5, 17, 0x2000).data(), &key_), 20); // more follow
	EXPECT_EQ(kd_parse_ipv4(Ipv4(5, 17, 0x2001).data(), &key_), 0);
	EXPECT_EQ(kd_parse_ipv4(Ipv4(5, 17, 0x1fff).data(), &key_), 0);
}

TEST_F(PacketTest, WhatDoesNotFitTogetherIsNotRead)
{
	for (int version = 0; version < 16; ++version) {
		for (int words = 0; words < 16; ++words) {
			std::vector<__u8> header = Ipv4(words, 6, 0);
			struct kd_drop_key none = {}, key = {};

			header[0] = version << 4 | words;
			if (version == 4 && words >= 5)
				continue;
			EXPECT_EQ(kd_parse_ipv4(header.data(), &key), KD_NOT_A_PACKET);
			EXPECT_EQ(memcmp(&key, &none, sizeof(key)), 0);
		}
	}
	EXPECT_EQ(kd_parse_ipv6(std::vector<__u8>(KD_IPV6_BYTES, 0x45).data(), &key_),
		  KD_NOT_A_PACKET);
}

TEST_F(PacketTest, Ipv6)
{
	std::vector<__u8> header(KD_IPV6_BYTES);

	header[0] = 0x60;
	header[6] = 17;
	header[8] = 0xfd;
	header[39] = 2;
	EXPECT_EQ(kd_parse_ipv6(header.data(), &key_), KD_IPV6_BYTES);
	EXPECT_EQ(key_.family, KD_FAMILY_IPV6);
	EXPECT_EQ(key_.source[0], 0xfd);
	EXPECT_EQ(key_.destination[15], 2);
	header[6] = 44; // a fragment header
	EXPECT_EQ(kd_parse_ipv6(header.data(), &key_), 0);
	EXPECT_EQ(key_.protocol, 44);
}

TEST_F(PacketTest, PortsAreInNetworkOrder)
{
	const __u8 ports[] = {0x1f, 0x90, 0, 80};

	kd_parse_ports(ports, &key_);
	EXPECT_EQ(key_.source_port, 8080);
	EXPECT_EQ(key_.destination_port, 80);
}

TEST(TurnsTest, CountsChangesOfDirection)
{
	__u64 turns = 0;

	EXPECT_EQ(kd_turns(turns), 0);
	EXPECT_EQ(kd_count_turn(&turns, 1), 1);
	EXPECT_EQ(kd_count_turn(&turns, 1), 1);
	EXPECT_EQ(kd_count_turn(&turns, 2), 2);
	EXPECT_EQ(kd_count_turn(&turns, 1), 3);
	EXPECT_EQ(kd_turns(turns), 3);
}

// A reader and a writer of one socket: no turn is skipped, none has two directions.
TEST(TurnsTest, ThreadsCountEachTurnOnce)
{
	constexpr int kCalls = 2000000;
	std::atomic<int> ready = 0;
	__u64 turns = 0;
	std::vector<__u32> seen[2];
	std::vector<std::thread> threads;

	for (int i = 0; i < 2; ++i) {
		threads.emplace_back([&, i] {
			seen[i].reserve(kCalls);
			for (++ready; ready < 2;)
				continue; // both at once
			for (int n = 0; n < kCalls; ++n)
				seen[i].push_back(kd_count_turn(&turns, static_cast<__u8>(i + 1)));
		});
	}
	for (std::thread &thread : threads)
		thread.join();
	std::vector<int> direction(kd_turns(turns) + 1);
	for (int i = 0; i < 2; ++i) {
		EXPECT_TRUE(std::is_sorted(seen[i].begin(), seen[i].end()));
		for (const __u32 turn : seen[i]) {
			ASSERT_LE(turn, kd_turns(turns));
			ASSERT_TRUE(direction[turn] == 0 || direction[turn] == i + 1) << turn;
			direction[turn] = i + 1;
		}
	}
	for (__u32 turn = 1; turn <= kd_turns(turns); ++turn)
		ASSERT_NE(direction[turn], 0) << turn;
}

TEST(IovecTest, TakesWhatIsWantedAndNoMore)
{
	EXPECT_EQ(kd_take(100, 0, 50), 50);
	EXPECT_EQ(kd_take(10, 0, 50), 10);
	EXPECT_EQ(kd_take(100, 45, 50), 5);
	EXPECT_EQ(kd_take(100, 50, 50), 0);
	EXPECT_EQ(kd_take(100, 60, 50), 0);
	EXPECT_EQ(kd_take(0, 0, 50), 0);
	EXPECT_EQ(kd_take(~0ULL, 1, 50), 49);
}

TEST(MessagesTest, GoesOnWithinACall)
{
	kd_message_cursor cursor = {};

	EXPECT_EQ(kd_message_index(&cursor, 0x1000, 3, 0), 0);
	kd_message_moved(&cursor, 0x1000, 0, 30);
	EXPECT_EQ(kd_message_index(&cursor, 0x1000, 3, 30), 1);
	kd_message_moved(&cursor, 0x1000, 1, 40);
	EXPECT_EQ(kd_message_index(&cursor, 0x1000, 3, 40), 2);
}

TEST(MessagesTest, StartsAnewWithAnotherCall)
{
	kd_message_cursor cursor = {};

	kd_message_moved(&cursor, 0x1000, 0, 30);
	EXPECT_EQ(kd_message_index(&cursor, 0x2000, 3, 30), 0); // another array
	EXPECT_EQ(kd_message_index(&cursor, 0x1000, 3, 0), 0); // cleared by the caller
	EXPECT_EQ(kd_message_index(&cursor, 0x1000, 1, 30), 0); // all of the call was moved
}

} // namespace
