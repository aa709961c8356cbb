#pragma once

#include <cstdint>

namespace kindling::model {

// Version of the rules that turn bytes into names: url_template, sql_template and redact. Both ends
// of an edge give the same name only if they use the same rules, so every batch carries this.
// Raise it with every change that gives another result for any input.
inline constexpr uint32_t kRuleVersion = 1;

}  // namespace kindling::model
