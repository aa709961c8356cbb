#include <string_view>

#include "agent/protocols/redis/codec.h"
#include "base/byte_reader.h"
#include "gtest/gtest.h"
#include "model/protocol.h"

namespace kindling::agent {
namespace {

Match Detect(std::string_view text) {
  return redis::Detect(base::AsBytes(text), model::Transport::kTcp);
}

TEST(DetectRedisTest, KnowsCommandsByName) {
  EXPECT_EQ(Detect("*1\r\n$4\r\nPING\r\n"), Match::kRequest);
  EXPECT_EQ(Detect("*2\r\n$3\r\nget\r\n$5\r\nab"), Match::kRequest);
  EXPECT_EQ(Detect("*2\r\n$8\r\nJSON.GET\r\n$1\r\nk\r\n"), Match::kRequest);
  EXPECT_EQ(Detect("*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n"), Match::kRequest);
  EXPECT_EQ(Detect("PING\r\n"), Match::kRequest);
  EXPECT_EQ(Detect("*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n"), Match::kRequest);
}

TEST(DetectRedisTest, WaitsForTheWholeName) {
  const std::string_view command = "*2\r\n$3\r\nGET\r\n";
  for (size_t length = 1; length < command.size(); ++length) {
    EXPECT_EQ(Detect(command.substr(0, length)), Match::kNeedMore) << length;
  }
  EXPECT_EQ(Detect("PIN"), Match::kNeedMore);
}

TEST(DetectRedisTest, KnowsRepliesThatOnlyRedisSends) {
  EXPECT_EQ(Detect("+PONG\r\n"), Match::kResponse);
  EXPECT_EQ(Detect("-NOAUTH Authentication required.\r\n"), Match::kResponse);
  EXPECT_EQ(Detect("$-1\r\n"), Match::kResponse);
  EXPECT_EQ(Detect("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n"), Match::kResponse);
  EXPECT_EQ(Detect("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"), Match::kResponse);
  EXPECT_EQ(Detect("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion"), Match::kResponse);
}

TEST(DetectRedisTest, IsNotSureOfPlainReplies) {
  EXPECT_EQ(Detect("+OK\r\n"), Match::kNeedMore);
  EXPECT_EQ(Detect(":1\r\n"), Match::kNeedMore);
  EXPECT_EQ(Detect("$5\r\nhello\r\n"), Match::kNeedMore);
}

TEST(DetectRedisTest, LeavesOtherProtocolsAlone) {
  for (const std::string_view other :
       {"GET / HTTP/1.1\r\n", "+OK POP3 ready\r\n", "-ERR no such mailbox\r\n", "EHLO x\r\n",
        "get key\r\n", "QUIT\r\n", "*", "\x16\x03\x01", "SSH-2.0-x\r\n",
        "*2\r\n$5\r\nhello\r\n$5\r\nworld\r\n", "PINGX\r\n", "$ ls\r\n", "* OK IMAP4 ready\r\n",
        "-----BEGIN"}) {
    const Match match = Detect(other);
    EXPECT_TRUE(match == Match::kNo || match == Match::kNeedMore) << other;
  }
  EXPECT_EQ(Detect("* OK IMAP4 ready\r\n"), Match::kNo);
  EXPECT_EQ(Detect("+OK POP3 ready\r\n"), Match::kNo);
  EXPECT_EQ(Detect("GET / HTTP/1.1\r\n"), Match::kNo);
  EXPECT_EQ(redis::Detect(base::AsBytes("*1\r\n$4\r\nPING\r\n"), model::Transport::kUdp),
            Match::kNo);
}

}  // namespace
}  // namespace kindling::agent
