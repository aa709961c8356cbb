#include "agent/firewall/rule_texts.h"

#include <charconv>

namespace kindling::agent {
namespace {

constexpr std::string_view kHandle = " # handle ";

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  return text;
}

}  // namespace

std::map<uint64_t, std::string> ParseRuleTexts(std::string_view listing) {
  std::map<uint64_t, std::string> rules;
  while (!listing.empty()) {
    const size_t end = listing.find('\n');
    std::string_view line = listing.substr(0, end);
    listing = end == std::string_view::npos ? "" : listing.substr(end + 1);
    const size_t mark = line.rfind(kHandle);
    if (mark == std::string_view::npos) continue;
    const std::string_view text = Trimmed(line.substr(0, mark));
    if (text.ends_with('{')) continue;  // a table, chain, set or map
    const std::string_view number = line.substr(mark + kHandle.size());
    uint64_t handle = 0;
    const auto [stop, error] =
        std::from_chars(number.data(), number.data() + number.size(), handle);
    if (error == std::errc() && stop == number.data() + number.size()) {
      rules[handle] = std::string(text);
    }
  }
  return rules;
}

}  // namespace kindling::agent
