#pragma once

#include <atomic>

namespace kindling::ui {

// From now on the first SIGINT, SIGTERM or SIGHUP sets the result and no more, so that a command
// can finish what it has begun; the second of a kind ends the process as ever.
const std::atomic<bool>& CatchInterrupts();

}  // namespace kindling::ui
