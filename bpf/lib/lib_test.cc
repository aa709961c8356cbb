// The programs' pure logic, on the host.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "bpf/lib/iovec.h"
#include "bpf/lib/messages.h"
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
