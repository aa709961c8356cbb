#include "storage/testing/fault_file_system.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/status_macros.h"

namespace kindling::storage {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

// As RocksDB's own file system says it.
IOStatus Failure(int error, const std::string& name) {
  const std::string where = "injected, " + name;
  if (error != ENOSPC) return IOStatus::IOError(where, std::strerror(error));
  IOStatus status = IOStatus::NoSpace(where, std::strerror(error));
  status.SetRetryable(true);
  return status;
}

IOStatus FromJournal(const absl::Status& status) {
  if (status.ok()) return IOStatus::OK();
  return IOStatus::Aborted("fault journal", std::string(status.message()));
}

}  // namespace

class FaultWritableFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultWritableFile(FaultFileSystem& owner, std::string name, FaultJournal::Id id, uint64_t size,
                    std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)),
        owner_(owner),
        name_(std::move(name)),
        id_(id),
        size_(size) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    IOStatus failed = owner_.Before(FileOperation::kWrite, name_);
    const uint64_t wanted = failed.ok() ? data.size() : owner_.Below(data.size() + 1);
    const uint64_t taken = owner_.TakeRoom(wanted);
    if (failed.ok() && taken < wanted) failed = Failure(ENOSPC, name_);
    IOStatus status = target()->Append(Slice(data.data(), taken), options, debug);
    if (status.ok()) size_ += taken;
    return failed.ok() ? status : failed;
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& /*verification*/,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  // Of direct I/O, which stores do not use.
  IOStatus PositionedAppend(const Slice&, uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::NotSupported("PositionedAppend");
  }
  IOStatus PositionedAppend(const Slice&, uint64_t, const IOOptions&,
                            const rocksdb::DataVerificationInfo&, IODebugContext*) override {
    return IOStatus::NotSupported("PositionedAppend");
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = target()->Truncate(size, options, debug);
    if (status.ok()) size_ = std::min<uint64_t>(size_, size);
    return status;
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    // What is appended from here on is not part of it.
    const uint64_t size = size_;
    if (IOStatus failed = owner_.Before(FileOperation::kSync, name_); !failed.ok()) {
      owner_.SyncFailed(id_);
      return failed;
    }
    if (IOStatus flushed = target()->Flush(options, debug); !flushed.ok()) return flushed;
    return owner_.Synced(id_, size);
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Sync(options, debug);
  }

 private:
  FaultFileSystem& owner_;
  const std::string name_;
  const FaultJournal::Id id_;
  std::atomic<uint64_t> size_;
};

class FaultDirectory final : public rocksdb::FSDirectoryWrapper {
 public:
  FaultDirectory(FaultFileSystem& owner, std::string name,
                 std::unique_ptr<rocksdb::FSDirectory> directory)
      : FSDirectoryWrapper(std::move(directory)), owner_(owner), name_(std::move(name)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    if (IOStatus failed = owner_.Before(FileOperation::kSyncDirectory, name_); !failed.ok()) {
      return failed;
    }
    return owner_.DirectorySynced(name_);
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, debug);
  }

 private:
  FaultFileSystem& owner_;
  const std::string name_;
};

class FaultSequentialFile final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  FaultSequentialFile(FaultFileSystem& owner, std::string name,
                      std::unique_ptr<rocksdb::FSSequentialFile> file)
      : FSSequentialFileOwnerWrapper(std::move(file)), owner_(owner), name_(std::move(name)) {}

  IOStatus Read(size_t n, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) override {
    if (IOStatus failed = owner_.Before(FileOperation::kRead, name_); !failed.ok()) return failed;
    return target()->Read(n, options, result, scratch, debug);
  }

 private:
  FaultFileSystem& owner_;
  const std::string name_;
};

class FaultRandomAccessFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  FaultRandomAccessFile(FaultFileSystem& owner, std::string name,
                        std::unique_ptr<rocksdb::FSRandomAccessFile> file)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), owner_(owner), name_(std::move(name)) {}

  IOStatus Read(uint64_t offset, size_t n, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) const override {
    if (IOStatus failed = owner_.Before(FileOperation::kRead, name_); !failed.ok()) return failed;
    return target()->Read(offset, n, options, result, scratch, debug);
  }
  IOStatus MultiRead(rocksdb::FSReadRequest* requests, size_t count, const IOOptions& options,
                     IODebugContext* debug) override {
    if (IOStatus failed = owner_.Before(FileOperation::kRead, name_); !failed.ok()) return failed;
    return target()->MultiRead(requests, count, options, debug);
  }

 private:
  FaultFileSystem& owner_;
  const std::string name_;
};

