#include "agent/protocols/redis/reply_framer.h"

#include <string>
#include <vector>

#include "base/byte_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kindling::agent::redis {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// "type elements word !error @bytes" of each value; "invalid" ends the list.
std::vector<std::string> Replies(ReplyFramer& framer, std::string_view text) {
  std::vector<std::string> all;
  std::span<const std::byte> input = base::AsBytes(text);
  while (!input.empty()) {
    const Step step = framer.Next(input);
    if (step == Step::kInvalid) {
      all.push_back("invalid");
      break;
    }
    if (step == Step::kNeedMore) break;
    const Reply reply = framer.reply();
    std::string line(1, reply.type);
    if (reply.elements > 0) line += " " + std::to_string(reply.elements);
    if (!reply.word.empty()) line += " " + std::string(reply.word);
    if (reply.has_error) line += " !" + std::string(reply.error);
    all.push_back(line + " @" + std::to_string(reply.bytes));
  }
  return all;
}

std::vector<std::string> Replies(std::string_view text) {
  ReplyFramer framer;
  return Replies(framer, text);
}

TEST(ReplyFramerTest, ReadsResp2) {
  EXPECT_THAT(
      Replies("+OK\r\n-ERR bad\r\n:-12\r\n$-1\r\n$3\r\na\r\n\r\n$0\r\n\r\n*-1\r\n*0\r\n"),
      ElementsAre("+ @5", "- !ERR bad @10", ": @6", "$ @5", "$ @9", "$ @6", "* @5", "* @4"));
  EXPECT_THAT(Replies("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:5\r\n"), ElementsAre("* 3 message @28"));
  EXPECT_THAT(Replies("*2\r\n*1\r\n*1\r\n+x\r\n-WRONGTYPE y\r\n"),
              ElementsAre("* 2 !WRONGTYPE y @30"));
}

TEST(ReplyFramerTest, ReadsResp3) {
  EXPECT_THAT(
      Replies("%1\r\n+a\r\n:1\r\n~1\r\n#t\r\n,3.14e+2\r\n,-inf\r\n(123456789012345678901\r\n"
              "_\r\n=7\r\ntxt:abc\r\n!7\r\nERR bad\r\n"),
      ElementsAre("% 2 a @12", "~ 1 @8", ", @10", ", @7", "( @24", "_ @3", "= @13",
                  "! !ERR bad @13"));
}

TEST(ReplyFramerTest, AttributeBelongsToTheValueAfterIt) {
  EXPECT_THAT(Replies("|1\r\n+key\r\n*2\r\n:1\r\n:2\r\n*2\r\n|1\r\n+k\r\n+v\r\n$2\r\nhi\r\n:9\r\n"),
              ElementsAre("* 2 hi @50"));
  EXPECT_THAT(Replies("|0\r\n:1\r\n"), ElementsAre(": @8"));
}

TEST(ReplyFramerTest, ReadsStreamedStringsAndAggregates) {
  EXPECT_THAT(Replies("$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n+OK\r\n"),
              ElementsAre("$ @25", "+ @5"));
  EXPECT_THAT(Replies("*?\r\n:1\r\n%?\r\n+a\r\n:1\r\n.\r\n.\r\n:7\r\n"),
              ElementsAre("* @26", ": @4"));
}

TEST(ReplyFramerTest, KeepsTheThirdElementOfAnArray) {
  ReplyFramer framer;
  EXPECT_THAT(Replies(framer, "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:2\r\n"),
              ElementsAre("* 3 subscribe @30"));
  EXPECT_EQ(framer.reply().third, 2);
}

TEST(ReplyFramerTest, RefusesWhatIsNoValue) {
  for (const char* bad : {"x",
                          "\n",
                          ":\r\n",
                          ":1x",
                          "$x",
                          "$-2\r\n",
                          "$\r\n",
                          "#x",
                          "#\r\n",
                          "_x",
                          "*1\r\n>1\r\n",
                          ".\r\n",
                          ";1\r\n",
                          "$3\r\nabcx",
                          "$3\r\nabc\rx",
                          "+a\n",
                          "%-1\r\n",
                          "*999999999\r\n",
                          "$999999999999999",
                          "|?\r\n",
                          "*?\r\n;1",
                          "$?\r\n+x"}) {
    EXPECT_THAT(Replies(bad), ElementsAre("invalid")) << bad;
  }
}

