#pragma once

#include <cstdint>

namespace kindling::agent {

// Counts the heap of the whole test program by replacing operator new and delete.
// Threads: any; the figures are of all threads.
class HeapMeter {
 public:
  static int64_t LiveBytes();
  // The most that was live since the last ResetPeak().
  static int64_t PeakBytes();
  static void ResetPeak();
};

}  // namespace kindling::agent
