#include "ui/packets/capture_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "base/byte_reader.h"
#include "base/pcapng.h"
#include "base/read_file.h"
#include "base/testing/pcapng_reader.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace kindling::ui {
namespace {

using ::testing::HasSubstr;

constexpr size_t kMost = 64 << 20;

void AppendPacket(CaptureFile& file, size_t size) {
  const std::string bytes(size, 'x');
  base::AppendPcapng(base::PcapngPacket{.bytes = base::AsBytes(bytes)}, &file.buffer());
}

// No file grows beyond `bytes` while this lives, as on a disk that is full.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallDisk() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST(CaptureFileTest, WritesWhenThereIsEnough) {
  base::TempDir directory;
  const std::string path = directory.File("out.pcapng");
  auto file = CaptureFile::Open(path);
  ASSERT_OK(file);
  AppendPacket(**file, 100);
  ASSERT_OK((*file)->Write());
  EXPECT_EQ(base::ReadFile(path, kMost).value(), "");
  AppendPacket(**file, CaptureFile::kBufferBytes);
  ASSERT_OK((*file)->Write());
  EXPECT_EQ(base::ReadFile(path, kMost)->size(), (*file)->bytes());
  AppendPacket(**file, 7);
  ASSERT_OK((*file)->Close());
  EXPECT_EQ(base::ParsePcapng(*base::ReadFile(path, kMost)).size(), 3);
}

TEST(CaptureFileTest, FullDiskLeavesWholeBlocksWhereverItIsFull) {
  base::TempDir directory;
  const std::string path = directory.File("out.pcapng");
  for (const size_t room : {0, 1, 131, 132, 133, 263, 264, 265, 1000}) {
    auto file = CaptureFile::Open(path);
    ASSERT_OK(file);
    for (int i = 0; i < 20; ++i) AppendPacket(**file, 100);  // 132 bytes each
    const SmallDisk disk(room);
    const absl::Status status = (*file)->Flush();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), HasSubstr("cannot write to " + path));
    AppendPacket(**file, 100);
    EXPECT_EQ((*file)->Write(), status) << "nothing more is written";
    EXPECT_EQ((*file)->Close(), status);
    const std::string kept = base::ReadFile(path, kMost).value();
    EXPECT_EQ(kept.size(), room / 132 * 132);
    EXPECT_EQ(base::ParsePcapng(kept).size(), room / 132);
  }
}

TEST(CaptureFileTest, NoRoomForTheFirstByte) {
  auto file = CaptureFile::Open("/dev/full");
  ASSERT_OK(file);
  AppendPacket(**file, 100);
  EXPECT_THAT(std::string((*file)->Flush().message()), HasSubstr("No space left on device"));
}

TEST(CaptureFileTest, CannotBeOpened) {
  base::TempDir directory;
  const auto file = CaptureFile::Open(directory.File("missing/out.pcapng"));
  EXPECT_THAT(std::string(file.status().message()), HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace kindling::ui
