#include "storage/engine/manifest_guard.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <charconv>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/strings/str_format.h"
#include "storage/checksum.h"
#include "storage/engine/rocks_status.h"

namespace kindling::storage {
namespace {

// What a manifest held: one line "NAME BYTES CHECKSUM", then the checksum of these and a line end.
struct Guard {
  std::string name;
  uint64_t bytes = 0;
  uint32_t checksum = 0;

  std::string Encode() const {
    const std::string text = absl::StrFormat("%s %d %08x", name, bytes, checksum);
    return absl::StrFormat("%s %08x\n", text, Checksum(text));
  }

  static std::optional<Guard> Parse(const std::string& text) {
    Guard out;
    const size_t space = text.find(' ');
    if (space == std::string::npos) return std::nullopt;
    out.name = text.substr(0, space);
    const char* const end = text.data() + text.size();
    const auto bytes = std::from_chars(text.data() + space + 1, end, out.bytes);
    if (bytes.ec != std::errc() || bytes.ptr == end) return std::nullopt;
    const auto checksum = std::from_chars(bytes.ptr + 1, end, out.checksum, 16);
    // A damaged guard must not accuse a good manifest.
    if (checksum.ec != std::errc() || out.Encode() != text) return std::nullopt;
    return out;
  }
};

std::string GuardPath(const std::string& directory) { return directory + "/MANIFEST.guard"; }

absl::Status Changed(const std::string& name, const std::string& directory) {
  return OpenFault(rocksdb::Status::Corruption(name + " has lost what it held"), directory);
}

}  // namespace

absl::Status CheckManifest(rocksdb::Env& env, const std::string& directory) {
  std::string text;
  if (!rocksdb::ReadFileToString(&env, GuardPath(directory), &text).ok()) return absl::OkStatus();
  const std::optional<Guard> guard = Guard::Parse(text);
  std::string current;
  if (!guard || !rocksdb::ReadFileToString(&env, directory + "/CURRENT", &current).ok() ||
      current != guard->name + "\n") {
    return absl::OkStatus();
  }
  std::string manifest;
  const rocksdb::Status read =
      rocksdb::ReadFileToString(&env, directory + "/" + guard->name, &manifest);
  if (!read.ok()) return OpenFault(read, directory);
  if (manifest.size() < guard->bytes ||
      Checksum(std::string_view(manifest).substr(0, guard->bytes)) != guard->checksum) {
    return Changed(guard->name, directory);
  }
  return absl::OkStatus();
}

absl::Status GuardManifest(rocksdb::DB& db, std::string& noted) {
  std::vector<std::string> files;
  uint64_t bytes = 0;
  // How much of the manifest has been synced.
  rocksdb::Status status = db.GetLiveFiles(files, &bytes, /*flush_memtable=*/false);
  if (!status.ok()) return FromRocks(status, "list the files of the store");
  Guard guard{.bytes = bytes};
  for (const std::string& file : files) {
    if (file.starts_with("/MANIFEST-")) guard.name = file.substr(1);
  }
  const std::string now = absl::StrFormat("%s %d", guard.name, bytes);
  if (now == noted) return absl::OkStatus();

  rocksdb::Env& env = *db.GetEnv();
  const std::string& directory = db.GetName();
  std::string manifest;
  status = rocksdb::ReadFileToString(&env, directory + "/" + guard.name, &manifest);
  if (!status.ok()) return FromRocks(status, "read the manifest of the store");
  if (manifest.size() < bytes) return Changed(guard.name, directory);
  guard.checksum = Checksum(std::string_view(manifest).substr(0, bytes));

  const std::string path = GuardPath(directory);
  const std::string fresh = path + ".new";
  status = rocksdb::WriteStringToFile(&env, guard.Encode(), fresh, /*should_sync=*/true);
  if (status.ok()) status = env.RenameFile(fresh, path);
  if (!status.ok()) return FromRocks(status, "guard the manifest of the store");
  // Until its directory is synced the old guard may come back, which says less.
  noted = now;
  return absl::OkStatus();
}

}  // namespace kindling::storage
