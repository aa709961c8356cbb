#include "agent/protocols/mysql/wire.h"

#include <string>

#include "base/byte_reader.h"
#include "gtest/gtest.h"

namespace kindling::agent::mysql {
namespace {

using base::AsBytes;
using namespace std::string_literals;

TEST(MysqlWireTest, ReadsLengthEncodedIntegers) {
  const auto read = [](const std::string& text) { return ParseLengthEncoded(AsBytes(text)); };
  EXPECT_EQ(read("\x05")->value, 5u);
  EXPECT_EQ(read("\xfa")->value, 250u);
  EXPECT_EQ(read("\xfc\x01\x02")->value, 0x201u);
  EXPECT_EQ(read("\xfd\x01\x02\x03")->value, 0x30201u);
  EXPECT_EQ(read("\xfe\1\0\0\0\0\0\0\x80"s)->value, 0x8000000000000001u);
  EXPECT_EQ(read("\xfe\1\0\0\0\0\0\0\x80"s)->size, 9u);
  for (const std::string& bad : {""s, "\xfb"s, "\xff"s, "\xfc\1"s, "\xfd\1\1"s, "\xfe\1\1\1"s}) {
    EXPECT_FALSE(read(bad).has_value());
  }
}

TEST(MysqlWireTest, ReadsOkAndEofStatus) {
  EXPECT_EQ(OkStatus(AsBytes("\0\1\0\x0a\0\0\0"s)), 0x0a);
  EXPECT_EQ(OkStatus(AsBytes("\0\xfc\x60\xea\0\2\0\0\0"s)), 2);
  EXPECT_FALSE(OkStatus(AsBytes("\0\1\0\x0a"s)).has_value());
  EXPECT_EQ(EofStatus(AsBytes("\xfe\0\0\x22\0"s)), 0x22);
  EXPECT_FALSE(EofStatus(AsBytes("\xfe\0\0\x22"s)).has_value());
}

TEST(MysqlWireTest, ReadsErrors) {
  const std::string packet = "\xff\x7a\x04#42S02Table 'x' doesn't exist";
  const auto error = ParseError(AsBytes(packet));
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, 1146);
  EXPECT_EQ(error->message, "Table 'x' doesn't exist");
  EXPECT_EQ(ParseError(AsBytes("\xff\x10\x04Too many connections"))->message,
            "Too many connections");
  EXPECT_TRUE(ParseError(AsBytes("\xff\xff\xff\1\1\2"s))->is_progress());
  EXPECT_FALSE(ParseError(AsBytes("\xff\x10"s)).has_value());
  EXPECT_FALSE(ParseError(AsBytes("\0\0\0"s)).has_value());
}

TEST(MysqlWireTest, ReadsALogin) {
  const std::string fixed = "\x0d\xa2\x3b\x00"s + std::string(28, '\0');
  const std::string packet = fixed + "root\0"s + "\x03pwd" + "shop\0more"s;
  const auto login = ParseLogin(AsBytes(packet));
  ASSERT_TRUE(login.has_value());
  EXPECT_EQ(login->database, "shop");
  EXPECT_FALSE(login->asks_for_tls);
  EXPECT_FALSE(ParseLogin(AsBytes(fixed.substr(0, 20))).has_value());
  EXPECT_EQ(ParseLogin(AsBytes(fixed + "root\0\x7fpwd"s))->database, "") << "a length that lies";
}

TEST(MysqlWireTest, NamesCommands) {
  EXPECT_EQ(CommandName(CommandCode::kQuery), "QUERY");
  EXPECT_EQ(CommandName(CommandCode::kResetConnection), "RESET_CONNECTION");
  EXPECT_EQ(CommandName(CommandCode::kStmtBulkExecute), "EXECUTE");
  EXPECT_EQ(CommandName(static_cast<CommandCode>(0x20)), "");
  EXPECT_EQ(CommandName(static_cast<CommandCode>(0xff)), "");
}

TEST(MysqlWireTest, TellsWhoIsToBlame) {
  EXPECT_TRUE(IsServerError(1040));
  EXPECT_TRUE(IsServerError(1912));
  EXPECT_FALSE(IsServerError(1064));
  EXPECT_FALSE(IsServerError(1062));
}

}  // namespace
}  // namespace kindling::agent::mysql
