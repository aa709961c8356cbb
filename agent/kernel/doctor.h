#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kindling::agent {

struct DoctorRow {
  enum class State {
    kOk,
    kDegraded,  // capture works, something is not seen
    kDisabled,  // by config
    kMissing,   // capture cannot work, or this hook cannot
  };
  std::string what;
  State state = State::kOk;
  std::string detail;
  std::string lost;  // what cannot be seen because of it; "" for nothing
};

// What this machine gives to capture and what it lacks. Hooks are tried for real: loaded and
// attached with a scope of this process alone, which captures nothing. `disabled`: rows of the
// attach table as in the config.
std::vector<DoctorRow> Examine(const std::vector<std::string>& disabled);

// Whether the agent can capture at all.
bool CanCapture(const std::vector<DoctorRow>& rows);

// One line a row, aligned.
std::string ToText(const std::vector<DoctorRow>& rows);

std::string_view Name(DoctorRow::State state);

}  // namespace kindling::agent
