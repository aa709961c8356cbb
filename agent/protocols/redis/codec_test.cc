#include "agent/protocols/redis/codec.h"

#include <string>
#include <vector>

#include "agent/protocols/codec_limits.h"
#include "agent/protocols/testing/codec_conformance.h"
#include "agent/protocols/testing/record_collector.h"
#include "base/byte_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/protocol.h"

namespace kindling::agent {
namespace {

using model::Outcome;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Flow kRequest = Flow::kRequest;
constexpr Flow kResponse = Flow::kResponse;

std::unique_ptr<ProtocolCodec> Make() { return redis::MakeCodec(model::Transport::kTcp); }

// "GET k" as a client library sends it.
std::string Cmd(const std::vector<std::string>& words) {
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return text;
}

// A connection whose turns are fed by hand, 1 us apart.
struct Connection {
  void Feed(Flow flow, std::string_view bytes, uint32_t unseen = 0) {
    now_ns += 1000;
    codec->Feed(flow,
                Segment{.bytes = base::AsBytes(bytes), .unseen_bytes = unseen, .boot_ns = now_ns},
                sink);
  }
  void Send(const std::vector<std::string>& words) { Feed(kRequest, Cmd(words)); }
  void Reply(std::string_view bytes) { Feed(kResponse, bytes); }

