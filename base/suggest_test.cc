#include "base/suggest.h"

#include <gtest/gtest.h>

#include <vector>

namespace kindling::base {
namespace {

const std::vector<std::string> kWords = {"scope", "spool", "controller", "metrics_listen", "host"};

TEST(Suggest, FindsSlips) {
  EXPECT_EQ(Suggest("scop", kWords), "scope");
  EXPECT_EQ(Suggest("contorller", kWords), "controller");
  EXPECT_EQ(Suggest("metrics-listen", kWords), "metrics_listen");
  EXPECT_EQ(Suggest("Host", kWords), "host");
}

TEST(Suggest, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(Suggest("zebra", kWords), "");
  EXPECT_EQ(Suggest("", kWords), "");
  EXPECT_EQ(Suggest(std::string(100000, 's'), kWords), "");
  EXPECT_EQ(DidYouMean("zebra", kWords), "");
}

TEST(Suggest, PhrasesTheHint) {
  EXPECT_EQ(DidYouMean("spol", kWords), "; did you mean \"spool\"?");
}

}  // namespace
}  // namespace kindling::base
