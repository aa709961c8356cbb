// Any bytes may lie in a segment file: the reader stays inside them and accounts for each one.

#include <cstdint>
#include <cstdlib>

#include "agent/export/spool_segment.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kindling::agent;  // NOLINT(google-build-using-namespace)
  SpoolSegmentReader reader({reinterpret_cast<const char*>(data), size});
  uint64_t good = 0;
  while (reader.Next()) {
    if (reader.offset() + kSpoolHeaderBytes + reader.record().payload_size > size) std::abort();
    if (SpoolCrc(reader.payload()) != reader.record().payload_crc) std::abort();
    good += kSpoolHeaderBytes + reader.payload().size();
  }
  if (good + reader.damaged_bytes() != size) std::abort();
  return 0;
}
