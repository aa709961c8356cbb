#include "storage/engine/faults.h"

#include <rocksdb/env.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "storage/engine/rocks_status.h"

namespace kindling::storage {
namespace {

constexpr std::string_view kAnyTier = "*";

std::string NotesPath(const std::string& directory) {
  return DamagedDirectory(directory) + "/notes";
}

// One line: tier, start, end, what.
std::string LineOf(const Fault& fault) {
  return absl::StrFormat("%s %d %d %s\n", fault.tier ? Name(*fault.tier) : kAnyTier, fault.start_ns,
                         fault.end_ns, fault.what);
}

std::optional<Fault> ParseLine(std::string_view line) {
  Fault out;
  const std::string_view name = line.substr(0, line.find(' '));
  const auto* const tier = std::find_if(std::begin(kTiers), std::end(kTiers),
                                        [&](Tier one) { return Name(one) == name; });
  if (tier != std::end(kTiers)) out.tier = *tier;
  if (!out.tier && name != kAnyTier) return std::nullopt;
  for (int64_t* number : {&out.start_ns, &out.end_ns}) {
    line.remove_prefix(std::min(line.size(), line.find(' ') + 1));
    const auto parsed = std::from_chars(line.data(), line.data() + line.size(), *number);
    if (parsed.ec != std::errc()) return std::nullopt;
  }
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  out.what = line.substr(space + 1);
  return out;
}

}  // namespace

std::string DamagedDirectory(const std::string& directory) { return directory + "/damaged"; }

std::vector<Fault> ReadNotes(rocksdb::Env& env, const std::string& directory) {
  std::vector<Fault> out;
  std::string text;
  const rocksdb::Status read = rocksdb::ReadFileToString(&env, NotesPath(directory), &text);
  if (!read.ok()) {
    if (!read.IsNotFound() && !read.IsPathNotFound()) out.push_back({"the notes of what it lacks"});
    return out;
  }
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    out.push_back(ParseLine(line).value_or(Fault{"a note of what it lacks"}));
  }
  return out;
}

absl::Status AddNotes(rocksdb::Env& env, const std::string& directory,
                      const std::vector<Fault>& faults) {
  constexpr std::string_view kDoing = "note what the store lacks";
  RETURN_IF_ERROR(FromRocks(env.CreateDirIfMissing(DamagedDirectory(directory)), kDoing));
  std::vector<Fault> all = ReadNotes(env, directory);
  for (const Fault& fault : faults) {
    if (std::find(all.begin(), all.end(), fault) == all.end()) all.push_back(fault);
  }
  std::string text;
  for (const Fault& fault : all) text += LineOf(fault);
  const std::string fresh = NotesPath(directory) + ".new";
  RETURN_IF_ERROR(
      FromRocks(rocksdb::WriteStringToFile(&env, text, fresh, /*should_sync=*/true), kDoing));
  return FromRocks(env.RenameFile(fresh, NotesPath(directory)), kDoing);
}

absl::Status CopyNotes(rocksdb::Env& env, const std::string& from, const std::string& to) {
  const std::vector<Fault> faults = ReadNotes(env, from);
  return faults.empty() ? absl::OkStatus() : AddNotes(env, to, faults);
}

std::string TimeText(int64_t time_ns) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", absl::FromUnixNanos(time_ns),
                          absl::UTCTimeZone());
}

}  // namespace kindling::storage
