// Flipped bits, holes, missing ends and missing files in a copy of a store whose content is known:
// it opens or says in one line why not; what it gives is right; what it does not give it reports.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/metadata.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/read_file.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "storage/rocks_store.h"
#include "storage/testing/crash_oracle.h"
#include "storage/testing/crash_records.h"

namespace kindling::storage {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSeed = 11;
constexpr uint64_t kBatches = 15;  // of a stream, each time the store is open
constexpr int kOpenings = 3;
constexpr unsigned kLongestSeconds = 120;

// How a process that opened a damaged store ended.
enum class Outcome {
  kWhole = 20,     // everything is there
  kReported = 21,  // not everything, and it says so
  kSilent = 22,    // not everything, and it says nothing
  kLogged = 23,    // not everything; the program's log says so
  kRefused = 24,   // with one line
  kWrong = 25,     // said why on standard error
  kReadOnly = 26,  // can be read, takes nothing and says why
};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "DAMAGE TEST: %s\n", what.c_str());
  std::fflush(stderr);
  ::_exit(static_cast<int>(Outcome::kWrong));
}

RocksStoreOptions OptionsOf(const std::string& directory) {
  return {.directory = directory, .max_bytes = 64 << 20, .min_free_bytes = 0};
}

// Makes the store. Closed, it has everything in tables; else its last records are in the log alone.
void Build(const std::string& directory, const std::string& ledger_path, bool close) {
  const CrashRecords records(kSeed);
  auto ledger = CrashLedger::Open(ledger_path);
  if (!ledger.ok()) Fail(ledger.status().ToString());
  uint64_t sequence = 0;
  for (int opening = 0; opening < kOpenings; ++opening) {
    auto store = OpenRocksStore(OptionsOf(directory));
    if (!store.ok()) Fail(store.status().ToString());
    for (const uint64_t last = sequence + kBatches; sequence < last;) {
      ++sequence;
      for (int stream = 0; stream < CrashRecords::kStreams; ++stream) {
        const absl::Status appended = (*store)->Append({records.Batch(stream, sequence)});
        if (!appended.ok()) Fail(appended.ToString());
        (*ledger)->stream(stream).sent = sequence;
        (*ledger)->stream(stream).acked = sequence;
      }
    }
    const absl::Status right = CrashOracle(records, **ledger, {}).CheckAll(**store);
    if (!right.ok()) Fail(right.ToString());
    if (opening == 0) (*store)->admin().Compact().IgnoreError();
    if (!close && opening == kOpenings - 1) ::_exit(static_cast<int>(Outcome::kWhole));
  }
  ::_exit(static_cast<int>(Outcome::kWhole));
}

// Sends each stream's next batch. False: the store says why it takes nothing.
bool Send(Store& store, const CrashRecords& records, CrashLedger& ledger, uint64_t sequence) {
  constexpr absl::Duration kLongest = absl::Seconds(20);
  for (int stream = 0; stream < CrashRecords::kStreams; ++stream) {
    CrashLedger::Stream& entry = ledger.stream(stream);
    entry.sent = sequence;
    absl::Status sent;
    // After a failure the store is opened anew.
    for (const absl::Time end = absl::Now() + kLongest; absl::Now() < end;) {
      sent = store.Append({records.Batch(stream, sequence)});
      if (sent.ok() || sent.message().find("can only be read") != std::string_view::npos) break;
      absl::SleepFor(absl::Milliseconds(20));
    }
    if (sent.ok()) {
      entry.acked = sequence;
      continue;
    }
    const auto status = store.admin().GetStatus();
    if (!status.ok() || status->stopped.empty()) Fail("it stops without a reason");
    std::fprintf(stderr, "stopped: %s\n", status->stopped.c_str());
    return false;
  }
  return true;
}

