#include "agent/recording/mask.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "agent/recording/mask_http.h"
#include "agent/recording/mask_mysql.h"
#include "base/byte_reader.h"
#include "model/url_template.h"

namespace kindling::agent {
namespace {

using model::Protocol;
using namespace std::string_literals;

// One connection, seen by its client.
class Connection {
 public:
  explicit Connection(Protocol protocol) : protocol_(protocol) {}

  // `text` masked, after which `unseen` bytes were moved that were not captured.
  std::string Mask(Flow flow, std::string text, uint32_t unseen = 0) {
    uint64_t& position = positions_[static_cast<size_t>(flow)];
    const DataEvent event{
        .id = 1,
        .direction = flow == Flow::kRequest ? Direction::kSent : Direction::kReceived,
        .position = position,
        .size = static_cast<uint32_t>(text.size()) + unseen};
    position += event.size;
    masker_.Mask(event, protocol_, flow, {reinterpret_cast<std::byte*>(text.data()), text.size()});
    return text;
  }
  std::string Send(const std::string& text, uint32_t unseen = 0) {
    return Mask(Flow::kRequest, text, unseen);
  }
  std::string Receive(const std::string& text, uint32_t unseen = 0) {
    return Mask(Flow::kResponse, text, unseen);
  }
  // Bytes that never came.
  void Lose(Flow flow, uint64_t bytes) { positions_[static_cast<size_t>(flow)] += bytes; }
  void Become(Protocol protocol) { protocol_ = protocol; }

