#include "controller/admin/backup_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace kindling::controller {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int64_t kNowNs = 1'700'000'000'000'000'000;  // 2023-11-14 22:13:20 UTC

class BackupDirectoryTest : public ::testing::Test {
 protected:
  BackupDirectoryTest() : root_(fs::canonical(dir_.path()).string() + "/backups") {
    fs::create_directory(root_);
  }
  absl::StatusOr<std::string> Resolve(const std::string& asked) {
    return ResolveBackupDirectory(root_, asked, kNowNs);
  }
  base::TempDir dir_;
  const std::string root_;
};

TEST_F(BackupDirectoryTest, NamesAndWholePathsBelowTheRoot) {
  EXPECT_EQ(*Resolve("monday"), root_ + "/monday");
  EXPECT_EQ(*Resolve(root_ + "/tuesday"), root_ + "/tuesday");
  EXPECT_EQ(*Resolve(""), root_ + "/20231114T221320Z");
  EXPECT_EQ(*Resolve("week/./day/"), root_ + "/week/day");
  EXPECT_TRUE(fs::is_directory(root_ + "/week"));
  EXPECT_FALSE(fs::exists(root_ + "/monday"));
}

TEST_F(BackupDirectoryTest, NothingElseIsWrittenTo) {
  fs::create_directory(dir_.File("elsewhere"));
  fs::create_directory_symlink(dir_.File("elsewhere"), root_ + "/link");
  for (const std::string& asked :
       {std::string("../elsewhere/x"), std::string("link/x"), dir_.File("elsewhere"),
        dir_.File("backups-of-another/x"), std::string("."), std::string("a/.."), root_,
        std::string("/"), std::string("a\0b", 3), std::string(5000, 'a')}) {
    const auto path = Resolve(asked);
    EXPECT_TRUE(absl::IsInvalidArgument(path.status())) << asked << ": " << path.status();
  }
  EXPECT_TRUE(fs::is_empty(dir_.File("elsewhere")));
}

TEST_F(BackupDirectoryTest, WhatIsThereIsNotOverwritten) {
  fs::create_directory(root_ + "/empty");
  EXPECT_OK(Resolve("empty"));
  fs::create_directory(root_ + "/full");
  std::ofstream(root_ + "/full/CURRENT") << "x";
  EXPECT_TRUE(absl::IsAlreadyExists(Resolve("full").status()));
  std::ofstream(root_ + "/file") << "x";
  EXPECT_TRUE(absl::IsAlreadyExists(Resolve("file").status()));
}

TEST_F(BackupDirectoryTest, WithoutARootItSaysWhatToSet) {
  const auto path = ResolveBackupDirectory("", "x", kNowNs);
  EXPECT_TRUE(absl::IsFailedPrecondition(path.status()));
  EXPECT_THAT(std::string(path.status().message()), HasSubstr("storage.backup_directory"));
  EXPECT_EQ(*ResolveBackupDirectory(root_ + "/new", "x", kNowNs), root_ + "/new/x");
  std::ofstream(root_ + "/file") << "x";
  const auto no_directory = ResolveBackupDirectory(root_ + "/file/y", "x", kNowNs);
  EXPECT_TRUE(absl::IsFailedPrecondition(no_directory.status()));
  EXPECT_THAT(std::string(no_directory.status().message()), HasSubstr("/file/y"));
}

}  // namespace
}  // namespace kindling::controller
