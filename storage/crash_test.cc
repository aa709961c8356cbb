// A store is killed, loses power and meets faults again and again, and has every acknowledged
// record once.
//
//   KINDLING_CRASH_ROUNDS  how often, 300 if not set
//   KINDLING_CRASH_SEED    of the first store; a failure says with which it comes again
//   KINDLING_CRASH_KEEP    set: the directory of a failure stays

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "base/read_file.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "storage/testing/crash_oracle.h"
#include "storage/testing/crash_records.h"
#include "storage/testing/crash_round.h"
#include "storage/testing/fault_journal.h"

namespace kindling::storage {
namespace {

// Of one store, before the next one begins anew.
constexpr int kRoundsOfALife = 10;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// The last lines of what a process printed.
std::string Tail(const std::string& path) {
  const auto text = base::ReadFile(path, 64 << 20);
  if (!text.ok()) return "";
  constexpr size_t kBytes = 4000;
  return text->size() < kBytes ? *text : text->substr(text->size() - kBytes);
}

// Empty, or how a process ended that should have been killed or have ended well.
std::string BadEnd(int status) {
  if (WIFEXITED(status)) {
    if (WEXITSTATUS(status) == kCrashRoundDone) return "";
    return absl::StrFormat("ended with %d", WEXITSTATUS(status));
  }
  if (WTERMSIG(status) == SIGKILL) return "";
  if (WTERMSIG(status) == SIGALRM) return "hung";
  return absl::StrFormat("ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
}

struct Counts {
  int rounds = 0;
  int kills = 0;
  int power_cuts = 0;
  uint64_t appends = 0;
  uint64_t refused_appends = 0;
  uint64_t refused_opens = 0;
  uint64_t reads = 0;
  uint64_t retains = 0;
  uint64_t backups = 0;
};

// One store from its making on: `rounds` processes, and one that only looks. Each process writes
// what it has to say into a file, for it may be killed. An error is what one of them found, or how
// it ended.
absl::Status Live(CrashRound round, int rounds, Counts& counts) {
  base::TempDir dir;
  const std::string log = dir.File("log");
  round.root = dir.File("store");
  round.side = dir.File("side");
  round.ledger = dir.File("ledger");
  std::mt19937_64 random(round.seed);
  const CrashRecords records(round.seed);
  const auto ledger = CrashLedger::Open(round.ledger);
  if (!ledger.ok()) return ledger.status();
  absl::Status found;
  for (round.round = 0; found.ok() && round.round <= rounds; ++round.round) {
    round.last = round.round == rounds;
    const pid_t child = fork();
    if (child < 0) return absl::InternalError("fork failed");
    if (child == 0) {
      const int fd = ::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
      ::dup2(fd, STDERR_FILENO);
      RunCrashRound(round, records);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child) return absl::InternalError("waitpid failed");
    if (const std::string end = BadEnd(status); !end.empty()) {
      found = absl::InternalError(absl::StrFormat(
          "round %d of the store with seed %d %s; again with KINDLING_CRASH_SEED=%d\n%s",
          round.round, round.seed, end, round.seed, Tail(log)));
      break;
    }
    // The next processes have them from here.
    for (int stream = 0; stream < CrashRecords::kStreams; ++stream) {
      for (uint64_t i = (*ledger)->stream(stream).sent; i > 0; --i) records.Batch(stream, i);
    }
    ++counts.rounds;
    if (WIFSIGNALED(status)) ++counts.kills;
    if (!round.real_files && random() % 2 == 0) {
      ++counts.power_cuts;
      std::ofstream(log, std::ios::app) << "power cut\n";
      found = CutPower(round.root, round.side, random());
    }
  }
  const auto count = [&](CrashLedger::Counter counter) -> uint64_t {
    return (*ledger)->counter(counter);
  };
  counts.appends += count(CrashLedger::kAppends);
  counts.refused_appends += count(CrashLedger::kRefusedAppends);
  counts.refused_opens += count(CrashLedger::kRefusedOpens);
  counts.reads += count(CrashLedger::kReads);
  counts.retains += count(CrashLedger::kRetains);
  counts.backups += count(CrashLedger::kBackups);
  if (!found.ok() && std::getenv("KINDLING_CRASH_KEEP") != nullptr) {
    const std::string kept = dir.path() + "-kept";
    std::rename(dir.path().c_str(), kept.c_str());
    std::printf("kept %s\n", kept.c_str());
  }
  return found;
}

uint64_t FirstSeed() { return FromEnvironment("KINDLING_CRASH_SEED", 1); }

TEST(CrashTest, EveryAcknowledgedRecordIsThereOnce) {
  const int rounds = static_cast<int>(FromEnvironment("KINDLING_CRASH_ROUNDS", 300));
  Counts counts;
  for (uint64_t seed = FirstSeed(); counts.rounds < rounds; ++seed) {
    ASSERT_OK(Live({.seed = seed}, kRoundsOfALife, counts));
  }
  std::printf(
      "%d rounds, %d kills, %d losses of power; %d appends, %d refused; %d times not opened; "
      "read %d and retained %d times beside; %d backups\n",
      counts.rounds, counts.kills, counts.power_cuts, static_cast<int>(counts.appends),
      static_cast<int>(counts.refused_appends), static_cast<int>(counts.refused_opens),
      static_cast<int>(counts.reads), static_cast<int>(counts.retains),
      static_cast<int>(counts.backups));
  if (rounds < 100) return;
  EXPECT_GT(counts.kills, rounds / 3);
  EXPECT_GT(counts.appends, rounds);
  EXPECT_GT(counts.refused_appends, 0);
  EXPECT_GT(counts.refused_opens, 0);
  EXPECT_GT(counts.reads, 0);
  EXPECT_GT(counts.retains, 0);
  EXPECT_GT(counts.backups, 0);
}

// The operating system's own files, synced for real.
TEST(CrashTest, SoItIsOnARealFileSystem) {
  Counts counts;
  EXPECT_OK(Live({.seed = FirstSeed(), .real_files = true}, kRoundsOfALife, counts));
}

// That this test can fail.
TEST(CrashTest, AStoreThatDoesNotSyncIsFoundOut) {
  Counts counts;
  absl::Status found;
  for (uint64_t seed = FirstSeed(); found.ok() && counts.rounds < 100; ++seed) {
    found = Live({.seed = seed, .no_syncs = true}, kRoundsOfALife, counts);
  }
  EXPECT_FALSE(found.ok());
}

}  // namespace
}  // namespace kindling::storage
