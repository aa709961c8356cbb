#include "agent/kernel/kernel_scope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/testing/temp_dir.h"

namespace kindling::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class KernelScopeTest : public ::testing::Test {
 protected:
  void AddProcess(int pid, int parent, const std::string& name) {
    const std::string process = root() + "/" + std::to_string(pid);
    std::filesystem::create_directory(process);
    std::ofstream(process + "/stat") << pid << " (" << name << ") S " << parent << " 1 1 0 -1\n";
  }
  std::string root() const { return std::string(directory_.path()); }

  base::TempDir directory_;
};

TEST_F(KernelScopeTest, TreeFollowsParentsWhateverTheNames) {
  AddProcess(10, 1, "shell");
  AddProcess(11, 10, "evil) S 1 (x");
  AddProcess(12, 11, "leaf");
  AddProcess(20, 1, "stranger");
  AddProcess(9, 12, "wrapped pid");  // smaller than its parent
  std::filesystem::create_directory(root() + "/self");
  EXPECT_THAT(ProcessTree({10}, root()), ElementsAre(9, 10, 11, 12));
}

TEST_F(KernelScopeTest, NamesWhatCannotBeUsed) {
  EXPECT_THAT(std::string(ResolveScope({}, root()).status().message()), HasSubstr("no scope"));
  EXPECT_THAT(std::string(ResolveScope({.pids = {77}}, root()).status().message()),
              HasSubstr("no process 77"));
  EXPECT_THAT(
      std::string(ResolveScope({.network_namespaces = {"/no/such"}}, root()).status().message()),
      HasSubstr("/no/such"));
}

TEST_F(KernelScopeTest, NamespaceInodeIsTheOneOfItsFile) {
  auto scope = ResolveScope({.network_namespaces = {"/proc/self/ns/net"}}, root());
  ASSERT_TRUE(scope.ok()) << scope.status();
  struct stat info {};
  ASSERT_EQ(stat("/proc/self/ns/net", &info), 0);
  EXPECT_THAT(scope->netns_inodes, ElementsAre(info.st_ino));
}

}  // namespace
}  // namespace kindling::agent
