#include "agent/protocols/dns/name_template.h"

#include "gtest/gtest.h"

namespace kindling::agent::dns {
namespace {

TEST(DnsNameTemplateTest, KeepsUsualNames) {
  for (const char* name : {"shop.test", "www.example.com", "web1.example.com", "s3.amazonaws.com",
                           "localhost", "_http._tcp.shop.test", "db.default.svc.cluster.local"}) {
    EXPECT_EQ(TemplatedName(name), name);
  }
  EXPECT_EQ(TemplatedName("."), ".");
  EXPECT_EQ(TemplatedName(""), ".");
}

TEST(DnsNameTemplateTest, TakesOutWhatIsMostlyDigits) {
  EXPECT_EQ(TemplatedName("10-244-0-17.default.pod.cluster.local"), "*.default.pod.cluster.local");
  EXPECT_EQ(TemplatedName("4.3.2.1.in-addr.arpa"), "*.in-addr.arpa");
  EXPECT_EQ(TemplatedName("web0017.example.com"), "*.example.com");
  EXPECT_EQ(TemplatedName("a1b2c3d4e5.cdn.example.com"), "*.cdn.example.com");
}

TEST(DnsNameTemplateTest, TakesOutWhatIsLongOrStrange) {
  EXPECT_EQ(TemplatedName(std::string(40, 'a') + ".tunnel.test"), "*.tunnel.test");
  EXPECT_EQ(TemplatedName("a?b.test"), "*.test");
}

TEST(DnsNameTemplateTest, KeepsTheLastLabels) {
  EXPECT_EQ(TemplatedName("a.b.c.d.e.f"), "a.b.c.d.e.f");
  EXPECT_EQ(TemplatedName("x.a.b.c.d.e.f"), "*.b.c.d.e.f");
  EXPECT_EQ(TemplatedName("1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.ip6.arpa"), "*.ip6.arpa");
}

TEST(DnsNameTemplateTest, IsBounded) {
  std::string name = "end";
  for (int i = 0; i < 5; ++i) name = std::string(30, 'a') + "." + name;
  EXPECT_LE(TemplatedName(name).size(), kMaxTemplatedNameBytes);
  EXPECT_EQ(TemplatedName(name).substr(0, 2), "*.");
}

}  // namespace
}  // namespace kindling::agent::dns
