#include "storage/engine/log_guard.h"

#include <fcntl.h>
#include <rocksdb/env.h>
#include <unistd.h>

#include <charconv>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "storage/checksum.h"

namespace kindling::storage {
namespace {

// One line, of the same length always: sequence, time, checksum of these.
std::string Encode(const LogGuard::Mark& mark) {
  const std::string text = absl::StrFormat("%020d %020d", mark.sequence, mark.time_ns);
  return absl::StrFormat("%s %08x\n", text, Checksum(text));
}

}  // namespace

LogGuard::LogGuard(rocksdb::Env& env, std::string directory)
    : env_(env), path_(std::move(directory) + "/WAL.guard") {}

std::optional<LogGuard::Mark> LogGuard::Read() const {
  std::string text;
  if (!rocksdb::ReadFileToString(&env_, path_, &text).ok()) return std::nullopt;
  Mark out;
  const size_t space = text.find(' ');
  if (space == std::string::npos) return std::nullopt;
  const char* const end = text.data() + text.size();
  std::from_chars(text.data(), end, out.sequence);
  std::from_chars(text.data() + space + 1, end, out.time_ns);
  if (Encode(out) != text) return std::nullopt;
  return out;
}

void LogGuard::Write(const Mark& mark) {
  const std::string text = Encode(mark);
  if (!fd_.valid()) {
    // Its name and length are made durable once.
    uint64_t bytes = 0;
    if ((!env_.GetFileSize(path_, &bytes).ok() || bytes != text.size()) &&
        !rocksdb::WriteStringToFile(&env_, text, path_, /*should_sync=*/true).ok()) {
      return;
    }
    fd_ = base::UniqueFd(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
  }
  const ssize_t written = ::pwrite(fd_.get(), text.data(), text.size(), 0);
  if (written != static_cast<ssize_t>(text.size())) fd_ = base::UniqueFd();
}

}  // namespace kindling::storage
