#pragma once

#include <thread>

namespace kindling::base {

// Debug assertion of thread confinement: DCHECK(checker_.CalledOnOwner()) in each method.
// The first caller becomes the owner; Release() lets another thread take over.
class ThreadChecker {
 public:
  bool CalledOnOwner() const {
    if (owner_ == std::thread::id()) owner_ = std::this_thread::get_id();
    return owner_ == std::this_thread::get_id();
  }
  void Release() { owner_ = std::thread::id(); }

 private:
  mutable std::thread::id owner_;
};

}  // namespace kindling::base
