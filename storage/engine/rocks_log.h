#pragma once

#include <memory>

namespace rocksdb {
class Logger;
}

namespace kindling::storage {

// RocksDB's own messages go to the program's log, at verbosity 1, not to a file beside the data:
// that file's writer aborts in Debian's build, which asserts, when the disk is full. That a part of
// a log is left out is a warning.
std::shared_ptr<rocksdb::Logger> MakeRocksLogger();

}  // namespace kindling::storage
