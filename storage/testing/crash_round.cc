#include "storage/testing/crash_round.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <memory>
#include <random>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "storage/rocks_store.h"
#include "storage/testing/fault_file_system.h"

namespace kindling::storage {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int64_t kHourNs = int64_t{3600} * 1'000'000'000;

constexpr std::string_view kFailpoints[] = {
    "append:before_write", "append:after_write", "seal:before_write",  "seal:after_write",
    "merge:before_write",  "merge:after_write",  "retain:before_drop", "retain:after_drop",
    "open:after_recover",  "backup:before_copy", "backup:after_copy",
};

// A process that has not ended by then hangs.
constexpr unsigned kLongestSeconds = 120;
// Appends must work again within this after the last fault.
constexpr auto kResume = std::chrono::seconds(20);

enum class End { kTimer, kFailpoint, kOperation, kLastAppend, kClose };

[[noreturn]] void Die() {
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "CRASH TEST: %s\n", what.c_str());
  std::fflush(stderr);
  ::_exit(kCrashRoundFailed);
}

void Require(const absl::Status& status, std::string_view when) {
  if (!status.ok()) Fail(absl::StrFormat("%s: %s", when, status.ToString()));
}

class Round {
 public:
  Round(const CrashRound& round, const CrashRecords& records)
      : round_(round),
        life_(round.seed),
        random_(round.seed * 1'000'003 + static_cast<uint64_t>(round.round)),
        records_(records),
        backup_(round.root + ".backup") {}

  void Run();

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }
  // Of the life, so the same in all its rounds.
  void ChooseLife();
  void ChooseEnd();
  void ArmFaults(bool opening, uint64_t chances);
  bool Open();
  void Count(CrashLedger::Counter counter) { ++ledger_->counter(counter); }
  void Append(uint64_t seed, int first, int step);
  // False: refused, for a reason that may pass.
  bool Send(const std::vector<std::pair<int, uint64_t>>& group);
  void Beside(uint64_t seed);
  void Retain();
  // Backs the store up; the ledger of the backup says what had been acknowledged before.
  void Backup();
  // Opens the backup that is there, however the process ended that made it, and removes it.
  void CheckBackup();
  void RemoveBackup();

  const CrashRound round_;
  std::mt19937_64 life_;
  std::mt19937_64 random_;
  const CrashRecords& records_;
  const std::string backup_;  // its directory
  std::unique_ptr<CrashLedger> ledger_;
  CrashOracle::Options oracle_options_;
  std::unique_ptr<CrashOracle> oracle_;
  std::shared_ptr<FaultFileSystem> files_;
  RocksStoreOptions options_;
  std::unique_ptr<Store> store_;

  int threads_ = 1;
  bool retains_ = false;
  bool all_may_go_ = false;
  bool faulty_ = false;
  End end_ = End::kLastAppend;
  std::atomic<int64_t> countdown_ = INT64_MAX;  // of what `end_` counts
  std::string_view failpoint_;
  uint64_t appends_ = 0;  // of the round
  uint64_t first_fault_ = UINT64_MAX;
  uint64_t end_of_faults_ = 0;
  uint64_t fault_seed_ = 0;
  std::atomic<uint64_t> tried_ = 0;
  std::atomic<bool> faults_on_ = false;
  std::atomic<bool> done_ = false;
};

void Round::ChooseLife() {
  const auto below = [&](uint64_t bound) { return life_() % bound; };
  threads_ = 1 + static_cast<int>(below(2));
  retains_ = below(2) == 0;
  faulty_ = below(2) == 0 && !round_.real_files;
  options_.directory = round_.root;
  // A small one loses its oldest records to its size.
  all_may_go_ = below(6) == 0;
  options_.max_bytes = all_may_go_ ? uint64_t{1} << 20 : uint64_t{64} << (20 + below(4));
  // Little and much, so that some lives wait for the sealer.
  options_.memory_bytes = uint64_t{16} << (20 + below(6));
  const auto lengths = [&](int64_t bucket_ns, int64_t age_ns) {
    return TierOptions{bucket_ns * static_cast<int64_t>(1 + below(3)), age_ns};
  };
  const int64_t age_ns = static_cast<int64_t>(2 + below(4)) * kHourNs;
  options_.spans = lengths(kHourNs / 6, age_ns);
  options_.series_10s = lengths(kHourNs / 6, age_ns);
  options_.series_1m = lengths(kHourNs, 2 * age_ns);
  options_.series_1h = lengths(24 * kHourNs, 3650 * 24 * kHourNs);
  options_.events = lengths(kHourNs, 2 * age_ns);
  options_.seal_after_ns = int64_t{1'000'000} << below(12);
  options_.min_free_bytes = 0;
}