FaultFileSystem::FaultFileSystem(std::unique_ptr<FaultJournal> journal)
    : FileSystemWrapper(rocksdb::FileSystem::Default()), journal_(std::move(journal)) {}

absl::StatusOr<std::shared_ptr<FaultFileSystem>> FaultFileSystem::Make(const std::string& root,
                                                                       const std::string& side) {
  ASSIGN_OR_RETURN(std::unique_ptr<FaultJournal> journal, FaultJournal::Open(root, side));
  return std::shared_ptr<FaultFileSystem>(new FaultFileSystem(std::move(journal)));
}

void FaultFileSystem::Fail(FileOperation operation, int error, double chance, uint64_t seed) {
  absl::MutexLock lock(&faults_mu_);
  faults_[static_cast<size_t>(operation)] = {error, chance};
  random_.seed(seed);
}

void FaultFileSystem::FailNothing() {
  absl::MutexLock lock(&faults_mu_);
  faults_ = {};
  room_ = UINT64_MAX;
}

void FaultFileSystem::SetRoom(uint64_t bytes) {
  absl::MutexLock lock(&faults_mu_);
  room_ = bytes;
}

void FaultFileSystem::SetBefore(std::function<void(FileOperation)> before) {
  absl::MutexLock lock(&faults_mu_);
  before_ = std::move(before);
}

IOStatus FaultFileSystem::Before(FileOperation operation, const std::string& name) {
  std::function<void(FileOperation)> before;
  {
    absl::MutexLock lock(&faults_mu_);
    const Fault& fault = faults_[static_cast<size_t>(operation)];
    if (fault.chance > 0 && std::uniform_real_distribution<>()(random_) < fault.chance) {
      ++failures_;
      return Failure(fault.error, name);
    }
    if (operation != FileOperation::kRead) before = before_;
  }
  if (before) before(operation);
  return IOStatus::OK();
}

uint64_t FaultFileSystem::TakeRoom(uint64_t bytes) {
  absl::MutexLock lock(&faults_mu_);
  if (room_ == UINT64_MAX) return bytes;
  if (bytes > room_) ++failures_;
  const uint64_t taken = std::min(bytes, room_);
  room_ -= taken;
  return taken;
}

void FaultFileSystem::GiveRoom(uint64_t bytes) {
  absl::MutexLock lock(&faults_mu_);
  if (room_ != UINT64_MAX) room_ += bytes;
}

uint64_t FaultFileSystem::Below(uint64_t bound) {
  absl::MutexLock lock(&faults_mu_);
  return random_() % bound;
}

bool FaultFileSystem::Owns(const std::string& path) {
  absl::MutexLock lock(&mu_);
  return journal_->Owns(path);
}

IOStatus FaultFileSystem::Synced(FaultJournal::Id id, uint64_t bytes) {
  if (ignore_syncs_) return IOStatus::OK();
  absl::MutexLock lock(&mu_);
  return FromJournal(journal_->Synced(id, bytes));
}

void FaultFileSystem::SyncFailed(FaultJournal::Id id) {
  absl::MutexLock lock(&mu_);
  journal_->SyncFailed(id).IgnoreError();
}

IOStatus FaultFileSystem::DirectorySynced(const std::string& name) {
  absl::MutexLock lock(&mu_);
  return FromJournal(journal_->DirectorySynced(name));
}

IOStatus FaultFileSystem::NewSequentialFile(const std::string& name, const FileOptions& options,
                                            std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                            IODebugContext* debug) {
  IOStatus status = target()->NewSequentialFile(name, options, file, debug);
  if (status.ok() && Owns(name)) {
    *file = std::make_unique<FaultSequentialFile>(*this, name, std::move(*file));
  }
  return status;
}

IOStatus FaultFileSystem::NewRandomAccessFile(const std::string& name, const FileOptions& options,
                                              std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                              IODebugContext* debug) {
  IOStatus status = target()->NewRandomAccessFile(name, options, file, debug);
  if (status.ok() && Owns(name)) {
    *file = std::make_unique<FaultRandomAccessFile>(*this, name, std::move(*file));
  }
  return status;
}

IOStatus FaultFileSystem::NewWritableFile(const std::string& name, const FileOptions& options,
                                          std::unique_ptr<rocksdb::FSWritableFile>* file,
                                          IODebugContext* debug) {
  if (!Owns(name)) return target()->NewWritableFile(name, options, file, debug);
  if (IOStatus failed = Before(FileOperation::kOpen, name); !failed.ok()) return failed;
  absl::MutexLock lock(&mu_);
  // The old file must not be emptied: it may have to come back.
  if (journal_->IdOf(name) != 0) {
    if (IOStatus status = target()->DeleteFile(name, options.io_options, debug); !status.ok()) {
      return status;
    }
  }
  IOStatus status = target()->NewWritableFile(name, options, file, debug);
  if (!status.ok()) return status;
  const absl::StatusOr<FaultJournal::Id> id = journal_->Created(name);
  if (!id.ok()) return FromJournal(id.status());
  *file = std::make_unique<FaultWritableFile>(*this, name, *id, 0, std::move(*file));
  return status;
}

