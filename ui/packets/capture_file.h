#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace kindling::ui {

// A pcapng file that is being written. Whatever happens, a disk that is full above all, what stands
// in it is whole blocks: a block that found no room is taken away again.
//
// Threads: one.
// Limits:  holds back at most about kBufferBytes.
// Failure: what the system said, with the path. After the first failure nothing more is written and
//          each call says the same.
class CaptureFile {
 public:
  // More at once costs more: the page cache then takes large pieces of memory that nobody has used.
  static constexpr size_t kBufferBytes = 64 << 10;

  // `path`: what stands there is overwritten; "-": standard output, of which nothing can be taken
  // away.
  static absl::StatusOr<std::unique_ptr<CaptureFile>> Open(const std::string& path);
  // What was not flushed is lost.
  ~CaptureFile();

  // Blocks appended here are written with the next Write() or Flush().
  std::string& buffer() { return buffer_; }

  // Writes when there is enough for it.
  absl::Status Write() { return buffer_.size() < kBufferBytes ? status_ : Flush(); }
  absl::Status Flush();
  // Flushes and closes. Call last.
  absl::Status Close();

  // In the file, and waiting for it.
  uint64_t bytes() const { return written_ + buffer_.size(); }
  const absl::Status& status() const { return status_; }

 private:
  explicit CaptureFile(std::string path) : path_(std::move(path)) {}
  bool is_stdout() const { return path_ == "-"; }
  absl::Status Fail(int error, size_t partial);

  const std::string path_;
  base::UniqueFd fd_;
  std::string buffer_;  // begins with a block
  uint64_t written_ = 0;
  absl::Status status_;
};

}  // namespace kindling::ui
