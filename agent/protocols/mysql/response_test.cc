#include "agent/protocols/mysql/response.h"

#include <string>
#include <vector>

#include "base/byte_reader.h"
#include "gtest/gtest.h"

namespace kindling::agent::mysql {
namespace {

using namespace std::string_literals;
using Progress = Response::Progress;

const std::string kOkPacket = "\0\0\0\2\0\0\0"s;
const std::string kMoreOk = "\0\0\0\x0a\0\0\0"s;
const std::string kEofPacket = "\xfe\0\0\2\0"s;
const std::string kMoreEof = "\xfe\0\0\x0a\0"s;
const std::string kEndOk = "\xfe\0\0\2\0\0\0"s;
const std::string kDef =
    "\x03"
    "def\4shop"s;
const std::string kRow = "\1x"s;
const std::string kError = "\xff\x28\x04#42000no"s;

// Feeds payloads; what the last one gave, or the first that was not kMore.
Progress Play(Response& response, const std::vector<std::string>& payloads,
              size_t* consumed = nullptr) {
  Progress progress = Progress::kMore;
  size_t count = 0;
  for (const std::string& payload : payloads) {
    Packet packet{.length = static_cast<uint32_t>(payload.size()), .head = base::AsBytes(payload)};
    progress = response.OnPacket(packet);
    ++count;
    if (progress != Progress::kMore) break;
  }
  if (consumed != nullptr) *consumed = count;
  return progress;
}

// Whether the payloads are one response to `command`, exactly.
bool IsResponse(CommandCode command, const std::vector<std::string>& payloads,
                bool sends_eof = false, bool mysql_metadata = false) {
  Response response(command, sends_eof, mysql_metadata);
  size_t consumed = 0;
  return Play(response, payloads, &consumed) == Progress::kDone && consumed == payloads.size();
}

TEST(MysqlResponseTest, SimpleOnes) {
  EXPECT_TRUE(IsResponse(CommandCode::kPing, {kOkPacket}));
  EXPECT_TRUE(IsResponse(CommandCode::kSetOption, {kEofPacket}));
  EXPECT_TRUE(IsResponse(CommandCode::kStatistics, {"Uptime: 1"}));
  EXPECT_TRUE(IsResponse(CommandCode::kQuery, {kError}));
  EXPECT_TRUE(IsResponse(CommandCode::kFieldList, {kDef, kDef, kEofPacket}));
  EXPECT_TRUE(IsResponse(CommandCode::kFieldList, {kDef, kEndOk}));
  EXPECT_TRUE(IsResponse(CommandCode::kStmtFetch, {"\0\0\1"s, "\0\0\2"s, kEofPacket}));
}

TEST(MysqlResponseTest, ResultSetsWithAndWithoutEof) {
  EXPECT_TRUE(
      IsResponse(CommandCode::kQuery, {"\2", kDef, kDef, kEofPacket, kRow, kRow, kEofPacket}));
  EXPECT_TRUE(IsResponse(CommandCode::kQuery, {"\2", kDef, kDef, kRow, kRow, kEndOk}));
  EXPECT_TRUE(IsResponse(CommandCode::kQuery, {"\1", kDef, kEofPacket, kEofPacket}));
  EXPECT_TRUE(IsResponse(CommandCode::kQuery, {"\1", kDef, kEndOk}));
  EXPECT_TRUE(IsResponse(CommandCode::kStmtExecute, {"\1", kDef, "\0\0\1"s, kEndOk}));
  EXPECT_TRUE(IsResponse(CommandCode::kQuery, {"\1", kDef, kEofPacket, kRow, kError}));
}

TEST(MysqlResponseTest, CountsRows) {
  Response response(CommandCode::kQuery, true, false);
  EXPECT_EQ(Play(response, {"\1", kDef, kEofPacket, kRow, "\xfb", kRow, kMoreEof, "\1", kDef,
                            kEofPacket, kRow, kEofPacket}),
            Progress::kDone);
  EXPECT_EQ(response.rows(), 4u);
  EXPECT_TRUE(response.saw_eof());
}

TEST(MysqlResponseTest, FurtherResults) {
  EXPECT_TRUE(IsResponse(CommandCode::kQuery,
                         {kMoreOk, "\1", kDef, kEofPacket, kRow, kMoreEof, kOkPacket}));
  EXPECT_TRUE(IsResponse(CommandCode::kQuery, {kMoreOk, kError}));
  EXPECT_FALSE(IsResponse(CommandCode::kQuery, {kMoreOk}));
}

TEST(MysqlResponseTest, DefinitionsMayBeOmitted) {
  EXPECT_TRUE(IsResponse(CommandCode::kStmtExecute, {"\2\0"s, kEofPacket, kRow, kEofPacket}, true));
  EXPECT_TRUE(
      IsResponse(CommandCode::kStmtExecute, {"\2\1"s, kDef, kDef, kEofPacket, kEofPacket}, true));
  EXPECT_TRUE(IsResponse(CommandCode::kStmtExecute, {"\0\2"s, kRow, kEndOk}, false, true) == false)
      << "a zero first byte is an OK packet";
  EXPECT_TRUE(
      IsResponse(CommandCode::kStmtExecute, {"\1\2"s, kDef, kDef, kRow, kEndOk}, false, true));
}

TEST(MysqlResponseTest, ACursorHasNoRowsYet) {
  EXPECT_TRUE(IsResponse(CommandCode::kStmtExecute, {"\1", kDef, "\xfe\0\0\x42\0"s}));
}

TEST(MysqlResponseTest, PreparedStatements) {
  const auto prepared = [](char columns, char parameters) {
    return "\0\7\0\0\0"s + columns + "\0"s + parameters + "\0\0\0\0"s;
  };
  EXPECT_TRUE(IsResponse(CommandCode::kStmtPrepare, {prepared(0, 0)}, true));
  EXPECT_TRUE(IsResponse(CommandCode::kStmtPrepare, {prepared(1, 0), kDef, kEofPacket}, true));
  EXPECT_TRUE(
      IsResponse(CommandCode::kStmtPrepare, {prepared(0, 2), kDef, kDef, kEofPacket}, true));
  EXPECT_TRUE(IsResponse(CommandCode::kStmtPrepare,
                         {prepared(1, 1), kDef, kEofPacket, kDef, kEofPacket}, true));
  EXPECT_TRUE(IsResponse(CommandCode::kStmtPrepare, {prepared(1, 1), kDef, kDef}, false));
  EXPECT_TRUE(IsResponse(CommandCode::kStmtPrepare,
                         {prepared(1, 1), kDef, kEofPacket, kDef, kEofPacket}, false))
      << "not known to send EOF, but did";
  Response response(CommandCode::kStmtPrepare, false, false);
  Play(response, {prepared(0, 0)});
  EXPECT_EQ(response.statement_id(), 7u);
}

TEST(MysqlResponseTest, ProgressReportsAreNoError) {
  Response response(CommandCode::kQuery, true, false);
  EXPECT_EQ(Play(response, {"\xff\xff\xff\1\1\2"s, "\xff\xff\xff\1\2\2"s, kOkPacket}),
            Progress::kDone);
  EXPECT_EQ(response.error_code(), 0);
}

TEST(MysqlResponseTest, AsksTheClient) {
  Response file(CommandCode::kQuery, true, false);
  EXPECT_EQ(Play(file, {"\xfb/in.csv"}), Progress::kClient);
  EXPECT_EQ(Play(file, {kOkPacket}), Progress::kDone);
  Response user(CommandCode::kChangeUser, true, false);
  EXPECT_EQ(Play(user, {"\xfemysql_native_password\0salt"s}), Progress::kClient);
  EXPECT_EQ(Play(user, {kOkPacket}), Progress::kDone);
}

TEST(MysqlResponseTest, RefusesWhatCannotCome) {
  for (const std::vector<std::string>& bad : {std::vector<std::string>{"\1", kRow},
                                              {"\1\1\1"},
                                              {""},
                                              {"\0\0"s},
                                              {"\xfe\0"s},
                                              {"\xff\1"s},
                                              {"\xfc\xff"s},
                                              {"\xfd\xff\xff\xff"s},
                                              {"\2", kDef, kOkPacket}}) {
    Response response(CommandCode::kQuery, true, false);
    EXPECT_EQ(Play(response, bad), Progress::kInvalid);
  }
  Response ping(CommandCode::kPing, true, false);
  EXPECT_EQ(Play(ping, {"\1"}), Progress::kInvalid);
  Response prepare(CommandCode::kStmtPrepare, true, false);
  EXPECT_EQ(Play(prepare, {kOkPacket}), Progress::kInvalid);
}

}  // namespace
}  // namespace kindling::agent::mysql
