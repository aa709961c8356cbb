#include "storage/testing/fault_file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/str_format.h"
#include "base/read_file.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace kindling::storage {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::IsSubsetOf;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

constexpr uint64_t kSeeds = 60;
const rocksdb::IOOptions kIo;

// What a test finds where there is no file.
constexpr char kNone[] = "(none)";

class FaultFileSystemTest : public ::testing::Test {
 protected:
  std::string root() const { return dir_->File("root"); }
  std::string side() const { return dir_->File("side"); }
  std::string Path(const std::string& name) const { return root() + "/" + name; }

  void Make() {
    auto made = FaultFileSystem::Make(root(), side());
    ASSERT_OK(made);
    fs_ = *std::move(made);
  }

  std::unique_ptr<rocksdb::FSWritableFile> Create(const std::string& name) {
    std::unique_ptr<rocksdb::FSWritableFile> file;
    EXPECT_TRUE(fs_->NewWritableFile(Path(name), {}, &file, nullptr).ok());
    return file;
  }

  void Write(const std::string& name, const std::string& synced, const std::string& rest = "") {
    const auto file = Create(name);
    EXPECT_TRUE(file->Append(synced, kIo, nullptr).ok());
    EXPECT_TRUE(file->Sync(kIo, nullptr).ok());
    EXPECT_TRUE(file->Append(rest, kIo, nullptr).ok());
    EXPECT_TRUE(file->Close(kIo, nullptr).ok());
  }

  void SyncDirectory() {
    std::unique_ptr<rocksdb::FSDirectory> directory;
    ASSERT_TRUE(fs_->NewDirectory(root(), kIo, &directory, nullptr).ok());
    ASSERT_TRUE(directory->Fsync(kIo, nullptr).ok());
  }

  std::string Read(const std::string& name) const {
    const auto text = base::ReadFile(Path(name), 1 << 20);
    return text.ok() ? *text : kNone;
  }

  // Everything that file `name` may be after `work` and a loss of power.
  std::set<std::string> After(const std::string& name, const std::function<void()>& work) {
    std::set<std::string> out;
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      fs_.reset();
      dir_ = std::make_unique<base::TempDir>();
      Make();
      work();
      fs_.reset();
      EXPECT_OK(CutPower(root(), side(), seed));
      out.insert(Read(name));
    }
    return out;
  }

  std::unique_ptr<base::TempDir> dir_ = std::make_unique<base::TempDir>();
  std::shared_ptr<FaultFileSystem> fs_;
};

TEST_F(FaultFileSystemTest, WhatWasSyncedStaysAndOfTheRestAnyPrefixMay) {
  const std::set<std::string> found = After("a", [&] {
    Write("a", "synced ", "and more");
    SyncDirectory();
  });
  EXPECT_THAT(found, Each(StartsWith("synced ")));
  EXPECT_THAT(found, Contains("synced "));
  EXPECT_THAT(found, Contains("synced and more"));
  // Torn in between.
  EXPECT_GT(found.size(), 4);
}

TEST_F(FaultFileSystemTest, ANewFileMayVanishUntilItsDirectoryIsSynced) {
  EXPECT_THAT(After("a", [&] { Write("a", "x"); }), UnorderedElementsAre("x", kNone));
  EXPECT_THAT(After("a",
                    [&] {
                      Write("a", "x");
                      SyncDirectory();
                    }),
              UnorderedElementsAre("x"));
}

TEST_F(FaultFileSystemTest, ARenameMayBeUndoneButNeverHalfDone) {
  const auto replace = [&] {
    Write("a", "old");
    SyncDirectory();
    Write("b", "new");
    ASSERT_TRUE(fs_->RenameFile(Path("b"), Path("a"), kIo, nullptr).ok());
    EXPECT_EQ(Read("a"), "new");
  };
  EXPECT_THAT(After("a", replace), UnorderedElementsAre("old", "new"));
  EXPECT_THAT(After("a",
                    [&] {
                      replace();
                      SyncDirectory();
                    }),
              UnorderedElementsAre("new"));
}

