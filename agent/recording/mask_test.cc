#include "agent/recording/mask.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace kindling::agent {
namespace {

std::string Mask(PayloadMasker& masker, model::Protocol protocol, Flow flow, std::string text) {
  const DataEvent event{.id = 1, .size = static_cast<uint32_t>(text.size())};
  masker.Mask(event, protocol, flow, {reinterpret_cast<std::byte*>(text.data()), text.size()});
  return text;
}

std::string Masked(model::Protocol protocol, Flow flow, std::string text) {
  PayloadMasker masker;
  return Mask(masker, protocol, flow, std::move(text));
}

// The same bytes in two calls, cut at `cut`.
std::string MaskedInTwo(model::Protocol protocol, Flow flow, const std::string& text, size_t cut) {
  PayloadMasker masker;
  const std::string first = Mask(masker, protocol, flow, text.substr(0, cut));
  return first + Mask(masker, protocol, flow, text.substr(cut));
}

TEST(Mask, HttpKeepsFramingAndTakesValues) {
  EXPECT_EQ(Masked(model::Protocol::kHttp, Flow::kRequest,
                   "POST /users/4711/cart?token=abc1&x=2 HTTP/1.1\r\nHost: shop\r\n"
                   "Authorization: Bearer s3cr3t\r\nContent-Length: 12\r\n\r\nname=alice&z"),
            "POST /users/1111/cart?token=xxxx&x=x HTTP/1.1\r\nHost: shop\r\n"
            "Authorization: xxxxxx xxxxxx\r\nContent-Length: 12\r\n\r\nxxxx=xxxxx&x");
  EXPECT_EQ(Masked(model::Protocol::kHttp, Flow::kResponse,
                   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: id=7\r\n\r\n"
                   "5\r\nhello\r\n0\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: xx=x\r\n\r\n"
            "5\r\nxxxxx\r\n0\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\n");
}

TEST(Mask, RedisKeepsCommands) {
  EXPECT_EQ(Masked(model::Protocol::kRedis, Flow::kRequest,
                   "*3\r\n$3\r\nSET\r\n$5\r\nalice\r\n$3\r\n123\r\n"
                   "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$3\r\nbob\r\n"),
            "*3\r\n$3\r\nSET\r\n$5\r\nxxxxx\r\n$3\r\nxxx\r\n"
            "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$3\r\nxxx\r\n");
  EXPECT_EQ(
      Masked(model::Protocol::kRedis, Flow::kResponse, "-ERR no such user bob\r\n$3\r\nabc\r\n"),
      "-ERR xx xxxx xxxx xxx\r\n$3\r\nxxx\r\n");
}

TEST(Mask, MysqlKeepsStatementsWithoutLiterals) {
  const std::string sql = "SELECT a1 FROM t2 WHERE id=42 AND n='O\\'Hara' LIMIT 1.5e3";
  const std::string packet = std::string{static_cast<char>(sql.size() + 1), 0, 0, 0, 3} + sql;
  EXPECT_EQ(Masked(model::Protocol::kMysql, Flow::kRequest, packet).substr(5),
            "SELECT a1 FROM t2 WHERE id=11 AND n='x\\'xxxx' LIMIT 1.1e1");
  const std::string error = std::string("\xff\x28\x04#42000You have bob", 20);
  const std::string response = std::string{static_cast<char>(error.size()), 0, 0, 1} + error;
  EXPECT_EQ(Masked(model::Protocol::kMysql, Flow::kResponse, response).substr(4),
            std::string("\xff\x28\x04#42000xxx xxxx xxx", 20));
}

TEST(Mask, UnknownBytesLeaveNothing) {
  EXPECT_EQ(Masked(model::Protocol::kUnknown, Flow::kRequest, "pass word\xc3\xa9"), "xxxx xxxxxx");
}

TEST(Mask, ASplitHeadStaysAHead) {
  const std::string request =
      "POST /checkout HTTP/1.1\r\nHost: shop\r\nCookie: secret\r\nContent-Length: 2\r\n\r\nhi";
  for (size_t cut = 1; cut < request.size(); ++cut) {
    const std::string masked = MaskedInTwo(model::Protocol::kHttp, Flow::kRequest, request, cut);
    EXPECT_TRUE(masked.starts_with("POST /checkout HTTP/1.1\r\nHost: ")) << cut << masked;
    EXPECT_NE(masked.find("Content-Length: "), std::string::npos) << cut << masked;
    EXPECT_TRUE(masked.ends_with("\r\n\r\nxx")) << cut << masked;
    EXPECT_EQ(masked.find(": secret"), std::string::npos) << cut << masked;
  }
}

TEST(Mask, ABodyNeedNotEndWithALine) {
  const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{alice}";
  const std::string masked = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{xxxxx}";
  EXPECT_EQ(Masked(model::Protocol::kHttp, Flow::kResponse, response + response), masked + masked);
  EXPECT_EQ(
      MaskedInTwo(model::Protocol::kHttp, Flow::kResponse, response + response, response.size()),
      masked + masked);
  const std::string request = "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nbob";
  EXPECT_EQ(Masked(model::Protocol::kHttp, Flow::kRequest, request + request),
            "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nxxx"
            "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nxxx");
}

TEST(Mask, TheMiddleOfAMysqlPacketIsMasked) {
  const std::string row(100, 'a');
  const std::string packet = std::string{100, 0, 0, 5} + row;
  for (const size_t cut : {5, 6, 50, 103}) {
    const std::string masked = MaskedInTwo(model::Protocol::kMysql, Flow::kResponse, packet, cut);
    EXPECT_EQ(masked.substr(5), std::string(99, 'x')) << cut;
  }
}

TEST(Mask, AnyBytesKeepTheirLength) {
  std::mt19937 random(5);
  PayloadMasker masker;
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 80, '\0');
    for (char& c : text)
      c = static_cast<char>(random() % 3 == 0 ? random() : "*$\r\n:= 01aZ'"[random() % 12]);
    for (int protocol = 0; protocol <= 8; ++protocol) {
      Mask(masker, static_cast<model::Protocol>(protocol),
           i % 2 == 0 ? Flow::kRequest : Flow::kResponse, text);
    }
  }
}

}  // namespace
}  // namespace kindling::agent
