#include "model/sql_template.h"

#include <random>
#include <string>

#include "gtest/gtest.h"

namespace kindling::model {
namespace {

std::string Statement(std::string_view sql) { return SqlStatement(sql, 2048); }

TEST(SqlEndpointTest, OperationAndTable) {
  EXPECT_EQ(SqlEndpoint("SELECT name FROM shop.products WHERE id = 5"), "SELECT shop.products");
  EXPECT_EQ(SqlEndpoint("select * from `shop`.`products`"), "SELECT shop.products");
  EXPECT_EQ(SqlEndpoint("insert into orders (a) values (1)"), "INSERT orders");
  EXPECT_EQ(SqlEndpoint("INSERT IGNORE INTO orders VALUES (1)"), "INSERT orders");
  EXPECT_EQ(SqlEndpoint("REPLACE orders SET a = 1"), "REPLACE orders");
  EXPECT_EQ(SqlEndpoint("UPDATE LOW_PRIORITY stock SET n = n - 1"), "UPDATE stock");
  EXPECT_EQ(SqlEndpoint("DELETE QUICK FROM carts WHERE id = 1"), "DELETE carts");
  EXPECT_EQ(SqlEndpoint("SELECT a.x FROM a JOIN b ON a.i = b.i"), "SELECT a");
  EXPECT_EQ(SqlEndpoint("SELECT * FROM (SELECT id FROM inner_t) AS t"), "SELECT inner_t");
  EXPECT_EQ(SqlEndpoint("(SELECT 1 FROM t1) UNION (SELECT 2 FROM t2)"), "SELECT t1");
  EXPECT_EQ(SqlEndpoint("WITH c AS (SELECT * FROM x) SELECT * FROM c"), "SELECT c");
  EXPECT_EQ(SqlEndpoint("/* app */ -- note\n # more\n SELECT 1"), "SELECT");
  EXPECT_EQ(SqlEndpoint("SELECT 'x from secret' AS y FROM t"), "SELECT t");
  EXPECT_EQ(SqlEndpoint("SELECT 1 FROM DUAL"), "SELECT");
  EXPECT_EQ(SqlEndpoint("SELECT @@version_comment LIMIT 1"), "SELECT");
  EXPECT_EQ(SqlEndpoint("CREATE TABLE IF NOT EXISTS shop.items (id INT)"),
            "CREATE TABLE shop.items");
  EXPECT_EQ(SqlEndpoint("CREATE OR REPLACE VIEW v AS SELECT 1"), "CREATE VIEW v");
  EXPECT_EQ(SqlEndpoint("DROP DATABASE shop"), "DROP DATABASE shop");
  EXPECT_EQ(SqlEndpoint("TRUNCATE TABLE carts"), "TRUNCATE TABLE carts");
  EXPECT_EQ(SqlEndpoint("CREATE USER 'ann'@'%' IDENTIFIED BY 'x'"), "CREATE USER");
  EXPECT_EQ(SqlEndpoint("SHOW GLOBAL STATUS LIKE 'x'"), "SHOW STATUS");
  EXPECT_EQ(SqlEndpoint("SET NAMES utf8mb4"), "SET");
  EXPECT_EQ(SqlEndpoint("START TRANSACTION"), "START");
  EXPECT_EQ(SqlEndpoint("commit"), "COMMIT");
  EXPECT_EQ(SqlEndpoint("CALL shop.add_item(1, 'x')"), "CALL shop.add_item");
  EXPECT_EQ(SqlEndpoint("SELECT * FROM orders_20240115"), "SELECT orders_*");
  EXPECT_EQ(SqlEndpoint("/*!40000 ALTER TABLE `t` DISABLE KEYS */"), "ALTER TABLE t");
  EXPECT_EQ(SqlEndpoint("SELECT * FROM \"quoted\""), "SELECT quoted");
}

TEST(SqlEndpointTest, OtherText) {
  EXPECT_EQ(SqlEndpoint(""), "(other)");
  EXPECT_EQ(SqlEndpoint("hunter2"), "(other)");
  EXPECT_EQ(SqlEndpoint("'SELECT'"), "(other)");
  EXPECT_EQ(SqlEndpoint("\xff\xfe\x00"), "(other)");
  EXPECT_EQ(SqlEndpoint("SELECT * FROM"), "SELECT");
  EXPECT_EQ(SqlEndpoint("SELECT * FROM " + std::string(5000, 'x')),
            "SELECT " + std::string(48, 'x'));
}

TEST(SqlStatementTest, LiteralsGo) {
  EXPECT_EQ(Statement("SELECT * FROM t WHERE a = 5 AND b='x' AND c=\"y\""),
            "SELECT * FROM t WHERE a = ? AND b=? AND c=?");
  EXPECT_EQ(Statement("SELECT 'it''s', 'it\\'s', \"a\"\"b\""), "SELECT ?");
  EXPECT_EQ(Statement("SELECT x'4D79', X'00', 0xFF, b'01', N'x', _utf8'y' FROM t"),
            "SELECT ? FROM t");
  EXPECT_EQ(Statement("SELECT a FROM t LIMIT 10, 20"), "SELECT a FROM t LIMIT ?");
  EXPECT_EQ(Statement("SELECT 1.5, .5, 1e-9, -3, +4"), "SELECT ?");
  EXPECT_EQ(Statement("UPDATE t SET n = n - 1, m = -1"), "UPDATE t SET n = n - ?, m = ?");
  EXPECT_EQ(Statement("SELECT t1.col2 FROM t1"), "SELECT t1.col2 FROM t1");
  EXPECT_EQ(Statement("SELECT 'a' 'b'"), "SELECT ?");
}

TEST(SqlStatementTest, ListsFold) {
  EXPECT_EQ(Statement("SELECT * FROM t WHERE id IN (1, 2,3 ,'4')"),
            "SELECT * FROM t WHERE id IN (?)");
  EXPECT_EQ(Statement("SELECT * FROM t WHERE id IN (?,?,?)"), "SELECT * FROM t WHERE id IN (?)");
  EXPECT_EQ(Statement("INSERT INTO t (a,b) VALUES (1,'x'),(2,'y'), (3,'z')"),
            "INSERT INTO t (a, b) VALUES (?)");
  EXPECT_EQ(Statement("INSERT INTO t VALUES (1, NOW(), f((2))), (2, NOW(), 3) "
                      "ON DUPLICATE KEY UPDATE a = VALUES(a), b = VALUES(b)"),
            "INSERT INTO t VALUES (?, NOW(), f((?))) "
            "ON DUPLICATE KEY UPDATE a = VALUES(a), b = VALUES(b)");
}

TEST(SqlStatementTest, TextAndPreparedGiveTheSame) {
  EXPECT_EQ(Statement("SELECT a FROM t WHERE id = 5 AND n IN (1,2)"),
            Statement("SELECT a FROM t WHERE id = ? AND n IN (?, ?)"));
}

TEST(SqlStatementTest, CommentsAndSpaceGo) {
  EXPECT_EQ(Statement("/* id=secret */ SELECT  a,\n\tb -- secret\nFROM t # secret\n;"),
            "SELECT a, b FROM t");
  EXPECT_EQ(Statement("SELECT 5--1"), "SELECT ?-?");
  EXPECT_EQ(Statement("SELECT /*+ HINT */ a /*!50000 FROM t */"), "SELECT a FROM t");
}

TEST(SqlStatementTest, IsCapped) {
  const std::string out = SqlStatement("SELECT " + std::string(10000, 'a') + " FROM t", 64);
  EXPECT_EQ(out.size(), 64u);
  EXPECT_EQ(out.substr(61), "...");
  EXPECT_EQ(SqlStatement("SELECT a", 2), "SE");
}

TEST(SqlStatementTest, NoLiteralSurvivesWhereverTheTextIsCut) {
  const std::string sql =
      "SELECT 'hunter2' /*hunter2*/, \"hunter2\", x'hunter2' FROM t WHERE a='\\'hunter2' -- "
      "hunter2";
  for (size_t size = 0; size <= sql.size(); ++size) {
    const std::string out = Statement(sql.substr(0, size));
    ASSERT_EQ(out.find("hunt"), std::string::npos) << out;
  }
}

TEST(SqlStatementTest, AnyBytesGiveBoundedText) {
  std::mt19937 random(11);
  const std::string alphabet = "SELECT FROM VALUES(),'\"`\\;-#/*!?:@$.x0123456789\n\x80";
  for (int i = 0; i < 20000; ++i) {
    std::string sql;
    for (int k = random() % 80; k > 0; --k) sql += alphabet[random() % alphabet.size()];
    ASSERT_LE(SqlStatement(sql, 40).size(), 40u) << sql;
    ASSERT_LE(SqlEndpoint(sql).size(), kMaxSqlEndpointBytes) << sql;
  }
}

}  // namespace
}  // namespace kindling::model
