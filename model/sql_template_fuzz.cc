#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "model/sql_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using kindling::model::SqlEndpoint;
  using kindling::model::SqlStatement;
  const std::string_view sql(reinterpret_cast<const char*>(data), size);
  if (SqlEndpoint(sql).size() > kindling::model::kMaxSqlEndpointBytes) std::abort();
  const std::string statement = SqlStatement(sql, 512);
  if (statement.size() > 512) std::abort();
  if (statement.find('\'') != std::string::npos) std::abort();
  for (const char c : statement + SqlEndpoint(sql)) {
    if (c < ' ' || c > '~') std::abort();
  }
  return 0;
}
