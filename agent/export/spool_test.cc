#include "agent/export/spool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace kindling::agent {
namespace {

constexpr int64_t kNow = 1'700'000'000'000'000'000;
constexpr int64_t kSecond = 1'000'000'000;

SpoolRecord MakeRecord(uint64_t epoch, uint64_t sequence, SpoolLane lane = SpoolLane::kAggregates) {
  return {.lane = lane,
          .epoch = epoch,
          .sequence = sequence,
          .time_ns = kNow,
          .requests = lane == SpoolLane::kAggregates ? 10u : 0u,
          .spans = lane == SpoolLane::kSpans ? 5u : 0u};
}

std::string Payload(uint64_t sequence, size_t size = 100) {
  std::string payload = "payload " + std::to_string(sequence) + " ";
  payload.resize(size, 'x');
  return payload;
}

std::unique_ptr<Spool> MustOpen(const std::string& directory, SpoolOptions options = {},
                                int64_t now_ns = kNow) {
  options.directory = directory;
  absl::StatusOr<std::unique_ptr<Spool>> spool = Spool::Open(options, now_ns);
  EXPECT_OK(spool);
  return spool.ok() ? *std::move(spool) : nullptr;
}

// (epoch, sequence) of everything from a fresh cursor on.
std::vector<std::pair<uint64_t, uint64_t>> ReadAll(Spool& spool) {
  std::vector<std::pair<uint64_t, uint64_t>> read;
  Spool::Cursor cursor;
  while (const std::optional<Spool::Item> item = spool.Next(&cursor)) {
    read.emplace_back(item->record.epoch, item->record.sequence);
    EXPECT_EQ(item->payload, Payload(item->record.sequence, item->payload.size()));
  }
  return read;
}

std::vector<std::string> Segments(const std::string& directory) {
  std::vector<std::string> paths;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    if (file.path().extension() == ".seg") paths.push_back(file.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

using Sequences = std::vector<std::pair<uint64_t, uint64_t>>;

TEST(SpoolTest, GivesBackWhatWasAppendedAggregatesFirst) {
  const base::TempDir dir;
  const auto spool = MustOpen(dir.path());
  ASSERT_OK(spool->Append(MakeRecord(8, 1, SpoolLane::kSpans), Payload(1)));
  ASSERT_OK(spool->Append(MakeRecord(9, 1), Payload(1)));
  ASSERT_OK(spool->Append(MakeRecord(9, 2), Payload(2, 50'000)));
  EXPECT_EQ(ReadAll(*spool), (Sequences{{9, 1}, {9, 2}, {8, 1}}));
  EXPECT_EQ(spool->unacknowledged(), 3u);
  // A cursor at the end sees later aggregates.
  Spool::Cursor cursor;
  while (spool->Next(&cursor)) {
  }
  EXPECT_TRUE(spool->AtEnd(cursor));
  ASSERT_OK(spool->Append(MakeRecord(9, 3), Payload(3)));
  EXPECT_FALSE(spool->AtEnd(cursor));
  EXPECT_EQ(spool->Next(&cursor)->record.sequence, 3u);
}

TEST(SpoolTest, AcknowledgedBatchesAreNotGivenAgainAndTheirFilesGo) {
  const base::TempDir dir;
  const auto spool = MustOpen(dir.path(), {.segment_bytes = 1000});
  for (uint64_t i = 1; i <= 30; ++i) ASSERT_OK(spool->Append(MakeRecord(9, i), Payload(i)));
  const size_t files = Segments(dir.path()).size();
  EXPECT_GT(files, 4u);
  spool->Acknowledge(9, 20);
  EXPECT_EQ(spool->unacknowledged(), 10u);
  EXPECT_LT(Segments(dir.path()).size(), files);
  EXPECT_EQ(ReadAll(*spool).front(), std::make_pair(uint64_t{9}, uint64_t{21}));
  spool->Acknowledge(8, 1000);  // another epoch
  EXPECT_EQ(spool->unacknowledged(), 10u);
  spool->Acknowledge(9, 30);
  EXPECT_EQ(spool->unacknowledged(), 0u);
  EXPECT_LE(Segments(dir.path()).size(), 1u);
  EXPECT_TRUE(ReadAll(*spool).empty());
}

TEST(SpoolTest, ANewStoreGetsWhatIsStillOnDisk) {
  const base::TempDir dir;
  const auto spool = MustOpen(dir.path());
  for (uint64_t i = 1; i <= 3; ++i) ASSERT_OK(spool->Append(MakeRecord(9, i), Payload(i)));
  spool->Acknowledge(9, 2);
  spool->Refuse(9, 3);
  EXPECT_TRUE(ReadAll(*spool).empty());
  spool->ForgetAcknowledgements();
  EXPECT_EQ(ReadAll(*spool), (Sequences{{9, 1}, {9, 2}}));
  EXPECT_EQ(spool->unacknowledged(), 2u);
}

TEST(SpoolTest, SurvivesARestartWithOlderEpochsFirst) {
  const base::TempDir dir;
  {
    const auto spool = MustOpen(dir.path());
    ASSERT_OK(spool->Append(MakeRecord(100, 7), Payload(7)));
    ASSERT_OK(spool->Append(MakeRecord(100, 8), Payload(8)));
  }
  const auto spool = MustOpen(dir.path());
  ASSERT_OK(spool->Append(MakeRecord(200, 1), Payload(1)));
  EXPECT_EQ(ReadAll(*spool), (Sequences{{100, 7}, {100, 8}, {200, 1}}));
  spool->Acknowledge(100, 8);
  EXPECT_EQ(ReadAll(*spool), (Sequences{{200, 1}}));
}

TEST(SpoolTest, ACleanStopWithNothingLeftLeavesNoFiles) {
  const base::TempDir dir;
  {
    const auto spool = MustOpen(dir.path());
    ASSERT_OK(spool->Append(MakeRecord(9, 1), Payload(1)));
    spool->Acknowledge(9, 1);
  }
  EXPECT_TRUE(Segments(dir.path()).empty());
}

TEST(SpoolTest, ASecondSpoolOnTheDirectoryIsRefused) {
  const base::TempDir dir;
  auto spool = MustOpen(dir.path());
  const auto second = Spool::Open({.directory = dir.path()}, kNow);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  const std::string message(second.status().message());
  EXPECT_NE(message.find(dir.path()), std::string::npos);
  EXPECT_NE(message.find(std::to_string(getpid())), std::string::npos);
  spool.reset();
  EXPECT_OK(Spool::Open({.directory = dir.path()}, kNow));
}

TEST(SpoolTest, AnUnusableDirectoryIsNamed) {
  const base::TempDir dir;
  std::ofstream(dir.File("file")) << "x";
  const auto spool = Spool::Open({.directory = dir.File("file/spool")}, kNow);
  ASSERT_FALSE(spool.ok());
  EXPECT_NE(std::string(spool.status().message()).find("file/spool"), std::string::npos);
}

TEST(SpoolTest, DropsTheOldestSpansFirstThenTheOldestAggregates) {
  const base::TempDir dir;
  const auto spool = MustOpen(dir.path(), {.max_bytes = 6'800, .segment_bytes = 1'000});
  for (uint64_t i = 1; i <= 20; ++i) {
    ASSERT_OK(spool->Append(MakeRecord(8, i, SpoolLane::kSpans), Payload(i)));
  }
  for (uint64_t i = 1; i <= 40; ++i) ASSERT_OK(spool->Append(MakeRecord(9, i), Payload(i)));
  EXPECT_LE(spool->bytes(), 6'800u);
  Spool::Dropped dropped = spool->dropped()[static_cast<size_t>(Spool::DropCause::kBytes)];
  EXPECT_EQ(dropped.spans, 20u * 5);
  EXPECT_EQ(dropped.requests, 0u);
  for (uint64_t i = 41; i <= 100; ++i) ASSERT_OK(spool->Append(MakeRecord(9, i), Payload(i)));
  EXPECT_LE(spool->bytes(), 6'800u);
  dropped = spool->dropped()[static_cast<size_t>(Spool::DropCause::kBytes)];
  const auto left = ReadAll(*spool);
  EXPECT_EQ(left.back(), std::make_pair(uint64_t{9}, uint64_t{100}));
  EXPECT_EQ(dropped.requests, (100 - left.size()) * 10);
  EXPECT_EQ(dropped.batches, 20 + 100 - left.size());
  EXPECT_EQ(spool->TakeDropped().batches, dropped.batches);
  EXPECT_EQ(spool->TakeDropped().batches, 0u);
}

TEST(SpoolTest, AcknowledgedBytesGoBeforeAnythingIsLost) {
  const base::TempDir dir;
  const auto spool = MustOpen(dir.path(), {.max_bytes = 4'000, .segment_bytes = 2'000});
  for (uint64_t i = 1; i <= 2; ++i) ASSERT_OK(spool->Append(MakeRecord(9, i), Payload(i, 500)));
  ASSERT_OK(spool->Append(MakeRecord(8, 1, SpoolLane::kSpans), Payload(1, 1000)));
  spool->Acknowledge(9, 1);
  for (uint64_t i = 3; i <= 4; ++i) ASSERT_OK(spool->Append(MakeRecord(9, i), Payload(i, 400)));
  spool->Acknowledge(9, 4);
  ASSERT_OK(spool->Append(MakeRecord(9, 5), Payload(5, 1500)));
  EXPECT_EQ(spool->dropped()[0].batches, 0u);
  EXPECT_EQ(ReadAll(*spool), (Sequences{{9, 5}, {8, 1}}));
}

TEST(SpoolTest, DropsWhatIsTooOldAndSaysSo) {
  const base::TempDir dir;
  const SpoolOptions options = {.max_age_ns = 60 * kSecond};
  const auto spool = MustOpen(dir.path(), options);
  ASSERT_OK(spool->Append(MakeRecord(9, 1), Payload(1)));
  spool->DropOld(kNow + 60 * kSecond);
  EXPECT_EQ(ReadAll(*spool).size(), 1u);
  spool->DropOld(kNow + 61 * kSecond);
  EXPECT_TRUE(ReadAll(*spool).empty());
  EXPECT_EQ(spool->dropped()[static_cast<size_t>(Spool::DropCause::kAge)].requests, 10u);
  EXPECT_EQ(spool->bytes(), 0u);
  ASSERT_OK(spool->Append(MakeRecord(9, 2), Payload(2)));
  EXPECT_EQ(ReadAll(*spool), (Sequences{{9, 2}}));
}

TEST(SpoolTest, ABatchLargerThanTheSpoolIsRefused) {
  const base::TempDir dir;
  const auto spool = MustOpen(dir.path(), {.max_bytes = 1'000});
  ASSERT_OK(spool->Append(MakeRecord(9, 1), Payload(1)));
  EXPECT_EQ(spool->Append(MakeRecord(9, 2), Payload(2, 2'000)).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReadAll(*spool).size(), 1u);
}

TEST(SpoolTest, ATornTailAtAnyByteKeepsTheRest) {
  const base::TempDir dir;
  {
    const auto spool = MustOpen(dir.path());
    for (uint64_t i = 1; i <= 3; ++i) ASSERT_OK(spool->Append(MakeRecord(9, i), Payload(i)));
  }
  const std::string path = Segments(dir.path()).at(0);
  std::stringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  const std::string whole = content.str();
  const size_t record_bytes = kSpoolHeaderBytes + 100;
  ASSERT_EQ(whole.size(), 3 * record_bytes);
  for (size_t size = 0; size < whole.size(); ++size) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << whole.substr(0, size);
    const auto spool = MustOpen(dir.path());
    EXPECT_EQ(ReadAll(*spool).size(), size / record_bytes) << size;
    const bool torn = size % record_bytes != 0;
    EXPECT_EQ(spool->dropped()[static_cast<size_t>(Spool::DropCause::kDamage)].batches, torn)
        << size;
    // Written anew, for an empty spool deletes its files.
  }
}

TEST(SpoolTest, DamageWhileRunningIsFoundBeforeItIsSent) {
  const base::TempDir dir;
  const auto spool = MustOpen(dir.path());
  for (uint64_t i = 1; i <= 3; ++i) ASSERT_OK(spool->Append(MakeRecord(9, i), Payload(i)));
  {
    std::fstream file(Segments(dir.path()).at(0), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(kSpoolHeaderBytes + 100 + kSpoolHeaderBytes + 50);
    file << '!';
  }
  EXPECT_EQ(ReadAll(*spool), (Sequences{{9, 1}, {9, 3}}));
  EXPECT_EQ(spool->dropped()[static_cast<size_t>(Spool::DropCause::kDamage)].requests, 10u);
  EXPECT_EQ(spool->unacknowledged(), 2u);
}

TEST(SpoolTest, ForeignFilesAreLeftAlone) {
  const base::TempDir dir;
  std::ofstream(dir.File("a-zz.seg")) << "x";
  std::ofstream(dir.File("notes.txt")) << "x";
  const auto spool = MustOpen(dir.path());
  EXPECT_TRUE(ReadAll(*spool).empty());
  EXPECT_TRUE(std::filesystem::exists(dir.File("a-zz.seg")));
  EXPECT_TRUE(std::filesystem::exists(dir.File("notes.txt")));
}

// What Append() accepted is there after kill -9 at any moment, with nothing missing in between.
TEST(SpoolTest, KillNineLosesNothingAccepted) {
  const base::TempDir dir;
  uint64_t accepted_before = 0;
  for (int run = 1; run <= 5; ++run) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(pipe_ends[0]);
      const auto spool = MustOpen(dir.path(), {.segment_bytes = 20'000});
      for (uint64_t i = 1;; ++i) {
        if (!spool->Append(MakeRecord(run, i), Payload(i, 100 + i * 37 % 3000)).ok()) _exit(1);
        if (write(pipe_ends[1], &i, sizeof(i)) != sizeof(i)) _exit(1);
      }
    }
    close(pipe_ends[1]);
    uint64_t accepted = 0;
    const uint64_t enough = 20 + static_cast<uint64_t>(run) * 13;
    while (accepted < enough) ASSERT_EQ(read(pipe_ends[0], &accepted, sizeof(accepted)), 8);
    kill(child, SIGKILL);
    while (read(pipe_ends[0], &accepted, sizeof(accepted)) == 8) {
    }
    close(pipe_ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));

    const auto spool = MustOpen(dir.path());
    const auto read = ReadAll(*spool);
    uint64_t of_this_run = 0;
    for (const auto& [epoch, sequence] : read) {
      if (epoch != static_cast<uint64_t>(run)) continue;
      EXPECT_EQ(sequence, ++of_this_run);
    }
    EXPECT_GE(of_this_run, accepted);
    EXPECT_LE(of_this_run, accepted + 1);  // written, but not yet told
    EXPECT_EQ(read.size(), accepted_before + of_this_run);
    accepted_before += of_this_run;
  }
}

// In a child: the file size limit makes writes fail half way, as a full disk does.
TEST(SpoolTest, AFailedWriteLosesOnlyThatBatchAndTheNextOneSucceeds) {
  const base::TempDir dir;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const auto spool = MustOpen(dir.path());
    const rlimit small = {.rlim_cur = 1'000, .rlim_max = RLIM_INFINITY};
    const rlimit large = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    if (!spool->Append(MakeRecord(9, 1), Payload(1, 300)).ok()) _exit(1);
    setrlimit(RLIMIT_FSIZE, &small);
    if (!spool->Append(MakeRecord(9, 2), Payload(2, 300)).ok()) _exit(2);
    if (spool->Append(MakeRecord(9, 3), Payload(3, 400)).ok()) _exit(3);
    if (spool->Append(MakeRecord(9, 3), Payload(3, 2'000)).ok()) _exit(4);
    if (spool->unacknowledged() != 2) _exit(5);
    setrlimit(RLIMIT_FSIZE, &large);
    if (!spool->Append(MakeRecord(9, 3), Payload(3, 2'000)).ok()) _exit(6);
    if (ReadAll(*spool) != Sequences{{9, 1}, {9, 2}, {9, 3}}) _exit(7);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  const auto spool = MustOpen(dir.path());
  EXPECT_EQ(ReadAll(*spool), (Sequences{{9, 1}, {9, 2}, {9, 3}}));
  EXPECT_EQ(spool->dropped()[static_cast<size_t>(Spool::DropCause::kDamage)].batches, 0u);
}

}  // namespace
}  // namespace kindling::agent
