#include "tests/load/store/load_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/errno_status.h"
#include "base/unique_fd.h"

namespace kindling::load {
namespace {

struct Header {
  uint64_t boot_epoch;
  uint64_t sequence;
  uint32_t agent;
  uint32_t spans;
  uint32_t histograms;
  uint32_t points;
  uint64_t bytes;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LoadWriter>> LoadWriter::Create(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return base::ErrnoStatus(errno, path);
  std::setvbuf(file, nullptr, _IOFBF, 1 << 20);
  return std::unique_ptr<LoadWriter>(new LoadWriter(file));
}

LoadWriter::~LoadWriter() {
  if (file_ != nullptr) std::fclose(file_);
}

absl::Status LoadWriter::Add(const LoadRecord& record) {
  const Header header{.boot_epoch = record.boot_epoch,
                      .sequence = record.sequence,
                      .agent = record.agent,
                      .spans = record.spans,
                      .histograms = record.histograms,
                      .points = record.points,
                      .bytes = record.message.size()};
  if (std::fwrite(&header, sizeof header, 1, file_) != 1 ||
      std::fwrite(record.message.data(), 1, record.message.size(), file_) !=
          record.message.size()) {
    return base::ErrnoStatus(errno, "load file");
  }
  return absl::OkStatus();
}

absl::Status LoadWriter::Close() {
  const int result = std::fclose(file_);
  file_ = nullptr;
  return result == 0 ? absl::OkStatus() : base::ErrnoStatus(errno, "load file");
}

absl::StatusOr<std::unique_ptr<LoadFile>> LoadFile::Open(const std::string& path) {
  const base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (fd.get() < 0 || fstat(fd.get(), &info) != 0) return base::ErrnoStatus(errno, path);
  const auto size = static_cast<size_t>(info.st_size);
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) return base::ErrnoStatus(errno, path);
  std::unique_ptr<LoadFile> file(new LoadFile(data, size));
  const char* at = static_cast<const char*>(data);
  const char* const end = at + size;
  while (at < end) {
    Header header;
    if (static_cast<size_t>(end - at) < sizeof header) return absl::DataLossError(path);
    std::memcpy(&header, at, sizeof header);
    at += sizeof header;
    if (static_cast<size_t>(end - at) < header.bytes) return absl::DataLossError(path);
    file->records_.push_back({.agent = header.agent,
                              .boot_epoch = header.boot_epoch,
                              .sequence = header.sequence,
                              .spans = header.spans,
                              .histograms = header.histograms,
                              .points = header.points,
                              .message = {at, header.bytes}});
    at += header.bytes;
  }
  return file;
}

LoadFile::~LoadFile() { munmap(data_, size_); }

}  // namespace kindling::load
