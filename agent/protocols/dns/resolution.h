#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "agent/protocols/record.h"

namespace kindling::agent::dns {

// Attributes of a DNS record: the name that was asked for, whole and in lower case, and the
// addresses in the answer, separated by commas, at most kMaxAttributeBytes of them.
inline constexpr std::string_view kQuestionNameAttribute = "dns.question.name";
inline constexpr std::string_view kAnswersAttribute = "dns.answers";

// Which addresses a name stands for, as one response said: the name is the one that was asked for,
// whatever aliases led to the addresses.
// Lifetime: views into the record.
struct Resolution {
  std::string_view name;
  std::vector<std::string_view> addresses;  // as text, IPv4 and IPv6; at least one
};

// None if the record is not a response with addresses.
std::optional<Resolution> ResolutionOf(const Record& record);

}  // namespace kindling::agent::dns
