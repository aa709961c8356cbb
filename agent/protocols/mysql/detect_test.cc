#include <string>

#include "agent/protocols/mysql/capture_file.h"
#include "agent/protocols/mysql/codec.h"
#include "base/byte_reader.h"
#include "gtest/gtest.h"
#include "model/protocol.h"

namespace kindling::agent {
namespace {

using namespace std::string_literals;

Match Of(std::string_view text) {
  return mysql::Detect(base::AsBytes(text), model::Transport::kUnix);
}

std::string Command(std::string_view payload) {
  return std::string(1, static_cast<char>(payload.size())) + "\0\0\0"s + std::string(payload);
}

TEST(DetectMysqlTest, KnowsTheFirstBytesOfRealServers) {
  for (const char* name : {"text", "prepared", "cli", "progress", "denied", "toomany", "tls"}) {
    const Turn first = mysql::ReadCapture(name).front();
    ASSERT_EQ(first.flow, Flow::kResponse);
    EXPECT_EQ(Of(first.bytes), Match::kResponse) << name;
    for (size_t size = 0; size < first.bytes.size(); ++size) {
      const Match match = Of(std::string_view(first.bytes).substr(0, size));
      EXPECT_TRUE(match == Match::kNeedMore || match == Match::kResponse) << name << " " << size;
    }
  }
}

TEST(DetectMysqlTest, KnowsStatementsOfConnectionsFoundOpen) {
  EXPECT_EQ(Of(Command("\3SELECT 1")), Match::kRequest);
  EXPECT_EQ(Of(Command("\3 /* app */ (select 1)")), Match::kRequest);
  EXPECT_EQ(Of(Command("\3\0\1COMMIT"s)), Match::kRequest);
  EXPECT_EQ(Of(Command("\x16INSERT INTO t VALUES (?)")), Match::kRequest);
  EXPECT_EQ(Of(Command("\x17\5\0\0\0\0\1\0\0\0"s)), Match::kRequest);
  EXPECT_EQ(Of(Command("\x0e")), Match::kRequest) << "a ping and nothing else";
  EXPECT_EQ(Of(Command("\2shop")), Match::kRequest);
  EXPECT_EQ(Of("\xff\1\0\0\3UPDATE t SET a = "s), Match::kRequest) << "cut by the capture";
}

TEST(DetectMysqlTest, IsNotSureOfLittle) {
  for (const std::string& little :
       {Command("\1"), Command("\x0e") + "x", Command("\x0e").substr(0, 4), Command("\2a b"),
        Command("\3SELECTED"), Command("\3xyzzy x"), Command("\x17\5\0\0\0\0\2\0\0\0"s),
        "\7\0\0\1\0\0\0\2\0\0\0"s,
        Command("\x0a"
                "5.5.5")}) {
    const Match match = Of(little);
    EXPECT_TRUE(match == Match::kNo || match == Match::kNeedMore);
  }
  EXPECT_EQ(Of("GET / HTTP/1.1\r\n"), Match::kNo);
  EXPECT_EQ(Of("*1\r\n$4\r\nPING\r\n"), Match::kNo);
  EXPECT_EQ(Of(std::string(64, '\0')), Match::kNo);
  EXPECT_EQ(mysql::Detect(base::AsBytes(Command("\3SELECT 1")), model::Transport::kUdp),
            Match::kNo);
}

}  // namespace
}  // namespace kindling::agent
