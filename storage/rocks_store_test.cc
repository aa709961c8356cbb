#include "storage/rocks_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "storage/keys.h"
#include "storage/testing/random_batch.h"

namespace kindling::storage {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

namespace fs = std::filesystem;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kHourNs = 3600 * kSecondNs;
// The beginning of an hour.
constexpr int64_t kStartNs = 472'222 * kHourNs;
constexpr uint64_t kMiB = 1 << 20;

class RocksStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.directory = dir_.File("store");
    options_.min_free_bytes = 0;
    Open();
  }

  void Open() {
    store_.reset();
    auto opened = OpenRocksStore(options_);
    ASSERT_OK(opened);
    store_ = *std::move(opened);
  }

  static model::Batch LossBatch(const std::string& agent, uint64_t sequence, int64_t time_ns,
                                uint64_t requests) {
    model::Batch batch;
    batch.id = {.agent_id = agent, .boot_epoch = 1, .sequence = sequence};
    batch.tenant = "default";
    batch.cluster = "test";
    batch.losses.push_back({.time_ns = time_ns, .host = agent, .requests = requests});
    return batch;
  }

  static ScanPlan PlanFor(int64_t start_ns = 0, int64_t end_ns = INT64_MAX) {
    return {.tenant = "default",
            .cluster = "test",
            .start_ns = start_ns,
            .end_ns = end_ns,
            .spans = true,
            .edges = true,
            .processes = true,
            .addresses = true,
            .losses = true};
  }

  // Everything the scan gives, in one batch.
  model::Batch Scan(const ScanPlan& plan, ScanReport* report = nullptr) {
    model::Batch all;
    const auto scanned = store_->Scan(plan, [&](const model::Batch& block) {
      all.spans.insert(all.spans.end(), block.spans.begin(), block.spans.end());
      all.edges.insert(all.edges.end(), block.edges.begin(), block.edges.end());
      all.processes.insert(all.processes.end(), block.processes.begin(), block.processes.end());
      all.addresses.insert(all.addresses.end(), block.addresses.begin(), block.addresses.end());
      all.losses.insert(all.losses.end(), block.losses.begin(), block.losses.end());
      return true;
    });
    EXPECT_OK(scanned);
    if (report != nullptr && scanned.ok()) *report = *scanned;
    return all;
  }

  std::multiset<uint64_t> Requests(const ScanPlan& plan = PlanFor()) {
    std::multiset<uint64_t> out;
    for (const model::Loss& loss : Scan(plan).losses) out.insert(loss.requests);
    return out;
  }

  // With the store closed, changes every value whose key belongs to `table`.
  void Tamper(Table table, const std::function<std::string(std::string)>& change) {
    store_.reset();
    rocksdb::DB* raw = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(rocksdb::Options(), options_.directory, &raw).ok());
    const std::unique_ptr<rocksdb::DB> db(raw);
    {
      const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(rocksdb::ReadOptions()));
      for (it->SeekToFirst(); it->Valid(); it->Next()) {
        if (it->key()[0] != static_cast<char>(table)) continue;
        ASSERT_TRUE(
            db->Put(rocksdb::WriteOptions(), it->key(), change(it->value().ToString())).ok());
      }
    }
  }

  base::TempDir dir_;
  RocksStoreOptions options_;
  std::unique_ptr<Store> store_;
};

TEST_F(RocksStoreTest, EveryRecordComesBack) {
  RandomRecords records(1, kStartNs);
  model::Batch batch = records.Batch({.agent_id = "a", .boot_epoch = 1, .sequence = 1}, 40);
  batch.addresses.push_back({.first_ns = kStartNs,
                             .address = "10.0.0.1",
                             .port = 80,
                             .transport = model::Transport::kTcp,
                             .workload = "nginx:80",
                             .workload_kind = "process",
                             .host = "a"});
  ASSERT_OK(store_->Append({batch}));
  Open();
  const model::Batch all = Scan(PlanFor());
  EXPECT_THAT(all.spans, ::testing::UnorderedElementsAreArray(batch.spans));
  EXPECT_THAT(all.edges, ::testing::UnorderedElementsAreArray(batch.edges));
  EXPECT_THAT(all.processes, ::testing::UnorderedElementsAreArray(batch.processes));
  EXPECT_THAT(all.losses, ::testing::UnorderedElementsAreArray(batch.losses));
  EXPECT_EQ(all.addresses, batch.addresses);
}

