#include "base/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_format.h"
#include "base/errno_status.h"
#include "base/unique_fd.h"

namespace kindling::base {

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return ErrnoStatus(errno, "read " + path);
  std::string text;
  char chunk[16384];
  while (true) {
    const ssize_t size = ::read(fd.get(), chunk, sizeof(chunk));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return ErrnoStatus(errno, "read " + path);
    if (size == 0) return text;
    if (text.size() + static_cast<size_t>(size) > max_bytes) {
      return absl::InvalidArgumentError(
          absl::StrFormat("read %s: longer than %d bytes", path, max_bytes));
    }
    text.append(chunk, static_cast<size_t>(size));
  }
}

}  // namespace kindling::base
