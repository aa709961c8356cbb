#include "agent/capture/exchange_model.h"

#include <gtest/gtest.h>

namespace kindling::agent {
namespace {

TEST(ExchangeModel, OneEachBeforeAnythingIsSeen) {
  EXPECT_EQ(ExchangeModel().Expect(7, 5000), 7.0);
}

TEST(ExchangeModel, OneRequestEachIsExactWhateverTheBytes) {
  ExchangeModel model;
  for (uint64_t i = 1; i <= 1000; ++i) model.Add(37 + i * 7919 % 1500, 1);
  EXPECT_EQ(model.Expect(250, 10), 250.0);
  EXPECT_EQ(model.Expect(250, 10'000'000), 250.0);
}

TEST(ExchangeModel, LargerExchangesHoldMore) {
  ExchangeModel model;
  for (uint64_t batch = 1; batch <= 16; ++batch) model.Add(batch * 50, batch);
  EXPECT_NEAR(model.Expect(10, 10 * 50 * 12), 120.0, 1e-6);
  EXPECT_NEAR(model.Expect(10, 10 * 50 * 2), 20.0, 1e-6);
}

TEST(ExchangeModel, NeverLeavesWhatWasSeen) {
  ExchangeModel model;
  for (uint64_t batch = 2; batch <= 4; ++batch) model.Add(batch * 50, batch);
  EXPECT_EQ(model.Expect(3, 1'000'000'000), 12.0);
  EXPECT_EQ(model.Expect(3, 0), 6.0);
}

}  // namespace
}  // namespace kindling::agent
