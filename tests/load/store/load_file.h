#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kindling::load {

// One message of an agent's stream in a load file: an encoded kindling.v1.IngestRequest, and what
// is in it.
struct LoadRecord {
  uint32_t agent = 0;  // number
  uint64_t boot_epoch = 0;
  uint64_t sequence = 0;
  uint32_t spans = 0;
  uint32_t histograms = 0;  // rows of EdgeStats
  uint32_t points = 0;
  std::string_view message;
};

// Writes a load file, so that the sender has nothing to encode.
class LoadWriter {
 public:
  static absl::StatusOr<std::unique_ptr<LoadWriter>> Create(const std::string& path);
  ~LoadWriter();
  absl::Status Add(const LoadRecord& record);
  absl::Status Close();

 private:
  explicit LoadWriter(std::FILE* file) : file_(file) {}
  std::FILE* file_;
};

// A load file in memory.
// Lifetime: of the records' messages too.
class LoadFile {
 public:
  static absl::StatusOr<std::unique_ptr<LoadFile>> Open(const std::string& path);
  ~LoadFile();
  const std::vector<LoadRecord>& records() const { return records_; }

 private:
  LoadFile(void* data, size_t size) : data_(data), size_(size) {}
  void* data_;
  size_t size_;
  std::vector<LoadRecord> records_;
};

}  // namespace kindling::load
