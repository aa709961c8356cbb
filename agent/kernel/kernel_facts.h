#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/kernel/attach_table.h"

struct btf;

namespace kindling::agent {

struct KernelVersion {
  int major = 0;
  int minor = 0;
  auto operator<=>(const KernelVersion&) const = default;
};

// What the running kernel says of itself, before any program is loaded.
class KernelFacts {
 public:
  // Failure: one line that says what is missing and what to do.
  static absl::StatusOr<std::unique_ptr<KernelFacts>> Read();
  KernelFacts(const KernelFacts&) = delete;
  KernelFacts& operator=(const KernelFacts&) = delete;
  ~KernelFacts();

  // Whether the kernel has what the row attaches to.
  bool Has(const AttachRow& row) const;
  KernelVersion version() const { return version_; }
  // How many arguments a tracepoint gives; 0: there is none of this name.
  int ArgumentsOf(std::string_view tracepoint) const;
  // Names of an enumeration's values from 0 on, by value; empty where there is none. At most 256.
  std::vector<std::string> NamesOf(std::string_view enumeration) const;

 private:
  KernelFacts() = default;

  btf* btf_ = nullptr;
  KernelVersion version_;
};

// "6.1" from "6.1.0-25-amd64".
KernelVersion ParseKernelVersion(std::string_view release);
std::string KernelRelease();

// Directory under which trace events are found; "" if tracefs is not mounted.
std::string TracefsEvents();

// Mount point of the version 2 cgroup tree, "" if there is none.
std::string CgroupMount(std::string_view mounts_file = "/proc/self/mounts");

}  // namespace kindling::agent