void Round::ChooseEnd() {
  end_ = static_cast<End>(Below(5));
  if (round_.real_files && end_ == End::kOperation) end_ = End::kTimer;
  appends_ = 1 + Below(50);
  switch (end_) {
    case End::kTimer: {
      const microseconds wait(Below(40'000));
      std::thread([wait] {
        std::this_thread::sleep_for(wait);
        Die();
      }).detach();
      appends_ = UINT64_MAX;
      break;
    }
    case End::kFailpoint:
      failpoint_ = kFailpoints[Below(std::size(kFailpoints))];
      countdown_ = 1 + static_cast<int64_t>(Below(10));
      break;
    case End::kOperation:
      countdown_ = 1 + static_cast<int64_t>(Below(Below(2) == 0 ? 30 : 200));
      break;
    case End::kLastAppend:
    case End::kClose:
      break;
  }
  if (faulty_ && Below(2) == 0) {
    first_fault_ = Below(20);
    end_of_faults_ = first_fault_ + 1 + Below(10);
    fault_seed_ = random_();
  }
}

void Round::ArmFaults(bool opening, uint64_t chances) {
  constexpr FileOperation kWriting[] = {FileOperation::kOpen,   FileOperation::kWrite,
                                        FileOperation::kSync,   FileOperation::kRename,
                                        FileOperation::kDelete, FileOperation::kSyncDirectory};
  const auto below = [&](uint64_t bound) {
    chances = chances * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
    return (chances >> 33) % bound;
  };
  if (below(5) == 0) files_->SetRoom(below(100'000));
  const int error = below(2) == 0 ? EIO : ENOSPC;
  const double chance = below(3) == 0 ? 1 : 0.02 * static_cast<double>(1 + below(10));
  const bool all = below(2) == 0;
  const size_t only = below(std::size(kWriting));
  for (size_t i = 0; i < std::size(kWriting); ++i) {
    if (all || i == only) files_->Fail(kWriting[i], error, chance, chances);
  }
  if (opening && below(3) == 0) files_->Fail(FileOperation::kRead, EIO, chance, chances);
}

bool Round::Open() {
  if (!round_.real_files) {
    auto made = FaultFileSystem::Make(round_.root, round_.side);
    Require(made.status(), "make the file system");
    files_ = *std::move(made);
    if (round_.no_syncs) files_->IgnoreSyncs();
    options_.testing.file_system = files_;
    files_->SetBefore([this](FileOperation) {
      if (end_ == End::kOperation && --countdown_ == 0) Die();
    });
  }
  options_.testing.failpoint = [this](std::string_view point) {
    if (end_ == End::kFailpoint && point == failpoint_ && --countdown_ == 0) Die();
  };
  const bool faults = faulty_ && !round_.last && Below(4) == 0;
  if (faults) ArmFaults(/*opening=*/true, random_());
  auto opened = OpenRocksStore(options_);
  if (!opened.ok()) {
    if (!faults || files_->failures() == 0) Require(opened.status(), "open");
    if (opened.status().message().find('\n') != std::string_view::npos) {
      Fail("the reason of a refusal to open has several lines");
    }
    Count(CrashLedger::kRefusedOpens);
    std::fprintf(stderr, "not opened: %s\n", opened.status().ToString().c_str());
    return false;
  }
  store_ = *std::move(opened);
  if (faults) files_->FailNothing();
  return true;
}

void Round::Retain() {
  uint64_t sequence = 0;
  for (int i = 0; i < CrashRecords::kStreams; ++i) {
    sequence = std::max<uint64_t>(sequence, ledger_->stream(i).acked);
  }
  const int64_t now_ns = records_.SentNs(sequence);
  // One thread retains.
  ledger_->now_ns() = std::max<int64_t>(ledger_->now_ns(), now_ns);
  const bool faults = faults_on_;
  const absl::Status retained = store_->Retain(now_ns);
  if (!retained.ok() && !faults && !faulty_) Require(retained, "retain");
  if (retained.ok()) Count(CrashLedger::kRetains);
}

bool Round::Send(const std::vector<std::pair<int, uint64_t>>& group) {
  std::vector<model::Batch> batches;
  for (const auto& [stream, sequence] : group) {
    batches.push_back(records_.Batch(stream, sequence));
    std::atomic<uint64_t>& sent = ledger_->stream(stream).sent;
    sent = std::max<uint64_t>(sent, sequence);
  }
  const absl::Status status = store_->Append(batches);
  if (!status.ok()) {
    if (files_ == nullptr || files_->failures() == 0) {
      const auto state = store_->admin().GetStatus();
      Fail(absl::StrFormat("append: %s; %d batches and %d bytes not sealed", status.ToString(),
                           state.ok() ? state->unsealed_batches : 0,
                           state.ok() ? state->unsealed_bytes : 0));
    }
    Count(CrashLedger::kRefusedAppends);
    std::fprintf(stderr, "refused: %s\n", status.ToString().c_str());
    return false;
  }
  Count(CrashLedger::kAppends);
  for (const auto& [stream, sequence] : group) ledger_->stream(stream).acked = sequence;
  return true;
}

void Round::Append(uint64_t seed, int first, int step) {
  std::mt19937_64 random(seed);
  while (!done_) {
    const uint64_t number = tried_++;
    if (number == first_fault_) {
      faults_on_ = true;
      ArmFaults(/*opening=*/false, fault_seed_);
    }
    if (number == end_of_faults_ && end_of_faults_ != 0) {
      files_->FailNothing();
      faults_on_ = false;
    }
    if (number >= appends_) return;
    // What was refused is sent once more, as agents do.
    std::vector<std::pair<int, uint64_t>> group;
    for (int stream = first; stream < CrashRecords::kStreams; stream += step) {
      uint64_t sequence = ledger_->stream(stream).acked;
      for (uint64_t n = random() % 3; n > 0; --n) group.emplace_back(stream, ++sequence);
    }
    if (Send(group)) continue;
    const auto since = steady_clock::now();
    while (number >= end_of_faults_ && !Send(group)) {
      if (steady_clock::now() - since > kResume) Fail("appends do not go on after the last fault");
      std::this_thread::sleep_for(milliseconds(2));
    }
  }
}

void Round::Beside(uint64_t seed) {
  std::mt19937_64 random(seed);
  while (!done_) {
    if (retains_ && random() % 2 == 0) Retain();
    if (random() % 8 == 0) {
      const bool faults = faults_on_;
      const absl::Status compacted = store_->admin().Compact();
      if (!compacted.ok() && !faults && !faulty_) Require(compacted, "compact");
    }
    if (random() % 3 == 0) {
      Backup();
      if (random() % 2 == 0) CheckBackup();
    }
    Require(oracle_->CheckBeside(*store_), "beside appends");
    Count(CrashLedger::kReads);
    std::this_thread::sleep_for(milliseconds(random() % 6));
  }
}

// A kill leaves no half of one.
void Round::RemoveBackup() {
  const std::string gone = backup_ + ".gone";
  std::filesystem::remove_all(gone);
  std::error_code missing;
  std::filesystem::rename(backup_, gone, missing);
  std::filesystem::remove_all(gone);
}

void Round::Backup() {
  RemoveBackup();
  std::filesystem::remove(backup_ + ".ledger");
  {
    auto ledger = CrashLedger::Open(backup_ + ".ledger");
    Require(ledger.status(), "open the ledger of a backup");
    for (int i = 0; i < CrashRecords::kStreams; ++i) {
      (*ledger)->stream(i).acked = ledger_->stream(i).acked.load();
    }
  }
  const bool faults = faults_on_;
  const absl::Status backed_up = store_->admin().Backup(backup_);
  if (!backed_up.ok() && !faults && !faulty_) Require(backed_up, "back up");
}

void Round::CheckBackup() {
  if (!std::filesystem::exists(backup_)) return;
  auto ledger = CrashLedger::Open(backup_ + ".ledger");
  Require(ledger.status(), "open the ledger of a backup");
  for (int i = 0; i < CrashRecords::kStreams; ++i) {
    (*ledger)->stream(i).sent = ledger_->stream(i).sent.load();
  }
  (*ledger)->now_ns() = ledger_->now_ns().load();
  RocksStoreOptions options = options_;
  options.directory = backup_;
  options.testing = {};
  {
    auto store = OpenRocksStore(options);
    Require(store.status(), "open a backup");
    Require(CrashOracle(records_, **ledger, oracle_options_).CheckAll(**store), "of a backup");
    const auto verified = (*store)->admin().Verify();
    Require(verified.status(), "verify a backup");
    if (!verified->faults.empty()) Fail("verify a backup: " + verified->faults.front());
  }
  RemoveBackup();
  Count(CrashLedger::kBackups);
}

void Round::Run() {
  ::alarm(kLongestSeconds);
  auto ledger = CrashLedger::Open(round_.ledger);
  Require(ledger.status(), "open the ledger");
  ledger_ = *std::move(ledger);
  ChooseLife();
  oracle_options_ = {.spans_age_ns = options_.spans.max_age_ns,
                     .series_10s_age_ns = options_.series_10s.max_age_ns,
                     .series_1m_age_ns = options_.series_1m.max_age_ns,
                     .events_age_ns = options_.events.max_age_ns,
                     .all_may_go = all_may_go_};
  oracle_ = std::make_unique<CrashOracle>(records_, *ledger_, oracle_options_);
  if (!round_.last) ChooseEnd();
  constexpr const char* kEnds[] = {"timer", "failpoint", "operation", "last append", "close"};
  std::fprintf(stderr,
               "round %d: %d threads, faults %d from %d to %d, retains %d, ends by %s %s %d\n",
               round_.round, threads_, faulty_, static_cast<int>(first_fault_),
               static_cast<int>(end_of_faults_), retains_, kEnds[static_cast<size_t>(end_)],
               std::string(failpoint_).c_str(), static_cast<int>(countdown_));
  if (!Open()) ::_exit(kCrashRoundDone);
  Require(oracle_->CheckAll(*store_), "after opening");
  CheckBackup();
  if (round_.last) {
    const auto verified = store_->admin().Verify();
    Require(verified.status(), "verify");
    if (!verified->faults.empty()) Fail("verify: " + verified->faults.front());
    store_.reset();
    ::_exit(kCrashRoundDone);
  }

  std::thread beside;
  if (Below(2) == 0) beside = std::thread([this, seed = random_()] { Beside(seed); });
  std::vector<std::thread> appenders;
  for (int i = 0; i < threads_; ++i) {
    appenders.emplace_back([this, i, seed = random_()] { Append(seed, i, threads_); });
  }
  for (std::thread& thread : appenders) thread.join();
  if (end_ == End::kFailpoint || end_ == End::kOperation || end_ == End::kLastAppend) Die();
  done_ = true;
  if (beside.joinable()) beside.join();
  if (files_ != nullptr) files_->FailNothing();
  // Until the store has recovered it does not say what is durable.
  const auto since = steady_clock::now();
  while (!store_->Append(std::vector<model::Batch>()).ok()) {
    if (steady_clock::now() - since > kResume) Fail("the store does not recover");
    std::this_thread::sleep_for(milliseconds(2));
  }
  Require(oracle_->CheckAll(*store_), "before closing");
  store_.reset();
  ::_exit(kCrashRoundDone);
}

}  // namespace

void RunCrashRound(const CrashRound& round, const CrashRecords& records) {
  Round(round, records).Run();
  std::abort();
}

}  // namespace kindling::storage