  std::unique_ptr<ProtocolCodec> codec = Make();
  RecordCollector sink;
  int64_t now_ns = 1'000'000;
};

CodecConformance Dialogue() {
  return {.make_codec = Make,
          .turns = {{kRequest, Cmd({"SET", "k", "v"})},
                    {kResponse, "+OK\r\n"},
                    {kRequest, Cmd({"GET", "k"}) + Cmd({"LPUSH", "k", "x"}) + "PING\r\n"},
                    {kResponse, "$1\r\nv\r\n-WRONGTYPE Operation\r\n+PONG\r\n"},
                    {kRequest, Cmd({"config", "get", "save"})},
                    {kResponse, "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"}},
          .expected = {"SET -> ", "GET -> ", "LPUSH -> WRONGTYPE", "PING -> ", "CONFIG GET -> "}};
}

TEST(RedisConformanceTest, Dialogue) { Dialogue().CheckAll(); }

TEST(RedisConformanceTest, Transaction) {
  CodecConformance{.make_codec = Make,
                   .turns = {{kRequest, Cmd({"MULTI"}) + Cmd({"INCR", "a"}) + Cmd({"EXEC"})},
                             {kResponse, "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n"}},
                   .expected = {"MULTI -> ", "INCR -> ", "EXEC -> "}}
      .CheckAll();
}

TEST(RedisConformanceTest, PublishAndSubscribe) {
  CodecConformance{
      .make_codec = Make,
      .turns = {{kRequest, Cmd({"SUBSCRIBE", "a", "b"})},
                {kResponse,
                 "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n"
                 ":2\r\n"},
                {kResponse, "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n"},
                {kRequest, Cmd({"PING"})},
                {kResponse, "*2\r\n$4\r\npong\r\n$0\r\n\r\n"},
                {kRequest, Cmd({"UNSUBSCRIBE"})},
                {kResponse,
                 "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb"
                 "\r\n:0\r\n"}},
      .expected = {"SUBSCRIBE -> ", "PING -> ", "UNSUBSCRIBE -> "}}
      .CheckAll();
}

TEST(RedisConformanceTest, Resp3) {
  CodecConformance{
      .make_codec = Make,
      .turns =
          {{kRequest, Cmd({"HELLO", "3"})},
           {kResponse, "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n"},
           {kRequest, Cmd({"SUBSCRIBE", "a"}) + Cmd({"GET", "k"})},
           {kResponse,
            ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n"
            "x\r\n|1\r\n+ttl\r\n:3600\r\n_\r\n"}},
      .expected = {"HELLO -> ", "SUBSCRIBE -> ", "GET -> "}}
      .CheckAll();
}

TEST(RedisConformanceTest, HostileLengthsAndCounts) {
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "*1\r\n";
  Dialogue().CheckHostile({
      "*1048576\r\n",
      "*1048576\r\n$4294967295\r\n",
      "*2147483647\r\n*2147483647\r\n",
      "*1\r\n$4\r\nPING\r\n",
      "*99999999999999999999\r\n",
      "$99999999999999\r\n",
      "%134217727\r\n%134217727\r\n",
      deep,
      "+" + std::string(4000, 'a'),
      "*?\r\n*?\r\n",
      "$?\r\n;9999\r\n",
      "|9999999\r\n+a\r\n",
      Cmd({"SUBSCRIBE", "a", "b", "c"}),
      "CLIENT REPLY SKIP\r\n",
  });
}

TEST(RedisCodecTest, RecordSaysWhenWhereAndWhat) {
  RecordCollector sink;
  const auto codec = Make();
  const std::string request = Cmd({"get", "secret-key"});
  codec->Feed(kRequest,
              {.bytes = base::AsBytes(request), .boot_ns = 100, .tcp_seq = 5000, .tid = 7}, sink);
  EXPECT_TRUE(codec->has_open_request());
  codec->Feed(kResponse,
              {.bytes = base::AsBytes("$2\r\n"), .boot_ns = 300, .tcp_seq = 900, .tid = 8}, sink);
  codec->Feed(kResponse,
              {.bytes = base::AsBytes("hi\r\n"), .boot_ns = 400, .tcp_seq = 904, .tid = 8}, sink);
  ASSERT_EQ(sink.records.size(), 1u);
  const Record& record = sink.records[0];
  EXPECT_EQ(record.endpoint, "GET");
  EXPECT_EQ(record.outcome, Outcome::kOk);
  EXPECT_EQ(record.request_start_ns, 100);
  EXPECT_EQ(record.request_end_ns, 100);
  EXPECT_EQ(record.response_start_ns, 300);
  EXPECT_EQ(record.response_end_ns, 400);
  EXPECT_EQ(record.request_bytes, request.size());
  EXPECT_EQ(record.response_bytes, 8u);
  EXPECT_EQ(record.request_tcp_seq, 5000u);
  EXPECT_EQ(record.response_tcp_seq, 900u);
  EXPECT_EQ(record.request_tid, 7u);
  EXPECT_EQ(record.response_tid, 8u);
  EXPECT_EQ(AttributeOf(record, "db.system"), "redis");
  EXPECT_EQ(AttributeOf(record, "db.operation"), "GET");
  EXPECT_EQ(AttributeOf(record, "db.statement"), "GET (1 arg)");
}

TEST(RedisCodecTest, ErrorsCarryTheirCodeAndNoData) {
  Connection c;
  c.Send({"LPUSH", "k", "v"});
  c.Reply("-WRONGTYPE Operation against a key\r\n");
  c.Send({"nosuch-secret", "x"});
  c.Reply("-ERR unknown command 'nosuch-secret', with args beginning with: 'x' \r\n");
  c.Send({"CONFIG", "hunter2"});
  c.Reply("-ERR unknown subcommand 'hunter2'. Try CONFIG HELP.\r\n");
  c.Send({"GET", "k"});
  c.Reply("-LOADING Redis is loading the dataset in memory\r\n");
  c.Send({"SET", "k", "v"});
  c.Reply("!10\r\nOOM command\r\n");  // one byte short: not a value
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("LPUSH -> WRONGTYPE", "(other) -> ERR",
                                              "CONFIG -> ERR", "GET -> LOADING"));
  EXPECT_EQ(c.sink.records[0].outcome, Outcome::kClientError);
  EXPECT_EQ(AttributeOf(c.sink.records[1], "error.message"), "ERR unknown command ? ");
  EXPECT_EQ(AttributeOf(c.sink.records[2], "error.message"),
            "ERR unknown subcommand ?. Try CONFIG HELP.");
  EXPECT_EQ(c.sink.records[3].outcome, Outcome::kServerError);
  for (const std::string& text : c.sink.Full()) {
    EXPECT_EQ(text.find("nosuch"), std::string::npos) << text;
    EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
  }
}

TEST(RedisCodecTest, ExecFailsWithTheFirstErrorInIt) {
  Connection c;
  c.Send({"EXEC"});
  c.Reply("*2\r\n:1\r\n-WRONGTYPE Operation\r\n");
  c.Send({"EVAL", "x", "0"});
  c.Reply("*2\r\n:1\r\n-WRONGTYPE in an array of another command\r\n");
  c.Send({"EXEC"});
  c.Reply("-EXECABORT Transaction discarded\r\n");
  EXPECT_THAT(c.sink.Summaries(),
              ElementsAre("EXEC -> WRONGTYPE", "EVAL -> ", "EXEC -> EXECABORT"));
}

TEST(RedisCodecTest, RepliesTurnedOffAreNotAwaited) {
  Connection c;
  c.Send({"CLIENT", "REPLY", "SKIP"});
  c.Send({"SET", "k", "v"});
  c.Send({"GET", "k"});
  c.Reply("$1\r\nv\r\n");
  c.Send({"client", "reply", "off"});
  c.Send({"INCR", "k"});
  c.Send({"CLIENT", "REPLY", "ON"});
  c.Reply("+OK\r\n");
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("CLIENT REPLY -> ", "SET -> ", "GET -> ",
                                              "CLIENT REPLY -> ", "INCR -> ", "CLIENT REPLY -> "));
  EXPECT_EQ(c.sink.records[1].response_end_ns, 0);
  EXPECT_EQ(c.sink.records[1].outcome, Outcome::kOk);
  EXPECT_NE(c.sink.records[2].response_end_ns, 0);
  EXPECT_NE(c.sink.records[5].response_end_ns, 0);
}