IOStatus FaultFileSystem::ReopenWritableFile(const std::string& name, const FileOptions& options,
                                             std::unique_ptr<rocksdb::FSWritableFile>* file,
                                             IODebugContext* debug) {
  if (!Owns(name)) return target()->ReopenWritableFile(name, options, file, debug);
  if (IOStatus failed = Before(FileOperation::kOpen, name); !failed.ok()) return failed;
  absl::MutexLock lock(&mu_);
  FaultJournal::Id id = journal_->IdOf(name);
  uint64_t size = 0;
  if (id != 0) {
    IOStatus status = target()->GetFileSize(name, options.io_options, &size, debug);
    if (!status.ok()) return status;
  }
  IOStatus status = target()->ReopenWritableFile(name, options, file, debug);
  if (!status.ok()) return status;
  if (id == 0) {
    const absl::StatusOr<FaultJournal::Id> made = journal_->Created(name);
    if (!made.ok()) return FromJournal(made.status());
    id = *made;
  }
  *file = std::make_unique<FaultWritableFile>(*this, name, id, size, std::move(*file));
  return status;
}

IOStatus FaultFileSystem::ReuseWritableFile(const std::string& name, const std::string& old_name,
                                            const FileOptions& options,
                                            std::unique_ptr<rocksdb::FSWritableFile>* file,
                                            IODebugContext* debug) {
  return FileSystem::ReuseWritableFile(name, old_name, options, file, debug);
}

IOStatus FaultFileSystem::NewRandomRWFile(const std::string& name, const FileOptions& options,
                                          std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                          IODebugContext* debug) {
  if (!Owns(name)) return target()->NewRandomRWFile(name, options, file, debug);
  return IOStatus::NotSupported("NewRandomRWFile");
}

IOStatus FaultFileSystem::NewDirectory(const std::string& name, const IOOptions& options,
                                       std::unique_ptr<rocksdb::FSDirectory>* directory,
                                       IODebugContext* debug) {
  IOStatus status = target()->NewDirectory(name, options, directory, debug);
  if (status.ok() && Owns(name)) {
    *directory = std::make_unique<FaultDirectory>(*this, name, std::move(*directory));
  }
  return status;
}

IOStatus FaultFileSystem::DeleteFile(const std::string& name, const IOOptions& options,
                                     IODebugContext* debug) {
  if (!Owns(name)) return target()->DeleteFile(name, options, debug);
  if (IOStatus failed = Before(FileOperation::kDelete, name); !failed.ok()) return failed;
  absl::MutexLock lock(&mu_);
  uint64_t size = 0;
  target()->GetFileSize(name, options, &size, debug).PermitUncheckedError();
  IOStatus status = target()->DeleteFile(name, options, debug);
  if (!status.ok()) return status;
  GiveRoom(size);
  return FromJournal(journal_->Deleted(name));
}

IOStatus FaultFileSystem::RenameFile(const std::string& from, const std::string& to,
                                     const IOOptions& options, IODebugContext* debug) {
  if (!Owns(from) || !Owns(to)) return target()->RenameFile(from, to, options, debug);
  if (IOStatus failed = Before(FileOperation::kRename, from); !failed.ok()) return failed;
  absl::MutexLock lock(&mu_);
  IOStatus status = target()->RenameFile(from, to, options, debug);
  if (!status.ok()) return status;
  return FromJournal(journal_->Renamed(from, to));
}

IOStatus FaultFileSystem::LinkFile(const std::string& from, const std::string& to,
                                   const IOOptions& options, IODebugContext* debug) {
  if (!Owns(from) || !Owns(to)) return target()->LinkFile(from, to, options, debug);
  if (IOStatus failed = Before(FileOperation::kRename, from); !failed.ok()) return failed;
  absl::MutexLock lock(&mu_);
  IOStatus status = target()->LinkFile(from, to, options, debug);
  if (!status.ok()) return status;
  return FromJournal(journal_->Linked(from, to));
}

IOStatus FaultFileSystem::GetFreeSpace(const std::string& path, const IOOptions& options,
                                       uint64_t* bytes, IODebugContext* debug) {
  IOStatus status = target()->GetFreeSpace(path, options, bytes, debug);
  absl::MutexLock lock(&faults_mu_);
  *bytes = std::min(*bytes, room_);
  return status;
}

}  // namespace kindling::storage
