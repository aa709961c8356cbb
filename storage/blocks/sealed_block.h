#pragma once

#include <cstdint>
#include <string>

namespace kindling::storage {

// Records of one class, tenant and cluster as they are stored: three values under one block number,
// so that a query reads no more of a block than it needs.
struct SealedBlock {
  int64_t first_ns = 0;  // least and greatest time of a record
  int64_t last_ns = 0;
  uint64_t rows = 0;
  std::string summary;  // read into memory when the store opens: tens to hundreds of bytes
  std::string filter;   // membership filters, read when a query looks for one value; may be empty
  std::string body;
};

}  // namespace kindling::storage
