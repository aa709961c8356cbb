#include "agent/protocols/redis/command_framer.h"

#include <string>
#include <vector>

#include "base/byte_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kindling::agent::redis {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// "NAME first second /arguments @bytes" of each command; "invalid" ends the list.
std::vector<std::string> Commands(CommandFramer& framer, std::string_view text) {
  std::vector<std::string> all;
  std::span<const std::byte> input = base::AsBytes(text);
  while (!input.empty()) {
    const Step step = framer.Next(input);
    if (step == Step::kInvalid) {
      all.push_back("invalid");
      break;
    }
    if (step == Step::kNeedMore) break;
    const Command command = framer.command();
    std::string line;
    for (const std::string_view word : command.words) {
      if (!word.empty()) line += std::string(word) + " ";
    }
    all.push_back(line + "/" + std::to_string(command.arguments) + " @" +
                  std::to_string(command.bytes));
  }
  return all;
}

std::vector<std::string> Commands(std::string_view text) {
  CommandFramer framer;
  return Commands(framer, text);
}

TEST(CommandFramerTest, ReadsPipelinedArrays) {
  EXPECT_THAT(Commands("*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n"),
              ElementsAre("PING /0 @14", "SET k /2 @26"));
}

TEST(CommandFramerTest, ReadsInlineCommands) {
  EXPECT_THAT(Commands("PING\r\n\r\n\n  "), ElementsAre("PING /0 @6", "invalid"));
  EXPECT_THAT(Commands("set  k \t v x\n"), ElementsAre("set k v /3 @13"));
}

TEST(CommandFramerTest, IgnoresWhatRedisIgnores) {
  EXPECT_THAT(Commands("\r\n*0\r\n*-1\r\n\n*1\r\n$4\r\nPING\r\n"), ElementsAre("PING /0 @14"));
}

TEST(CommandFramerTest, RefusesWhatIsNoCommand) {
  for (const char* bad : {"*x", "*1\n", "*1\r\n+", "*1\r\n$-1", "*1\r\n$\r", "*1048577\r", "*1\rx",
                          "*1\r\n$4\r\nPINGx", "*1\r\n$99999999999", "\x01", "GET\x01"}) {
    EXPECT_THAT(Commands(bad), ElementsAre("invalid")) << bad;
  }
}

