#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "controller/config.h"

namespace kindling::controller {

// The whole controller: makes the parts, knows the order in which they start and stop.
//
// Threads:  Start and Shutdown on one; the parts have their own.
// Lifetime: `clock` must outlive this.
// Failure:  Start gives one line that says what to do: a port that is taken, a store that is
// damaged.
class Controller {
 public:
  static absl::StatusOr<std::unique_ptr<Controller>> Start(const ControllerOptions& options,
                                                           const base::Clock& clock);
  // Shuts down, if that has not happened yet.
  ~Controller();

  // Where it listens, with the port that was given where the options said 0.
  const std::string& address() const;

  // Acknowledges what has been received, ends the streams and closes the store.
  void Shutdown();

 private:
  class Parts;
  explicit Controller(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace kindling::controller
