#include "model/url_template.h"

#include <random>
#include <string>

#include "gtest/gtest.h"

namespace kindling::model {
namespace {

TEST(UrlTemplateTest, KeepsRoutes) {
  for (const char* path :
       {"/", "/products", "/api/v1/users", "/api/v1.24/containers/json", "/oauth2/token",
        "/s3/bucket", "/index.html", "/getUserAccountDetails", "/facade", "/users/", "/a-b_c",
        "/apis/apps/v1/namespaces", "/well-known/openid-configuration"}) {
    EXPECT_EQ(UrlTemplate(path), path);
  }
}

TEST(UrlTemplateTest, ReplacesValues) {
  EXPECT_EQ(UrlTemplate("/products/1234"), "/products/*");
  EXPECT_EQ(UrlTemplate("/products/7/reviews/9"), "/products/*/reviews/*");
  EXPECT_EQ(UrlTemplate("/o/550e8400-e29b-41d4-a716-446655440000"), "/o/*");
  EXPECT_EQ(UrlTemplate("/c/9f86d081884c7d65"), "/c/*");
  EXPECT_EQ(UrlTemplate("/c/deadbeefcafebabe"), "/c/*");
  EXPECT_EQ(UrlTemplate("/day/2024-01-02"), "/day/*");
  EXPECT_EQ(UrlTemplate("/u/ann@example.test"), "/u/*");
  EXPECT_EQ(UrlTemplate("/u/ann%40example.test"), "/u/*");
  EXPECT_EQ(UrlTemplate("/q/caf\xc3\xa9"), "/q/*");
  EXPECT_EQ(UrlTemplate("/t/dQwRtYpLkJhGfDsA"), "/t/*");
  EXPECT_EQ(UrlTemplate("/order-12345"), "/*");
  EXPECT_EQ(UrlTemplate("/" + std::string(41, 'a')), "/*");
  EXPECT_EQ(UrlTemplate("/img/1234.jpg"), "/img/*.jpg");
  EXPECT_EQ(UrlTemplate("/img/12.jpg"), "/img/*.jpg");
}

TEST(UrlTemplateTest, DropsWhatIsNotThePath) {
  EXPECT_EQ(UrlTemplate("/search?q=secret#top"), "/search");
  EXPECT_EQ(UrlTemplate("/search#top"), "/search");
  EXPECT_EQ(UrlTemplate("/a;jsessionid=1F3A/b;x=1"), "/a/b");
  EXPECT_EQ(UrlTemplate("http://shop.test:8080/products/12?x=1"), "/products/*");
  EXPECT_EQ(UrlTemplate("http://shop.test"), "/");
  EXPECT_EQ(UrlTemplate("http://shop.test?x=/a"), "/");
  EXPECT_EQ(UrlTemplate("/go?to=http://x.test/secret"), "/go");
  EXPECT_EQ(UrlTemplate("*"), "*");
  EXPECT_EQ(UrlTemplate(""), "/");
  EXPECT_EQ(UrlTemplate("//a///b"), "/a/b");
}

TEST(UrlTemplateTest, IsCapped) {
  std::string deep;
  for (int i = 0; i < 50; ++i) deep += "/a";
  EXPECT_EQ(UrlTemplate(deep), "/a/a/a/a/a/a/a/a/a/a/**");
  std::string wide;
  for (int i = 0; i < 6; ++i) wide += "/" + std::string(30, 'x');
  const std::string capped = UrlTemplate(wide);
  EXPECT_LE(capped.size(), kMaxTemplateBytes);
  EXPECT_EQ(capped.substr(capped.size() - 3), "/**");
}

TEST(UrlTemplateTest, AppendsWithinTheRoomGiven) {
  std::string out = "GET ";
  out.reserve(256);
  const char* data = out.data();
  AppendUrlTemplate("/products/12", out);
  EXPECT_EQ(out, "GET /products/*");
  EXPECT_EQ(out.data(), data);
}

TEST(UrlTemplateTest, ATemplateIsItsOwnTemplate) {
  std::mt19937 random(3);
  const std::string alphabet = "abcXYZ0189/-_.%@;?#*:~ \x80";
  for (int i = 0; i < 20000; ++i) {
    std::string target = "/";
    for (int k = random() % 60; k > 0; --k) target += alphabet[random() % alphabet.size()];
    const std::string once = UrlTemplate(target);
    ASSERT_LE(once.size(), kMaxTemplateBytes) << target;
    ASSERT_EQ(UrlTemplate(once), once) << target;
  }
}

}  // namespace
}  // namespace kindling::model
