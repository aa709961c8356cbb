#include "ui/packets/capture_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/errno_status.h"
#include "base/pcapng.h"

namespace kindling::ui {

absl::StatusOr<std::unique_ptr<CaptureFile>> CaptureFile::Open(const std::string& path) {
  auto file = std::unique_ptr<CaptureFile>(new CaptureFile(path));
  const int fd = file->is_stdout()
                     ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
                     : open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return base::ErrnoStatus(errno, "cannot write " + path);
  file->fd_.reset(fd);
  return file;
}

CaptureFile::~CaptureFile() = default;

absl::Status CaptureFile::Fail(int error, size_t partial) {
  // A pipe keeps what it was given.
  const size_t whole = base::WholePcapngBlocks(buffer_, partial);
  written_ += whole;
  if (whole < partial && !is_stdout()) {
    (void)!ftruncate(fd_.get(), static_cast<off_t>(written_));
  }
  buffer_.clear();
  const std::string name = is_stdout() ? "standard output" : path_;
  status_ = base::ErrnoStatus(error, "cannot write to " + name);
  return status_;
}

absl::Status CaptureFile::Flush() {
  if (!status_.ok()) return status_;
  for (size_t done = 0; done < buffer_.size();) {
    const ssize_t size = write(fd_.get(), buffer_.data() + done, buffer_.size() - done);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return Fail(size < 0 ? errno : ENOSPC, done);
    done += static_cast<size_t>(size);
  }
  written_ += buffer_.size();
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status CaptureFile::Close() {
  const absl::Status flushed = Flush();
  // A file system that writes late says so here.
  const int fd = fd_.release();
  if (fd >= 0 && close(fd) != 0 && flushed.ok()) {
    status_ = base::ErrnoStatus(errno, "cannot write to " + path_);
  }
  return status_;
}

}  // namespace kindling::ui
