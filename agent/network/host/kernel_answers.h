#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "absl/time/time.h"

namespace kindling::agent {

// What the kernel answers about the network namespace of the calling thread.
class KernelAnswers {
 public:
  virtual ~KernelAnswers() = default;
  // "" when it cannot be read.
  virtual std::string File(const std::string& path) = 0;
  // Sends `request` to a netlink `family` and gives each message of the answer. False: the answer
  // was not complete.
  virtual bool Dump(int family, std::span<const std::byte> request,
                    const std::function<void(const nlmsghdr&)>& visit) = 0;
};

// The running kernel. Threads: the namespace is that of the thread that calls.
// Limits: a file is read up to 1 MiB; a dump that takes longer than `patience` is given up.
class RunningKernel final : public KernelAnswers {
 public:
  explicit RunningKernel(absl::Duration patience = absl::Seconds(1)) : patience_(patience) {}

  std::string File(const std::string& path) override;
  bool Dump(int family, std::span<const std::byte> request,
            const std::function<void(const nlmsghdr&)>& visit) override;

 private:
  const absl::Duration patience_;
};

}  // namespace kindling::agent