// Opens a damaged store twice, reads, writes and tidies up.
void Try(const std::string& directory, const std::string& ledger_path) {
  const CrashRecords records(kSeed);
  auto ledger = CrashLedger::Open(ledger_path);
  if (!ledger.ok()) Fail(ledger.status().ToString());
  CrashOracle oracle(records, **ledger, {});
  Outcome outcome = Outcome::kWhole;
  for (int opening = 0; opening < 2; ++opening) {
    auto store = OpenRocksStore(OptionsOf(directory));
    if (!store.ok()) {
      const std::string reason(store.status().message());
      if (reason.empty() || reason.find('\n') != std::string_view::npos) {
        Fail("the reason of the refusal is not one line: " + store.status().ToString());
      }
      std::fprintf(stderr, "%s\n", store.status().ToString().c_str());
      if (opening == 0) outcome = Outcome::kRefused;
      break;
    }
    ScanReport report;
    const auto missing = oracle.CheckDamaged(**store, report);
    if (!missing.ok()) Fail(missing.status().ToString());
    for (const std::string& note : report.notes) {
      if (note.empty() || note.find('\n') != std::string::npos) Fail("not one line: " + note);
    }
    const auto status = (*store)->admin().GetStatus();
    if (!status.ok()) Fail("status: " + status.status().ToString());
    for (const std::string& fault : status->faults) std::fprintf(stderr, "%s\n", fault.c_str());
    if (*missing > 0 && (opening == 0 || outcome == Outcome::kReported)) {
      outcome = report.damaged_blocks > 0 ? Outcome::kReported : Outcome::kSilent;
      std::fprintf(stderr, "%d rows and windows are missing\n", static_cast<int>(*missing));
    }
    const auto verified = (*store)->admin().Verify();
    if (!verified.ok()) Fail("verify: " + verified.status().ToString());
    if (report.damaged_blocks > 0 && verified->faults.empty()) {
      Fail("verify does not find the damage that a scan reports: " + report.notes.front());
    }
    // Whatever they say, they come back.
    (*store)->DurableSequences(CrashRecords::AgentOf(0)).status().IgnoreError();
    (*store)->OldestNs();
    (*store)->ApproximateBytes();
    const uint64_t next = kOpenings * kBatches + 1 + 2 * static_cast<uint64_t>(opening);
    if (!Send(**store, records, **ledger, next)) {
      if (outcome == Outcome::kSilent) Fail("it can only be read, and does not say what it lacks");
      outcome = Outcome::kReadOnly;
      continue;
    }
    // Compaction meets what is damaged; the store goes on.
    (*store)->admin().Compact().IgnoreError();
    if (!Send(**store, records, **ledger, next + 1)) Fail("it does not go on after a compaction");
    (*store)->Retain(CrashRecords::kBeginNs).IgnoreError();
  }
  ::_exit(static_cast<int>(outcome));
}

