// A disk that is really full: a small tmpfs in a mount namespace of this process alone.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "storage/rocks_store.h"
#include "storage/testing/random_batch.h"

namespace kindling::storage {
namespace {

constexpr int64_t kTimeNs = 1'700'000'000'000'000'000;

uint64_t FreeBytes(const std::string& path) {
  return std::filesystem::space(std::filesystem::path(path).parent_path()).available;
}

void WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
}

// Needs no root: a user namespace in which this user is root. The process must have one thread.
void MountTmpfs(const std::string& path, const std::string& size) {
  const std::string uid_map = absl::StrFormat("0 %d 1", getuid());
  const std::string gid_map = absl::StrFormat("0 %d 1", getgid());
  ASSERT_EQ(unshare(CLONE_NEWUSER | CLONE_NEWNS), 0) << strerror(errno);
  WriteFile("/proc/self/setgroups", "deny");
  WriteFile("/proc/self/uid_map", uid_map);
  WriteFile("/proc/self/gid_map", gid_map);
  ASSERT_EQ(mount("tmpfs", path.c_str(), "tmpfs", 0, ("size=" + size).c_str()), 0)
      << strerror(errno);
}

model::Batch LossBatch(uint64_t sequence) {
  model::Batch batch;
  batch.id = {.agent_id = "a", .boot_epoch = 1, .sequence = sequence};
  batch.tenant = "default";
  batch.cluster = "test";
  batch.losses.push_back({.time_ns = kTimeNs, .requests = sequence});
  return batch;
}

std::multiset<uint64_t> Requests(Store& store) {
  std::multiset<uint64_t> out;
  EXPECT_OK(store.Scan({.tenant = "default", .cluster = "test", .losses = true},
                       [&](const model::Batch& block) {
                         for (const auto& row : block.losses) out.insert(row.requests);
                         return true;
                       }));
  return out;
}

// Another program's file, as large as the disk allows but for `left` bytes.
void FillBut(const std::string& path, uint64_t left) {
  std::ofstream file(path);
  const std::string block(64 << 10, 'x');
  while (FreeBytes(path) > left + block.size() &&
         file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
  }
}

// One small disk for all tests: a process that has threads gets no mount namespace.
class DiskFullTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = new base::TempDir;
    MountTmpfs(dir_->path(), "24m");
  }
  static void TearDownTestSuite() { delete dir_; }

  static base::TempDir* dir_;
};

base::TempDir* DiskFullTest::dir_ = nullptr;

TEST_F(DiskFullTest, IngestStopsBeforeTheDiskIsFullSaysWhyAndGoesOnByItself) {
  const RocksStoreOptions options{.directory = dir_->File("low"),
                                  .max_bytes = 16 << 20,
                                  .min_free_bytes = 8 << 20,
                                  .seal_after_ns = 1'000'000};
  auto opened = OpenRocksStore(options);
  ASSERT_OK(opened);
  std::unique_ptr<Store> store = *std::move(opened);
  ASSERT_OK(store->Append({LossBatch(1)}));

  const std::string filler = dir_->File("filler");
  FillBut(filler, 6 << 20);
  const absl::Status refused = store->Append({LossBatch(2)});
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_NE(refused.message().find("left on its disk"), refused.message().npos) << refused;
  auto status = store->admin().GetStatus();
  ASSERT_OK(status);
  EXPECT_EQ(status->stopped, refused.message());
  // Nothing has failed yet: what is durable can be said, and read.
  EXPECT_EQ(store->DurableSequences("a")->front().sequence, 1);
  EXPECT_EQ(Requests(*store), (std::multiset<uint64_t>{1}));

  ASSERT_EQ(unlink(filler.c_str()), 0);
  ASSERT_OK(store->Append({LossBatch(2)}));
  status = store->admin().GetStatus();
  ASSERT_OK(status);
  EXPECT_EQ(status->stopped, "");
  EXPECT_EQ(Requests(*store), (std::multiset<uint64_t>{1, 2}));
  store.reset();
  std::filesystem::remove_all(options.directory);
}

TEST_F(DiskFullTest, TheCallIsRefusedWholeReadsGoOnAndWithRoomWritesDoToo) {
  const RocksStoreOptions options{
      .directory = dir_->File("store"), .max_bytes = 16 << 20, .min_free_bytes = 0};
  auto opened = OpenRocksStore(options);
  ASSERT_OK(opened);
  std::unique_ptr<Store> store = *std::move(opened);
  ASSERT_OK(store->Append({LossBatch(1)}));

  // Another program leaves no room.
  const std::string filler = dir_->File("filler");
  FillBut(filler, 0);
  RandomRecords records(7, kTimeNs);
  model::Batch large = records.Batch({.agent_id = "b", .boot_epoch = 1, .sequence = 1}, 2000);
  large.losses.clear();
  // Room set aside for the log may take some of them.
  uint64_t stored = 1;
  absl::Status refused;
  while (refused.ok() && stored < 100) {
    refused = store->Append({large, LossBatch(stored + 1)});
    if (refused.ok()) ++stored;
    ++large.id.sequence;
  }
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  std::multiset<uint64_t> expected;
  for (uint64_t i = 1; i <= stored; ++i) expected.insert(i);
  EXPECT_EQ(Requests(*store), expected);
  // What was refused may have reached the log: it is not said to be durable, nor the contrary.
  EXPECT_TRUE(absl::IsResourceExhausted(store->DurableSequences("a").status()));
  EXPECT_FALSE(store->Append({large}).ok());

  ASSERT_EQ(unlink(filler.c_str()), 0);
  ASSERT_OK(store->Append({LossBatch(stored + 1)}));
  EXPECT_EQ(store->DurableSequences("a")->front().sequence, stored + 1);
  expected.insert(stored + 1);
  EXPECT_EQ(Requests(*store), expected);
  store.reset();
  opened = OpenRocksStore(options);
  ASSERT_OK(opened);
  EXPECT_EQ(Requests(**opened), expected);
}

}  // namespace
}  // namespace kindling::storage