TEST_F(RocksStoreTest, ABatchCountsOnceHoweverOftenItIsAppended) {
  const model::Batch first = LossBatch("a", 1, kStartNs, 1);
  const model::Batch second = LossBatch("a", 2, kStartNs, 2);
  // Twice within one call, in a second call, and after a restart.
  ASSERT_OK(store_->Append({first, first, second}));
  ASSERT_OK(store_->Append({first, second}));
  Open();
  ASSERT_OK(store_->Append({second, LossBatch("a", 4, kStartNs, 4)}));
  EXPECT_EQ(Requests(), (std::multiset<uint64_t>{1, 2, 4}));
  const auto durable = store_->DurableSequences("a");
  ASSERT_OK(durable);
  ASSERT_EQ(durable->size(), 1);
  EXPECT_EQ(durable->front().sequence, 4);
}

TEST_F(RocksStoreTest, RunsAndAgentsHaveSequencesOfTheirOwn) {
  model::Batch other_run = LossBatch("a", 1, kStartNs, 3);
  other_run.id.boot_epoch = 2;
  ASSERT_OK(
      store_->Append({LossBatch("a", 9, kStartNs, 1), LossBatch("a1", 1, kStartNs, 2), other_run}));
  EXPECT_EQ(Requests(), (std::multiset<uint64_t>{1, 2, 3}));
  const auto durable = store_->DurableSequences("a");
  ASSERT_OK(durable);
  ASSERT_EQ(durable->size(), 2);
  EXPECT_EQ((*durable)[0].sequence, 9);
  EXPECT_EQ((*durable)[1].boot_epoch, 2);
  EXPECT_TRUE(store_->DurableSequences("unknown")->empty());
}

TEST_F(RocksStoreTest, ScansSelectByTimeTenantAndCluster) {
  for (int i = 0; i < 10; ++i) {
    ASSERT_OK(store_->Append({LossBatch("a", i + 1, kStartNs + i * kHourNs / 2, i)}));
  }
  model::Batch foreign = LossBatch("b", 1, kStartNs, 100);
  foreign.tenant = "other";
  ASSERT_OK(store_->Append({foreign}));
  EXPECT_EQ(Requests(PlanFor(kStartNs + kHourNs, kStartNs + 2 * kHourNs)),
            (std::multiset<uint64_t>{2, 3}));
  EXPECT_EQ(Requests(PlanFor(kStartNs + 1, kStartNs + kHourNs + 1)),
            (std::multiset<uint64_t>{1, 2}));
  EXPECT_EQ(Requests().size(), 10);
  ScanPlan plan = PlanFor();
  plan.tenant = "other";
  EXPECT_EQ(Requests(plan), (std::multiset<uint64_t>{100}));
  EXPECT_EQ(store_->OldestNs(), kStartNs);
}

TEST_F(RocksStoreTest, AScanStopsWhenToldTo) {
  for (int i = 1; i <= 5; ++i) ASSERT_OK(store_->Append({LossBatch("a", i, kStartNs, i)}));
  int visits = 0;
  ASSERT_OK(store_->Scan(PlanFor(), [&](const model::Batch&) { return ++visits < 2; }));
  EXPECT_EQ(visits, 2);
}

TEST_F(RocksStoreTest, BindingsOutliveTheirBucketAndAreNotRepeated) {
  model::Batch batch = LossBatch("a", 1, kStartNs, 1);
  model::AddressBinding binding{.first_ns = kStartNs,
                                .address = "10.0.0.1",
                                .port = 80,
                                .transport = model::Transport::kTcp,
                                .workload = "old",
                                .host = "a"};
  batch.addresses.push_back(binding);
  ASSERT_OK(store_->Append({batch}));
  // Said again, the same is not kept again; something else is.
  model::Batch again = LossBatch("a", 2, kStartNs + kHourNs, 2);
  binding.first_ns += kHourNs;
  again.addresses.push_back(binding);
  binding.first_ns += kHourNs;
  binding.workload = "new";
  again.addresses.push_back(binding);
  ASSERT_OK(store_->Append({again}));
  ASSERT_EQ(Scan(PlanFor()).addresses.size(), 2);
  EXPECT_EQ(Scan(PlanFor(0, kStartNs + 1)).addresses.size(), 1);

  // The records go, the binding in force stays.
  options_.max_age_ns = kHourNs;
  Open();
  ASSERT_OK(store_->Retain(kStartNs + 100 * kHourNs));
  const model::Batch left = Scan(PlanFor());
  EXPECT_TRUE(left.losses.empty());
  ASSERT_EQ(left.addresses.size(), 1);
  EXPECT_EQ(left.addresses[0].workload, "new");
}

