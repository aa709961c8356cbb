#include "storage/testing/fault_journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/errno_status.h"
#include "base/status_macros.h"

namespace kindling::storage {
namespace {

namespace fs = std::filesystem;

// Lines of the journal: a letter and fields, a tab before each.
constexpr char kFile = 'f';        // id, synced bytes, sync failed
constexpr char kDurable = 'd';     // id, path
constexpr char kChange = 'c';      // id, path that goes or nothing, path that comes or nothing
constexpr char kSync = 's';        // id, bytes
constexpr char kSyncFailed = 'x';  // id
constexpr char kDirSync = 'y';     // path

absl::Status FromErrorCode(const std::error_code& error, const std::string& what) {
  if (!error) return absl::OkStatus();
  return base::ErrnoStatus(error.value(), what);
}

std::string Parent(const std::string& relative) {
  return fs::path(relative).parent_path().string();
}

uint64_t Number(std::string_view text) {
  uint64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

std::vector<std::string_view> Fields(std::string_view line) {
  std::vector<std::string_view> out;
  for (size_t begin = 0;;) {
    const size_t end = line.find('\t', begin);
    out.push_back(line.substr(begin, end - begin));
    if (end == std::string_view::npos) return out;
    begin = end + 1;
  }
}

std::string FileLine(uint64_t id, uint64_t bytes, bool failed) {
  return absl::StrFormat("%c\t%d\t%d\t%d\n", kFile, id, bytes, failed ? 1 : 0);
}

std::string ChangeLine(uint64_t id, const std::string& from, const std::string& to) {
  return absl::StrFormat("%c\t%d\t%s\t%s\n", kChange, id, from, to);
}

absl::Status Link(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return base::ErrnoStatus(errno, "link " + to);
}

}  // namespace

FaultJournal::FaultJournal(std::string root, std::string side)
    : root_(fs::path(std::move(root)).lexically_normal()), side_(std::move(side)) {}

absl::StatusOr<std::unique_ptr<FaultJournal>> FaultJournal::Open(const std::string& root,
                                                                 const std::string& side) {
  std::error_code error;
  for (const std::string& directory : {root, side}) {
    fs::create_directories(directory, error);
    RETURN_IF_ERROR(FromErrorCode(error, "make " + directory));
  }
  std::unique_ptr<FaultJournal> journal(new FaultJournal(root, side));
  ASSIGN_OR_RETURN(const bool found, journal->Load());
  RETURN_IF_ERROR(journal->Reconcile(/*all_synced=*/!found));
  return journal;
}

bool FaultJournal::Owns(const std::string& path) const {
  const std::string normal = fs::path(path).lexically_normal();
  return normal == root_ || normal.starts_with(root_ + "/");
}

std::string FaultJournal::Relative(const std::string& path) const {
  const std::string normal = fs::path(path).lexically_normal();
  return normal.size() <= root_.size() ? "" : normal.substr(root_.size() + 1);
}

std::string FaultJournal::LinkPath(Id id) const { return absl::StrFormat("%s/file-%d", side_, id); }

FaultJournal::Id FaultJournal::IdOf(const std::string& path) const {
  const auto it = now_.find(Relative(path));
  return it == now_.end() ? 0 : it->second;
}

void FaultJournal::Apply(const Change& change, Names& names) {
  if (!change.from.empty()) names.erase(change.from);
  if (!change.to.empty()) names[change.to] = change.id;
}

absl::StatusOr<bool> FaultJournal::Load() {
  std::ifstream file(side_ + "/journal", std::ios::binary);
  if (!file) return false;
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  // A line that was being written when the process ended is no line.
  for (size_t begin = 0;;) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) return true;
    Replay(std::string_view(text).substr(begin, end - begin));
    begin = end + 1;
  }
}