TEST(CommandFramerTest, BoundsAnInlineCommand) {
  CommandFramer framer;
  const std::string line(40'000, 'A');
  EXPECT_THAT(Commands(framer, line), IsEmpty());
  EXPECT_THAT(Commands(framer, line), ElementsAre("invalid"));
}

TEST(CommandFramerTest, CutsLongWords) {
  const std::string text = "*2\r\n$3\r\nGET\r\n$100\r\n" + std::string(100, 'k') + "\r\n";
  EXPECT_THAT(Commands(text),
              ElementsAre("GET " + std::string(32, 'k') + " /1 @" + std::to_string(text.size())));
}

TEST(CommandFramerTest, HoleWithinAnArgumentLosesNothing) {
  CommandFramer framer;
  EXPECT_THAT(Commands(framer, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\nabc"), IsEmpty());
  EXPECT_EQ(framer.Skip(50'000), Hole::kInside);
  EXPECT_EQ(framer.Skip(100'000 - 3 - 50'000), Hole::kInside);
  EXPECT_THAT(Commands(framer, "\r\n*1\r\n$4\r\nPING\r\n"),
              ElementsAre("SET k /2 @100031", "PING /0 @14"));
}

TEST(CommandFramerTest, HoleToTheEndOfACommandEndsIt) {
  CommandFramer framer;
  EXPECT_THAT(Commands(framer, "*2\r\n$4\r\nECHO\r\n$10\r\nab"), IsEmpty());
  EXPECT_EQ(framer.Skip(10), Hole::kFrame);
  EXPECT_EQ(framer.command().words[0], "ECHO");
  EXPECT_EQ(framer.command().words[1], "") << "a word with a hole is not given";
  EXPECT_FALSE(framer.command().words_are_whole);
  EXPECT_EQ(framer.command().bytes, 31u);
}

TEST(CommandFramerTest, HolePastAnArgumentIsLost) {
  CommandFramer framer;
  EXPECT_THAT(Commands(framer, "*3\r\n$3\r\nSET\r\n$10\r\nab"), IsEmpty());
  EXPECT_EQ(framer.Skip(11), Hole::kLost);
  EXPECT_TRUE(framer.command().name_is_whole);
  framer.Reset();
  EXPECT_EQ(framer.Skip(1), Hole::kLost) << "between commands";
}

TEST(CommandFramerTest, HoleInTheNameLeavesNoName) {
  CommandFramer framer;
  EXPECT_THAT(Commands(framer, "*1\r\n$4\r\nP"), IsEmpty());
  EXPECT_EQ(framer.Skip(1), Hole::kInside);
  EXPECT_THAT(Commands(framer, "NG\r\n"), ElementsAre("/0 @14"));
  EXPECT_FALSE(framer.command().name_is_whole);
}

std::string Describe(const Command& command) {
  std::string line;
  for (const std::string_view word : command.words) line += std::string(word) + "|";
  return line + std::to_string(command.name_is_whole) + std::to_string(command.words_are_whole) +
         "/" + std::to_string(command.arguments) + " @" + std::to_string(command.bytes);
}

TEST(CommandFramerTest, TakesWholeCommandsAsNextDoes) {
  const std::string long_word = "$40\r\n" + std::string(40, 'k') + "\r\n";
  const std::string at_limit = "$32\r\n" + std::string(32, 'k') + "\r\n";
  const std::vector<std::string> texts = {
      "*1\r\n$4\r\nPING\r\n",
      "*2\r\n$3\r\nGET\r\n$0\r\n\r\n",
      "*03\r\n$03\r\nset\r\n$1\r\nk\r\n$4\r\n\r\n\r\n\r\n",
      "*5\r\n$4\r\nMSET\r\n" + long_word + long_word + long_word + long_word,
      "*1\r\n" + long_word,
      "*1\r\n" + at_limit,
  };
  for (const std::string& text : texts) {
    const std::string followed = text + "*1\r\n";
    std::span<const std::byte> by_steps = base::AsBytes(followed);
    CommandFramer framer;
    ASSERT_EQ(framer.Next(by_steps), Step::kFrame) << text;
    std::span<const std::byte> whole = base::AsBytes(followed);
    Command command;
    ASSERT_TRUE(CommandFramer::TakeWhole(whole, command)) << text;
    EXPECT_EQ(Describe(command), Describe(framer.command()));
    EXPECT_EQ(whole.size(), by_steps.size());
    for (size_t size = 0; size < text.size(); ++size) {
      std::span<const std::byte> part = base::AsBytes(text).first(size);
      EXPECT_FALSE(CommandFramer::TakeWhole(part, command)) << text << " cut at " << size;
      EXPECT_EQ(part.size(), size);
    }
  }
}

TEST(CommandFramerTest, TakesNothingElseWhole) {
  for (const std::string_view other :
       {"PING\r\n", "*0\r\n", "*-1\r\n", "\r\n*1\r\n$4\r\nPING\r\n", "*1048577\r\n$1\r\nx\r\n",
        "*1\n$4\r\nPING\r\n", "*1\r\n+PING\r\n", "*1\r\n$-1\r\n", "*1\r\n$4\r\nPING\n\n",
        "*1\r\n$4\r\nPINGS\r\n", "*1\r\n$4294967300\r\nPING\r\n", "*\r\n", "*1\r\n$\r\n\r\n"}) {
    std::span<const std::byte> input = base::AsBytes(other);
    Command command;
    EXPECT_FALSE(CommandFramer::TakeWhole(input, command)) << other;
    EXPECT_EQ(input.size(), other.size());
  }
}

}  // namespace
}  // namespace kindling::agent::redis
