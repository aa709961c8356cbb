// A store whose files cannot be read for a while: it says so, and goes on by itself.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "storage/rocks_store.h"
#include "storage/testing/fault_file_system.h"

namespace kindling::storage {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kTimeNs = 1'700'000'000'000'000'000;

model::Batch LossBatch(uint64_t sequence) {
  model::Batch batch;
  batch.id = {.agent_id = "a", .boot_epoch = 1, .sequence = sequence};
  batch.tenant = "default";
  batch.cluster = "test";
  batch.losses.push_back({.time_ns = kTimeNs, .requests = sequence});
  return batch;
}

class ReopenTest : public ::testing::Test {
 protected:
  ReopenTest() {
    auto files = FaultFileSystem::Make(dir_.File("store"), dir_.File("side"));
    EXPECT_OK(files);
    files_ = *files;
    auto store = OpenRocksStore(
        {.directory = dir_.File("store"), .min_free_bytes = 0, .testing = {.file_system = files_}});
    EXPECT_OK(store);
    store_ = *std::move(store);
  }
  absl::StatusOr<std::multiset<uint64_t>> Requests() {
    std::multiset<uint64_t> out;
    const auto report = store_->Scan({.tenant = "default", .cluster = "test", .losses = true},
                                     [&](const model::Batch& block) {
                                       for (const auto& row : block.losses)
                                         out.insert(row.requests);
                                       return true;
                                     });
    if (!report.ok()) return report.status();
    return out;
  }
  // Until the store has noticed that nothing can be read.
  void AwaitUnreadable() {
    const absl::Time end = absl::Now() + absl::Seconds(20);
    while (Requests().ok() && absl::Now() < end) {
      EXPECT_FALSE(store_->Append({LossBatch(2)}).ok());
      absl::SleepFor(absl::Milliseconds(5));
    }
  }

  base::TempDir dir_;
  std::shared_ptr<FaultFileSystem> files_;
  std::unique_ptr<Store> store_;
};

TEST_F(ReopenTest, AStoreThatCannotBeReadSaysSoAndComesBack) {
  ASSERT_OK(store_->Append({LossBatch(1)}));
  files_->Fail(FileOperation::kSync, EIO, 1);
  files_->Fail(FileOperation::kRead, EIO, 1);
  AwaitUnreadable();

  const auto is_unavailable = [](const absl::Status& status) {
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("cannot be read at present"));
  };
  is_unavailable(Requests().status());
  is_unavailable(store_->SearchSpans({}, [](const model::Span&) { return INT64_MIN; }).status());
  std::vector<model::Span> spans;
  is_unavailable(store_->FindSpans({}, &spans).status());
  is_unavailable(store_->QuerySeries({}, [](const MetricRun&) { return true; }).status());
  is_unavailable(store_->QueryChunks({}, [](const model::Chunk&) { return true; }).status());
  is_unavailable(store_->GetContent("default", "test", {}).status());
  is_unavailable(store_->DurableSequences("a").status());
  is_unavailable(store_->admin().Verify().status());
  is_unavailable(store_->admin().Backup(dir_.File("backup")));
  EXPECT_FALSE(store_->admin().Compact().ok());
  EXPECT_FALSE(store_->Retain(kTimeNs).ok());
  EXPECT_FALSE(store_->Append({LossBatch(2)}).ok());
  EXPECT_EQ(store_->OldestNs(), 0);
  const auto status = store_->admin().GetStatus();
  ASSERT_OK(status);
  EXPECT_NE(status->stopped, "");

  files_->FailNothing();
  const absl::Time end = absl::Now() + absl::Seconds(60);
  while (!store_->Append({LossBatch(3)}).ok()) {
    ASSERT_LT(absl::Now(), end);
    absl::SleepFor(absl::Milliseconds(5));
  }
  const auto found = Requests();
  ASSERT_OK(found);
  EXPECT_EQ(found->count(1), 1);
  EXPECT_EQ(found->count(3), 1);
  EXPECT_EQ(store_->admin().GetStatus()->stopped, "");
}

TEST_F(ReopenTest, AStoreThatCannotBeReadCanBeClosed) {
  files_->Fail(FileOperation::kSync, EIO, 1);
  files_->Fail(FileOperation::kRead, EIO, 1);
  AwaitUnreadable();
  store_.reset();
  files_->FailNothing();
}

}  // namespace
}  // namespace kindling::storage