// What `work`, in a process of its own, ends with.
std::string RunAside(const std::string& log, const std::function<void()>& work, Outcome& outcome) {
  const pid_t child = fork();
  if (child == 0) {
    const int fd = ::open(log.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    ::dup2(fd, STDERR_FILENO);
    ::alarm(kLongestSeconds);
    work();
    ::_exit(static_cast<int>(Outcome::kWrong));
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return "fork failed";
  if (WIFSIGNALED(status)) return std::string("killed by ") + strsignal(WTERMSIG(status));
  outcome = static_cast<Outcome>(WEXITSTATUS(status));
  return "";
}

// Writes down which table is whose.
void WriteFamilies(const std::string& directory) {
  std::vector<std::string> names;
  if (!rocksdb::DB::ListColumnFamilies({}, directory, &names).ok()) Fail("list families");
  std::vector<rocksdb::ColumnFamilyDescriptor> all;
  for (const std::string& name : names) all.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const auto opened = rocksdb::DB::OpenForReadOnly({}, directory, all, &handles, &db);
  if (!opened.ok()) Fail(opened.ToString());
  std::vector<rocksdb::LiveFileMetaData> files;
  db->GetLiveFilesMetaData(&files);
  std::ofstream out(directory + ".families");
  for (const auto& file : files) {
    out << file.relative_filename << " " << file.column_family_name << "\n";
  }
  out.close();
  ::_exit(static_cast<int>(Outcome::kWhole));
}

enum class Damage { kFlip, kHole, kEnd, kTail, kGone };
constexpr std::string_view kDamageNames[] = {"a flipped bit in", "a hole in", "no end of",
                                             "more at the end of", "no"};

// Changes the file in some place; returns what and where.
std::string Hurt(const fs::path& path, Damage damage, std::mt19937_64& random) {
  const uint64_t size = fs::file_size(path);
  const uint64_t at = size == 0 ? 0 : random() % size;
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  switch (damage) {
    case Damage::kFlip: {
      file.seekg(static_cast<std::streamoff>(at));
      const int byte = file.get();
      file.clear();
      file.seekp(static_cast<std::streamoff>(at));
      file.put(static_cast<char>(byte ^ 1 << random() % 8));
      break;
    }
    case Damage::kHole: {
      const uint64_t length = std::min<uint64_t>(size - at, 1 + random() % 4096);
      file.seekp(static_cast<std::streamoff>(at));
      file << std::string(length, '\0');
      break;
    }
    case Damage::kEnd:
      file.close();
      fs::resize_file(path, at);
      break;
    case Damage::kTail:
      file.seekp(0, std::ios::end);
      for (uint64_t i = 1 + random() % 100; i > 0; --i) file.put(static_cast<char>(random()));
      break;
    case Damage::kGone:
      file.close();
      fs::remove(path);
      break;
  }
  return absl::StrFormat("%s %s at %d of %d", kDamageNames[static_cast<size_t>(damage)],
                         path.filename().string(), at, size);
}

class DamageTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = new base::TempDir;
    families_ = new std::map<std::string, std::string>;
    for (const bool close : {false, true}) {
      const std::string from = dir_->File(close ? "closed" : "killed");
      fs::create_directory(from);
      Outcome outcome = Outcome::kWrong;
      const std::string end = RunAside(
          from + "/log", [&] { Build(from + "/store", from + "/ledger", close); }, outcome);
      ASSERT_EQ(end, "");
      ASSERT_EQ(outcome, Outcome::kWhole) << *base::ReadFile(from + "/log", 1 << 20);
    }
    // In a process of its own too: one that has used RocksDB must not fork.
    Outcome outcome = Outcome::kWrong;
    ASSERT_EQ(
        RunAside(
            dir_->File("log"), [] { WriteFamilies(dir_->File("closed") + "/store"); }, outcome),
        "");
    std::ifstream families(dir_->File("closed") + "/store.families");
    for (std::string table, family; families >> table >> family;) (*families_)[table] = family;
    ASSERT_FALSE(families_->empty());
  }
  static void TearDownTestSuite() {
    delete dir_;
    delete families_;
  }
  static bool IsOfBucket(const std::string& name) {
    const auto it = families_->find(name);
    return it != families_->end() && it->second.find('.') != std::string::npos;
  }
  static auto IsOf(const std::string& family) {
    return [family](const std::string& name) {
      const auto it = families_->find(name);
      return it != families_->end() && it->second == family;
    };
  }

  // Damages files of the kind in turn. Returns how often each outcome came.
  std::map<Outcome, int> Times(const std::function<bool(const std::string&)>& kind,
                               const std::vector<Damage>& damages, int trials,
                               const std::string& of = "closed") {
    const std::string from = dir_->File(of);
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(from + "/store")) {
      if (kind(entry.path().filename()) && entry.file_size() > 0) {
        names.push_back(entry.path().filename());
      }
    }
    std::sort(names.begin(), names.end());
    EXPECT_FALSE(names.empty());
    std::map<Outcome, int> times;
    if (names.empty()) return times;
    std::mt19937_64 random(kSeed);
    for (int i = 0; i < trials && !HasFailure(); ++i) {
      const base::TempDir copy;
      fs::copy(from + "/store", copy.File("store"));
      fs::copy(from + "/ledger", copy.File("ledger"));
      const std::string what = Hurt(copy.File("store") + "/" + names[random() % names.size()],
                                    damages[static_cast<size_t>(i) % damages.size()], random);
      Outcome outcome = Outcome::kWrong;
      const std::string log = copy.File("log");
      const std::string end = RunAside(
          log, [&] { Try(copy.File("store"), copy.File("ledger")); }, outcome);
      const std::string said = *base::ReadFile(log, 1 << 20);
      if (outcome == Outcome::kSilent && said.find("damaged part of its log") != said.npos) {
        outcome = Outcome::kLogged;
      }
      EXPECT_EQ(end, "") << what << "\n" << said;
      EXPECT_NE(outcome, Outcome::kWrong) << what << "\n" << said;
      ++times[outcome];
      if (std::getenv("KINDLING_DAMAGE_SHOW") != nullptr) {
        std::printf("%s: %d\n%s\n", what.c_str(), static_cast<int>(outcome), said.c_str());
      }
    }
    std::printf("%d whole, %d reported, %d logged, %d silent, %d read only, %d refused\n",
                times[Outcome::kWhole], times[Outcome::kReported], times[Outcome::kLogged],
                times[Outcome::kSilent], times[Outcome::kReadOnly], times[Outcome::kRefused]);
    return times;
  }

  static base::TempDir* dir_;
  static std::map<std::string, std::string>* families_;
};

