#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kindling::v1 {
class LabelMatcher;
}

namespace kindling::ui {

// The matchers of a selector as Prometheus writes it: tcp_srtt_seconds{host="a",peer=~"10\\..*"},
// with any part left out. InvalidArgument: what was expected and where.
absl::StatusOr<std::vector<v1::LabelMatcher>> ParseSelector(std::string_view text);

}  // namespace kindling::ui
