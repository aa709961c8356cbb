#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/kernel/path_source.h"
#include "agent/path/path_names.h"
#include "base/clock.h"
#include "model/packet_path.h"

namespace kindling::agent {

// The packets of one flow on this node: programs in the kernel for as long as this lives, and hops
// with names out of it.
//
// Threads: one.
// Failure: Open() says in one line what is wrong.
// Limits:  those of PathSource and PathNames.
class PathTrace {
 public:
  static absl::StatusOr<std::unique_ptr<PathTrace>> Open(const PathSourceOptions& options,
                                                         const std::string& node,
                                                         const base::Clock& clock);

  // What cannot be seen here.
  const std::vector<MissingHook>& missing() const { return source_->missing(); }
  // All that happened since the last call, in time's order but for what several processors did at
  // once.
  void Poll(const std::function<void(const model::PathHop&)>& sink);
  PathLoss loss() const { return source_->loss(); }

 private:
  PathTrace(std::unique_ptr<PathSource> source, PathNames names, int64_t wall_minus_boot_ns)
      : source_(std::move(source)),
        names_(std::move(names)),
        wall_minus_boot_ns_(wall_minus_boot_ns) {}

  const std::unique_ptr<PathSource> source_;
  PathNames names_;
  // Of the beginning, so that no step of the wall clock comes between two hops.
  const int64_t wall_minus_boot_ns_;
};

}  // namespace kindling::agent
