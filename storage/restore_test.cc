#include "storage/restore.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace kindling::storage {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::string Read(const std::string& path) {
  std::ifstream in(path);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// A process that holds RocksDB's lock on a store.
class Holder {
 public:
  explicit Holder(const std::string& directory) {
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    pid_ = fork();
    if (pid_ == 0) {
      const int fd = open((directory + "/LOCK").c_str(), O_RDWR | O_CREAT, 0644);
      struct flock lock = {};
      lock.l_type = F_WRLCK;
      lock.l_whence = SEEK_SET;
      if (fcntl(fd, F_SETLK, &lock) != 0) _exit(1);
      if (write(ready[1], "x", 1) != 1) _exit(1);
      pause();
      _exit(0);
    }
    char byte;
    EXPECT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
  }
  ~Holder() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_;
};

class RestoreTest : public ::testing::Test {
 protected:
  RestoreTest() {
    fs::create_directories(from_ + "/sub");
    Write(from_ + "/CURRENT", "MANIFEST-000001\n");
    Write(from_ + "/000007.sst", std::string("a\0b", 3));
    Write(from_ + "/sub/x", "y");
    Write(from_ + "/LOG", "words");
    Write(from_ + "/LOCK", "");
  }
  base::TempDir dir_;
  const std::string from_ = dir_.File("backup");
  const std::string to_ = dir_.File("data/store");
};

TEST_F(RestoreTest, CopiesTheFilesAndMarksTheCopy) {
  ASSERT_OK(RestoreStore(from_, to_));
  EXPECT_EQ(Read(to_ + "/CURRENT"), "MANIFEST-000001\n");
  EXPECT_EQ(Read(to_ + "/000007.sst"), std::string("a\0b", 3));
  EXPECT_EQ(Read(to_ + "/sub/x"), "y");
  EXPECT_TRUE(fs::exists(to_ + "/" + kRestoredMarker));
  EXPECT_FALSE(fs::exists(to_ + "/LOG"));
  EXPECT_FALSE(fs::exists(to_ + "/LOCK"));
  EXPECT_FALSE(fs::exists(from_ + "/" + kRestoredMarker));
  EXPECT_FALSE(fs::exists(to_ + ".partial"));
}

TEST_F(RestoreTest, AnEmptyTargetIsTakenAndAFullOneIsNot) {
  fs::create_directories(to_);
  Write(dir_.File("data/other"), "kept");
  ASSERT_OK(RestoreStore(from_, to_ + "/"));
  const absl::Status again = RestoreStore(from_, to_);
  EXPECT_TRUE(absl::IsFailedPrecondition(again)) << again;
  EXPECT_THAT(std::string(again.message()), HasSubstr("move it away"));
  EXPECT_EQ(Read(to_ + "/sub/x"), "y");
  EXPECT_EQ(Read(dir_.File("data/other")), "kept");
}

TEST_F(RestoreTest, AStoreThatIsOpenIsRefused) {
  {
    const Holder holder(from_);
    const absl::Status status = RestoreStore(from_, to_);
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("is open"));
    EXPECT_FALSE(fs::exists(to_));
  }
  EXPECT_OK(RestoreStore(from_, to_));
}

TEST_F(RestoreTest, WhatIsNoStoreIsRefused) {
  fs::create_directories(dir_.File("empty"));
  EXPECT_TRUE(absl::IsInvalidArgument(RestoreStore(dir_.File("empty"), to_)));
  EXPECT_FALSE(RestoreStore(dir_.File("missing"), to_).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(RestoreStore(from_, from_ + "/copy")));
  EXPECT_TRUE(absl::IsFailedPrecondition(RestoreStore(from_, from_)));
  fs::create_symlink("/etc/passwd", from_ + "/000008.sst");
  EXPECT_TRUE(absl::IsInvalidArgument(RestoreStore(from_, to_)));
  EXPECT_FALSE(fs::exists(to_));
}

TEST_F(RestoreTest, WhatABrokenOffOneLeftIsReplaced) {
  fs::create_directories(to_ + ".partial");
  Write(to_ + ".partial/000009.sst", "half");
  ASSERT_OK(RestoreStore(from_, to_));
  EXPECT_FALSE(fs::exists(to_ + "/000009.sst"));
}

TEST_F(RestoreTest, AWriteProtectedBackupGivesAStoreThatCanBeWritten) {
  fs::permissions(from_ + "/CURRENT", fs::perms::owner_read);
  ASSERT_OK(RestoreStore(from_, to_));
  EXPECT_NE(fs::status(to_ + "/CURRENT").permissions() & fs::perms::owner_write, fs::perms::none);
}

}  // namespace
}  // namespace kindling::storage
