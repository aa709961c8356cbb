#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace kindling::storage {

// Which bytes and names of a directory a loss of power leaves: those of a file up to its last sync,
// and the names as they were when the directory was last synced. Changes of names since then last
// in the order in which they were made, up to any one of them.
//
// Everything is noted in a side directory, so that it outlives the process: `journal`, and a link
// to every file that still has a name, or had one that is not known to be gone for good. The side
// directory is on the same file system, not below the directory.
//
// Threads: one at a time.
class FaultJournal {
 public:
  using Id = uint64_t;  // of a file, whatever its names

  // Goes on from what an earlier process left, however that ended. Without a journal all that is in
  // `root` counts as synced.
  static absl::StatusOr<std::unique_ptr<FaultJournal>> Open(const std::string& root,
                                                            const std::string& side);

  // After the change has been made. Paths are absolute.
  absl::StatusOr<Id> Created(const std::string& path);
  absl::Status Linked(const std::string& from, const std::string& to);
  absl::Status Renamed(const std::string& from, const std::string& to);
  absl::Status Deleted(const std::string& path);
  absl::Status DirectorySynced(const std::string& path);
  absl::Status Synced(Id id, uint64_t bytes);
  // What was not synced before will never be, whatever later syncs say: the kernel gives up pages
  // that it could not write.
  absl::Status SyncFailed(Id id);

  // Below the directory that this watches.
  bool Owns(const std::string& path) const;
  // 0: no such file.
  Id IdOf(const std::string& path) const;

 private:
  friend absl::Status CutPower(const std::string& root, const std::string& side, uint64_t seed);

  using Names = std::map<std::string, Id>;  // relative paths

  struct File {
    uint64_t synced_bytes = 0;
    bool sync_failed = false;
  };

  struct Change {
    std::string from;  // loses its name; empty: none
    std::string to;    // is named; empty: none
    Id id = 0;
  };

  FaultJournal(std::string root, std::string side);

  static void Apply(const Change& change, Names& names);
  std::string Relative(const std::string& path) const;
  std::string LinkPath(Id id) const;
  // Reads the journal; false when there is none.
  absl::StatusOr<bool> Load();
  void Replay(std::string_view line);
  // Notes what the last process did and could not write down.
  absl::Status Reconcile(bool all_synced);
  // Replaces the journal by a short one that says the same.
  absl::Status Rewrite();
  absl::Status Note(const std::string& line);
  absl::Status NoteChange(const Change& change);
  // Removes the links of files that nothing can bring back.
  void Forget();
  absl::Status Cut(uint64_t seed);

  const std::string root_;
  const std::string side_;
  base::UniqueFd fd_;
  Id last_id_ = 0;
  std::map<Id, File> files_;
  Names now_;
  Names durable_;
  std::vector<Change> pending_;  // durable_ and these give now_
};

// The loss of power: leaves in `root` what FaultJournal says, with as much more of what was not
// synced as `seed` decides, none and all of it included. No process may be using `root`.
absl::Status CutPower(const std::string& root, const std::string& side, uint64_t seed);

}  // namespace kindling::storage
