#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kindling::agent {

// A server's error message without what it quotes of the request: everything from the first opening
// quote (', " or `) to the last closing one becomes "?", so that a quote inside the quoted data
// cannot bring the data out. Control characters become spaces. If `is_whole` is false the message
// was cut off, and all after the first opening quote goes. At most `max_bytes` long.
//
//   Table 'shop.prices' doesn't exist  ->  Table ? doesn't exist
std::string RedactMessage(std::string_view message, bool is_whole, size_t max_bytes);

}  // namespace kindling::agent