void FaultJournal::Replay(std::string_view line) {
  const std::vector<std::string_view> fields = Fields(line);
  const char kind = line.empty() ? '\0' : line[0];
  const Id id = fields.size() > 1 && kind != kDirSync ? Number(fields[1]) : 0;
  last_id_ = std::max(last_id_, id);
  if (kind == kFile && fields.size() == 4) {
    files_[id] = {Number(fields[2]), fields[3] == "1"};
  } else if (kind == kDurable && fields.size() == 3) {
    durable_[std::string(fields[2])] = id;
    now_[std::string(fields[2])] = id;
  } else if (kind == kChange && fields.size() == 4) {
    pending_.push_back({std::string(fields[2]), std::string(fields[3]), id});
    Apply(pending_.back(), now_);
  } else if (kind == kSync && fields.size() == 3) {
    File& file = files_[id];
    if (!file.sync_failed) file.synced_bytes = Number(fields[2]);
  } else if (kind == kSyncFailed && fields.size() == 2) {
    files_[id].sync_failed = true;
  } else if (kind == kDirSync && fields.size() == 2) {
    std::erase_if(pending_, [&](const Change& change) {
      const bool of_it = (!change.from.empty() && Parent(change.from) == fields[1]) ||
                         (!change.to.empty() && Parent(change.to) == fields[1]);
      if (of_it) Apply(change, durable_);
      return of_it;
    });
  }
}

absl::Status FaultJournal::Reconcile(bool all_synced) {
  std::map<std::pair<dev_t, ino_t>, Id> ids;
  struct stat info {};
  for (const auto& entry : fs::directory_iterator(side_)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("file-") || ::stat(entry.path().c_str(), &info) != 0) continue;
    const Id id = Number(std::string_view(name).substr(5));
    ids[{info.st_dev, info.st_ino}] = id;
    last_id_ = std::max(last_id_, id);
    files_.try_emplace(id);
  }
  std::set<std::string> found;
  std::vector<Change> changes;
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    if (!entry.is_regular_file() || ::stat(entry.path().c_str(), &info) != 0) continue;
    const std::string name = Relative(entry.path());
    found.insert(name);
    auto [it, is_new] = ids.try_emplace({info.st_dev, info.st_ino}, last_id_ + 1);
    if (is_new) {
      ++last_id_;
      RETURN_IF_ERROR(Link(entry.path(), LinkPath(it->second)));
      files_[it->second].synced_bytes = all_synced ? static_cast<uint64_t>(info.st_size) : 0;
    }
    if (all_synced) durable_[name] = now_[name] = it->second;
    if (const auto known = now_.find(name); known == now_.end() || known->second != it->second) {
      changes.push_back({"", name, it->second});
    }
  }
  for (const auto& [name, id] : now_) {
    if (!found.contains(name)) changes.push_back({name, "", id});
  }
  for (const Change& change : changes) {
    Apply(change, now_);
    pending_.push_back(change);
  }
  RETURN_IF_ERROR(Rewrite());
  Forget();
  return absl::OkStatus();
}

