#include "agent/protocols/mysql/codec.h"

#include <string>
#include <vector>

#include "agent/protocols/codec_limits.h"
#include "agent/protocols/mysql/capture_file.h"
#include "agent/protocols/testing/codec_conformance.h"
#include "agent/protocols/testing/record_collector.h"
#include "base/byte_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/protocol.h"

namespace kindling::agent {
namespace {

using namespace std::string_literals;
using model::Outcome;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::unique_ptr<ProtocolCodec> Make() { return mysql::MakeCodec(model::Transport::kUnix); }

std::string Packet(uint8_t sequence, std::string_view payload) {
  const size_t size = payload.size();
  return std::string{static_cast<char>(size & 0xff), static_cast<char>(size >> 8 & 0xff),
                     static_cast<char>(size >> 16), static_cast<char>(sequence)} +
         std::string(payload);
}
std::string Query(std::string_view sql) { return Packet(0, "\3" + std::string(sql)); }
const std::string kOk = Packet(1, "\0\0\0\2\0\0\0"s);
const std::string kDef =
    "\x03"
    "def\4shop"s;

// What a real server carried; `again` from the first command on.
CodecConformance Capture(const std::string& name, std::vector<std::string> expected) {
  CodecConformance sample{
      .make_codec = Make, .turns = mysql::ReadCapture(name), .expected = std::move(expected)};
  sample.turns_again = mysql::WithoutHandshake(sample.turns);
  // QUIT ends it; the same statements once more come before that.
  if (!sample.turns_again.empty() && sample.turns_again.back().bytes == Packet(0, "\1")) {
    sample.turns_again.pop_back();
    sample.turns.pop_back();
  }
  // What the login said of the database may have been lost.
  sample.turns_again.insert(sample.turns_again.begin(),
                            {{Flow::kRequest, Packet(0, "\2shop")}, {Flow::kResponse, kOk}});
  return sample;
}

CodecConformance Text() {
  return Capture("text",
                 {"SELECT shop.products -> ", "SELECT products -> ", "UPDATE products -> ",
                  "SELECT nosuch -> 1146", "(other) -> 1064", "INSERT products -> 1062", "PING -> ",
                  "INIT_DB -> ", "SELECT -> ", "CALL two -> ", "LOAD -> ", "DELETE products -> "});
}

TEST(MysqlConformanceTest, TextProtocol) { Text().CheckAll(); }

TEST(MysqlConformanceTest, PreparedStatements) {
  Capture("prepared", {"PREPARE SELECT products -> ",
                       "SELECT products -> ",
                       "SELECT products -> ",
                       "PREPARE INSERT products -> ",
                       "INSERT products -> ",
                       "INSERT products -> 1062",
                       "RESET -> ",
                       "PREPARE SELECT products -> 1054",
                       "PREPARE SELECT products -> ",
                       "SELECT products -> ",
                       "FETCH SELECT products -> ",
                       "FETCH SELECT products -> ",
                       "FETCH SELECT products -> ",
                       "FETCH SELECT products -> ",
                       "DELETE products -> ",
                       "SET_OPTION -> ",
                       "STATISTICS -> ",
                       "FIELD_LIST -> ",
                       "CHANGE_USER -> ",
                       "RESET_CONNECTION -> "})
      .CheckAll();
}

TEST(MysqlConformanceTest, WithoutEofPackets) {
  Capture("deprecate_eof", {"SELECT products -> ", "SELECT products -> ", "CALL two -> ",
                            "PREPARE SELECT products -> ", "SELECT products -> ",
                            "PREPARE UPDATE products -> ", "UPDATE products -> ", "PING -> ",
                            "SELECT products -> ", "EXECUTE -> 1243", "SELECT products -> 1242"})
      .CheckAll();
}

TEST(MysqlConformanceTest, CommandLineClient) {
  Capture("cli", {"SELECT -> ", "INIT_DB -> ", "SELECT products -> ", "SHOW WARNINGS -> ",
                  "SELECT products -> "})
      .CheckAll();
}

TEST(MysqlConformanceTest, ProgressReports) {
  Capture("progress", {"SET -> ", "ALTER TABLE big -> ", "ALTER TABLE big -> "}).CheckAll();
}

TEST(MysqlConformanceTest, FoundOpen) {
  for (const char* name : {"text", "prepared", "deprecate_eof", "cli"}) {
    SCOPED_TRACE(name);
    RecordCollector whole;
    CodecConformance sample = Capture(name, {});
    FeedTurns(sample.turns, *Make(), whole);
    // The same commands without the handshake, hence without knowing the flags.
    RecordCollector found;
    FeedTurns(mysql::WithoutHandshake(sample.turns), *Make(), found);
    EXPECT_EQ(found.Summaries(), whole.Summaries());
    EXPECT_EQ(found.unparsed_bytes, 0u);
  }
}

TEST(MysqlConformanceTest, HostileLengthsAndCounts) {
  Text().CheckHostile({
      "\xff\xff\xff\0"s,
      "\xff\xff\xff\0\3SELECT"s,
      "\xff\xff\xff\1"s,
      "\0\0\0\0"s,
      "\0\0\0\1"s,
      Query("SELECT 1"),
      Query(std::string(4000, 'x')),
      Packet(0, "\x16SELECT " + std::string(2000, 'y')),
      Packet(0, "\x17\1\0\0\0\0\1\0\0\0"s),
      Packet(0, "\x19\1\0\0\0"s),
      Packet(1, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff"s),
      Packet(1, "\xfc\xff\xff"s),
      Packet(1, "\0\1\0\0\0\xff\xff\xff\xff\0\0\0"s),
      Packet(0,
             "\x0a"
             "5.5.5\0"s +
                 std::string(60, '\xff')),
      Packet(1, std::string(300, '\xff')),
      kOk,
  });
}

// A connection whose turns are fed by hand, 1 us apart; its handshake was not seen.
struct Connection {
  void Feed(Flow flow, std::string_view bytes, uint32_t unseen = 0) {
    now_ns += 1000;
    codec->Feed(flow,
                Segment{.bytes = base::AsBytes(bytes), .unseen_bytes = unseen, .boot_ns = now_ns},
                sink);
  }
  void Send(std::string_view bytes) { Feed(Flow::kRequest, bytes); }
  void Answer(std::string_view bytes) { Feed(Flow::kResponse, bytes); }

  std::unique_ptr<ProtocolCodec> codec = Make();
  RecordCollector sink;
  int64_t now_ns = 1'000'000;
};

RecordCollector Play(const std::string& name, ProtocolCodec& codec) {
  RecordCollector sink;
  FeedTurns(mysql::ReadCapture(name), codec, sink);
  return sink;
}

TEST(MysqlCodecTest, RecordsHoldNoData) {
  const auto codec = Make();
  const RecordCollector sink = Play("text", *codec);
  ASSERT_EQ(sink.records.size(), 12u);
  const Record& select = sink.records[0];
  EXPECT_EQ(AttributeOf(select, "db.system"), "mysql");
  EXPECT_EQ(AttributeOf(select, "db.operation"), "SELECT");
  EXPECT_EQ(AttributeOf(select, "db.name"), "shop");
  EXPECT_EQ(AttributeOf(select, "db.statement"),
            "SELECT id, name, price FROM shop.products WHERE id < ?");
  EXPECT_EQ(AttributeOf(select, "db.response.returned_rows"), "2");
  EXPECT_EQ(AttributeOf(sink.records[1], "db.response.returned_rows"), "0");
  EXPECT_EQ(AttributeOf(sink.records[3], "error.message"), "Table ? doesn't exist");
  EXPECT_EQ(sink.records[3].outcome, Outcome::kClientError);
  EXPECT_EQ(AttributeOf(sink.records[5], "error.message"), "Duplicate entry ?");
  for (const std::string& text : sink.Full()) {
    EXPECT_EQ(text.find("hunter2"), std::string::npos) << text;
    EXPECT_EQ(text.find("tea"), std::string::npos) << text;
  }
}

TEST(MysqlCodecTest, ExecutionsShowTheirStatement) {
  const auto codec = Make();
  const RecordCollector sink = Play("prepared", *codec);
  EXPECT_EQ(AttributeOf(sink.records[1], "db.statement"),
            "SELECT id, name FROM products WHERE id < ?");
  EXPECT_EQ(AttributeOf(sink.records[1], "db.operation"), "SELECT");
  EXPECT_EQ(AttributeOf(sink.records[2], "db.response.returned_rows"), "2");
}

TEST(MysqlCodecTest, ARefusedLoginIsARecord) {
  const auto denied_codec = Make();
  const RecordCollector denied = Play("denied", *denied_codec);
  ASSERT_THAT(denied.Summaries(), ElementsAre("CONNECT -> 1045"));
  EXPECT_EQ(denied.records[0].outcome, Outcome::kClientError);
  EXPECT_EQ(AttributeOf(denied.records[0], "error.message").find("ann"), std::string::npos);
  const auto full_codec = Make();
  const RecordCollector full = Play("toomany", *full_codec);
  ASSERT_THAT(full.Summaries(), ElementsAre("CONNECT -> 1040"));
  EXPECT_EQ(full.records[0].outcome, Outcome::kServerError);
}

TEST(MysqlCodecTest, TlsCompressionAndReplicationAreNamed) {
  const auto tls = Make();
  EXPECT_THAT(Play("tls", *tls).Summaries(), IsEmpty());
  EXPECT_EQ(tls->appetite(), Appetite::kNothing);
  EXPECT_EQ(tls->opaque_reason(), "tls");
  const auto compressed = Make();
  EXPECT_THAT(Play("compressed", *compressed).Summaries(), IsEmpty());
  EXPECT_EQ(compressed->appetite(), Appetite::kNothing);
  EXPECT_EQ(compressed->opaque_reason(), "compressed");
  Connection replica;
  replica.Send(Packet(0, "\x12\4\0\0\0\0\0\1\0\0\0"s));
  EXPECT_EQ(replica.codec->opaque_reason(), "replication");
  const auto plain = Make();
  Play("text", *plain);
  EXPECT_EQ(plain->appetite(), Appetite::kFull);
}

TEST(MysqlCodecTest, RecordSaysWhenAndWhere) {
  RecordCollector sink;
  const auto codec = Make();
  const std::string query = Query("SELECT 1");
  codec->Feed(Flow::kRequest,
              {.bytes = base::AsBytes(query), .boot_ns = 100, .tcp_seq = 50, .tid = 7}, sink);
  codec->Feed(Flow::kResponse,
              {.bytes = base::AsBytes(Packet(1, "\1")), .boot_ns = 300, .tcp_seq = 900, .tid = 8},
              sink);
  codec->Feed(Flow::kResponse,
              {.bytes = base::AsBytes(Packet(2, kDef) + Packet(3, "\xfe\0\0\2\0\0\0"s)),
               .boot_ns = 400,
               .tcp_seq = 905,
               .tid = 8},
              sink);
  ASSERT_EQ(sink.records.size(), 1u);
  const Record& record = sink.records[0];
  EXPECT_EQ(record.request_start_ns, 100);
  EXPECT_EQ(record.request_bytes, query.size());
  EXPECT_EQ(record.request_tcp_seq, 50u);
  EXPECT_EQ(record.request_tid, 7u);
  EXPECT_EQ(record.response_start_ns, 300);
  EXPECT_EQ(record.response_end_ns, 400);
  EXPECT_EQ(record.response_tcp_seq, 900u);
  EXPECT_EQ(record.response_bytes, 5 + 4 + kDef.size() + 11);
}

TEST(MysqlCodecTest, LongStatementsCrossHoles) {
  Connection c;
  const std::string sql = "\3INSERT INTO notes VALUES ('" + std::string(50'000, 'n') + "')";
  const std::string packet = Packet(0, sql);
  c.Feed(Flow::kRequest, packet.substr(0, 1024), static_cast<uint32_t>(packet.size()) - 1024);
  c.Answer(kOk);
  ASSERT_THAT(c.sink.Summaries(), ElementsAre("INSERT notes -> "));
  EXPECT_EQ(c.sink.records[0].request_bytes, packet.size());
  EXPECT_EQ(c.sink.unparsed_bytes, 0u);
}

TEST(MysqlCodecTest, LongRowsCrossHoles) {
  Connection c;
  c.Send(Query("SELECT t FROM big"));
  c.Feed(Flow::kResponse, Packet(1, "\1") + Packet(2, kDef) + "\x00\x00\x10\x03\xfdxx"s,
         0x100000 - 3);
  c.Answer(Packet(4, "\xfe\0\0\2\0\0\0"s));
  ASSERT_THAT(c.sink.Summaries(), ElementsAre("SELECT big -> "));
  EXPECT_EQ(AttributeOf(c.sink.records[0], "db.response.returned_rows"), "1");
}

TEST(MysqlCodecTest, PacketsOf16MiBGoOnInTheNext) {
  Connection c;
  const std::string head = "\xff\xff\xff\0\3INSERT INTO notes VALUES ('"s;
  c.Feed(Flow::kRequest, head, 0xffffff + 4 - static_cast<uint32_t>(head.size()));
  c.Feed(Flow::kRequest, "\x10\0\0\1"s, 16);
  c.Send(Query("SELECT 1"));  // pipelined
  c.Answer(Packet(2, "\0\0\0\2\0\0\0"s));
  EXPECT_EQ(c.sink.records.size(), 0u) << "numbered after the command's last packet";
}

TEST(MysqlCodecTest, AResultCutByAHoleEndsWithItsTurn) {
  Connection c;
  c.Send(Query("SELECT t FROM big"));
  c.Feed(Flow::kResponse, Packet(1, "\1") + Packet(2, kDef) + Packet(3, "\1x") + "\2\0", 30'000);
  c.Feed(Flow::kResponse, "xyz", 10'000);
  const int64_t last_ns = c.now_ns;
  EXPECT_THAT(c.sink.Summaries(), IsEmpty());
  EXPECT_TRUE(c.codec->has_open_request());
  c.Send(Query("SELECT 2 FROM small"));
  c.Answer(kOk);
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("SELECT big -> ", "SELECT small -> "));
  EXPECT_EQ(c.sink.records[0].response_end_ns, last_ns);
  EXPECT_EQ(AttributeOf(c.sink.records[0], "db.response.returned_rows"), "") << "not known";
  EXPECT_EQ(c.sink.unparsed_requests, 0u);
}

TEST(MysqlCodecTest, AResultCutByAHoleEndsWhenTheServerIsQuiet) {
  Connection c;
  c.Send(Query("SELECT t FROM big"));
  c.Feed(Flow::kResponse, Packet(1, "\1") + Packet(2, kDef), 30'000);
  c.codec->OnTick(c.now_ns + 1'000'000, 60'000'000'000, c.sink);
  EXPECT_THAT(c.sink.Summaries(), IsEmpty());
  c.codec->OnTick(c.now_ns + 2'000'000'000, 60'000'000'000, c.sink);
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("SELECT big -> "));
  EXPECT_FALSE(c.codec->has_open_request());
}

TEST(MysqlCodecTest, CommandsSentTogetherAreAnsweredInOrder) {
  Connection c;
  const std::string prepared = Packet(1, "\0\7\0\0\0\0\0\0\0\0\0\0"s);
  c.Send(Packet(0, "\x16UPDATE stock SET n = 1") + Packet(0, "\x17\xff\xff\xff\xff\0\1\0\0\0"s) +
         Packet(0, "\x19\7\0\0\0"s) + Packet(0, "\x0e"));
  c.Answer(prepared + kOk + kOk);
  EXPECT_THAT(c.sink.Summaries(),
              ElementsAre("PREPARE UPDATE stock -> ", "UPDATE stock -> ", "PING -> "));
}

TEST(MysqlCodecTest, UseChangesTheDatabase) {
  Connection c;
  c.Send(Query("USE `shop`"));
  c.Answer(kOk);
  c.Send(Query("SELECT 1"));
  c.Answer(kOk);
  c.Send(Packet(0, "\2other"));
  c.Answer(Packet(1, "\xff\x19\x04#42000Unknown database 'other'"s));
  c.Send(Packet(0, "\2stock"));
  c.Answer(kOk);
  ASSERT_EQ(c.sink.records.size(), 4u);
  EXPECT_EQ(AttributeOf(c.sink.records[1], "db.name"), "shop");
  EXPECT_EQ(AttributeOf(c.sink.records[2], "db.name"), "shop");
  EXPECT_EQ(AttributeOf(c.sink.records[3], "db.name"), "stock");
}

TEST(MysqlCodecTest, AttributesBeforeAQueryAreSkipped) {
  Connection c;
  c.Send(Packet(0, "\3\0\1SELECT a FROM t"s));
  c.Answer(kOk);
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("SELECT t -> "));
}

TEST(MysqlCodecTest, UnansweredCommandsAreReportedOnce) {
  Connection c;
  c.Send(Query("SELECT SLEEP(100)"));
  c.codec->OnTick(c.now_ns + 2000, 1000, c.sink);
  c.codec->OnTick(c.now_ns + 3000, 1000, c.sink);
  ASSERT_THAT(c.sink.Summaries(), ElementsAre("SELECT -> "));
  EXPECT_EQ(c.sink.records[0].outcome, Outcome::kNoResponse);
  c.Answer(kOk);  // late
  c.Send(Packet(0, "\x0e"));
  c.codec->OnClose(c.now_ns, c.sink);
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("SELECT -> ", "PING -> "));
  EXPECT_EQ(c.sink.records[1].outcome, Outcome::kNoResponse);
}

TEST(MysqlCodecTest, WhatAGapTookIsLeftToTheCaller) {
  Connection c;
  c.Send(Query("SELECT 1"));
  c.codec->OnGap(Flow::kResponse, 11, c.sink);
  c.Send(Query("SELECT a FROM t"));
  c.Answer(kOk);
  c.codec->OnGap(Flow::kRequest, 20, c.sink);
  c.Answer(kOk);
  c.Send(Query("SELECT b FROM u"));
  c.Answer(kOk);
  EXPECT_THAT(c.sink.Summaries(), ElementsAre("SELECT t -> ", "SELECT u -> "));
  EXPECT_EQ(c.sink.unparsed_requests, 0u);
  EXPECT_EQ(c.sink.dropped.size(), 1u);
}

TEST(MysqlCodecTest, CommandsWhoseResponsesAGapTookAreDroppedOnce) {
  Connection c;
  const int64_t first_ns = c.now_ns + 1000;
  c.Send(Query("SELECT 1"));
  c.codec->OnGap(Flow::kResponse, 11, c.sink);
  EXPECT_TRUE(c.sink.dropped.empty());
  // Nothing more comes: told when it has been quiet, and not again at the end.
  c.codec->OnTick(c.now_ns + 5'000'000'000, 60'000'000'000, c.sink);
  EXPECT_THAT(c.sink.dropped, ElementsAre(first_ns));
  c.codec->OnClose(c.now_ns, c.sink);
  EXPECT_EQ(c.sink.dropped.size(), 1u);

  Connection closed;
  closed.Send(Query("SELECT 1"));
  closed.codec->OnGap(Flow::kResponse, 11, closed.sink);
  closed.codec->OnClose(closed.now_ns, closed.sink);
  EXPECT_EQ(closed.sink.dropped.size(), 1u);
  EXPECT_TRUE(closed.sink.records.empty());
}

TEST(MysqlCodecTest, MoreOpenCommandsThanTheLimitAreCounted) {
  Connection c;
  for (size_t i = 0; i < kMaxOpenRequests + 10; ++i) c.Send(Query("SELECT 1"));
  EXPECT_EQ(c.sink.unparsed_requests, 10u);
  for (size_t i = 0; i < kMaxOpenRequests + 10; ++i) c.Answer(kOk);
  EXPECT_EQ(c.sink.records.size(), kMaxOpenRequests);
  c.Send(Packet(0, "\x0e"));
  c.Answer(kOk);
  EXPECT_EQ(c.sink.records.back().endpoint, "PING");
}

}  // namespace
}  // namespace kindling::agent
