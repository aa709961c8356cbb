#include "agent/protocols/http1/codec.h"

#include <string>
#include <vector>

#include "agent/protocols/testing/codec_conformance.h"
#include "agent/protocols/testing/heap_meter.h"
#include "agent/protocols/testing/record_collector.h"
#include "agent/protocols/testing/turns_file.h"
#include "base/byte_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kindling::agent::http1 {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Flow kReq = Flow::kRequest;
constexpr Flow kRsp = Flow::kResponse;

CodecConformance Sample(std::vector<Turn> turns, std::vector<std::string> expected) {
  return {.make_codec = [] { return MakeCodec(model::Transport::kTcp); },
          .turns = std::move(turns),
          .expected = std::move(expected)};
}

const char kGet[] = "GET /products/17?x=1 HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: curl\r\n\r\n";
const char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

TEST(Http1ConformanceTest, CurlAndNginx) {
  Sample(ReadTurnsFile("agent/protocols/http1/testdata/curl_nginx.turns"),
         {"GET /index.html -> 200", "GET /big.txt -> 200", "HEAD /big.txt -> 200",
          "POST /orders/* -> 404", "PUT /orders/* -> 405", "GET /index.html -> 206",
          "GET /missing/* -> 404", "GET /fail -> 503"})
      .CheckAll();
}

