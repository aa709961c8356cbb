#include "agent/path/netns_names.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/testing/temp_dir.h"

namespace kindling::agent {
namespace {

namespace fs = std::filesystem;

class NetnsNamesTest : public ::testing::Test {
 protected:
  NetnsNamesTest() {
    fs::create_directories(directory_.File("netns"));
    fs::create_directories(directory_.File("proc"));
  }
  // A file whose inode number stands for a namespace's.
  uint32_t Make(const std::string& name) {
    fs::create_directories(fs::path(directory_.File(name)).parent_path());
    std::ofstream(directory_.File(name)) << "";
    struct stat info {};
    stat(directory_.File(name).c_str(), &info);
    return static_cast<uint32_t>(info.st_ino);
  }
  uint32_t MakeProcess(const std::string& pid, const std::string& comm, const std::string& cgroup) {
    const uint32_t inode = Make("proc/" + pid + "/ns/net");
    std::ofstream(directory_.File("proc/" + pid + "/comm")) << comm << "\n";
    std::ofstream(directory_.File("proc/" + pid + "/stat"))
        << pid << " (" << comm << ") S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 500 0 0\n";
    std::ofstream(directory_.File("proc/" + pid + "/cgroup")) << "0::" << cgroup << "\n";
    return inode;
  }
  NetnsNames Names(std::vector<std::string> paths = {}) {
    return NetnsNames(std::move(paths), directory_.File("netns"), directory_.File("proc"));
  }

  const base::TempDir directory_;
};

TEST_F(NetnsNamesTest, NamedOnesByNameAndTheHostsAsSuch) {
  const uint32_t shop = Make("netns/shop");
  const uint32_t elsewhere = Make("elsewhere/pod-1");
  const uint32_t host = Make("proc/1/ns/net");
  NetnsNames names = Names({directory_.File("elsewhere/pod-1"), directory_.File("absent")});
  EXPECT_EQ(names.Of(shop, 0), "shop");
  EXPECT_EQ(names.Of(elsewhere, 0), "pod-1");
  EXPECT_EQ(names.Of(host, 0), "host");
}

TEST_F(NetnsNamesTest, OthersByAProcessInThem) {
  const std::string id(64, 'a');
  const uint32_t container = MakeProcess("312", "nginx", "/system.slice/docker-" + id + ".scope");
  const uint32_t plain = MakeProcess("400", "redis-server", "/");
  NetnsNames names = Names();
  EXPECT_EQ(names.Of(container, 0), "container aaaaaaaaaaaa");
  EXPECT_EQ(names.Of(plain, 0), "redis-server (pid 400)");
}

TEST_F(NetnsNamesTest, WhatNobodyNamesIsLookedForAgainButNotAtOnce) {
  NetnsNames names = Names();
  EXPECT_EQ(names.Of(12345, 0), "net:[12345]");
  const uint32_t late = Make("netns/late");
  EXPECT_EQ(names.Of(late, 1), "net:[" + std::to_string(late) + "]");
  EXPECT_EQ(names.Of(late, 1'000'000'000), "late");
}

}  // namespace
}  // namespace kindling::agent
