#pragma once

#include <rocksdb/file_system.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "storage/testing/fault_journal.h"

namespace kindling::storage {

// What may fail, and where a process may end.
enum class FileOperation : uint8_t {
  kOpen,   // of a file for writing
  kWrite,  // a part may have been written
  kSync,
  kRename,
  kDelete,
  kSyncDirectory,
  kRead,
};
inline constexpr size_t kFileOperations = 7;

// A file system for a store under test: the operating system's, but below one directory
//   - nothing is really synced; a FaultJournal notes what was, for CutPower();
//   - operations fail as they are told to.
//
// Threads: safe from any.
class FaultFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  // See FaultJournal.
  static absl::StatusOr<std::shared_ptr<FaultFileSystem>> Make(const std::string& root,
                                                               const std::string& side);

  // From now on each such operation fails with this chance. `error` is EIO or ENOSPC.
  void Fail(FileOperation operation, int error, double chance, uint64_t seed = 1);
  void FailNothing();
  // Writes fail with ENOSPC once so many bytes have been written; deletions give room back.
  // UINT64_MAX: no limit.
  void SetRoom(uint64_t bytes);
  // Syncs say that they succeeded and do nothing: what a broken store looks like from outside.
  void IgnoreSyncs() { ignore_syncs_ = true; }
  // Called before each operation that writes or changes a name, from any thread.
  void SetBefore(std::function<void(FileOperation)> before);

  uint64_t failures() const { return failures_; }

  static const char* kClassName() { return "KindlingFaultFileSystem"; }
  const char* Name() const override { return kClassName(); }

  rocksdb::IOStatus NewSequentialFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& name,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReuseWritableFile(const std::string& name, const std::string& old_name,
                                      const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  // What is written in place cannot be followed.
  rocksdb::IOStatus NewRandomRWFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions& options,
                                 uint64_t* bytes, rocksdb::IODebugContext* debug) override;

 private:
  friend class FaultWritableFile;
  friend class FaultDirectory;
  friend class FaultSequentialFile;
  friend class FaultRandomAccessFile;

  struct Fault {
    int error = 0;
    double chance = 0;
  };

  explicit FaultFileSystem(std::unique_ptr<FaultJournal> journal);

  // Of an operation about to be made.
  rocksdb::IOStatus Before(FileOperation operation, const std::string& name);
  // How many of `bytes` there is room for; takes them.
  uint64_t TakeRoom(uint64_t bytes);
  void GiveRoom(uint64_t bytes);
  bool Owns(const std::string& path);
  uint64_t Below(uint64_t bound);
  rocksdb::IOStatus Synced(FaultJournal::Id id, uint64_t bytes);
  void SyncFailed(FaultJournal::Id id);
  rocksdb::IOStatus DirectorySynced(const std::string& name);

  absl::Mutex mu_;  // a change and its note are one
  const std::unique_ptr<FaultJournal> journal_ ABSL_PT_GUARDED_BY(mu_);
  absl::Mutex faults_mu_;
  std::array<Fault, kFileOperations> faults_ ABSL_GUARDED_BY(faults_mu_);
  std::mt19937_64 random_ ABSL_GUARDED_BY(faults_mu_);
  uint64_t room_ ABSL_GUARDED_BY(faults_mu_) = UINT64_MAX;
  std::function<void(FileOperation)> before_ ABSL_GUARDED_BY(faults_mu_);
  std::atomic<uint64_t> failures_ = 0;
  std::atomic<bool> ignore_syncs_ = false;
};

}  // namespace kindling::storage