base::TempDir* DamageTest::dir_ = nullptr;
std::map<std::string, std::string>* DamageTest::families_ = nullptr;

constexpr Damage kDamages[] = {Damage::kFlip, Damage::kHole, Damage::kEnd, Damage::kTail,
                               Damage::kGone};
const std::vector<Damage> kAnyDamage(std::begin(kDamages), std::end(kDamages));

TEST_F(DamageTest, WithoutATableOfABucketTheRestGoesOn) {
  std::map<Outcome, int> times = Times(IsOfBucket, {Damage::kFlip, Damage::kHole}, 30);
  EXPECT_EQ(times[Outcome::kWhole] + times[Outcome::kReported], 30);
  EXPECT_GT(times[Outcome::kReported], 0);
  times = Times(IsOfBucket, {Damage::kEnd, Damage::kTail, Damage::kGone}, 24);
  EXPECT_EQ(times[Outcome::kWhole] + times[Outcome::kReported], 24);
  EXPECT_GT(times[Outcome::kReported], 12);
}

TEST_F(DamageTest, WithoutATableOfItsOwnAStoreCanBeRead) {
  for (const char* family : {"raw", "default"}) {
    std::map<Outcome, int> times = Times(IsOf(family), {Damage::kFlip, Damage::kHole}, 12);
    EXPECT_EQ(times[Outcome::kSilent] + times[Outcome::kRefused], 0);
    times = Times(IsOf(family), {Damage::kEnd, Damage::kTail, Damage::kGone}, 6);
    EXPECT_EQ(times[Outcome::kReadOnly], 6);
  }
}

// What is behind the damage is lost with it. A missing end looks to RocksDB like a log that was cut
// by a loss of power.
TEST_F(DamageTest, OfTheLogWhatIsBeforeTheDamageStays) {
  const auto is_log = [](const std::string& name) { return name.ends_with(".log"); };
  std::map<Outcome, int> times = Times(is_log, {Damage::kFlip, Damage::kTail}, 20, "killed");
  EXPECT_EQ(times[Outcome::kRefused], 0);
  EXPECT_EQ(times[Outcome::kSilent], 0);
  EXPECT_GT(times[Outcome::kReported] + times[Outcome::kLogged], 0);
  times = Times(is_log, {Damage::kHole, Damage::kEnd, Damage::kGone}, 20, "killed");
  EXPECT_EQ(times[Outcome::kRefused] + times[Outcome::kSilent] + times[Outcome::kLogged], 0);
  EXPECT_GT(times[Outcome::kReported], 10);
}

TEST_F(DamageTest, OfAManifestNothingIsLostInSilence) {
  std::map<Outcome, int> times =
      Times([](const std::string& name) { return name.starts_with("MANIFEST"); }, kAnyDamage, 30);
  EXPECT_EQ(times[Outcome::kSilent], 0);
  EXPECT_GT(times[Outcome::kRefused], 0);
}

TEST_F(DamageTest, ACurrentFileThatCannotBeReadIsRefused) {
  std::map<Outcome, int> times =
      Times([](const std::string& name) { return name == "CURRENT"; }, kAnyDamage, 30);
  EXPECT_EQ(times[Outcome::kSilent] + times[Outcome::kReported], 0);
  EXPECT_GT(times[Outcome::kRefused], 0);
}

TEST_F(DamageTest, WhatIsNotNeededIsNotMissed) {
  std::map<Outcome, int> times = Times(
      [](const std::string& name) {
        return name.starts_with("OPTIONS") || name == "IDENTITY" || name == "MANIFEST.guard" ||
               name == "WAL.guard";
      },
      kAnyDamage, 30);
  EXPECT_EQ(times[Outcome::kWhole], 30);
}

}  // namespace
}  // namespace kindling::storage
