// Needs root: only root can give files away.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "storage/restore.h"

namespace kindling::storage {
namespace {

namespace fs = std::filesystem;

TEST(RestoreOwnerTest, TheCopyBelongsToWhomTheDataDirectoryBelongsTo) {
  base::TempDir dir;
  const std::string from = dir.File("backup");
  const std::string to = dir.File("data/store");
  fs::create_directories(from + "/sub");
  std::ofstream(from + "/CURRENT") << "MANIFEST-000001\n";
  std::ofstream(from + "/sub/x") << "y";
  fs::create_directories(dir.File("data"));
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(chown(dir.File("data").c_str(), kNobody, kNobody), 0);
  ASSERT_OK(RestoreStore(from, to));
  for (const std::string& path :
       {to, to + "/CURRENT", to + "/sub", to + "/sub/x", to + "/" + kRestoredMarker}) {
    struct stat found;
    ASSERT_EQ(stat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_uid, kNobody) << path;
  }
}

}  // namespace
}  // namespace kindling::storage
