#include "storage/rocks_log.h"

#include <glog/logging.h>
#include <rocksdb/env.h>

#include <cstdarg>
#include <cstdio>

namespace kindling::storage {
namespace {

constexpr size_t kMaxLineBytes = 1024;

class GlogLogger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
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
