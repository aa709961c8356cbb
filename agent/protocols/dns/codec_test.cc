#include "agent/protocols/dns/codec.h"

#include <string>

#include "agent/protocols/codec_limits.h"
#include "agent/protocols/dns/message_builder.h"
#include "agent/protocols/dns/query_event.h"
#include "agent/protocols/dns/resolution.h"
#include "agent/protocols/testing/codec_conformance.h"
#include "agent/protocols/testing/record_collector.h"
#include "base/byte_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/protocol.h"

namespace kindling::agent {
namespace {

using namespace std::string_literals;
using dns::AddressResponse;
using dns::ErrorResponse;
using dns::Framed;
using dns::MessageBuilder;
using dns::Query;
using model::Outcome;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint16_t kA = 1;
constexpr uint16_t kAaaa = 28;
constexpr std::string_view kAddress = "\x0a\x01\x01\x01";
const std::string kAddress6 = "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"s;

CodecConformance OverTcp() {
  return {.make_codec = [] { return dns::MakeCodec(model::Transport::kTcp); },
          .turns = {{Flow::kRequest,
                     Framed(Query(1, "shop.test", kA)) + Framed(Query(2, "shop.test", kAaaa))},
                    {Flow::kResponse, Framed(AddressResponse(2, "shop.test", kAaaa, kAddress6)) +
                                          Framed(AddressResponse(1, "shop.test", kA, kAddress))},
                    {Flow::kRequest, Framed(Query(3, "nosuch.test", kA))},
                    {Flow::kResponse, Framed(ErrorResponse(3, "nosuch.test", kA, 3))}},
          .expected = {"AAAA shop.test -> NOERROR", "A shop.test -> NOERROR",
                       "A nosuch.test -> NXDOMAIN"}};
}

TEST(DnsConformanceTest, OverTcp) { OverTcp().CheckAll(); }

TEST(DnsConformanceTest, HostileLengthsAndCounts) {
  const std::string many = "\x12\x34\x81\x80\xff\xff\xff\xff\xff\xff\xff\xff"s;
  const std::string answers =
      "\x12\x34\x81\x80\0\1\xff\xff\0\0\0\0"s + dns::EncodedName("a.test") + "\0\1\0\1"s;
  for (const model::Transport transport : {model::Transport::kTcp, model::Transport::kUdp}) {
    CodecConformance sample = OverTcp();
    sample.make_codec = [transport] { return dns::MakeCodec(transport); };
    sample.CheckHostile({"\xff\xff"s, "\xff\xff\x12\x34\x01\x00\0\1\0\0\0\0\0\0"s, Framed(many),
                         many, Framed(answers), answers, "\0\0"s, "\0\5"s,
                         Framed(Query(9, "a.test", kA)),
                         Query(9, std::string(60, 'a') + "." + std::string(60, 'b'), kA),
                         "\0\x40"s + std::string(64, '\xc0')});
  }
}

// Keeps what is told of queries: "sent A a.test", with what else is true of it.
class StepCollector : public RecordCollector {
 public:
  void OnDnsQuery(const dns::QueryEvent& event) override {
    static constexpr const char* kStages[] = {"sent", "overdue", "answered", "unanswered",
                                              "unknown"};
    std::string step = kStages[static_cast<int>(event.stage)];
    step += " " + std::string(event.operation) + " " + std::string(event.name);
    if (event.is_repeated) step += " repeated";
    if (event.is_overdue) step += " late";
    if (event.is_truncated) step += " truncated";
    if (event.rcode != 0) step += " " + std::to_string(event.rcode);
    if (event.at_ns != event.sent_ns) {
      step += " after " + std::to_string((event.at_ns - event.sent_ns) / 1000) + "us";
    }
    steps.push_back(step);
  }
  std::vector<std::string> TakeSteps() { return std::exchange(steps, {}); }

