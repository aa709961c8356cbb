#include "agent/protocols/dns/message.h"

#include <string>

#include "agent/protocols/dns/message_builder.h"
#include "base/byte_reader.h"
#include "gtest/gtest.h"

namespace kindling::agent::dns {
namespace {

using namespace std::string_literals;

Parse ParseText(std::string_view text, Message* message) {
  *message = Message();
  return ParseMessage(base::AsBytes(text), message);
}

std::string AnswersOf(const Message& message) {
  std::string all;
  for (const Answer& answer : message.answers) {
    all += std::string(TypeName(answer.type)) + " " + answer.text + "; ";
  }
  return all;
}

TEST(DnsMessageTest, ReadsAQuery) {
  Message message;
  ASSERT_EQ(ParseText(MessageBuilder(0x1234, 0x0120).Question("Shop.Test", kA).Edns().Datagram(),
                      &message),
            Parse::kMessage);
  EXPECT_EQ(message.id, 0x1234);
  EXPECT_FALSE(message.is_response);
  EXPECT_EQ(message.name, "shop.test");
  EXPECT_EQ(message.type, kA);
  EXPECT_TRUE(message.answers.empty());
}

TEST(DnsMessageTest, ReadsAnswersOfEveryKind) {
  Message message;
  ASSERT_EQ(ParseText(MessageBuilder(1, 0x8180)
                          .Question("a.test", kA)
                          .Answer(kCname, "\1b\xc0\x0e"s)  // b.test
                          .Answer(kA, "\x0a\x00\x00\x01"s)
                          .Answer(kAaaa, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"s)
                          .Answer(kSrv, "\0\1\0\2\x1f\x90"s + EncodedName("host.test"))
                          .Answer(kMx, "\0\x0a"s + EncodedName("mail.test"))
                          .Answer(kPtr, EncodedName("p.test"))
                          .Answer(kTxt, "\6secret"s)
                          .Answer(46, "ignored"s)
                          .Datagram(),
                      &message),
            Parse::kMessage);
  EXPECT_EQ(AnswersOf(message),
            "CNAME b.test; A 10.0.0.1; AAAA fd00::1; SRV 1 2 8080 host.test; MX 10 mail.test; "
            "PTR p.test; TXT 7 bytes; ");
}

TEST(DnsMessageTest, LeavesOutDamagedAnswers) {
  Message message;
  ASSERT_EQ(ParseText(MessageBuilder(1, 0x8180)
                          .Question("a.test", kA)
                          .Answer(kA, "\x0a\x00\x00"s)
                          .Answer(kAaaa, "abc"s)
                          .Answer(kCname, "\x3f"s)
                          .Answer(kSrv, "\0\1"s)
                          .Answer(kA, "\x0a\x00\x00\x02"s)
                          .Datagram(),
                      &message),
            Parse::kMessage);
  EXPECT_EQ(AnswersOf(message), "A 10.0.0.2; ");
}

TEST(DnsMessageTest, RefusesPointersThatDoNotLeadBack) {
  Message message;
  const std::string head = U16(1) + U16(0x0100) + U16(1) + U16(0) + U16(0) + U16(0);
  for (const std::string& name : {"\xc0\x0c"s,          // to itself
                                  "\xc0\x20"s,          // forward
                                  "\xc0\x00"s,          // into the header
                                  "\1a\xc0\x0c"s,       // round in circles
                                  "\1a\1b\xc0\x0e"s,    // to a label of its own
                                  "\x80"s, "\x40"s}) {  // reserved
    EXPECT_EQ(ParseText(head + name + U16(1) + U16(1) + std::string(40, '\0'), &message),
              Parse::kInvalid);
  }
}

TEST(DnsMessageTest, BoundsANameMadeOfPointers) {
  // Each name is 60 bytes longer than the one that it points to.
  std::string body = EncodedName("end") + U16(1) + U16(1);
  size_t last = kHeaderBytes;
  int questions = 1;
  for (; questions < 8; ++questions) {
    const size_t here = kHeaderBytes + body.size();
    body += '\x3c' + std::string(60, 'a') + static_cast<char>(0xc0 | last >> 8) +
            static_cast<char>(last & 0xff) + U16(1) + U16(1);
    last = here;
  }
  Message message;
  EXPECT_EQ(ParseText(U16(1) + U16(0x0100) + U16(static_cast<uint16_t>(questions)) + U16(0) +
                          U16(0) + U16(0) + body,
                      &message),
            Parse::kInvalid);
}

TEST(DnsMessageTest, EveryTruncationIsCutOrWithoutAnswers) {
  const std::string whole = AddressResponse(7, "shop.test", kA, "\x0a\x00\x00\x01");
  const size_t question_end = kHeaderBytes + EncodedName("shop.test").size() + 4;
  for (size_t length = 0; length < whole.size(); ++length) {
    Message message;
    const Parse parse = ParseText(whole.substr(0, length), &message);
    EXPECT_EQ(parse, length < question_end ? Parse::kCut : Parse::kMessage) << length;
    EXPECT_TRUE(message.answers.empty()) << length;
  }
}

TEST(DnsMessageTest, RefusesWhatIsNoMessage) {
  Message message;
  EXPECT_EQ(ParseText("\x12\x34\x01\x40________________", &message), Parse::kInvalid);
  EXPECT_EQ(ParseText("\x12\x34\x79\x01________________", &message), Parse::kInvalid);
  EXPECT_EQ(ParseText(U16(1) + U16(0x0100) + U16(0) + U16(0) + U16(0) + U16(0), &message),
            Parse::kInvalid)
      << "a query without a question";
  EXPECT_EQ(ParseText(U16(1) + U16(0x0100) + U16(0xffff) + U16(0) + U16(0) + U16(0), &message),
            Parse::kInvalid);
}

TEST(DnsMessageTest, HashTellsQuestionsApartButNotTheirCase) {
  const auto hash = [](std::string_view name, uint16_t type) {
    Message message;
    EXPECT_EQ(ParseText(Query(1, name, type), &message), Parse::kMessage);
    return message.question_hash;
  };
  EXPECT_EQ(hash("Shop.TEST", kA), hash("shop.test", kA));
  EXPECT_NE(hash("shop.test", kA), hash("shop.test", kAaaa));
  EXPECT_NE(hash("shop.test", kA), hash("shop.tess", kA));
}

TEST(DnsMessageTest, NamesTheRoot) {
  Message message;
  ASSERT_EQ(ParseText(Query(1, "", kNs), &message), Parse::kMessage);
  EXPECT_EQ(message.name, ".");
}

TEST(DnsMessageTest, NamesCodes) {
  EXPECT_EQ(RcodeName(3), "NXDOMAIN");
  EXPECT_EQ(RcodeName(15), "RCODE15");
  EXPECT_EQ(TypeName(65), "HTTPS");
  EXPECT_EQ(TypeName(31337), "OTHER");
}

}  // namespace
}  // namespace kindling::agent::dns
