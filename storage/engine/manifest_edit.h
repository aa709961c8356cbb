#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace rocksdb {
class Env;
}

namespace kindling::storage {

// A table as a manifest names it.
struct TableInManifest {
  uint32_t family = 0;
  int level = 0;
  uint64_t number = 0;
};

// Takes tables out of the manifest of a database that is not open: RocksDB does not open one with a
// table missing, and offers no way to go on without it. What follows the last whole record of the
// manifest, which RocksDB does not read, goes too.
absl::Status TakeOutOfManifest(rocksdb::Env& env, const std::string& directory,
                               const std::vector<TableInManifest>& tables);

}  // namespace kindling::storage
