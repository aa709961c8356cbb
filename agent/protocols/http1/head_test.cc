#include "agent/protocols/http1/head.h"

#include <string>

#include "gtest/gtest.h"

namespace kindling::agent::http1 {
namespace {

Step Request(std::string_view text, Head* head) { return ParseHead(Flow::kRequest, text, head); }
Step Response(std::string_view text, Head* head) { return ParseHead(Flow::kResponse, text, head); }

TEST(HeadTest, ReadsWhatMatters) {
  const std::string text =
      "PATCH /a?b=1 HTTP/1.1\r\nHost:shop.test\r\nuser-AGENT: \tcurl/8 \r\nContent-Length: 12\r\n"
      "traceparent: 00-1-2-01\r\nb3: x-y\r\nX-B3-TraceId: other\r\nsw8: 1-a\r\n"
      "uber-trace-id: 1:2:3:4\r\nUpgrade: websocket\r\nCookie: secret\r\n\r\nbody";
  Head head;
  ASSERT_EQ(Request(text, &head), Step::kFrame);
  EXPECT_EQ(head.method, "PATCH");
  EXPECT_EQ(head.target, "/a?b=1");
  EXPECT_EQ(head.host, "shop.test");
  EXPECT_EQ(head.user_agent, "curl/8");
  EXPECT_EQ(head.content_length, 12u);
  EXPECT_EQ(head.traceparent, "00-1-2-01");
  EXPECT_EQ(head.b3, "x-y");
  EXPECT_EQ(head.sw8, "1-a");
  EXPECT_EQ(head.uber_trace_id, "1:2:3:4");
  EXPECT_EQ(head.upgrade, "websocket");
  EXPECT_EQ(head.size, text.size() - 4);
}

TEST(HeadTest, EveryPrefixNeedsMore) {
  const std::string request = "MKCOL http://h.test/x HTTP/1.0\r\nHost: a\r\n\r\n";
  const std::string response = "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\n";
  Head head;
  for (size_t size = 0; size < request.size(); ++size) {
    EXPECT_EQ(Request(request.substr(0, size), &head), Step::kNeedMore) << size;
  }
  EXPECT_EQ(Request(request, &head), Step::kFrame);
  for (size_t size = 0; size < response.size(); ++size) {
    EXPECT_EQ(Response(response.substr(0, size), &head), Step::kNeedMore) << size;
  }
  EXPECT_EQ(Response(response, &head), Step::kFrame);
  EXPECT_EQ(head.status, 404);
}

TEST(HeadTest, TakesBareLineFeedsAndNoReason) {
  Head head;
  EXPECT_EQ(Request("GET / HTTP/1.1\nHost: a\n\n", &head), Step::kFrame);
  EXPECT_EQ(head.host, "a");
  EXPECT_EQ(Response("HTTP/1.1 200\r\n\r\n", &head), Step::kFrame);
  EXPECT_EQ(Response("HTTP/1.0 200 \n\n", &head), Step::kFrame);
}

TEST(HeadTest, FoldedHeadersGoOn) {
  Head head;
  ASSERT_EQ(
      Response("HTTP/1.1 200 OK\r\nX-A: b\r\n c: d\r\nTransfer-Encoding:\r\n gzip,\r\n\tchunked"
               "\r\n\r\n",
               &head),
      Step::kFrame);
  EXPECT_TRUE(head.chunked);
  ASSERT_EQ(Response("HTTP/1.1 200 OK\r\nContent-Length:\r\n 17\r\n\r\n", &head), Step::kFrame);
  EXPECT_EQ(head.content_length, 17u);
}

TEST(HeadTest, LengthsThatContradictAreInvalid) {
  Head head;
  const std::string start = "HTTP/1.1 200 OK\r\n";
  EXPECT_EQ(Response(start + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", &head),
            Step::kInvalid);
  EXPECT_EQ(Response(start + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", &head),
            Step::kInvalid);
  EXPECT_EQ(Response(start + "Content-Length: -1\r\n\r\n", &head), Step::kInvalid);
  EXPECT_EQ(Response(start + "Content-Length: 99999999999999999999999\r\n\r\n", &head),
            Step::kInvalid);
  EXPECT_EQ(Response(start + "Content-Length: 7\r\nContent-Length: 7\r\n\r\n", &head),
            Step::kFrame);
}

TEST(HeadTest, OtherTextIsInvalid) {
  Head head;
  for (const char* text :
       {"get / HTTP/1.1\r\n\r\n", "GET /\r\n", "GET / HTTP/2.0\r\n\r\n", "GET  HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "OPTIONS sip:a SIP/2.0\r\n", "GET / HTTP/1.1x\r\n",
        "\x16\x03\x01", "*1\r\n$4\r\nPING\r\n", "GET / HTTP/1.1\r\n\x01: a\r\n\r\n"}) {
    EXPECT_EQ(Request(text, &head), Step::kInvalid) << text;
  }
  for (const char* text : {"HTTP/1.2 200 OK\r\n", "HTTP/1.1 099 x\r\n", "HTTP/1.1 2000\r\n",
                           "HTTP/1.1\r\n", "+OK\r\n", "ICY 200 OK\r\n"}) {
    EXPECT_EQ(Response(text, &head), Step::kInvalid) << text;
  }
}

TEST(HeadTest, StartsHeadIsSure) {
  EXPECT_TRUE(StartsHead(Flow::kRequest, "GET /a"));
  EXPECT_TRUE(StartsHead(Flow::kRequest, "CONNECT h:1 HTTP/1.1\r\n"));
  EXPECT_TRUE(StartsHead(Flow::kResponse, "HTTP/1.1 200"));
  for (const char* text : {"", "G", "GET", "GET ", "FOO /", "GET x", "GET / HTTP/2"}) {
    EXPECT_FALSE(StartsHead(Flow::kRequest, text)) << text;
  }
  EXPECT_FALSE(StartsHead(Flow::kResponse, "HTTP/1.1 20"));
}

}  // namespace
}  // namespace kindling::agent::http1
