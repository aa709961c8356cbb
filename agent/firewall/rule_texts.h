#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace kindling::agent {

// The rules of one table by their handles, from what `nft -a list table` prints.
std::map<uint64_t, std::string> ParseRuleTexts(std::string_view listing);

}  // namespace kindling::agent