TEST_F(FaultFileSystemTest, ADeletedOrReplacedFileMayComeBack) {
  EXPECT_THAT(After("a",
                    [&] {
                      Write("a", "old");
                      SyncDirectory();
                      ASSERT_TRUE(fs_->DeleteFile(Path("a"), kIo, nullptr).ok());
                      EXPECT_EQ(Read("a"), kNone);
                    }),
              UnorderedElementsAre("old", kNone));
  EXPECT_THAT(After("a",
                    [&] {
                      Write("a", "old");
                      SyncDirectory();
                      Write("a", "new");
                    }),
              UnorderedElementsAre("old", "new"));
}

TEST_F(FaultFileSystemTest, ALinkIsAnotherNameOfTheSameFile) {
  EXPECT_THAT(After("b",
                    [&] {
                      const auto file = Create("a");
                      ASSERT_TRUE(file->Append("x", kIo, nullptr).ok());
                      ASSERT_TRUE(fs_->LinkFile(Path("a"), Path("b"), kIo, nullptr).ok());
                      SyncDirectory();
                      ASSERT_TRUE(file->Sync(kIo, nullptr).ok());
                    }),
              UnorderedElementsAre("x"));
}

TEST_F(FaultFileSystemTest, WhatCouldNotBeSyncedOnceIsNotSavedByALaterSync) {
  const std::set<std::string> found = After("a", [&] {
    const auto file = Create("a");
    SyncDirectory();
    ASSERT_TRUE(file->Append("1", kIo, nullptr).ok());
    ASSERT_TRUE(file->Sync(kIo, nullptr).ok());
    ASSERT_TRUE(file->Append("2", kIo, nullptr).ok());
    fs_->Fail(FileOperation::kSync, EIO, 1);
    EXPECT_TRUE(file->Sync(kIo, nullptr).IsIOError());
    fs_->FailNothing();
    EXPECT_TRUE(file->Sync(kIo, nullptr).ok());
  });
  EXPECT_THAT(found, UnorderedElementsAre("1", "12"));
}

TEST_F(FaultFileSystemTest, AKilledProcessLeavesItsWritesAndTheirState) {
  std::set<std::string> found;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    dir_ = std::make_unique<base::TempDir>();
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Make();
      const auto file = Create("a");
      SyncDirectory();
      file->Append("synced ", kIo, nullptr);
      file->Sync(kIo, nullptr);
      file->Append("rest", kIo, nullptr);
      Write("b", "b");
      kill(getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    // A new process sees everything, and makes nothing of it last.
    EXPECT_EQ(Read("a"), "synced rest");
    EXPECT_EQ(Read("b"), "b");
    Make();
    Write("c", "c");
    fs_.reset();
    ASSERT_OK(CutPower(root(), side(), seed));
    EXPECT_THAT(Read("a"), StartsWith("synced "));
    found.insert(Read("a"));
    found.insert(Read("b"));
    // Names come in order.
    EXPECT_TRUE(Read("c") == kNone || Read("b") == "b");
  }
  EXPECT_THAT((std::set<std::string>{"synced ", "synced rest", "b", kNone}), IsSubsetOf(found));
}

TEST_F(FaultFileSystemTest, WhatWasThereBeforeCountsAsSynced) {
  std::filesystem::create_directories(root());
  ASSERT_TRUE(rocksdb::WriteStringToFile(rocksdb::Env::Default(), "old", Path("a")).ok());
  Make();
  fs_.reset();
  ASSERT_OK(CutPower(root(), side(), 0));
  EXPECT_EQ(Read("a"), "old");
}

