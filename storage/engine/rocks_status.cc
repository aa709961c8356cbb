#include "storage/engine/rocks_status.h"

#include <rocksdb/status.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_format.h"

namespace kindling::storage {
namespace {

std::string OneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

bool Has(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

}  // namespace

absl::Status FromRocks(const rocksdb::Status& status, std::string_view operation) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = absl::StrFormat("%s: %s", operation, OneLine(status.ToString()));
  // EFBIG (a file size limit) comes as a plain I/O error.
  if (status.IsNoSpace() || Has(text, "No space left") || Has(text, "File too large") ||
      Has(text, "Disk quota exceeded")) {
    return absl::ResourceExhaustedError(text);
  }
  if (status.IsCorruption()) return absl::DataLossError(text);
  if (status.IsNotFound()) return absl::NotFoundError(text);
  if (status.IsShutdownInProgress() || status.IsAborted()) return absl::UnavailableError(text);
  return absl::InternalError(text);
}

absl::Status OpenFault(const rocksdb::Status& status, std::string_view directory) {
  const std::string text = OneLine(status.ToString());
  if (status.IsIOError() && Has(text, "lock")) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "store %s is in use by another process: stop it, or set another data_directory",
        directory));
  }
  if (status.IsNoSpace() || Has(text, "No space left")) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("store %s: the disk is full: free some space", directory));
  }
  if (Has(text, "Permission denied")) {
    return absl::PermissionDeniedError(absl::StrFormat(
        "store %s cannot be read and written: %s: give this user access", directory, text));
  }
  return absl::DataLossError(absl::StrFormat(
      "store %s is damaged (%s): restore a copy of it, or move it away to begin an empty one",
      directory, text));
}

}  // namespace kindling::storage
