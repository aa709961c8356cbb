#include "base/process_usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

namespace kindling::base {

ProcessUsage ReadProcessUsage() {
  ProcessUsage usage;
  if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
    unsigned long pages = 0;  // NOLINT(google-runtime-int): fscanf's own type
    if (std::fscanf(file, "%*u %lu", &pages) == 1) {
      usage.resident_bytes = pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    }
    std::fclose(file);
  }
  rusage own{};
  if (getrusage(RUSAGE_SELF, &own) == 0) {
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    usage.cpu_seconds = seconds(own.ru_utime) + seconds(own.ru_stime);
  }
  return usage;
}

}  // namespace kindling::base