TEST(ReplyFramerTest, BoundsDepthAndLines) {
  std::string deep;
  for (size_t i = 0; i < ReplyFramer::kMaxDepth; ++i) deep += "*1\r\n";
  EXPECT_THAT(Replies(deep + ":1\r\n"), ElementsAre("* 1 @" + std::to_string(deep.size() + 4)));
  EXPECT_THAT(Replies(deep + "*1\r\n:1\r\n"), ElementsAre("invalid"));
  EXPECT_THAT(Replies("+" + std::string(70'000, 'a') + "\r\n"), ElementsAre("invalid"));
}

TEST(ReplyFramerTest, HoleWithinAStringLosesNothing) {
  ReplyFramer framer;
  EXPECT_THAT(Replies(framer, "$100000\r\nabc"), IsEmpty());
  EXPECT_EQ(framer.Skip(99'000), Hole::kInside);
  EXPECT_EQ(framer.Skip(999), Hole::kFrame);
  EXPECT_EQ(framer.reply().bytes, 100'011u);
  EXPECT_THAT(Replies(framer, "*2\r\n$5\r\nab"), IsEmpty());
  EXPECT_EQ(framer.Skip(5), Hole::kInside);
  EXPECT_FALSE(framer.reply().word_is_whole);
  EXPECT_THAT(Replies(framer, ":1\r\n"), ElementsAre("* 2 ab @19"));
}

TEST(ReplyFramerTest, HolePastAStringIsLost) {
  ReplyFramer framer;
  EXPECT_THAT(Replies(framer, "*2\r\n$5\r\nab"), IsEmpty());
  EXPECT_EQ(framer.Skip(6), Hole::kLost);
  EXPECT_EQ(framer.reply().type, '*');
  framer.Reset();
  EXPECT_EQ(framer.Skip(1), Hole::kLost) << "between values";
}

TEST(ReplyFramerTest, TakesWholeValuesAsNextDoes) {
  for (const std::string_view text :
       {"+OK\r\n", "+\r\n", "+a b\tc\r\n", "$-1\r\n", "$0\r\n\r\n", "$3\r\na\r\n\r\n",
        "$005\r\nhello\r\n", ":0\r\n", ":-12\r\n", ":123456789012345\r\n"}) {
    const std::string followed = std::string(text) + "+OK\r\n";
    std::span<const std::byte> by_steps = base::AsBytes(followed);
    ReplyFramer framer;
    ASSERT_EQ(framer.Next(by_steps), Step::kFrame) << text;
    std::span<const std::byte> whole = base::AsBytes(followed);
    Reply reply;
    ASSERT_TRUE(ReplyFramer::TakeWhole(whole, reply)) << text;
    EXPECT_EQ(whole.size(), by_steps.size());
    const Reply expected = framer.reply();
    EXPECT_EQ(reply.type, expected.type);
    EXPECT_EQ(reply.bytes, expected.bytes);
    EXPECT_EQ(reply.elements, expected.elements);
    EXPECT_EQ(reply.word, expected.word);
    EXPECT_EQ(reply.word_is_whole, expected.word_is_whole);
    EXPECT_EQ(reply.has_error, expected.has_error);
    EXPECT_EQ(reply.third, expected.third);
    for (size_t size = 0; size < text.size(); ++size) {
      std::span<const std::byte> part = base::AsBytes(text).first(size);
      EXPECT_FALSE(ReplyFramer::TakeWhole(part, reply)) << text << " cut at " << size;
      EXPECT_EQ(part.size(), size);
    }
  }
}

TEST(ReplyFramerTest, TakesNothingElseWhole) {
  for (const std::string_view other :
       {"-ERR bad\r\n", "*1\r\n:1\r\n", "*0\r\n", ">1\r\n+x\r\n", "+a\nb\r\n", "+a\rb\r\n",
        "$-2\r\n", "$\r\n\r\n", ":\r\n", ":-\r\n", ":1x\r\n", "$1\r\nab\r\n", "$?\r\n",
        "$99999999999\r\nx\r\n", "$1\nx\r\n", "_\r\n", ":99999999999999999999\r\n"}) {
    std::span<const std::byte> input = base::AsBytes(other);
    Reply reply;
    EXPECT_FALSE(ReplyFramer::TakeWhole(input, reply)) << other;
    EXPECT_EQ(input.size(), other.size());
  }
}

}  // namespace
}  // namespace kindling::agent::redis
