#include "model/redact.h"

#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"

namespace kindling::model {
namespace {

TEST(RedactTest, KnowsSecretHeaders) {
  for (const char* name :
       {"Authorization", "proxy-authorization", "Cookie", "Set-Cookie", "X-Api-Key", "X-Auth-Token",
        "WWW-Authenticate", "x-amz-security-token", "X-CSRF-Token", "apikey"}) {
    EXPECT_TRUE(IsSecretHeader(name)) << name;
  }
  for (const char* name : {"Host", "User-Agent", "Accept", "traceparent", "Content-Length",
                           "X-Request-Id", "Keep-Alive"}) {
    EXPECT_FALSE(IsSecretHeader(name)) << name;
  }
}

TEST(RedactTest, KnowsSecretNames) {
  for (const char* name : {"password", "DB_PASSWORD", "passwd", "client_secret", "access_token",
                           "API_KEY", "ssh-key", "pwd", "AWS_SECRET_ACCESS_KEY", "auth"}) {
    EXPECT_TRUE(IsSecretName(name)) << name;
  }
  for (const char* name : {"author", "keyboard", "monkey", "user", "path", "signal", "host"}) {
    EXPECT_FALSE(IsSecretName(name)) << name;
  }
}

TEST(RedactTest, PathKeepsIdsAndDropsTheRest) {
  EXPECT_EQ(RedactPath("/products/12?token=abc", 100), "/products/12");
  EXPECT_EQ(RedactPath("/u/ann@example.test/x", 100), "/u/*/x");
  EXPECT_EQ(RedactPath("/u/ann%40example.test", 100), "/u/*");
  EXPECT_EQ(RedactPath("/a;jsessionid=12/b", 100), "/a;*/b");
  EXPECT_EQ(RedactPath("/t/" + std::string(64, 'k'), 100), "/t/*");
  EXPECT_EQ(RedactPath("http://user:pw@h.test/x?y", 100), "/x");
  EXPECT_EQ(RedactPath("/aaaaaaaaaaaaaaaa", 10), "/aaaaaa...");
}

TEST(RedactTest, QueryKeepsNamesOnly) {
  EXPECT_EQ(RedactQuery("/s?q=shoes&page=2#top", 100), "q=*&page=*");
  EXPECT_EQ(RedactQuery("/s?secretvalue", 100), "*");
  EXPECT_EQ(RedactQuery("/s?ann%40x.test=1&a", 100), "*=*&*");
  EXPECT_EQ(RedactQuery("/s", 100), "");
  EXPECT_EQ(RedactQuery("/s?", 100), "");
  EXPECT_LE(RedactQuery("/s?" + std::string(5000, '&'), 64).size(), 64u);
}

std::string Line(std::string_view arguments) { return RedactCommandLine(arguments, 1000); }

TEST(RedactTest, CommandLine) {
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(Line("nginx\0-g\0daemon off;\0"sv), "nginx -g daemon off;");
  EXPECT_EQ(Line("app\0--password=hunter2\0--port=80\0"sv), "app --password=* --port=80");
  EXPECT_EQ(Line("app\0--db-password\0hunter2\0x\0"sv), "app --db-password * x");
  EXPECT_EQ(Line("/usr/bin/mysql\0-uroot\0-phunter2\0shop"sv), "/usr/bin/mysql -uroot -p* shop");
  EXPECT_EQ(Line("mysqldump\0--password=x"sv), "mysqldump --password=*");
  EXPECT_EQ(Line("redis-cli\0-a\0hunter2\0ping\0"sv), "redis-cli -a * ping");
  EXPECT_EQ(Line("curl\0-u\0ann:pw\0http://h.test/\0"sv), "curl -u * http://h.test/");
  EXPECT_EQ(Line("curl\0-H\0Authorization: Bearer abc\0u"sv), "curl -H Authorization:* u");
  EXPECT_EQ(Line("env\0API_KEY=abc\0HOME=/root\0app"sv), "env API_KEY=* HOME=/root app");
  EXPECT_EQ(Line("java\0-Djdbc.password=x\0-Xmx1g"sv), "java -Djdbc.password=* -Xmx1g");
  EXPECT_EQ(Line("app\0postgres://ann:pw@db.test/shop\0"sv), "app postgres://*@db.test/shop");
  EXPECT_EQ(Line("app\0https://h.test/x?sig=abc&a=1\0"sv), "app https://h.test/x?sig=*&a=*");
  EXPECT_EQ(Line(""sv), "");
  EXPECT_EQ(RedactCommandLine("app\0--password\0hunter2"sv, 12), "app --pas...");
}

TEST(RedactTest, ArgumentsStayApart) {
  EXPECT_EQ(RedactArguments({}), std::vector<std::string>());
  EXPECT_EQ(RedactArguments({"/usr/bin/mysql", "-phunter2", "--token", "a b", "shop"}),
            (std::vector<std::string>{"/usr/bin/mysql", "-p*", "--token", "*", "shop"}));
}

TEST(RedactTest, NoSecretSurvivesWhereverTheLineIsCut) {
  using std::string_view_literals::operator""sv;
  const std::string_view line = "mysql\0-phunter2\0--password\0hunter2\0--token=hunter2\0"sv;
  for (size_t size = 0; size <= line.size(); ++size) {
    for (size_t max = 0; max < 60; ++max) {
      const std::string out = RedactCommandLine(line.substr(0, size), max);
      ASSERT_LE(out.size(), max);
      ASSERT_EQ(out.find("hunt"), std::string::npos) << out;
    }
  }
}

}  // namespace
}  // namespace kindling::model
