#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace rocksdb {
class DB;
class Env;
}  // namespace rocksdb

namespace kindling::storage {

// RocksDB takes a manifest without its end for one that was not written further, and deletes every
// table that it does not name. So the file MANIFEST.guard says how long the manifest was at least
// and what it held; it is a few bytes behind, never ahead.
//
// `env` is the database's.

// Before a database is opened. DATA_LOSS: its manifest has lost what it held. Says nothing when
// there is no guard, or one of another manifest.
absl::Status CheckManifest(rocksdb::Env& env, const std::string& directory);

// Once it is open, and from time to time. Does nothing when the manifest has not grown since
// `noted`, which is empty at first.
absl::Status GuardManifest(rocksdb::DB& db, std::string& noted);

}  // namespace kindling::storage
