#pragma once

#include <cstdint>
#include <string>

#include "storage/testing/crash_oracle.h"

namespace kindling::storage {

// How a process that ran a round ends, unless it is killed.
inline constexpr int kCrashRoundDone = 0;
inline constexpr int kCrashRoundFailed = 3;  // said why on standard error

// One life of a process in a crash test: opens the store, compares it with the ledger, appends,
// reads, retains and meets faults beside that until it is killed: by a timer, at a named failpoint,
// before an operation on a file, or after its last append; or it closes the store. All of this
// follows from `seed` and `round`.
struct CrashRound {
  std::string root;         // of the store
  std::string side;         // of FaultJournal
  std::string ledger;       // of CrashLedger
  uint64_t seed = 0;        // of the store's whole life
  int round = 0;            // 0, 1, ...
  bool last = false;        // only looks
  bool real_files = false;  // without FaultFileSystem: synced for real
  bool no_syncs = false;    // the store is a broken one: its syncs do nothing
};

// Ends the process, which must have had one thread. `records` is of the round's seed.
[[noreturn]] void RunCrashRound(const CrashRound& round, const CrashRecords& records);

}  // namespace kindling::storage