TEST_F(RocksStoreTest, RetentionByAgeDropsWholeBucketsAndKeepsSequences) {
  options_.max_age_ns = 24 * kHourNs;
  Open();
  for (int i = 0; i < 50; ++i) {
    ASSERT_OK(store_->Append({LossBatch("a", i + 1, kStartNs + i * kHourNs, i)}));
  }
  ASSERT_OK(store_->Retain(kStartNs + 49 * kHourNs));
  const std::multiset<uint64_t> left = Requests();
  // Within the age nothing goes; beyond it at most the bucket that reaches into it stays.
  EXPECT_EQ(*left.rbegin(), 49);
  EXPECT_GE(*left.begin(), 23);
  EXPECT_LE(*left.begin(), 25);
  EXPECT_EQ(left.size(), 49 - *left.begin() + 1);
  EXPECT_EQ(store_->OldestNs(), kStartNs + static_cast<int64_t>(*left.begin()) * kHourNs);
  EXPECT_EQ(store_->DurableSequences("a")->front().sequence, 50);
}

TEST_F(RocksStoreTest, RetentionByBytesKeepsTheNewestAndTheCap) {
  options_.max_bytes = 16 * kMiB;
  Open();
  uint64_t sequence = 0;
  uint64_t most_bytes = 0;
  RandomRecords records(5, 0);
  for (int minute = 0; minute < 40; ++minute) {
    for (int i = 0; i < 3; ++i) {
      model::Batch batch =
          records.Batch({.agent_id = "a", .boot_epoch = 1, .sequence = ++sequence}, 1200);
      batch.edges.clear();
      const int64_t time_ns = kStartNs + minute * 60 * kSecondNs;
      for (auto& row : batch.spans) row.start_ns = time_ns;
      for (auto& row : batch.processes) row.time_ns = time_ns;
      for (auto& row : batch.losses) row.time_ns = time_ns;
      ASSERT_OK(store_->Append({batch}));
    }
    ASSERT_OK(store_->Retain(kStartNs + minute * 60 * kSecondNs));
    most_bytes = std::max(most_bytes, store_->ApproximateBytes());
  }
  EXPECT_LE(most_bytes, options_.max_bytes);
  // The cap was reached, and what is left is the newest, without holes.
  EXPECT_GT(store_->OldestNs(), kStartNs);
  EXPECT_LT(store_->OldestNs(), kStartNs + 37 * 60 * kSecondNs);
  std::set<int64_t> minutes;
  for (const auto& row : Scan(PlanFor()).losses) minutes.insert(row.time_ns);
  EXPECT_EQ(*minutes.begin(), store_->OldestNs());
  EXPECT_EQ(*minutes.rbegin(), kStartNs + 39 * 60 * kSecondNs);
  EXPECT_EQ((*minutes.rbegin() - *minutes.begin()) / (60 * kSecondNs) + 1,
            static_cast<int64_t>(minutes.size()));
}

TEST_F(RocksStoreTest, ADamagedBlockIsSkippedAndReported) {
  ASSERT_OK(store_->Append({LossBatch("a", 1, kStartNs, 1)}));
  ASSERT_OK(store_->Append({LossBatch("a", 2, kStartNs + 1, 2)}));
  ASSERT_OK(store_->Append({LossBatch("a", 3, kStartNs + 2, 3)}));
  int block = 0;
  Tamper(Table::kLosses, [&](std::string value) {
    if (++block == 2) value[value.size() - 1] = static_cast<char>(value[value.size() - 1] ^ 0x40);
    return value;
  });
  Open();
  ScanReport report;
  const model::Batch left = Scan(PlanFor(), &report);
  EXPECT_EQ(left.losses.size(), 2);
  EXPECT_EQ(report.damaged_blocks, 1);
  ASSERT_EQ(report.notes.size(), 1);
  EXPECT_THAT(report.notes[0], AllOf(HasSubstr("agent a"), HasSubstr("checksum")));
}

TEST_F(RocksStoreTest, ADamagedFileLeavesTheRestReadable) {
  uint64_t sequence = 0;
  RandomRecords records(6, 0);
  constexpr int kBatches = 40;
  for (int i = 0; i < kBatches; ++i) {
    model::Batch batch =
        records.Batch({.agent_id = "a", .boot_epoch = 1, .sequence = ++sequence}, 100);
    batch.edges.clear();
    batch.spans.clear();
    batch.processes.clear();
    for (auto& row : batch.losses) row.time_ns = kStartNs + i * kHourNs;
    ASSERT_OK(store_->Append({batch}));
  }
  store_.reset();
  Open();  // writes the log to a file
  store_.reset();
  std::string largest;
  for (const auto& entry : fs::directory_iterator(options_.directory)) {
    if (entry.path().extension() != ".sst") continue;
    if (largest.empty() || entry.file_size() > fs::file_size(largest)) largest = entry.path();
  }
  ASSERT_FALSE(largest.empty());
  {
    std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(fs::file_size(largest) / 2));
    file.write("damaged", 7);
  }
  Open();
  ScanReport report;
  const size_t left = Scan(PlanFor(kStartNs), &report).losses.size();
  EXPECT_GE(report.damaged_blocks, 1);
  EXPECT_FALSE(report.notes.empty());
  EXPECT_GT(left, kBatches * 100 / 4);
  EXPECT_LT(left, kBatches * 100);
}

