#include "storage/restore.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "base/errno_status.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"

namespace kindling::storage {
namespace {

namespace fs = std::filesystem;

absl::Status Fault(const std::string& what, const fs::path& path, const std::error_code& error) {
  return base::ErrnoStatus(error.value(), absl::StrFormat("%s %s", what, path.string()));
}

// What a running store holds: RocksDB's lock, and its log in words.
bool IsLeftOut(const fs::path& path) {
  const std::string name = path.filename().string();
  return name == "LOCK" || name == "LOG" || name.starts_with("LOG.old.");
}

// A store's own lock, shared, so that it cannot be opened meanwhile. None where there is no file to
// lock, as in a backup.
absl::StatusOr<base::UniqueFd> LockStore(const fs::path& from) {
  base::UniqueFd fd(open((from / "LOCK").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return fd;
    return base::ErrnoStatus(errno, "open " + (from / "LOCK").string());
  }
  struct flock lock = {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  if (fcntl(fd.get(), F_SETLK, &lock) == 0) return fd;
  return absl::FailedPreconditionError(absl::StrFormat(
      "%s is open: stop its kindling-controller first, or restore a backup made with "
      "\"kindlingctl store backup\"",
      from.string()));
}

struct Files {
  std::vector<fs::path> directories;  // relative, parents first
  std::vector<fs::path> files;        // relative
  uint64_t bytes = 0;
};

absl::StatusOr<Files> ListStore(const fs::path& from) {
  std::error_code error;
  if (!fs::is_directory(from, error) || !fs::is_regular_file(from / "CURRENT", error)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s is no store and no backup of one: it has no file CURRENT", from.string()));
  }
  Files out;
  fs::recursive_directory_iterator it(from, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    const fs::path relative = it->path().lexically_relative(from);
    const fs::file_status status = it->symlink_status(error);
    if (error) break;
    if (fs::is_directory(status)) {
      out.directories.push_back(relative);
    } else if (!fs::is_regular_file(status)) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s is neither a file nor a directory", it->path().string()));
    } else if (!IsLeftOut(relative)) {
      out.bytes += it->file_size(error);
      out.files.push_back(relative);
    }
    if (error) break;
  }
  if (error) return Fault("list", from, error);
  return out;
}

absl::Status Sync(const fs::path& path, int flags) {
  const base::UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC));
  if (!fd.valid() || fsync(fd.get()) != 0) {
    return base::ErrnoStatus(errno, "sync " + path.string());
  }
  return absl::OkStatus();
}

absl::Status WriteMarker(const fs::path& directory) {
  const fs::path path = directory / kRestoredMarker;
  const base::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid() || fsync(fd.get()) != 0) {
    return base::ErrnoStatus(errno, "write " + path.string());
  }
  return absl::OkStatus();
}

absl::Status CopyFiles(const Files& files, const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_directory(to, error);
  if (error) return Fault("make", to, error);
  for (const fs::path& directory : files.directories) {
    fs::create_directory(to / directory, error);
    if (error) return Fault("make", to / directory, error);
  }
  for (const fs::path& file : files.files) {
    if (!fs::copy_file(from / file, to / file, error)) return Fault("copy to", to / file, error);
    // Backups may be write-protected; the store is not.
    fs::permissions(to / file, fs::perms::owner_read | fs::perms::owner_write,
                    fs::perm_options::add, error);
    if (error) return Fault("change the mode of", to / file, error);
    RETURN_IF_ERROR(Sync(to / file, O_RDONLY));
  }
  RETURN_IF_ERROR(WriteMarker(to));
  for (const fs::path& directory : files.directories) {
    RETURN_IF_ERROR(Sync(to / directory, O_RDONLY | O_DIRECTORY));
  }
  return Sync(to, O_RDONLY | O_DIRECTORY);
}

// The store belongs to whom the data directory belongs to: restoring is root's work, running the
// controller is not.
absl::Status GiveToOwnerOf(const fs::path& parent, const fs::path& tree, const Files& files) {
  struct stat owner;
  if (geteuid() != 0 || stat(parent.c_str(), &owner) != 0 || owner.st_uid == 0) {
    return absl::OkStatus();
  }
  std::vector<fs::path> paths = {tree, tree / kRestoredMarker};
  for (const fs::path& path : files.directories) paths.push_back(tree / path);
  for (const fs::path& path : files.files) paths.push_back(tree / path);
  for (const fs::path& path : paths) {
    if (lchown(path.c_str(), owner.st_uid, owner.st_gid) != 0) {
      return base::ErrnoStatus(errno, "change the owner of " + path.string());
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTarget(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(to, error)) &&
      (!fs::is_directory(to, error) || !fs::is_empty(to, error))) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s is in use: stop kindling-controller, move it away, and try again", to.string()));
  }
  const fs::path beneath = fs::weakly_canonical(to, error).lexically_relative(from);
  if (!beneath.empty() && *beneath.begin() != "..") {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s lies in what is to be restored", to.string()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RestoreStore(const std::string& from_path, const std::string& to_path) {
  std::error_code error;
  const fs::path from = fs::canonical(from_path, error);
  if (error) return Fault("open", from_path, error);
  fs::path to = fs::absolute(to_path, error).lexically_normal();
  if (!to.has_filename()) to = to.parent_path();
  ASSIGN_OR_RETURN(const Files files, ListStore(from));
  RETURN_IF_ERROR(CheckTarget(from, to));
  ASSIGN_OR_RETURN(const base::UniqueFd lock, LockStore(from));

  fs::create_directories(to.parent_path(), error);
  if (error) return Fault("make", to.parent_path(), error);
  const fs::space_info space = fs::space(to.parent_path(), error);
  if (!error && space.available < files.bytes) {
    return absl::ResourceExhaustedError(absl::StrFormat("%s has %d bytes free, the copy takes %d",
                                                        to.parent_path().string(), space.available,
                                                        files.bytes));
  }
  // Of one that broke off, too.
  fs::path partial = to;
  partial += ".partial";
  fs::remove_all(partial, error);
  if (error) return Fault("remove", partial, error);
  absl::Status copied = CopyFiles(files, from, partial);
  if (copied.ok()) copied = GiveToOwnerOf(to.parent_path(), partial, files);
  if (!copied.ok()) {
    fs::remove_all(partial, error);
    return copied;
  }
  fs::rename(partial, to, error);
  if (error) return Fault("rename to", to, error);
  return Sync(to.parent_path(), O_RDONLY | O_DIRECTORY);
}

}  // namespace kindling::storage
