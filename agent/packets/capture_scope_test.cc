#include "agent/packets/capture_scope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace kindling::agent {
namespace {

using ::testing::HasSubstr;

// A copy of /proc with processes whose namespaces are files.
class FakeProc {
 public:
  void Add(const std::string& process, const std::string& netns) {
    const std::string directory = directory_.File(process + "/ns");
    std::filesystem::create_directories(directory);
    std::ofstream(directory_.File(netns), std::ios::app) << "";
    std::filesystem::create_symlink(directory_.File(netns), directory + "/net");
  }
  uint32_t InodeOf(const std::string& netns) const {
    struct stat info {};
    stat(directory_.File(netns).c_str(), &info);
    return static_cast<uint32_t>(info.st_ino);
  }
  const std::string& root() const { return directory_.path(); }
  std::string File(const std::string& name) const { return directory_.File(name); }

 private:
  base::TempDir directory_;
};

TEST(CaptureScopeTest, NamedNamespacesStayThoseThatTheyWere) {
  FakeProc files;
  files.Add("1", "first");
  config::v1::Scope scope;
  scope.add_network_namespaces(files.File("first"));
  const auto opened = CaptureScope::Open(scope);
  ASSERT_OK(opened);
  const uint32_t inode = files.InodeOf("first");
  std::filesystem::rename(files.File("first"), files.File("old"));
  std::ofstream(files.File("first")) << "another";
  for (int again = 0; again < 2; ++again) {
    const auto namespaces = opened->Namespaces();
    ASSERT_OK(namespaces);
    ASSERT_EQ(namespaces->size(), 1);
    EXPECT_EQ((*namespaces)[0].inode, inode);
    EXPECT_EQ((*namespaces)[0].name, files.File("first"));
    struct stat info {};
    ASSERT_EQ(fstat((*namespaces)[0].fd.get(), &info), 0);
    EXPECT_EQ(info.st_ino, inode);
  }
}

TEST(CaptureScopeTest, ANamespaceThatIsNotThere) {
  config::v1::Scope scope;
  scope.add_network_namespaces("/run/netns/kd-no-such-namespace");
  EXPECT_THAT(std::string(CaptureScope::Open(scope).status().message()),
              HasSubstr("/run/netns/kd-no-such-namespace: No such file"));
}

TEST(CaptureScopeTest, ProcessesShareTheirsWithOthers) {
  config::v1::Scope scope;
  scope.add_pids(static_cast<uint32_t>(getpid()));
  const auto opened = CaptureScope::Open(scope);
  ASSERT_OK(opened);
  EXPECT_TRUE(absl::IsFailedPrecondition(opened->Namespaces().status()));
}

TEST(CaptureScopeTest, AWholeMachine) {
  FakeProc proc;
  proc.Add("self", "host");
  proc.Add("1", "host");
  proc.Add("20", "shop");
  proc.Add("3", "shop");
  proc.Add("40", "database");
  std::filesystem::create_directories(proc.File("sys"));
  config::v1::Scope scope;
  scope.set_host(true);
  const auto opened = CaptureScope::Open(scope, proc.root());
  ASSERT_OK(opened);
  const auto namespaces = opened->Namespaces();
  ASSERT_OK(namespaces);
  ASSERT_EQ(namespaces->size(), 3);
  EXPECT_EQ((*namespaces)[0].name, "of the host");
  EXPECT_EQ((*namespaces)[1].name, "of process 3");
  EXPECT_EQ((*namespaces)[1].inode, proc.InodeOf("shop"));
  EXPECT_EQ((*namespaces)[2].name, "of process 40");
  for (int i = 100; i < 200; ++i) proc.Add(std::to_string(i), "n" + std::to_string(i));
  EXPECT_TRUE(absl::IsFailedPrecondition(opened->Namespaces().status()));
}

}  // namespace
}  // namespace kindling::agent
