#include "controller/admin/backup_directory.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"

namespace kindling::controller {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxPathBytes = 4096;

bool IsBelow(const fs::path& path, const fs::path& root) {
  const auto [at_root, at_path] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  return at_root == root.end() && at_path != path.end();
}

absl::Status Fault(const std::string& what, const fs::path& path, const std::error_code& error) {
  return absl::FailedPreconditionError(
      absl::StrFormat("%s %s: %s", what, path.string(), error.message()));
}

}  // namespace

absl::StatusOr<std::string> ResolveBackupDirectory(const std::string& root,
                                                   const std::string& asked, int64_t now_ns) {
  if (root.empty()) {
    return absl::FailedPreconditionError(
        "backups are refused: set storage.backup_directory in the controller's configuration to "
        "the directory they may be written below");
  }
  const bool is_text = asked.find('\0') == std::string::npos && asked.size() <= kMaxPathBytes;
  if (!is_text) return absl::InvalidArgumentError("directory: not a path");
  std::error_code error;
  fs::create_directories(root, error);
  const fs::path base = fs::canonical(root, error);
  if (error) return Fault("storage.backup_directory", root, error);
  const std::string name =
      absl::FormatTime("%Y%m%dT%H%M%SZ", absl::FromUnixNanos(now_ns), absl::UTCTimeZone());
  fs::path path = fs::weakly_canonical(base / (asked.empty() ? name : asked), error);
  if (error) return Fault("cannot resolve", asked, error);
  if (!path.has_filename()) path = path.parent_path();  // it ended in a slash
  if (!IsBelow(path, base)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "directory: %s is not below storage.backup_directory, %s", path.string(), base.string()));
  }
  const fs::file_status status = fs::status(path, error);
  if (fs::exists(status)) {
    if (!fs::is_directory(status) || !fs::is_empty(path, error)) {
      return absl::AlreadyExistsError(
          absl::StrFormat("%s is not an empty directory: name another", path.string()));
    }
  }
  fs::create_directories(path.parent_path(), error);
  if (error) return Fault("cannot make", path.parent_path(), error);
  return path.string();
}

uint64_t BytesBelow(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code file_error;
    const uint64_t size = it->is_regular_file(file_error) ? it->file_size(file_error) : 0;
    if (!file_error) bytes += size;
  }
  return bytes;
}

}  // namespace kindling::controller