absl::Status FaultJournal::Rewrite() {
  std::string text;
  for (const auto& [id, file] : files_) text += FileLine(id, file.synced_bytes, file.sync_failed);
  for (const auto& [name, id] : durable_) {
    text += absl::StrFormat("%c\t%d\t%s\n", kDurable, id, name);
  }
  for (const Change& change : pending_) text += ChangeLine(change.id, change.from, change.to);
  const std::string path = side_ + "/journal";
  const std::string fresh = path + ".new";
  fd_.reset(::open(fresh.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
  if (!fd_.valid()) return base::ErrnoStatus(errno, "open " + fresh);
  if (::write(fd_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::rename(fresh.c_str(), path.c_str()) != 0) {
    return base::ErrnoStatus(errno, "write " + path);
  }
  return absl::OkStatus();
}

absl::Status FaultJournal::Note(const std::string& line) {
  if (::write(fd_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    return base::ErrnoStatus(errno, "write the journal of " + root_);
  }
  Replay(std::string_view(line).substr(0, line.size() - 1));
  return absl::OkStatus();
}

absl::Status FaultJournal::NoteChange(const Change& change) {
  return Note(ChangeLine(change.id, change.from, change.to));
}

absl::StatusOr<FaultJournal::Id> FaultJournal::Created(const std::string& path) {
  const Id id = last_id_ + 1;
  RETURN_IF_ERROR(Link(path, LinkPath(id)));
  RETURN_IF_ERROR(Note(FileLine(id, 0, false)));
  RETURN_IF_ERROR(NoteChange({"", Relative(path), id}));
  return id;
}

absl::Status FaultJournal::Linked(const std::string& from, const std::string& to) {
  return NoteChange({"", Relative(to), IdOf(from)});
}

absl::Status FaultJournal::Renamed(const std::string& from, const std::string& to) {
  return NoteChange({Relative(from), Relative(to), IdOf(from)});
}

absl::Status FaultJournal::Deleted(const std::string& path) {
  return NoteChange({Relative(path), "", IdOf(path)});
}

absl::Status FaultJournal::DirectorySynced(const std::string& path) {
  if (pending_.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(Note(absl::StrFormat("%c\t%s\n", kDirSync, Relative(path))));
  Forget();
  return absl::OkStatus();
}

absl::Status FaultJournal::Synced(Id id, uint64_t bytes) {
  return Note(absl::StrFormat("%c\t%d\t%d\n", kSync, id, bytes));
}

absl::Status FaultJournal::SyncFailed(Id id) {
  return Note(absl::StrFormat("%c\t%d\n", kSyncFailed, id));
}

void FaultJournal::Forget() {
  std::set<Id> kept;
  for (const Names* names : {&now_, &durable_}) {
    for (const auto& [name, id] : *names) kept.insert(id);
  }
  for (const Change& change : pending_) kept.insert(change.id);
  std::erase_if(files_, [&](const auto& file) {
    if (kept.contains(file.first)) return false;
    ::unlink(LinkPath(file.first).c_str());
    return true;
  });
}

absl::Status FaultJournal::Cut(uint64_t seed) {
  std::mt19937_64 random(seed);
  // None, all, or any number of `all`.
  const auto part_of = [&](uint64_t all) -> uint64_t {
    switch (random() % 3) {
      case 0:
        return 0;
      case 1:
        return all;
      default:
        return random() % (all + 1);
    }
  };
  const uint64_t changes = part_of(pending_.size());
  for (uint64_t i = 0; i < changes; ++i) Apply(pending_[i], durable_);
  pending_.clear();
  std::vector<fs::path> gone;
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    if (entry.is_regular_file()) gone.push_back(entry.path());
  }
  std::error_code error;
  for (const fs::path& path : gone) {
    fs::remove(path, error);
    RETURN_IF_ERROR(FromErrorCode(error, "remove " + path.string()));
  }
  std::set<Id> cut;
  for (const auto& [name, id] : durable_) {
    File& file = files_[id];
    const std::string link = LinkPath(id);
    if (cut.insert(id).second) {
      const uint64_t size = fs::file_size(link, error);
      RETURN_IF_ERROR(FromErrorCode(error, "read the size of " + link));
      const uint64_t synced = std::min(file.synced_bytes, size);
      file = {.synced_bytes = synced + part_of(size - synced)};
      fs::resize_file(link, file.synced_bytes, error);
      RETURN_IF_ERROR(FromErrorCode(error, "cut " + link));
    }
    const fs::path path = fs::path(root_) / name;
    fs::create_directories(path.parent_path(), error);
    RETURN_IF_ERROR(Link(link, path));
  }
  now_ = durable_;
  RETURN_IF_ERROR(Rewrite());
  Forget();
  return absl::OkStatus();
}

absl::Status CutPower(const std::string& root, const std::string& side, uint64_t seed) {
  FaultJournal journal(root, side);
  ASSIGN_OR_RETURN(const bool found, journal.Load());
  if (!found) return absl::FailedPreconditionError(side + " has no journal");
  return journal.Cut(seed);
}

}  // namespace kindling::storage
