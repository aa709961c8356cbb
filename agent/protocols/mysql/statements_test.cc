#include "agent/protocols/mysql/statements.h"

#include "gtest/gtest.h"

namespace kindling::agent::mysql {
namespace {

std::shared_ptr<const Statement> Named(std::string endpoint) {
  return std::make_shared<const Statement>(Statement{.endpoint = std::move(endpoint)});
}

TEST(PreparedStatementsTest, FindsByIdAndLast) {
  PreparedStatements statements;
  EXPECT_EQ(statements.Find(PreparedStatements::kLastPrepared), nullptr);
  statements.Add(1, Named("a"));
  statements.Add(2, Named("b"));
  EXPECT_EQ(statements.Find(1)->endpoint, "a");
  EXPECT_EQ(statements.Find(PreparedStatements::kLastPrepared)->endpoint, "b");
  statements.SetLast(Named("c"));
  EXPECT_EQ(statements.Find(PreparedStatements::kLastPrepared)->endpoint, "c");
  statements.Remove(1);
  EXPECT_EQ(statements.Find(1), nullptr);
  statements.Clear();
  EXPECT_EQ(statements.Find(2), nullptr);
  EXPECT_EQ(statements.Find(PreparedStatements::kLastPrepared), nullptr);
}

TEST(PreparedStatementsTest, ForgetsTheOldest) {
  PreparedStatements statements;
  for (uint32_t id = 1; id <= PreparedStatements::kMaxStatements + 1; ++id) {
    statements.Add(id, Named("s"));
  }
  EXPECT_EQ(statements.Find(1), nullptr);
  EXPECT_NE(statements.Find(2), nullptr);
}

}  // namespace
}  // namespace kindling::agent::mysql
