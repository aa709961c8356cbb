// Prints how many ns one getppid() takes on the wall clock: the least of many short runs, which is
// what the call costs when nothing else interrupts it. syscall_clock [RUNS]

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "base/clock.h"

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 50;
  constexpr int kCalls = 20'000;
  double best_ns = 1e18;
  for (int run = 0; run < runs; ++run) {
    const int64_t start_ns = kindling::base::SystemClock().BootNs();
    for (int i = 0; i < kCalls; ++i) syscall(SYS_getppid);
    const int64_t elapsed_ns = kindling::base::SystemClock().BootNs() - start_ns;
    best_ns = std::min(best_ns, static_cast<double>(elapsed_ns) / kCalls);
  }
  std::printf("%.2f\n", best_ns);
  return 0;
}
