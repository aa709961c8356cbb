// Any bytes as a batch, and as what stands behind a right checksum. What can be decoded must be
// encoded and decoded to the same again.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "storage/blocks/raw_batch.h"
#include "storage/checksum.h"

namespace {

void Check(std::string_view bytes) {
  const auto batch = kindling::storage::DecodeRawBatch(bytes);
  if (!batch.ok()) return;
  const std::string encoded = kindling::storage::EncodeRawBatch(*batch);
  const auto again = kindling::storage::DecodeRawBatch(encoded);
  // Compared as bytes: a value that is not a number equals nothing.
  if (!again.ok() || kindling::storage::EncodeRawBatch(*again) != encoded) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Check(bytes);
  std::string framed = {'R', 1, 0, 0};
  const uint32_t checksum = kindling::storage::Checksum(bytes);
  for (int shift = 0; shift < 32; shift += 8) {
    framed.push_back(static_cast<char>(checksum >> shift));
  }
  Check(framed.append(bytes));
  return 0;
}
