#include "agent/network/dns_search.h"

#include <gtest/gtest.h>

#include <string>

namespace kindling::agent {
namespace {

constexpr int64_t kMs = 1'000'000;

class DnsSearchTest : public testing::Test {
 protected:
  void Fail(std::string_view name) {
    search_.OnFailed(name, now_ns_, now_ns_ + kMs);
    now_ns_ += 2 * kMs;
  }
  // "QUERIES NAME"
  std::string Find(std::string_view name) {
    const DnsSearch::Waste waste = search_.OnFound(name, now_ns_);
    now_ns_ += 2 * kMs;
    return std::to_string(waste.queries) + " " + waste.name;
  }

  DnsSearch search_;
  int64_t now_ns_ = kMs;
};

TEST_F(DnsSearchTest, AllOfAListBeforeTheNameItself) {
  Fail("www.shop.test.a.svc.cluster.local");
  Fail("www.shop.test.svc.cluster.local");
  Fail("www.shop.test.cluster.local");
  EXPECT_EQ(Find("www.shop.test"), "3 www.shop.test");
  EXPECT_EQ(Find("www.shop.test"), "0 ") << "each is told once";
}

TEST_F(DnsSearchTest, DomainsWithinEachOther) {
  Fail("db.prod.a.svc.cluster.local");
  EXPECT_EQ(Find("db.prod.svc.cluster.local"), "1 db.prod");
  Fail("db.svc.svc.cluster.local");  // "db.svc" where a domain begins as it ends
  EXPECT_EQ(Find("db.svc.cluster.local"), "1 db.svc");
}

TEST_F(DnsSearchTest, TheNameItselfFirst) {
  Fail("shop.eng");
  Fail("shop.eng.a.test");
  EXPECT_EQ(Find("shop.eng.b.test"), "1 shop.eng");
}

TEST_F(DnsSearchTest, DomainsOfTheirOwnOnceTheyAreKnown) {
  Fail("www.a.test");
  EXPECT_EQ(Find("www.b.test"), "0 ") << "two names that may have nothing in common";
  Fail("nothing.a.test");
  Fail("nothing.b.test");
  Fail("nothing");  // so these are its search list
  Fail("db.a.test");
  EXPECT_EQ(Find("db.b.test"), "1 db");
  Fail("db.a.test");
  EXPECT_EQ(Find("mail.b.test"), "0 ");
  EXPECT_EQ(Find("db.c.test"), "0 ");
}

TEST_F(DnsSearchTest, OtherNamesAreNoSearch) {
  Fail("www.a.test");
  EXPECT_EQ(Find("ww.a.test"), "0 ");
  EXPECT_EQ(Find("www.a.tes"), "0 ");
  EXPECT_EQ(Find("a.test"), "0 ");
  EXPECT_EQ(Find("w"), "0 ");
  EXPECT_EQ(Find("."), "0 ");
  EXPECT_EQ(Find("www.a.test"), "0 ") << "the same, which now is there";
  EXPECT_EQ(search_.failed(), 1u);
}

TEST_F(DnsSearchTest, WhatWasAskedBesideOrLongAgoIsNoWayToIt) {
  search_.OnFailed("db.svc", now_ns_, now_ns_ + 10 * kMs);
  EXPECT_EQ(search_.OnFound("db", now_ns_ + 5 * kMs).queries, 0u) << "asked before that failed";
  EXPECT_EQ(search_.OnFound("db", now_ns_ + 11 * kMs + DnsSearch::kWithinNs).queries, 0u);
  EXPECT_EQ(search_.OnFound("db", now_ns_ + 10 * kMs).queries, 1u);
}

TEST_F(DnsSearchTest, KeepsNoMoreThanItMay) {
  for (size_t i = 0; i < 1000; ++i) Fail("x" + std::to_string(i) + ".a" + std::to_string(i));
  EXPECT_EQ(search_.failed(), DnsSearch::kMaxFailed);
  EXPECT_EQ(Find("x0"), "0 ");
  EXPECT_EQ(Find("x999"), "1 x999");
  EXPECT_TRUE(search_.ForgetBefore(now_ns_)) << "the list is kept for a while";
  EXPECT_EQ(search_.failed(), 0u);
  EXPECT_FALSE(search_.ForgetBefore(now_ns_ + DnsSearch::kListKeptNs));
}

TEST_F(DnsSearchTest, TakesAnyText) {
  const std::string texts[] = {"",   ".",  "..",  "...", "a.", ".a", "a..b", std::string(255, '.'),
                               "?*", "??", "a.b", "b",   "a",  "..b"};
  for (const std::string& failed : texts) {
    for (const std::string& found : texts) {
      Fail(failed);
      Find(found);
    }
  }
  EXPECT_LE(search_.failed(), DnsSearch::kMaxFailed);
}

}  // namespace
}  // namespace kindling::agent
