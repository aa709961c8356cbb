#include "storage/engine/rocks_log.h"

#include <glog/logging.h>
#include <rocksdb/env.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace kindling::storage {
namespace {

constexpr size_t kMaxLineBytes = 1024;

// Of the format with which RocksDB tells that it reads a write-ahead log only in part.
constexpr char kDropping[] = "dropping %d bytes";

class GlogLogger final : public rocksdb::Logger {
 public:
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (std::strstr(format, kDropping) == nullptr) {
      rocksdb::Logger::Logv(level, format, arguments);
      return;
    }
    char line[kMaxLineBytes];
    std::vsnprintf(line, sizeof(line), format, arguments);
    LOG(WARNING) << "the store leaves out a damaged part of its log; what was acknowledged there "
                    "is gone, what was not will be sent again: "
                 << line;
  }
  void Logv(const char* format, va_list arguments) override {
    if (!VLOG_IS_ON(1)) return;
    char line[kMaxLineBytes];
    std::vsnprintf(line, sizeof(line), format, arguments);
    VLOG(1) << "rocksdb: " << line;
  }
};

}  // namespace

std::shared_ptr<rocksdb::Logger> MakeRocksLogger() { return std::make_shared<GlogLogger>(); }

}  // namespace kindling::storage