TEST(Http1ConformanceTest, KeepAlive) {
  Sample({{kReq, kGet},
          {kRsp, kOk},
          {kReq, "POST /orders HTTP/1.1\r\nContent-Length: 4\r\n\r\na=12"},
          {kRsp, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"}},
         {"GET /products/* -> 200", "POST /orders -> 201"})
      .CheckAll();
}

TEST(Http1ConformanceTest, Pipelining) {
  Sample({{kReq, "GET /a HTTP/1.1\r\n\r\nHEAD /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n"},
          {kRsp,
           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n"
           "Content-Length: 500\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nx"}},
         {"GET /a -> 200", "HEAD /b -> 200", "GET /c -> 404"})
      .CheckAll();
}

TEST(Http1ConformanceTest, PipeliningInDepth) {
  Sample({{kReq, "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"},
          {kRsp, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
          {kReq, "GET /c HTTP/1.1\r\n\r\n"},
          {kRsp, "HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n"},
          {kRsp, "HTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n"}},
         {"GET /a -> 200", "GET /b -> 201", "GET /c -> 202"})
      .CheckSplit();
}

TEST(Http1ConformanceTest, Chunked) {
  Sample({{kReq, "PUT /f HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
          {kRsp,
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n"
           "HTTP/1.1 2\r\n0\r\nTrailer: x\r\n\r\n"},
          {kReq, "GET /g HTTP/1.1\r\n\r\n"},
          {kRsp, "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n"}},
         {"PUT /f -> 200", "GET /g -> 304"})
      .CheckAll();
}

TEST(Http1ConformanceTest, InterimResponses) {
  Sample({{kReq, "POST /up HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"},
          {kRsp, "HTTP/1.1 100 Continue\r\n\r\n"},
          {kReq, "abc"},
          {kRsp, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"}},
         {"POST /up -> 204"})
      .CheckAll();
}

TEST(Http1ConformanceTest, BodyUntilClose) {
  const CodecConformance sample =
      Sample({{kReq, "GET / HTTP/1.0\r\n\r\n"},
              {kRsp, "HTTP/1.0 200 OK\r\n\r\nall of\r\n\r\nHTTP/1.1 500 this"},
              {kRsp, "and this"}},
             {"GET / -> 200"});
  sample.CheckSample();
  sample.CheckTruncated();
  sample.CheckSplit();
}

TEST(Http1ConformanceTest, HostileMessages) {
  const CodecConformance sample = Sample({{kReq, kGet}, {kRsp, kOk}}, {});
  sample.CheckHostile({
      "GET /" + std::string(100000, 'a'),
      "GET / HTTP/1.1\r\n" + std::string(3000, 'x') + ": y\r\n",
      "GET / HTTP/1.1\r\nContent-Length: 9223372036854775807\r\n\r\n",
      "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n",
      "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffffff\r\n",
      "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + std::string(2000, 't'),
      "GET /" + std::string(3000, 'b') + "?" + std::string(3000, 'c') +
          " HTTP/1.1\r\nHost: " + std::string(3000, 'h') + "\r\nsw8: " + std::string(3000, 's') +
          "\r\nb3: " + std::string(3000, 'b') + "\r\ntraceparent: " + std::string(3000, 't') +
          "\r\nuser-agent: " + std::string(3000, 'u') + "\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "\r\n\r\n\r\n\r\n",
  });
}

class Http1CodecTest : public ::testing::Test {
 protected:
  void Feed(Flow flow, std::string_view bytes, uint32_t unseen = 0) {
    now_ns_ += 1000;
    uint32_t& seq = seq_[static_cast<int>(flow)];
    codec_->Feed(flow,
                 {.bytes = base::AsBytes(bytes),
                  .unseen_bytes = unseen,
                  .boot_ns = now_ns_,
                  .tcp_seq = seq,
                  .tid = 7 + static_cast<uint32_t>(flow)},
                 got_);
    seq += static_cast<uint32_t>(bytes.size()) + unseen;
  }

  std::unique_ptr<ProtocolCodec> codec_ = MakeCodec(model::Transport::kTcp);
  RecordCollector got_;
  int64_t now_ns_ = 0;
  uint32_t seq_[2] = {1000, 2000};
};

TEST_F(Http1CodecTest, RecordHasTimesSizesAndDetail) {
  Feed(kReq, "GET /u/ann%40x.test/17?token=s HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: a\xff\r\n");
  Feed(kReq, "traceparent: 00-ab-cd-01\r\n\r\n");
  Feed(kRsp, "HTTP/1.1 503 Busy\r\nContent-Length: 10\r\n\r\n12345");
  Feed(kRsp, "67890");
  ASSERT_EQ(got_.records.size(), 1u);
  const Record& record = got_.records[0];
  EXPECT_EQ(record.endpoint, "GET /u/*/*");
  EXPECT_EQ(record.status_code, "503");
  EXPECT_EQ(record.outcome, model::Outcome::kServerError);
  EXPECT_EQ(record.request_start_ns, 1000);
  EXPECT_EQ(record.request_end_ns, 2000);
  EXPECT_EQ(record.response_start_ns, 3000);
  EXPECT_EQ(record.response_end_ns, 4000);
  EXPECT_EQ(record.request_bytes, seq_[0] - 1000);
  EXPECT_EQ(record.response_bytes, seq_[1] - 2000);
  EXPECT_EQ(record.request_tcp_seq, 1000u);
  EXPECT_EQ(record.response_tcp_seq, 2000u);
  EXPECT_EQ(record.request_tid, 7u);
  EXPECT_EQ(record.response_tid, 8u);
  EXPECT_EQ(AttributeOf(record, "http.request.method"), "GET");
  EXPECT_EQ(AttributeOf(record, "url.path"), "/u/*/17");
  EXPECT_EQ(AttributeOf(record, "http.response.status_code"), "503");
  EXPECT_EQ(AttributeOf(record, "http.host"), "shop.test");
  EXPECT_EQ(AttributeOf(record, "user_agent.original"), "a?");
  EXPECT_EQ(AttributeOf(record, "trace.traceparent"), "00-ab-cd-01");
  EXPECT_EQ(DebugString(record).find("token"), std::string::npos);
}

TEST_F(Http1CodecTest, AttributesOfOneRecordDoNotLeakIntoTheNext) {
  Feed(kReq, "GET / HTTP/1.1\r\nHost: a\r\nb3: 1\r\nsw8: 2\r\nuber-trace-id: 3\r\n\r\n");
  Feed(kRsp, kOk);
  Feed(kReq, "GET / HTTP/1.1\r\n\r\n");
  Feed(kRsp, kOk);
  ASSERT_EQ(got_.records.size(), 2u);
  EXPECT_EQ(AttributeOf(got_.records[0], "trace.b3"), "1");
  EXPECT_EQ(got_.records[1].attributes.size(), 3u);
}

TEST_F(Http1CodecTest, BodiesMayBeUnseen) {
  Feed(kReq, "PUT /big HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nabc", 999997);
  Feed(kRsp, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", 50);
  Feed(kRsp, "", 50);
  Feed(kReq, kGet);
  Feed(kRsp, kOk);
  EXPECT_THAT(got_.Summaries(), ElementsAre("PUT /big -> 200", "GET /products/* -> 200"));
  EXPECT_EQ(got_.unparsed_bytes, 0u);
}

TEST_F(Http1CodecTest, AnUnseenChunkedBodyEndsWithTheNextRequest) {
  Feed(kReq, kGet);
  Feed(kRsp, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\nabc", 60000);
  Feed(kRsp, "more of it");
  EXPECT_THAT(got_.records, IsEmpty());
  Feed(kReq, kGet);
  ASSERT_EQ(got_.records.size(), 1u);
  EXPECT_EQ(got_.records[0].response_end_ns, 3000);
  Feed(kRsp, kOk);
  EXPECT_EQ(got_.records.size(), 2u);
}

TEST_F(Http1CodecTest, AnUnseenChunkedBodyEndsWithItsLastChunkIfSeen) {
  Feed(kReq, kGet);
  Feed(kRsp, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\nabc", 60000);
  Feed(kRsp, "xyz\r\n0\r\n\r\n");
  EXPECT_EQ(got_.records.size(), 1u);
}

TEST_F(Http1CodecTest, ACutHeadIsStillARequest) {
  Feed(kReq, "GET /a HTTP/1.1\r\nCookie: xxxx", 9000);
  Feed(kRsp, kOk);
  Feed(kReq, kGet);
  Feed(kRsp, "HTTP/1.1 200 OK\r\nSet-Cookie: xxxx", 9000);
  Feed(kReq, kGet);
  Feed(kRsp, kOk);
  EXPECT_THAT(got_.Summaries(),
              ElementsAre("GET /a -> 200", "GET /products/* -> 200", "GET /products/* -> 200"));
}

TEST_F(Http1CodecTest, ARequestHiddenByAGapDoesNotShiftTheResponses) {
  Feed(kReq, kGet);
  Feed(kRsp, kOk);
  codec_->OnGap(kReq, 100, got_);  // held a request
  Feed(kReq, "GET /second HTTP/1.1\r\n\r\n");
  Feed(kRsp, "HTTP/1.1 500 Of the hidden one\r\nContent-Length: 0\r\n\r\n");
  Feed(kRsp, "HTTP/1.1 404 Of the second\r\nContent-Length: 0\r\n\r\n");
  Feed(kReq, "GET /third HTTP/1.1\r\n\r\n");
  Feed(kRsp, kOk);
  EXPECT_THAT(got_.Summaries(), ElementsAre("GET /products/* -> 200", "GET /third -> 200"));
}

TEST_F(Http1CodecTest, ALostResponseIsNotAnUnansweredRequest) {
  Feed(kReq, kGet);
  codec_->OnGap(kRsp, 100, got_);
  Feed(kReq, "GET /second HTTP/1.1\r\n\r\n");
  Feed(kRsp, kOk);
  codec_->OnClose(9000, got_);
  EXPECT_THAT(got_.Summaries(), ElementsAre("GET /second -> 200"));
}

TEST_F(Http1CodecTest, UpgradeEndsTheCodec) {
  Feed(kReq, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
  Feed(kRsp, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello");
  ASSERT_EQ(got_.records.size(), 1u);
  EXPECT_EQ(got_.records[0].status_code, "101");
  EXPECT_EQ(AttributeOf(got_.records[0], "http.upgrade"), "websocket");
  EXPECT_EQ(codec_->appetite(), Appetite::kNothing);
  Feed(kReq, kGet);
  Feed(kRsp, kOk);
  codec_->OnClose(9000, got_);
  EXPECT_EQ(got_.records.size(), 1u);
  EXPECT_EQ(got_.unparsed_bytes, 0u);
}

TEST_F(Http1CodecTest, ConnectEndsTheCodecOnlyIfItSucceeds) {
  Feed(kReq, "CONNECT db.test:5432 HTTP/1.1\r\nHost: db.test:5432\r\n\r\n");
  Feed(kRsp, "HTTP/1.1 407 Auth\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(codec_->appetite(), Appetite::kFull);
  Feed(kReq, "CONNECT db.test:5432 HTTP/1.1\r\n\r\n");
  Feed(kRsp, "HTTP/1.1 200 OK\r\n\r\n\x16\x03");
  EXPECT_EQ(codec_->appetite(), Appetite::kNothing);
  EXPECT_THAT(got_.Summaries(), ElementsAre("CONNECT -> 407", "CONNECT -> 200"));
  EXPECT_EQ(AttributeOf(got_.records[1], "http.upgrade"), "tunnel");
}

TEST_F(Http1CodecTest, OutcomesFollowTheStatus) {
  for (const char* status : {"200", "302", "404", "500"}) {
    Feed(kReq, kGet);
    Feed(kRsp, std::string("HTTP/1.1 ") + status + " x\r\nContent-Length: 0\r\n\r\n");
  }
  ASSERT_EQ(got_.records.size(), 4u);
  EXPECT_EQ(got_.records[0].outcome, model::Outcome::kOk);
  EXPECT_EQ(got_.records[1].outcome, model::Outcome::kOk);
  EXPECT_EQ(got_.records[2].outcome, model::Outcome::kClientError);
  EXPECT_EQ(got_.records[3].outcome, model::Outcome::kServerError);
}

TEST_F(Http1CodecTest, CloseAnswersNothing) {
  Feed(kReq, kGet);
  EXPECT_TRUE(codec_->has_open_request());
  codec_->OnClose(9000, got_);
  EXPECT_FALSE(codec_->has_open_request());
  ASSERT_EQ(got_.records.size(), 1u);
  EXPECT_EQ(got_.records[0].outcome, model::Outcome::kNoResponse);
  EXPECT_EQ(got_.records[0].response_end_ns, 0);
}

TEST_F(Http1CodecTest, CloseWithinABodyIsSaid) {
  Feed(kReq, kGet);
  Feed(kRsp, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
  EXPECT_TRUE(codec_->has_open_request());
  codec_->OnClose(9000, got_);
  ASSERT_EQ(got_.records.size(), 1u);
  EXPECT_EQ(got_.records[0].status_code, "200");
  EXPECT_EQ(AttributeOf(got_.records[0], "http.response.incomplete"), "true");
}

TEST_F(Http1CodecTest, TickEndsOldRequestsAndALateResponseMeetsNobody) {
  Feed(kReq, kGet);
  codec_->OnTick(now_ns_ + 50, 100, got_);
  EXPECT_THAT(got_.records, IsEmpty());
  codec_->OnTick(now_ns_ + 101, 100, got_);
  ASSERT_EQ(got_.records.size(), 1u);
  EXPECT_EQ(got_.records[0].outcome, model::Outcome::kNoResponse);
  EXPECT_FALSE(codec_->has_open_request());
  codec_->OnTick(now_ns_ + 500, 100, got_);
  Feed(kReq, "GET /next HTTP/1.1\r\n\r\n");
  Feed(kRsp, "HTTP/1.1 500 Late\r\nContent-Length: 0\r\n\r\n");
  Feed(kRsp, kOk);
  codec_->OnClose(9000, got_);
  EXPECT_THAT(got_.Summaries(), ElementsAre("GET /products/* -> ", "GET /next -> 200"));
}

TEST_F(Http1CodecTest, AnEarlyResponseEndsTheRequestWhereItStands) {
  Feed(kReq, "POST /up HTTP/1.1\r\nContent-Length: 100\r\n\r\n12345");
  Feed(kRsp, "HTTP/1.1 413 Too big\r\nContent-Length: 0\r\n\r\n");
  ASSERT_EQ(got_.records.size(), 1u);
  EXPECT_EQ(got_.records[0].request_end_ns, 1000);
  EXPECT_EQ(got_.records[0].request_bytes, seq_[0] - 1000);
}

TEST_F(Http1CodecTest, ARefusedBodyMayNeverCome) {
  for (const char* framing : {"Content-Length: 100", "Transfer-Encoding: chunked"}) {
    Feed(kReq, std::string("PUT /up HTTP/1.1\r\nExpect: 100-continue\r\n") + framing + "\r\n\r\n");
    Feed(kRsp, "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n");
    Feed(kReq, "GET /next HTTP/1.1\r\n\r\n");
    Feed(kRsp, kOk);
  }
  EXPECT_THAT(got_.Summaries(), ElementsAre("PUT /up -> 401", "GET /next -> 200", "PUT /up -> 401",
                                            "GET /next -> 200"));
}

TEST_F(Http1CodecTest, AnIdleConnectionIsSmall) {
  Feed(kReq, kGet);
  Feed(kRsp, kOk);  // the scratch record of this thread is there
  const int64_t before = HeapMeter::LiveBytes();
  std::vector<std::unique_ptr<ProtocolCodec>> codecs;
  codecs.reserve(100);
  for (int i = 0; i < 100; ++i) {
    codec_.swap(codecs.emplace_back(MakeCodec(model::Transport::kTcp)));
    Feed(kReq, kGet);
    Feed(kRsp, kOk);
    codec_.swap(codecs.back());
  }
  got_.records = {};
  EXPECT_LT((HeapMeter::LiveBytes() - before) / 100, 2048);
}

TEST_F(Http1CodecTest, ResponsesPastWhatIsCapturedOfOneReadAreRequestsAllTheSame) {
  for (int round = 0; round < 3; ++round) {
    Feed(kReq, "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n");
    Feed(kRsp, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", 300);
    Feed(kReq, "GET /d HTTP/1.1\r\n\r\n");
    Feed(kRsp, kOk);
    Feed(kReq, "GET /e HTTP/1.1\r\n\r\n");
    Feed(kRsp, kOk);
  }
  codec_->OnClose(now_ns_, got_);
  EXPECT_EQ(got_.records.size(), 15u);
  EXPECT_THAT(got_.Summaries(), Contains("GET /b -> ").Times(3));
  EXPECT_THAT(got_.Summaries(), Contains("GET /d -> ").Times(3));
  EXPECT_THAT(got_.Summaries(), Contains("GET /e -> 200").Times(3));
}

TEST_F(Http1CodecTest, AResponseWhoseEndWasNotCapturedIsOverWhenItIsQuiet) {
  Feed(kReq, kGet);
  Feed(kRsp, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1f4\r\nabc", 2000);
  codec_->OnTick(now_ns_ + 900'000'000, 120'000'000'000, got_);
  EXPECT_THAT(got_.records, IsEmpty());
  codec_->OnTick(now_ns_ + 1'100'000'000, 120'000'000'000, got_);
  EXPECT_EQ(got_.records.size(), 1u);
  codec_->OnClose(now_ns_ + 2'000'000'000, got_);
  EXPECT_EQ(got_.records.size(), 1u);
}

TEST_F(Http1CodecTest, RequestsPastTheBoundAreCountedAndTheOrderStays) {
  constexpr int kRequests = 400;
  for (int i = 0; i < kRequests; ++i) Feed(kReq, "GET /many HTTP/1.1\r\n\r\n");
  for (int i = 0; i < kRequests; ++i) Feed(kRsp, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  Feed(kReq, "GET /after HTTP/1.1\r\n\r\n");
  Feed(kRsp, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(got_.records.size() + got_.unparsed_requests, kRequests + 1);
  EXPECT_GT(got_.unparsed_requests, 0u);
  EXPECT_EQ(got_.Summaries().back(), "GET /after -> 404");
}

TEST_F(Http1CodecTest, GarbageIsCounted) {
  Feed(kReq, "\x01\x02garbage");
  EXPECT_EQ(got_.unparsed_bytes, 9u);
  Feed(kRsp, "neither");
  EXPECT_EQ(got_.unparsed_bytes, 16u);
}

TEST_F(Http1CodecTest, UnknownMethodsShareAName) {
  Feed(kReq, "FROBNICATE /x HTTP/1.1\r\n\r\n");
  Feed(kRsp, kOk);
  EXPECT_THAT(got_.Summaries(), ElementsAre("_OTHER /x -> 200"));
}

TEST(Http1DetectTest, RequestsAndResponses) {
  const auto detect = [](std::string_view text) {
    return Detect(base::AsBytes(text), model::Transport::kTcp);
  };
  EXPECT_EQ(detect(kGet), Match::kRequest);
  EXPECT_EQ(detect(kOk), Match::kResponse);
  EXPECT_EQ(detect("PROPFIND /dav HTTP/1.1\r\n"), Match::kRequest);
  EXPECT_EQ(detect("GET /x HTT"), Match::kNeedMore);
  EXPECT_EQ(detect("HTTP/1"), Match::kNeedMore);
  EXPECT_EQ(detect("GET /" + std::string(1000, 'x')), Match::kRequest);
  EXPECT_EQ(detect("FROBNICATE /x HTTP/1.1\r\n"), Match::kNo);
  EXPECT_EQ(detect("GET key\r\n"), Match::kNo);
  EXPECT_EQ(detect("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Match::kNo);
  EXPECT_EQ(Detect(base::AsBytes(kGet), model::Transport::kUdp), Match::kNo);
}

}  // namespace
}  // namespace kindling::agent::http1
