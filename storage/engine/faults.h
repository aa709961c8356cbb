#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/engine/bucket_id.h"

namespace rocksdb {
class Env;
}

// What is missing from a store, or cannot be read. What was taken out of it, or had gone from its
// log, is found once; it is noted in the directory `damaged` of the store, beside the files that
// were taken out, and is told of until the records of its time would be gone anyway.
namespace kindling::storage {

struct Fault {
  std::string what;          // goes on from "The store could not read "; one line
  std::optional<Tier> tier;  // of whose records some are missing; nothing: of any
  int64_t start_ns = INT64_MIN;
  int64_t end_ns = INT64_MAX;

  // True when some records of this tier, or of none, in this time may be missing.
  bool Concerns(std::optional<Tier> of, int64_t from_ns, int64_t to_ns) const {
    return (!tier || tier == of) && start_ns < to_ns && from_ns < end_ns;
  }
  bool operator==(const Fault&) const = default;
};

std::string DamagedDirectory(const std::string& directory);
// All notes. One that cannot be read is a fault of its own.
std::vector<Fault> ReadNotes(rocksdb::Env& env, const std::string& directory);
// Makes the directory when it is missing. Leaves out what is there already.
absl::Status AddNotes(rocksdb::Env& env, const std::string& directory,
                      const std::vector<Fault>& faults);
// Takes the notes, not the files, into another store's directory.
absl::Status CopyNotes(rocksdb::Env& env, const std::string& from, const std::string& to);

// "2026-01-02 03:04:05 UTC"
std::string TimeText(int64_t time_ns);

}  // namespace kindling::storage
