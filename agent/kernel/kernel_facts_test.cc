#include "agent/kernel/kernel_facts.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/testing/temp_dir.h"

namespace kindling::agent {
namespace {

TEST(KernelFactsTest, Versions) {
  EXPECT_EQ(ParseKernelVersion("6.1.0-25-amd64"), (KernelVersion{6, 1}));
  EXPECT_EQ(ParseKernelVersion("6.18.44-fc"), (KernelVersion{6, 18}));
  EXPECT_EQ(ParseKernelVersion("5.10"), (KernelVersion{5, 10}));
  EXPECT_EQ(ParseKernelVersion("7"), (KernelVersion{7, 0}));
  EXPECT_EQ(ParseKernelVersion(""), (KernelVersion{0, 0}));
  EXPECT_LT((KernelVersion{6, 3}), (KernelVersion{6, 18}));
}

TEST(KernelFactsTest, CgroupMountIsFoundAmongOthers) {
  const base::TempDir directory;
  const std::string path = std::string(directory.path()) + "/mounts";
  std::ofstream(path) << "proc /proc proc rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
                         "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
  EXPECT_EQ(CgroupMount(path), "/sys/fs/cgroup/unified");
  std::ofstream(path) << "proc /proc proc rw 0 0\n";
  EXPECT_EQ(CgroupMount(path), "");
}

}  // namespace
}  // namespace kindling::agent