TEST_F(FaultFileSystemTest, OperationsFailAsTheyAreToldTo) {
  Make();
  const auto file = Create("a");
  fs_->Fail(FileOperation::kWrite, EIO, 1);
  EXPECT_TRUE(file->Append("12345678", kIo, nullptr).IsIOError());
  fs_->Fail(FileOperation::kWrite, ENOSPC, 1);
  EXPECT_TRUE(file->Append("12345678", kIo, nullptr).IsNoSpace());
  fs_->FailNothing();
  // Parts may have been written.
  EXPECT_THAT(Read("a").size(), ::testing::Le(16));

  fs_->Fail(FileOperation::kOpen, ENOSPC, 1);
  std::unique_ptr<rocksdb::FSWritableFile> none;
  EXPECT_TRUE(fs_->NewWritableFile(Path("b"), {}, &none, nullptr).IsNoSpace());
  fs_->Fail(FileOperation::kRename, EIO, 1);
  EXPECT_TRUE(fs_->RenameFile(Path("a"), Path("b"), kIo, nullptr).IsIOError());
  fs_->Fail(FileOperation::kDelete, EIO, 1);
  EXPECT_TRUE(fs_->DeleteFile(Path("a"), kIo, nullptr).IsIOError());
  EXPECT_EQ(Read("b"), kNone);
  EXPECT_NE(Read("a"), kNone);
  fs_->Fail(FileOperation::kRead, EIO, 1);
  std::unique_ptr<rocksdb::FSSequentialFile> reader;
  ASSERT_TRUE(fs_->NewSequentialFile(Path("a"), {}, &reader, nullptr).ok());
  char scratch[8];
  rocksdb::Slice read;
  EXPECT_TRUE(reader->Read(sizeof(scratch), kIo, &read, scratch, nullptr).IsIOError());
  EXPECT_EQ(fs_->failures(), 6);

  // Outside of the directory nothing fails.
  EXPECT_TRUE(fs_->NewWritableFile(dir_->File("other"), {}, &none, nullptr).ok());
}

TEST_F(FaultFileSystemTest, RoomRunsOutAndComesBackWithDeletions) {
  Make();
  Write("old", "12345");
  const auto file = Create("a");
  fs_->SetRoom(3);
  EXPECT_TRUE(file->Append("12", kIo, nullptr).ok());
  EXPECT_TRUE(file->Append("34", kIo, nullptr).IsNoSpace());
  EXPECT_EQ(Read("a"), "123");
  uint64_t room = 1;
  ASSERT_TRUE(fs_->GetFreeSpace(root(), kIo, &room, nullptr).ok());
  EXPECT_EQ(room, 0);
  ASSERT_TRUE(fs_->DeleteFile(Path("old"), kIo, nullptr).ok());
  EXPECT_TRUE(file->Append("45678", kIo, nullptr).ok());
  EXPECT_TRUE(file->Append("9", kIo, nullptr).IsNoSpace());
}

// The same through a database: that it keeps what it synced, and that this sees when it does not.
TEST_F(FaultFileSystemTest, ADatabaseLosesWhatItDidNotSync) {
  const auto with_database = [&](const std::function<void(rocksdb::DB&)>& work) {
    Make();
    const auto env = rocksdb::NewCompositeEnv(fs_);
    rocksdb::Options options;
    options.env = env.get();
    options.create_if_missing = true;
    rocksdb::DB* raw = nullptr;
    const rocksdb::Status opened = rocksdb::DB::Open(options, root(), &raw);
    ASSERT_TRUE(opened.ok()) << opened.ToString();
    const std::unique_ptr<rocksdb::DB> db(raw);
    work(*db);
  };
  int lost = 0;
  for (uint64_t seed = 0; seed < 10 && !HasFailure(); ++seed) {
    dir_ = std::make_unique<base::TempDir>();
    with_database([](rocksdb::DB& db) {
      rocksdb::WriteOptions synced;
      synced.sync = true;
      EXPECT_TRUE(db.Put(synced, "synced", "1").ok());
      EXPECT_TRUE(db.Put({}, "not synced", "1").ok());
    });
    fs_.reset();
    ASSERT_OK(CutPower(root(), side(), seed));
    with_database([&](rocksdb::DB& db) {
      std::string value;
      EXPECT_TRUE(db.Get({}, "synced", &value).ok()) << seed;
      if (db.Get({}, "not synced", &value).IsNotFound()) ++lost;
    });
  }
  EXPECT_GT(lost, 0);
}

}  // namespace
}  // namespace kindling::storage
