#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "storage/store_admin.h"

namespace kindling::controller {

// Says what it is told to; its long operations can be held and made to fail.
//
// Threads: `status` and `report` are set before the first call; the rest is safe from any.
class FakeStoreAdmin final : public storage::StoreAdmin {
 public:
  static constexpr int kBackupBytes = 1000;

  storage::StoreStatus status;
  storage::VerifyReport report;

  // Long operations wait from now on, until Release().
  void Hold() {
    absl::MutexLock lock(&mu_);
    open_ = false;
  }
  void Release() {
    absl::MutexLock lock(&mu_);
    open_ = true;
  }
  void AwaitHeld() {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(&holds_));
  }
  void FailWith(absl::Status failure) {
    absl::MutexLock lock(&mu_);
    failure_ = std::move(failure);
  }

  absl::StatusOr<storage::StoreStatus> GetStatus() override { return status; }
  absl::Status Compact() override {
    const absl::Status ended = Work();
    absl::MutexLock lock(&mu_);
    ++compactions_;
    return ended;
  }
  absl::Status Backup(const std::string& directory) override {
    const absl::Status ended = Work();
    if (!ended.ok()) return ended;
    std::filesystem::create_directory(directory);
    std::ofstream(directory + "/000001.sst") << std::string(kBackupBytes, 'x');
    absl::MutexLock lock(&mu_);
    backups_.push_back(directory);
    return ended;
  }
  using storage::StoreAdmin::Verify;
  absl::StatusOr<storage::VerifyReport> Verify(const storage::VerifyProgress& progress) override {
    progress(report.blocks / 2, report.blocks);
    const absl::Status ended = Work();
    if (!ended.ok()) return ended;
    return report;
  }

  int compactions() const {
    absl::MutexLock lock(&mu_);
    return compactions_;
  }
  std::vector<std::string> backups() const {
    absl::MutexLock lock(&mu_);
    return backups_;
  }

 private:
  absl::Status Work() {
    absl::MutexLock lock(&mu_);
    holds_ = !open_;
    mu_.Await(absl::Condition(&open_));
    holds_ = false;
    return failure_;
  }

  mutable absl::Mutex mu_;
  bool open_ ABSL_GUARDED_BY(mu_) = true;
  bool holds_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  int compactions_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::string> backups_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kindling::controller
