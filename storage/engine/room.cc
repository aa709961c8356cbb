#include "storage/engine/room.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "absl/strings/str_format.h"
#include "base/errno_status.h"
#include "base/unique_fd.h"

namespace kindling::storage {
namespace {

// New log and manifest files, roughly.
constexpr size_t kRecoveryRoomBytes = 2 << 20;

}  // namespace

uint64_t FreeBytes(const std::string& directory) {
  struct statvfs disk {};
  if (statvfs(directory.c_str(), &disk) != 0) return UINT64_MAX;
  return uint64_t{disk.f_bavail} * disk.f_frsize;
}

absl::Status CheckRoom(const std::string& directory, uint64_t min_free_bytes) {
  const uint64_t free_bytes = FreeBytes(directory);
  if (free_bytes >= min_free_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrFormat(
      "store %s: %d MiB left on its disk, %d MiB are needed: free some, or lower storage.max_bytes",
      directory, free_bytes >> 20, min_free_bytes >> 20));
}

absl::Status TryWriting(const std::string& directory) {
  const std::string path = directory + "/room.tmp";
  const base::UniqueFd fd(::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
  if (!fd.valid()) return base::ErrnoStatus(errno, "open " + path);
  const std::string block(kRecoveryRoomBytes, 'x');
  const ssize_t written = ::write(fd.get(), block.data(), block.size());
  ::unlink(path.c_str());
  if (written == static_cast<ssize_t>(block.size())) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrFormat("store %s: the disk is full", directory));
}

uint64_t DirectoryBytes(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    // Files come and go underneath.
    std::error_code gone;
    const uint64_t size = entry.file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

}  // namespace kindling::storage