TEST_F(RocksStoreTest, AppendIsRefusedBeforeTheDiskIsFull) {
  options_.min_free_bytes = UINT64_MAX;
  Open();
  const absl::Status refused = store_->Append({LossBatch("a", 1, kStartNs, 1)});
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("free some"));
  EXPECT_TRUE(Requests().empty());
}

TEST_F(RocksStoreTest, TheIdentityStaysAndANewStoreHasAnother) {
  const std::string id = store_->id();
  EXPECT_EQ(id.size(), 32);
  Open();
  EXPECT_EQ(store_->id(), id);
  options_.directory = dir_.File("another");
  Open();
  EXPECT_NE(store_->id(), id);
}

// What is wrong with the store, in one line.
std::string OpenMessage(const RocksStoreOptions& options) {
  const auto opened = OpenRocksStore(options);
  EXPECT_FALSE(opened.ok());
  return std::string(opened.status().message());
}

TEST_F(RocksStoreTest, ANewerFormatIsRefused) {
  Tamper(Table::kMeta, [](std::string value) { return value == "1" ? "2" : value; });
  EXPECT_THAT(OpenMessage(options_), AllOf(HasSubstr("format 2"), HasSubstr("newer"),
                                           HasSubstr(options_.directory), Not(HasSubstr("\n"))));
}

TEST_F(RocksStoreTest, ADamagedDatabaseIsNamed) {
  store_.reset();
  for (const auto& entry : fs::directory_iterator(options_.directory)) {
    if (entry.path().filename().string().starts_with("MANIFEST-")) {
      fs::resize_file(entry.path(), 3);
    }
  }
  EXPECT_THAT(OpenMessage(options_),
              AllOf(HasSubstr("is damaged"), HasSubstr("move it away"), Not(HasSubstr("\n"))));
}

TEST_F(RocksStoreTest, ADatabaseWithoutItsCurrentFileIsNotTakenForAnEmptyOne) {
  ASSERT_OK(store_->Append({LossBatch("a", 1, kStartNs, 1)}));
  store_.reset();
  fs::remove(fs::path(options_.directory) / "CURRENT");
  EXPECT_THAT(OpenMessage(options_), HasSubstr("is damaged"));
}

TEST_F(RocksStoreTest, AMakingThatWasCutShortIsDoneAgain) {
  options_.directory = dir_.File("begun");
  fs::create_directories(options_.directory);
  std::ofstream(options_.directory + "/MANIFEST-000001") << "torn";
  std::ofstream(options_.directory + "/000001.dbtmp") << "MANI";
  Open();
  ASSERT_OK(store_->Append({LossBatch("a", 1, kStartNs, 1)}));
  EXPECT_EQ(Requests(), (std::multiset<uint64_t>{1}));
}

TEST_F(RocksStoreTest, AnotherProgramsDatabaseIsLeftAlone) {
  options_.directory = dir_.File("foreign");
  fs::create_directories(options_.directory);
  {
    rocksdb::DB* raw = nullptr;
    rocksdb::Options options;
    options.create_if_missing = true;
    ASSERT_TRUE(rocksdb::DB::Open(options, options_.directory, &raw).ok());
    const std::unique_ptr<rocksdb::DB> db(raw);
    ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), "their", "data").ok());
  }
  EXPECT_THAT(OpenMessage(options_), HasSubstr("another program's"));
}

TEST(BucketNsForTest, SmallStoresHaveShortBuckets) {
  EXPECT_EQ(BucketNsFor(uint64_t{10} << 30), kHourNs);
  for (uint64_t bytes = 16 * kMiB; bytes < (uint64_t{1} << 40); bytes *= 2) {
    EXPECT_EQ(kHourNs % BucketNsFor(bytes), 0);
  }
  EXPECT_LT(BucketNsFor(16 * kMiB), kHourNs);
}

}  // namespace
}  // namespace kindling::storage