 private:
  PayloadMasker masker_;
  Protocol protocol_;
  uint64_t positions_[2] = {0, 0};
};

TEST(MaskTest, HttpKeepsFramingAndTakesValues) {
  Connection http(Protocol::kHttp);
  EXPECT_EQ(http.Send("POST /users/4711/cart?token=abc1&x=2 HTTP/1.1\r\nHost: shop\r\n"
                      "Authorization: Bearer s3cr3t\r\nContent-Length: 12\r\n\r\nname=alice&z"),
            "POST /users/1111/cart?token=xxxx&x=x HTTP/1.1\r\nHost: shop\r\n"
            "Authorization: xxxxxx xxxxxx\r\nContent-Length: 12\r\n\r\n????????????");
  EXPECT_EQ(http.Receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: id=7\r\n\r\n"
                         "5\r\nhello\r\n0;a=b\r\nBye: x\r\n\r\n"),
            "HTTP/1.1 200 xx\r\nTransfer-Encoding: chunked\r\nSet-Cookie: xxxx\r\n\r\n"
            "5\r\n?????"
            "??0;???\r\nxxxx x\r\n\r\n");
}

TEST(MaskTest, ABodyThatLooksLikeAHeadIsABody) {
  const std::string head = "GET /secret HTTP/1.1\r\nHost: shop\r\n\r\n";
  Connection http(Protocol::kHttp);
  const std::string post =
      "POST /a HTTP/1.1\r\nContent-Length: " + std::to_string(head.size()) + "\r\n\r\n";
  EXPECT_EQ(http.Send(post), post);
  EXPECT_EQ(http.Send(head), std::string(head.size(), '?'));
  EXPECT_EQ(http.Send(head), head);
}

TEST(MaskTest, UncapturedBytesOfABodyAreCounted) {
  Connection http(Protocol::kHttp);
  const std::string response = "HTTP/1.1 200\r\nContent-Length: 9000\r\n\r\n";
  http.Send("GET /a HTTP/1.1\r\n\r\n");
  EXPECT_EQ(http.Receive(response + "ab", 8990), response + "??");
  http.Send("GET /b HTTP/1.1\r\n\r\n");
  // Eight bytes of the body were to come; what follows is no head.
  EXPECT_EQ(http.Receive("HTTP/1.1 200\r\n"), "???????? ???\r\n");
}

TEST(MaskTest, AResponseToHeadHasNoBody) {
  const std::string response = "HTTP/1.1 200\r\nContent-Length: 9\r\n\r\n";
  Connection http(Protocol::kHttp);
  http.Send("HEAD /a HTTP/1.1\r\n\r\n");
  EXPECT_EQ(http.Receive(response), response);
  http.Send("GET /a HTTP/1.1\r\n\r\n");
  EXPECT_EQ(http.Receive(response), response);
  EXPECT_EQ(http.Receive(response).find("200"), std::string::npos);
}

TEST(MaskTest, AfterAnUpgradeAllIsAValue) {
  Connection http(Protocol::kHttp);
  http.Send("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
  http.Receive("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_EQ(http.Send("GET /a HTTP/1.1\r\n\r\n"), std::string(19, '?'));
}

TEST(MaskTest, AfterAGapAllIsAValueUntilAMessageBegins) {
  const std::string get = "GET /a HTTP/1.1\r\nCookie: x=y\r\n\r\n";
  Connection http(Protocol::kHttp);
  http.Send(get);
  http.Lose(Flow::kRequest, 10);
  EXPECT_EQ(http.Send("GE"), "??");
  EXPECT_EQ(http.Send("Cookie: alice\r\n"), std::string(15, '?'));
  EXPECT_EQ(http.Send(get), "GET /a HTTP/1.1\r\nCookie: xxx\r\n\r\n");
}

TEST(MaskTest, PathsKeepTheirTemplates) {
  for (const char* target :
       {"/products/4711", "/v1/users/alice@example.com/cart", "/img/1234.jpg",
        "/a/DEADbeef0042ff/b", "/static/app.min.js", "/x;id=4711/y",
        "http://shop:80/products/7?q=1", "/reset/AbCdEfGhIjKlMnOp", "/caf%C3%A9/1",
        "/2024-01-02/oauth2", "*", "/", "/v1.24/x", "/archive/abc123.tar"}) {
    std::string head = "GET "s + target + " HTTP/1.1\r\n\r\n";
    MaskHttpHead(Flow::kRequest, head);
    const std::string masked = head.substr(4, std::string_view(target).size());
    EXPECT_EQ(model::UrlTemplate(masked), model::UrlTemplate(target)) << target << " " << masked;
    EXPECT_EQ(masked.find("alice"), std::string::npos);
    EXPECT_EQ(masked.find("4711"), std::string::npos);
    EXPECT_EQ(masked.find("AbCdEf"), std::string::npos);
  }
}

TEST(MaskTest, RedisKeepsCommands) {
  Connection redis(Protocol::kRedis);
  EXPECT_EQ(redis.Send("*3\r\n$3\r\nSET\r\n$5\r\nalice\r\n$5\r\na\r\n$1\r\n"
                       "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$3\r\nbob\r\nGET alice\r\n"),
            "*3\r\n$3\r\nSET\r\n$5\r\n?????\r\n$5\r\n?????\r\n"
            "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$3\r\n???\r\nGET ?????\r\n");
  EXPECT_EQ(redis.Receive("-ERR no such user bob\r\n$3\r\nabc\r\n:4011\r\n+alice\r\n+OK\r\n"),
            "-ERR ?? ???? ???? ???\r\n$3\r\n???\r\n:1011\r\n+?????\r\n+OK\r\n");
}

std::string Packet(uint8_t sequence, const std::string& payload) {
  return std::string{static_cast<char>(payload.size()), 0, 0, static_cast<char>(sequence)} +
         payload;
}

TEST(MaskTest, MysqlKeepsStatementsWithoutLiterals) {
  const std::string sql = "SELECT a1 FROM t2 WHERE id=42 AND n='O\\'Hara' LIMIT 1.5e3 -- bob 7";
  Connection mysql(Protocol::kMysql);
  EXPECT_EQ(mysql.Send(Packet(0, "\3" + sql)).substr(5),
            "SELECT a1 FROM t2 WHERE id=11 AND n='x\\'xxxx' LIMIT 1.1e1 -- xxx 1");
  EXPECT_EQ(mysql.Receive(Packet(1, "\1") + Packet(2, "\3def\3bob") + Packet(3, "\xfe\0\0\2\0"s) +
                          Packet(4, "\3bob") + Packet(5, "\0"s) + Packet(6, "\xfe\0\0\2\0"s)),
            Packet(1, "\1") + Packet(2, "\3def????") + Packet(3, "\xfe\0\0\2\0"s) +
                Packet(4, "\3???") + Packet(5, "\0"s) + Packet(6, "\xfe\0\0\2\0"s));
  mysql.Send(Packet(0, "\3SELECT 1"));
  EXPECT_EQ(mysql.Receive(Packet(1, "\xff\x28\x04#42000You have bob")),
            Packet(1, "\xff\x28\x04#42000????????????"));
  EXPECT_EQ(mysql.Send(Packet(0, "\x17\1\0\0\0\0\1\0\0\0abc"s)),
            Packet(0, "\x17\1\0\0\0\0\1\0\0\0???"s));
}

TEST(MaskTest, MysqlLoginKeepsTheDatabase) {
  // Protocol 4.1, a database, a password with its length.
  const std::string fixed = "\x08\x82\0\0"s + std::string(28, '\1');
  std::string login = fixed + "alice\0"s + "\4"s + "hash" + "shop\0"s + "plugin";
  MaskMysqlLogin(login);
  EXPECT_EQ(login, fixed + "?????\0"s + "\4"s + "????" + "shop\0"s + "??????");
}

TEST(MaskTest, UnknownBytesLeaveNothing) {
  EXPECT_EQ(Connection(Protocol::kUnknown).Send("\1pass word\xc3\xa9"), std::string(12, '?'));
}

TEST(MaskTest, WhatMayBecomeAMessageIsKept) {
  Connection http(Protocol::kUnknown);
  EXPECT_EQ(http.Send("P"), "P");
  EXPECT_EQ(http.Send("OST /a?b=c"), "OST /a?b=x");
  http.Become(Protocol::kHttp);
  EXPECT_EQ(http.Send("d HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"),
            "x HTTP/1.1\r\nContent-Length: 2\r\n\r\n??");
  Connection mysql(Protocol::kUnknown);
  EXPECT_EQ(mysql.Send(Packet(0, "\3SELECT 7").substr(0, 4)), Packet(0, "\3SELECT 7").substr(0, 4));
  mysql.Become(Protocol::kMysql);
  EXPECT_EQ(mysql.Send("\3SELECT 7"), "\3SELECT 1");
}

TEST(MaskTest, OfARecognisedProtocolTheFirstBytesStayOnce) {
  const std::string startup = "\0\0\0\x1f\0\3\0\0user\0alice\0database\0bob\0\0"s;
  Connection postgresql(Protocol::kPostgresql);
  const std::string masked = postgresql.Send(startup);
  EXPECT_TRUE(masked.starts_with("\0\0\0\x1f\0\3\0\0user\0"s));
  EXPECT_EQ(masked.find("alice"), std::string::npos);
  EXPECT_EQ(postgresql.Send("Q\0\0\0\x10SELECT 'bob'\0"s), std::string(18, '?'));
}

TEST(MaskTest, AnyBytesKeepTheirLength) {
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    for (int protocol = 0; protocol <= 8; ++protocol) {
      Connection connection(static_cast<Protocol>(protocol));
      for (int turn = 0; turn < 8; ++turn) {
        std::string text(random() % 80, '\0');
        for (char& c : text)
          c = static_cast<char>(random() % 3 == 0 ? random() : "*$\r\n:= 01aZ'"[random() % 12]);
        const Flow flow = random() % 2 == 0 ? Flow::kRequest : Flow::kResponse;
        EXPECT_EQ(connection.Mask(flow, text, random() % 3 == 0 ? random() % 99 : 0).size(),
                  text.size());
        if (random() % 9 == 0) connection.Lose(flow, random() % 99);
      }
    }
  }
}

}  // namespace
}  // namespace kindling::agent
