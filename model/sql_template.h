#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kindling::model {

// Names for SQL text, functions of the bytes alone (kRuleVersion). Both take cut-off and hostile
// text; text that no statement begins with is "(other)".

// The operation and the table: "SELECT shop.products", "INSERT orders", "CREATE TABLE t", "COMMIT".
// For a join or a subquery it is the first table. Digits of sharded names become "*":
// "SELECT orders_*". At most kMaxSqlEndpointBytes bytes.
inline constexpr size_t kMaxSqlEndpointBytes = 100;
std::string SqlEndpoint(std::string_view sql);

// The statement on one line, without comments, every literal and parameter "?", lists of them one
// "?", and of several rows of VALUES the first. At most `max_bytes`, then "...".
std::string SqlStatement(std::string_view sql, size_t max_bytes);

}  // namespace kindling::model