  std::vector<std::string> steps;
};

// Datagrams fed by hand, 1 us apart.
struct Peer {
  void Feed(Flow flow, std::string_view bytes, uint32_t unseen = 0) {
    now_ns += 1000;
    codec->Feed(flow,
                Segment{.bytes = base::AsBytes(bytes),
                        .unseen_bytes = unseen,
                        .boot_ns = now_ns,
                        .tid = flow == Flow::kRequest ? 7u : 8u},
                sink);
  }
  void Ask(std::string_view bytes) { Feed(Flow::kRequest, bytes); }
  void Answer(std::string_view bytes) { Feed(Flow::kResponse, bytes); }

  std::unique_ptr<ProtocolCodec> codec = dns::MakeCodec(model::Transport::kUdp);
  StepCollector sink;
  int64_t now_ns = 1'000'000;
};

TEST(DnsCodecTest, RecordSaysWhenAndWhat) {
  Peer peer;
  const std::string query = Query(1, "Shop.Test", kA);
  const std::string response = AddressResponse(1, "shop.test", kA, kAddress);
  peer.Ask(query);
  EXPECT_TRUE(peer.codec->has_open_request());
  peer.Answer(response);
  EXPECT_FALSE(peer.codec->has_open_request());
  ASSERT_EQ(peer.sink.records.size(), 1u);
  const Record& record = peer.sink.records[0];
  EXPECT_EQ(record.endpoint, "A shop.test");
  EXPECT_EQ(record.status_code, "NOERROR");
  EXPECT_EQ(record.outcome, Outcome::kOk);
  EXPECT_EQ(record.request_start_ns, 1'001'000);
  EXPECT_EQ(record.response_end_ns, 1'002'000);
  EXPECT_EQ(record.request_bytes, query.size());
  EXPECT_EQ(record.response_bytes, response.size());
  EXPECT_EQ(record.request_tid, 7u);
  EXPECT_EQ(record.response_tid, 8u);
  const auto resolution = dns::ResolutionOf(record);
  ASSERT_TRUE(resolution.has_value());
  EXPECT_EQ(resolution->name, "shop.test");
  EXPECT_THAT(resolution->addresses, ElementsAre("10.1.1.1"));
}

TEST(DnsCodecTest, FollowsAliasesAndNamesOtherAnswers) {
  Peer peer;
  peer.Ask(Query(1, "www.shop.test", kA));
  peer.Answer(MessageBuilder(1, 0x8380)
                  .Question("www.shop.test", kA)
                  .Answer(5, "\xc0\x10"s)
                  .Answer(kA, kAddress)
                  .Answer(kA, "\x0a\x01\x01\x02")
                  .Datagram());
  ASSERT_EQ(peer.sink.records.size(), 1u);
  EXPECT_EQ(AttributeOf(peer.sink.records[0], "dns.answers"), "10.1.1.1,10.1.1.2");
  EXPECT_EQ(AttributeOf(peer.sink.records[0], "dns.records"), "CNAME shop.test");
  EXPECT_EQ(AttributeOf(peer.sink.records[0], "dns.truncated"), "true");
}

TEST(DnsCodecTest, OutcomeFollowsTheCode) {
  Peer peer;
  for (const uint8_t rcode : {0, 1, 2, 3, 4, 5}) {
    peer.Ask(Query(rcode, "a.test", kA));
    peer.Answer(ErrorResponse(rcode, "a.test", kA, rcode));
  }
  std::vector<Outcome> outcomes;
  for (const Record& record : peer.sink.records) outcomes.push_back(record.outcome);
  EXPECT_THAT(outcomes,
              ElementsAre(Outcome::kOk, Outcome::kClientError, Outcome::kServerError,
                          Outcome::kClientError, Outcome::kServerError, Outcome::kServerError));
  EXPECT_THAT(peer.sink.Summaries(),
              ElementsAre("A a.test -> NOERROR", "A a.test -> FORMERR", "A a.test -> SERVFAIL",
                          "A a.test -> NXDOMAIN", "A a.test -> NOTIMP", "A a.test -> REFUSED"));
}

TEST(DnsCodecTest, QueriesAreMatchedByIdAndQuestion) {
  Peer peer;
  peer.Ask(Query(1, "a.test", kA));
  peer.Ask(Query(1, "b.test", kA));
  peer.Ask(Query(2, "a.test", kA));
  peer.Answer(ErrorResponse(2, "a.test", kA, 3));
  peer.Answer(AddressResponse(1, "B.TEST", kA, kAddress));
  peer.Answer(AddressResponse(1, "a.test", kA, kAddress));
  peer.Answer(AddressResponse(1, "a.test", kA, kAddress));  // twice: answers nothing
  EXPECT_THAT(peer.sink.Summaries(),
              ElementsAre("A a.test -> NXDOMAIN", "A b.test -> NOERROR", "A a.test -> NOERROR"));
  EXPECT_GT(peer.sink.unparsed_bytes, 0u);
  EXPECT_EQ(peer.sink.unparsed_requests, 0u);
}

TEST(DnsCodecTest, ARepeatedQueryIsARequestOfItsOwn) {
  Peer peer;
  const std::string query = Query(1, "a.test", kA);
  peer.Ask(query);
  peer.now_ns += 5'000'000'000;
  peer.Ask(query);
  peer.Answer(AddressResponse(1, "a.test", kA, kAddress));
  ASSERT_EQ(peer.sink.records.size(), 1u);
  EXPECT_EQ(peer.sink.records[0].response_end_ns - peer.sink.records[0].request_start_ns, 1000)
      << "answers the newest";
  peer.codec->OnTick(peer.now_ns, 4'000'000'000, peer.sink);
  ASSERT_THAT(peer.sink.Summaries(), ElementsAre("A a.test -> NOERROR", "A a.test -> "));
  EXPECT_EQ(peer.sink.records[1].outcome, Outcome::kNoResponse);
}

TEST(DnsCodecTest, BothAnswersOfARepeatedQueryCount) {
  Peer peer;
  const std::string query = Query(1, "a.test", kA);
  peer.Ask(query);
  peer.Ask(query);
  peer.Answer(AddressResponse(1, "a.test", kA, kAddress));
  peer.Answer(AddressResponse(1, "a.test", kA, kAddress));
  EXPECT_THAT(peer.sink.Summaries(), ElementsAre("A a.test -> NOERROR", "A a.test -> NOERROR"));
  EXPECT_FALSE(peer.codec->has_open_request());
}

TEST(DnsCodecTest, UnansweredQueriesAreReported) {
  Peer peer;
  peer.Ask(Query(1, "a.test", kA));
  peer.now_ns += 1'000'000;
  peer.Ask(Query(2, "b.test", kA));
  peer.codec->OnTick(peer.now_ns, 1'000'000, peer.sink);
  EXPECT_THAT(peer.sink.Summaries(), ElementsAre("A a.test -> "));
  peer.codec->OnClose(peer.now_ns, peer.sink);
  EXPECT_THAT(peer.sink.Summaries(), ElementsAre("A a.test -> ", "A b.test -> "));
  EXPECT_EQ(peer.sink.records[1].outcome, Outcome::kNoResponse);
  EXPECT_EQ(peer.sink.records[1].response_end_ns, 0);
}

TEST(DnsCodecTest, TellsTheStepsOfAQuery) {
  Peer peer;
  peer.Ask(Query(1, "a.test", kA));
  peer.Ask(Query(1, "a.test", kA));
  peer.Ask(MessageBuilder(2, 0x2000).Question("a.test", 6).Datagram());
  peer.Answer(MessageBuilder(1, 0x8380).Question("a.test", kA).Datagram());
  EXPECT_THAT(peer.sink.TakeSteps(),
              ElementsAre("sent A a.test", "sent A a.test repeated", "sent NOTIFY a.test",
                          "answered A a.test repeated truncated after 2us"));
  peer.now_ns += dns::kQueryTimeoutNs - 3000;
  peer.codec->OnTick(peer.now_ns, 120'000'000'000, peer.sink);
  peer.codec->OnTick(peer.now_ns, 120'000'000'000, peer.sink);
  EXPECT_THAT(peer.sink.TakeSteps(), ElementsAre("overdue A a.test after 5000000us"))
      << "told once, in its time";
  peer.Answer(ErrorResponse(1, "a.test", kA, 2));
  EXPECT_THAT(peer.sink.TakeSteps(), ElementsAre("answered A a.test late 2 after 5000001us"));
  peer.codec->OnClose(peer.now_ns, peer.sink);
  EXPECT_THAT(peer.sink.TakeSteps(), ElementsAre("unanswered NOTIFY a.test after 4999999us"));
}

TEST(DnsCodecTest, ALateAnswerIsLateWithoutATickToo) {
  Peer peer;
  peer.Ask(Query(1, "a.test", kA));
  peer.now_ns += dns::kQueryTimeoutNs;
  peer.Answer(AddressResponse(1, "a.test", kA, kAddress));
  EXPECT_THAT(peer.sink.steps, ElementsAre("sent A a.test", "overdue A a.test after 5000001us",
                                           "answered A a.test late after 5000001us"));
  EXPECT_THAT(peer.sink.Summaries(), ElementsAre("A a.test -> NOERROR"));
}

TEST(DnsCodecTest, AQueryWhoseAnswerMayBeLostIsNeverOverdue) {
  Peer peer;
  peer.Ask(Query(1, "a.test", kA));
  peer.codec->OnGap(Flow::kResponse, 0, peer.sink);
  peer.now_ns += 2 * dns::kQueryTimeoutNs;
  peer.codec->OnTick(peer.now_ns, 120'000'000'000, peer.sink);
  peer.Ask(Query(2, "b.test", kA));
  EXPECT_THAT(peer.sink.steps,
              ElementsAre("sent A a.test", "unknown A a.test after 10000001us", "sent A b.test"));
}

TEST(DnsCodecTest, OverdueQueriesMakeRoom) {
  Peer peer;
  for (size_t i = 0; i <= kMaxOpenRequests; ++i) {
    peer.Ask(Query(static_cast<uint16_t>(i), "a.test", kA));
  }
  EXPECT_EQ(peer.sink.unparsed_requests, 1u) << "no room, and none is overdue";
  peer.now_ns += dns::kQueryTimeoutNs;
  peer.codec->OnTick(peer.now_ns, 120'000'000'000, peer.sink);
  peer.sink.steps.clear();
  peer.Ask(Query(7777, "b.test", kA));
  EXPECT_THAT(peer.sink.steps,
              ElementsAre("unanswered A a.test late after 5001025us", "sent A b.test"));
  EXPECT_EQ(peer.sink.unparsed_requests, 1u);
  EXPECT_EQ(peer.sink.records.size(), 1u);
}

TEST(DnsCodecTest, LostResponsesAreNotReportedAsUnanswered) {
  Peer peer;
  peer.Ask(Query(1, "a.test", kA));
  peer.codec->OnGap(Flow::kResponse, 0, peer.sink);
  peer.Ask(Query(2, "b.test", kA));
  peer.codec->OnClose(peer.now_ns, peer.sink);
  EXPECT_THAT(peer.sink.Summaries(), ElementsAre("A b.test -> "));
  EXPECT_EQ(peer.sink.unparsed_requests, 0u);
  EXPECT_EQ(peer.sink.dropped.size(), 1u);
}

TEST(DnsCodecTest, AQueryWhoseResponseAGapTookIsDroppedOnce) {
  Peer peer;
  const int64_t first_ns = peer.now_ns + 1000;
  peer.Ask(Query(1, "a.test", kA));
  peer.Ask(Query(2, "a.test", kAaaa));
  peer.codec->OnGap(Flow::kResponse, 40, peer.sink);
  // The other one's response did come.
  peer.Answer(AddressResponse(2, "a.test", kAaaa, kAddress));
  EXPECT_TRUE(peer.sink.dropped.empty());
  peer.Ask(Query(3, "b.test", kA));
  EXPECT_THAT(peer.sink.dropped, ElementsAre(first_ns));
  peer.Answer(AddressResponse(1, "a.test", kA, kAddress));  // too late to count
  peer.Answer(AddressResponse(3, "b.test", kA, kAddress));
  peer.codec->OnClose(peer.now_ns, peer.sink);
  EXPECT_THAT(peer.sink.Summaries(), ElementsAre("AAAA a.test -> NOERROR", "A b.test -> NOERROR"));
  EXPECT_EQ(peer.sink.dropped.size(), 1u);
  EXPECT_EQ(peer.sink.unparsed_requests, 0u);
}

TEST(DnsCodecTest, AResponseWithoutItsQuestionAnswersById) {
  Peer peer;
  peer.Ask(Query(1, "a.test", kA));
  peer.Answer(MessageBuilder(1, 0x8181).Datagram());
  EXPECT_THAT(peer.sink.Summaries(), ElementsAre("A a.test -> FORMERR"));
}

TEST(DnsCodecTest, ADatagramThatTheCaptureCutStillCounts) {
  Peer peer;
  peer.Ask(Query(1, "a.test", kA));
  const std::string response = AddressResponse(1, "a.test", kA, kAddress);
  peer.Feed(Flow::kResponse, response.substr(0, response.size() - 6), 6);
  EXPECT_THAT(peer.sink.Summaries(), ElementsAre("A a.test -> NOERROR"));
  EXPECT_EQ(peer.sink.records[0].response_bytes, response.size());
}

TEST(DnsCodecTest, ADatagramOfTheWrongDirectionIsNotUnderstood) {
  Peer peer;
  peer.Answer(Query(1, "a.test", kA));
  peer.Ask(ErrorResponse(1, "a.test", kA, 0));
  peer.Ask("x");
  EXPECT_THAT(peer.sink.Summaries(), IsEmpty());
  EXPECT_FALSE(peer.codec->has_open_request());
  EXPECT_GT(peer.sink.unparsed_bytes, 0u);
}

TEST(DnsCodecTest, DatagramsTruncatedAtEveryLengthAreSafe) {
  const std::string query = Query(1, "a.test", kA);
  const std::string response = AddressResponse(1, "a.test", kA, kAddress);
  for (size_t length = 0; length < query.size(); ++length) {
    Peer peer;
    peer.Ask(query.substr(0, length));
    EXPECT_FALSE(peer.codec->has_open_request()) << length;
  }
  for (size_t length = 0; length < response.size(); ++length) {
    Peer peer;
    peer.Ask(query);
    peer.Answer(response.substr(0, length));
    peer.codec->OnClose(peer.now_ns, peer.sink);
    EXPECT_EQ(peer.sink.records.size(), 1u) << length;
  }
}

TEST(DnsCodecTest, MoreOpenQueriesThanTheLimitAreCounted) {
  Peer peer;
  for (size_t i = 0; i < kMaxOpenRequests + 10; ++i) {
    peer.Ask(Query(static_cast<uint16_t>(i), "a.test", kA));
  }
  EXPECT_EQ(peer.sink.unparsed_requests, 10u);
  for (size_t i = 0; i < kMaxOpenRequests + 10; ++i) {
    peer.Answer(AddressResponse(static_cast<uint16_t>(i), "a.test", kA, kAddress));
  }
  EXPECT_EQ(peer.sink.records.size(), kMaxOpenRequests);
}

}  // namespace
}  // namespace kindling::agent