TEST(RedisCodecTest, PushesAnswerNothing) {
  Connection c;
  c.Send({"GET", "k"});
  c.Reply(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n");
  EXPECT_TRUE(c.codec->has_open_request());
  c.Reply("$1\r\nv\r\n");
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("GET -> "));
  EXPECT_EQ(c.sink.records[0].response_bytes, 7u);
}

TEST(RedisCodecTest, AListThatLooksLikeAMessageIsAReply) {
  Connection c;
  c.Send({"LRANGE", "k", "0", "-1"});
  c.Reply("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n");
  c.Send({"LRANGE", "k", "0", "-1"});
  c.Reply("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("LRANGE -> ", "LRANGE -> "));
}

TEST(RedisCodecTest, BigStringsCrossHoles) {
  Connection c;
  c.Feed(kRequest, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\nabc", 100'000 - 3 + 2);
  c.Reply("+OK\r\n");
  c.Send({"GET", "k"});
  c.Feed(kResponse, "$100000\r\nab", 16'000);
  c.Feed(kResponse, "xyz", 100'000 - 16'005 + 2);
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("SET -> ", "GET -> "));
  EXPECT_EQ(c.sink.records[0].request_bytes, 20u + 9 + 100'002);
  EXPECT_EQ(c.sink.records[1].response_bytes, 100'011u);
  EXPECT_EQ(c.sink.unparsed_bytes, 0u);
}

TEST(RedisCodecTest, AReplyCutByAHoleEndsWithItsTurn) {
  Connection c;
  c.Send({"LRANGE", "k", "0", "-1"});
  c.Feed(kResponse, "*1000\r\n$1\r\na\r\n$1\r\n", 5000);
  const int64_t last_ns = c.now_ns + 1000;
  c.Feed(kResponse, "bc\r\n", 3000);
  EXPECT_THAT(c.sink.Summaries(), IsEmpty());
  EXPECT_TRUE(c.codec->has_open_request());
  c.Send({"GET", "k"});
  c.Reply("$-1\r\n");
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("LRANGE -> ", "GET -> "));
  EXPECT_EQ(c.sink.records[0].response_end_ns, last_ns);
  EXPECT_EQ(c.sink.records[0].response_bytes, 18u + 5000 + 4 + 3000);
  EXPECT_EQ(c.sink.unparsed_requests, 0u);
}

TEST(RedisCodecTest, AReplyCutByAHoleEndsWhenTheServerIsQuiet) {
  Connection c;
  c.Send({"HGETALL", "k"});
  c.Feed(kResponse, "*1000\r\n$1\r\na\r\n$1\r\n", 5000);
  c.codec->OnTick(c.now_ns + 10'000, 60'000'000'000, c.sink);
  EXPECT_THAT(c.sink.Summaries(), IsEmpty());
  c.codec->OnTick(c.now_ns + 2'000'000'000, 60'000'000'000, c.sink);
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("HGETALL -> "));
  EXPECT_FALSE(c.codec->has_open_request());
}

TEST(RedisCodecTest, ACommandCutByAHoleMeetsItsReply) {
  Connection c;
  c.Feed(kRequest, "*2001\r\n$4\r\nMSET\r\n$1\r\na\r\n$1\r\n", 20'000);
  c.Reply("+OK\r\n");
  c.Send({"GET", "k"});
  c.Reply("$-1\r\n");
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("MSET -> ", "GET -> "));
  EXPECT_EQ(AttributeOf(c.sink.records[0], "db.statement"), "MSET (2000 args)");
  EXPECT_EQ(c.sink.unparsed_requests, 0u);
}

TEST(RedisCodecTest, CommandsInAHoleAreCountedByTheirReplies) {
  Connection c;
  // Ten commands, of which two are seen.
  c.Feed(kRequest, Cmd({"INCR", "a"}) + Cmd({"INCR", "b"}), 8 * 22);
  c.Reply(":1\r\n:2\r\n:3\r\n:4\r\n");
  c.Reply(":5\r\n:6\r\n:7\r\n:8\r\n:9\r\n:10\r\n");
  c.Send({"GET", "k"});
  c.Reply("$-1\r\n");
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("INCR -> ", "INCR -> ", "GET -> "));
  EXPECT_EQ(c.sink.unparsed_requests, 8u);
}

TEST(RedisCodecTest, RepliesInAHoleAreCountedByTheirCommands) {
  Connection c;
  c.Feed(kRequest, Cmd({"GET", "a"}) + Cmd({"GET", "b"}) + Cmd({"GET", "c"}));
  c.Feed(kResponse, "$1\r\na\r\n", 14);
  c.Send({"PING"});
  c.Reply("+PONG\r\n");
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("GET -> ", "PING -> "));
  EXPECT_EQ(c.sink.unparsed_requests, 2u);
}

