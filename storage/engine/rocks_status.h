#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace rocksdb {
class Status;
}

namespace kindling::storage {

// The only conversion from RocksDB's status. `operation` begins the message: "write to the store".
absl::Status FromRocks(const rocksdb::Status& status, std::string_view operation);

// What went wrong when opening the database in `directory`, in one line that says what to do.
absl::Status OpenFault(const rocksdb::Status& status, std::string_view directory);

}  // namespace kindling::storage
