#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/unique_fd.h"

namespace rocksdb {
class Env;
}

namespace kindling::storage {

// RocksDB takes a log that has lost its end for one that was not written further. So the file
// WAL.guard says up to which sequence number of the database writes are durable. It is written in
// place after each synced write, without a sync of its own: after a loss of power it may say less,
// never more.
//
// Threads: one at a time.
class LogGuard {
 public:
  struct Mark {
    uint64_t sequence = 0;
    int64_t time_ns = 0;  // when it was written
  };

  // Of the database in `directory`, whose Env `env` is.
  LogGuard(rocksdb::Env& env, std::string directory);

  // Nothing when there is no guard, or an unreadable one: it must not accuse a good log.
  std::optional<Mark> Read() const;
  // What cannot be written down is not guarded.
  void Write(const Mark& mark);

 private:
  rocksdb::Env& env_;
  const std::string path_;
  base::UniqueFd fd_;
};

}  // namespace kindling::storage