TEST(RedisCodecTest, WhatAGapTookIsLeftToTheCaller) {
  Connection c;
  c.Send({"GET", "a"});
  c.codec->OnGap(kResponse, 7, c.sink);
  c.Send({"GET", "b"});
  c.Reply("$-1\r\n");
  c.codec->OnGap(kRequest, 20, c.sink);
  c.Reply("$-1\r\n");
  c.Send({"GET", "d"});
  c.Reply("$-1\r\n");
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("GET -> ", "GET -> "));
  EXPECT_EQ(c.sink.unparsed_requests, 0u);
}

TEST(RedisCodecTest, AGapWithinAStringLosesNothing) {
  Connection c;
  c.Send({"GET", "a"});
  c.Feed(kResponse, "$100\r\nabc");
  c.codec->OnGap(kResponse, 50, c.sink);
  c.Reply(std::string(47, 'x') + "\r\n");
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("GET -> "));
  EXPECT_EQ(c.sink.records[0].response_bytes, 108u);
}

TEST(RedisCodecTest, UnansweredCommandsAreReportedOnce) {
  Connection c;
  c.Send({"GET", "a"});
  c.codec->OnTick(c.now_ns + 500, 1000, c.sink);
  EXPECT_THAT(c.sink.Summaries(), IsEmpty());
  c.codec->OnTick(c.now_ns + 1000, 1000, c.sink);
  c.codec->OnTick(c.now_ns + 2000, 1000, c.sink);
  ASSERT_THAT(c.sink.Summaries(), ElementsAre("GET -> "));
  EXPECT_EQ(c.sink.records[0].outcome, Outcome::kNoResponse);
  EXPECT_EQ(c.sink.records[0].response_end_ns, 0);
  c.Reply("$-1\r\n");  // late, and not the next command's
  c.Send({"INCR", "a"});
  c.Reply(":1\r\n");
  c.Send({"SHUTDOWN"});
  c.codec->OnClose(c.now_ns, c.sink);
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("GET -> ", "INCR -> ", "SHUTDOWN -> "));
  EXPECT_EQ(c.sink.records[2].outcome, Outcome::kNoResponse);
}

TEST(RedisCodecTest, BlockingCommandsMayWait) {
  Connection c;
  c.Send({"BLPOP", "q", "0"});
  c.codec->OnTick(c.now_ns + 3'600'000'000'000, 1000, c.sink);
  EXPECT_THAT(c.sink.Summaries(), IsEmpty());
  c.Reply("*2\r\n$1\r\nq\r\n$1\r\nx\r\n");
  ASSERT_THAT(c.sink.Summaries(), ElementsAre("BLPOP -> "));
  EXPECT_EQ(AttributeOf(c.sink.records[0], "db.redis.blocking"), "true");
}

TEST(RedisCodecTest, ReplicationAndMonitorEndTheDialogue) {
  for (const auto& [request, reply] : std::vector<std::pair<std::string, std::string>>{
           {"PSYNC", "+FULLRESYNC 8de1787ba490483314a4d30f1c628bc5025eb761 2443\r\n"},
           {"SYNC", "\n\n$1000\r\nREDIS0011"},
           {"MONITOR", "+OK\r\n+1700000000.1 [0 127.0.0.1:1] \"set\" \"k\" \"v\"\r\n"}}) {
    Connection c;
    c.Send({request});
    c.Reply(reply);
    c.Reply("*1\r\n$4\r\nPING\r\n");
    EXPECT_EQ(c.codec->appetite(), Appetite::kNothing) << request;
    EXPECT_THAT(c.sink.Summaries(), ElementsAre(request + " -> "));
  }
  Connection c;
  c.Send({"SYNC"});
  c.Reply("-NOPERM no\r\n");
  EXPECT_EQ(c.codec->appetite(), Appetite::kFull);
}

