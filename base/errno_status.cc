#include "base/errno_status.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_format.h"

namespace kindling::base {

absl::Status ErrnoStatus(int error, std::string_view operation) {
  error = std::abs(error);
  char buffer[128];
  const std::string text =
      absl::StrFormat("%s: %s", operation, strerror_r(error, buffer, sizeof(buffer)));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(text);
    case EEXIST:
      return absl::AlreadyExistsError(text);
    case EPERM:
    case EACCES:
      return absl::PermissionDeniedError(text);
    case EINVAL:
      return absl::InvalidArgumentError(text);
    case ENOSPC:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(text);
    case EOPNOTSUPP:
    case ENOSYS:
      return absl::UnimplementedError(text);
    case EAGAIN:
    case ECONNREFUSED:
      return absl::UnavailableError(text);
    default:
      return absl::InternalError(text);
  }
}

std::string ErrnoName(int error) {
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : std::to_string(error);
}

}  // namespace kindling::base