TEST(RedisCodecTest, MoreOpenCommandsThanTheLimitAreCountedInOrder) {
  Connection c;
  std::string batch;
  for (size_t i = 0; i < kMaxOpenRequests + 100; ++i) batch += Cmd({"INCR", "a"});
  c.Feed(kRequest, batch);
  EXPECT_EQ(c.sink.unparsed_requests, 100u);
  std::string replies;
  for (size_t i = 0; i < kMaxOpenRequests + 100; ++i) replies += ":1\r\n";
  c.Reply(replies);
  EXPECT_EQ(c.sink.records.size(), kMaxOpenRequests);
  c.Send({"GET", "k"});
  c.Reply("$-1\r\n");
  EXPECT_EQ(c.sink.records.back().endpoint, "GET");
  EXPECT_EQ(c.sink.unparsed_requests, 100u);
}

TEST(RedisCodecTest, NamesAreNeverData) {
  Connection c;
  c.Send({"pass word\x01", "x"});
  c.Reply("-ERR\r\n");
  c.Send({std::string(200, 'A')});
  c.Reply("-ERR\r\n");
  c.Send({"SET", "hunter2", "swordfish"});
  c.Reply("+OK\r\n");
  c.Send({"AUTH", "hunter2"});
  c.Reply("+OK\r\n");
  EXPECT_THAT(c.sink.Summaries(),
              ElementsAre("(other) -> ERR", "(other) -> ERR", "SET -> ", "AUTH -> "));
  for (const std::string& text : c.sink.Full()) {
    EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
    EXPECT_EQ(text.find("swordfish"), std::string::npos) << text;
  }
}

TEST(RedisCodecTest, GivesRunsToASinkThatTakesThem) {
  Connection c;
  c.sink.wants_runs = true;
  c.Feed(kRequest,
         Cmd({"GET", "k"}) + Cmd({"GET", "long"}) + Cmd({"GET", "k"}) + Cmd({"SET", "k", "v"}));
  c.Feed(kRequest, Cmd({"SET", "k", "w"}));
  c.Reply("$1\r\nv\r\n$-1\r\n$1\r\nv\r\n+OK\r\n+OK\r\n");
  ASSERT_THAT(c.sink.Summaries(), ElementsAre("GET -> ", "SET -> ", "SET -> "));
  const Record& run = c.sink.records[0];
  EXPECT_EQ(run.requests(), 3u);
  EXPECT_EQ(run.request_bytes, Cmd({"GET", "k"}).size());
  EXPECT_EQ(run.more_request_bytes, Cmd({"GET", "long"}).size() + Cmd({"GET", "k"}).size());
  EXPECT_EQ(run.response_bytes, 7u);
  EXPECT_EQ(run.more_response_bytes, 5u + 7u);
  EXPECT_EQ(c.sink.records[1].requests(), 1u);
  EXPECT_EQ(c.sink.records[2].requests(), 1u) << "sent by another call";
  EXPECT_EQ(c.sink.records[2].more_request_bytes, 0u);
}

TEST(RedisCodecTest, ARunEndsWithAnErrorAndWithItsSegment) {
  Connection c;
  c.sink.wants_runs = true;
  std::string commands;
  for (int i = 0; i < 6; ++i) commands += Cmd({"GET", "k"});
  c.Feed(kRequest, commands);
  c.Reply("$1\r\nv\r\n$1\r\nv\r\n-WRONGTYPE no\r\n$1\r\nv\r\n");
  c.Reply("$1\r\nv\r\n$1\r\nv\r\n");
  ASSERT_THAT(c.sink.Summaries(), ElementsAre("GET -> ", "GET -> WRONGTYPE", "GET -> ", "GET -> "));
  EXPECT_EQ(c.sink.records[0].requests(), 2u);
  EXPECT_EQ(c.sink.records[1].requests(), 1u);
  EXPECT_EQ(c.sink.records[2].requests(), 1u);
  EXPECT_EQ(c.sink.records[3].requests(), 2u);
}

}  // namespace
}  // namespace kindling::agent
