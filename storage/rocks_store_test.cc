#include "storage/rocks_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/time/clock.h"
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
    // All classes alike, so that tests can tell when a record goes.
    const TierOptions week = {kHourNs, 7 * 24 * kHourNs};
    SetTiers(week);
    Open();
  }

  void SetTiers(const TierOptions& tier) {
    options_.spans = options_.series_10s = options_.series_1m = options_.series_1h =
        options_.events = tier;
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

  // Until every batch is in blocks.
  void WaitUntilSealed() {
    for (;;) {
      const auto status = store_->admin().GetStatus();
      ASSERT_OK(status);
      if (status->unsealed_batches == 0) return;
      absl::SleepFor(absl::Milliseconds(2));
    }
  }

  // With the store closed, changes the values under the keys that `wanted` says.
  void Tamper(const std::function<bool(std::string_view key)>& wanted,
              const std::function<std::string(std::string)>& change) {
    store_.reset();
    std::vector<std::string> names;
    ASSERT_TRUE(
        rocksdb::DB::ListColumnFamilies(rocksdb::DBOptions(), options_.directory, &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names)
      families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* raw = nullptr;
    ASSERT_TRUE(
        rocksdb::DB::Open(rocksdb::DBOptions(), options_.directory, families, &handles, &raw).ok());
    const std::unique_ptr<rocksdb::DB> db(raw);
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      {
        const std::unique_ptr<rocksdb::Iterator> it(
            db->NewIterator(rocksdb::ReadOptions(), handle));
        for (it->SeekToFirst(); it->Valid(); it->Next()) {
          if (!wanted(it->key().ToStringView())) continue;
          ASSERT_TRUE(
              db->Put(rocksdb::WriteOptions(), handle, it->key(), change(it->value().ToString()))
                  .ok());
        }
      }
      db->DestroyColumnFamilyHandle(handle);
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
  SetTiers({kHourNs, kHourNs});
  Open();
  ASSERT_OK(store_->Retain(kStartNs + 100 * kHourNs));
  const model::Batch left = Scan(PlanFor());
  EXPECT_TRUE(left.losses.empty());
  ASSERT_EQ(left.addresses.size(), 1);
  EXPECT_EQ(left.addresses[0].workload, "new");
}

TEST_F(RocksStoreTest, RetentionByAgeDropsWholeBucketsAndKeepsSequences) {
  SetTiers({kHourNs, 24 * kHourNs});
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
  options_.seal_after_ns = 0;
  // Longer than the test's time: the parts of a bucket go one by one.
  SetTiers({kHourNs, 24 * kHourNs});
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
    WaitUntilSealed();
    ASSERT_OK(store_->Retain(kStartNs + minute * 60 * kSecondNs));
    // A file in use goes a moment later; what merging writes meanwhile is seen the next time.
    const absl::Time soon = absl::Now() + absl::Seconds(5);
    while (store_->ApproximateBytes() > options_.max_bytes && absl::Now() < soon) {
      absl::SleepFor(absl::Milliseconds(20));
      ASSERT_OK(store_->Retain(kStartNs + minute * 60 * kSecondNs));
    }
    most_bytes = std::max(most_bytes, store_->ApproximateBytes());
  }
  EXPECT_LE(most_bytes, options_.max_bytes);
  // The cap was reached, and what is left is the newest, without holes.
  std::set<int64_t> minutes;
  for (const auto& row : Scan(PlanFor()).spans) {
    minutes.insert((row.start_ns - kStartNs) / (60 * kSecondNs));
  }
  EXPECT_GT(*minutes.begin(), 0);
  EXPECT_LT(*minutes.begin(), 37);
  EXPECT_EQ(*minutes.rbegin(), 39);
  EXPECT_EQ(*minutes.rbegin() - *minutes.begin() + 1, static_cast<int64_t>(minutes.size()));
}

// Keys of the bodies of blocks.
bool IsBody(std::string_view bytes) {
  const auto key = BlockKey::Parse(bytes);
  return key && key->part == BlockPart::kBody;
}

std::string Flipped(std::string value) {
  value.back() = static_cast<char>(value.back() ^ 0x40);
  return value;
}

TEST_F(RocksStoreTest, ADamagedBlockIsSkippedAndReported) {
  options_.seal_after_ns = 0;
  Open();
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK(store_->Append({LossBatch("a", i + 1, kStartNs + i, i + 1)}));
    WaitUntilSealed();
  }
  int block = 0;
  Tamper(IsBody, [&](const std::string& value) { return ++block == 2 ? Flipped(value) : value; });
  EXPECT_EQ(block, 3);
  Open();
  ScanReport report;
  const model::Batch left = Scan(PlanFor(), &report);
  EXPECT_EQ(left.losses.size(), 2);
  EXPECT_EQ(report.damaged_blocks, 1);
  ASSERT_EQ(report.notes.size(), 1);
  EXPECT_THAT(report.notes[0], AllOf(HasSubstr("losses"), HasSubstr("checksum")));
  const auto verified = store_->admin().Verify();
  ASSERT_OK(verified);
  EXPECT_EQ(verified->blocks, 3);
  EXPECT_EQ(verified->damaged_blocks, 1);
  // Merging leaves it alone and takes nothing with it.
  ASSERT_OK(store_->admin().Compact());
  EXPECT_EQ(Scan(PlanFor(), &report).losses.size(), 2);
  EXPECT_EQ(report.damaged_blocks, 1);
}

TEST_F(RocksStoreTest, ABatchThatCannotBeReadBeforeItIsSealedIsReported) {
  ASSERT_OK(store_->Append({LossBatch("a", 1, kStartNs, 1)}));
  ASSERT_OK(store_->Append({LossBatch("a", 2, kStartNs, 2)}));
  int batch = 0;
  Tamper([](std::string_view key) { return RawBatchKey::Parse(key).has_value(); },
         [&](const std::string& value) { return ++batch == 1 ? Flipped(value) : value; });
  Open();
  ScanReport report;
  EXPECT_EQ(Scan(PlanFor(), &report).losses.size(), 1);
  EXPECT_EQ(report.damaged_blocks, 1);
}

TEST_F(RocksStoreTest, ADamagedFileLeavesTheRestReadable) {
  options_.seal_after_ns = 0;
  SetTiers({kHourNs, 100 * kHourNs});
  Open();
  RandomRecords records(6, 0);
  constexpr int kBatches = 40;
  for (int i = 0; i < kBatches; ++i) {
    model::Batch batch = records.Batch(
        {.agent_id = "a", .boot_epoch = 1, .sequence = static_cast<uint64_t>(i) + 1}, 100);
    batch.edges.clear();
    batch.spans.clear();
    batch.processes.clear();
    for (auto& row : batch.losses) row.time_ns = kStartNs + i * kHourNs;
    ASSERT_OK(store_->Append({batch}));
  }
  WaitUntilSealed();
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

// Sums of what the rows count, by the step that is asked for.
TEST_F(RocksStoreTest, RollUpsAddUpToTheirParts) {
  options_.seal_after_ns = 0;
  Open();
  RandomRecords records(8, kStartNs);
  for (int i = 0; i < 20; ++i) {
    model::Batch batch = records.Batch(
        {.agent_id = "a", .boot_epoch = 1, .sequence = static_cast<uint64_t>(i) + 1}, 50);
    for (auto& row : batch.edges) {
      row.window_start_ns -= row.window_start_ns % row.window_ns;
      row.count %= 1000;
    }
    ASSERT_OK(store_->Append({batch}));
    if (i % 7 == 0) WaitUntilSealed();
  }
  const auto sum = [&](int64_t step_ns, int64_t start_ns, int64_t end_ns) {
    ScanPlan plan = PlanFor(start_ns, end_ns);
    plan.step_ns = step_ns;
    std::pair<uint64_t, uint64_t> out;  // requests, rows
    for (const auto& row : Scan(plan).edges) {
      out.first += row.count;
      ++out.second;
    }
    return out;
  };
  const auto check = [&] {
    const auto all = sum(0, 0, INT64_MAX);
    EXPECT_EQ(sum(60 * kSecondNs, 0, INT64_MAX).first, all.first);
    EXPECT_EQ(sum(kHourNs, 0, INT64_MAX).first, all.first);
    // Ends that are no whole minutes are made up of shorter windows.
    const int64_t from = kStartNs + 130 * kSecondNs;
    const int64_t to = kStartNs + 3010 * kSecondNs;
    EXPECT_EQ(sum(60 * kSecondNs, from, to).first, sum(0, from, to).first);
    EXPECT_EQ(sum(kHourNs, from, to + 2 * kHourNs).first, sum(0, from, to + 2 * kHourNs).first);
    // Flows count the same, in no more rows, and say nothing of what was asked.
    for (const int64_t step_ns : {60 * kSecondNs, kHourNs}) {
      const int64_t start_ns = from - from % kHourNs;
      const int64_t end_ns = start_ns + 2 * kHourNs;
      const auto edges = sum(step_ns, start_ns, end_ns);
      const ScanPlan plan = PlanFor(start_ns, end_ns);
      std::pair<uint64_t, uint64_t> flows;
      std::map<uint32_t, SpanEnds> ends;
      EXPECT_OK(store_->QueryFlows({.tenant = plan.tenant,
                                    .cluster = plan.cluster,
                                    .start_ns = start_ns,
                                    .end_ns = end_ns,
                                    .step_ns = step_ns},
                                   [&](const FlowRun& run) {
                                     for (const FlowRow& row : run.rows) flows.first += row.count;
                                     flows.second += run.rows.size();
                                     EXPECT_EQ(ends.try_emplace(run.flow, run.ends).first->second,
                                               run.ends);
                                     return true;
                                   }));
      EXPECT_EQ(flows.first, edges.first);
      EXPECT_LE(flows.second, edges.second);
    }
    return all;
  };
  check();
  WaitUntilSealed();
  const auto sealed = check();
  ASSERT_OK(store_->admin().Compact());
  EXPECT_EQ(check().first, sealed.first);
  const auto verified = store_->admin().Verify();
  ASSERT_OK(verified);
  EXPECT_THAT(verified->faults, ::testing::IsEmpty());
  Open();
  EXPECT_EQ(check().first, sealed.first);
}

TEST_F(RocksStoreTest, ManySmallBlocksBecomeFewAndKeepEveryRecord) {
  options_.seal_after_ns = 0;
  Open();
  RandomRecords records(9, kStartNs);
  model::Batch all;
  for (int i = 0; i < 40; ++i) {
    model::Batch batch = records.Batch(
        {.agent_id = "a", .boot_epoch = 1, .sequence = static_cast<uint64_t>(i) + 1}, 20);
    ASSERT_OK(store_->Append({batch}));
    WaitUntilSealed();
    all.spans.insert(all.spans.end(), batch.spans.begin(), batch.spans.end());
    all.losses.insert(all.losses.end(), batch.losses.begin(), batch.losses.end());
  }
  ASSERT_OK(store_->admin().Compact());
  const auto status = store_->admin().GetStatus();
  ASSERT_OK(status);
  for (const BucketStatus& bucket : status->buckets) {
    EXPECT_LE(bucket.blocks, 2) << bucket.record_class;
  }
  const model::Batch left = Scan(PlanFor());
  EXPECT_THAT(left.spans, ::testing::UnorderedElementsAreArray(all.spans));
  EXPECT_THAT(left.losses, ::testing::UnorderedElementsAreArray(all.losses));
}

TEST_F(RocksStoreTest, LateRecordsGoToTheirBucketWhileItIsKeptAndAreCountedAfter) {
  options_.seal_after_ns = 0;
  SetTiers({kHourNs, 10 * kHourNs});
  Open();
  ASSERT_OK(store_->Append({LossBatch("a", 1, kStartNs + 20 * kHourNs, 1)}));
  ASSERT_OK(store_->Retain(kStartNs + 20 * kHourNs));
  ASSERT_OK(store_->Append({LossBatch("a", 2, kStartNs + 11 * kHourNs, 2)}));
  ASSERT_OK(store_->Append({LossBatch("a", 3, kStartNs + 9 * kHourNs, 3)}));
  EXPECT_EQ(Requests(), (std::multiset<uint64_t>{1, 2}));
  WaitUntilSealed();
  EXPECT_EQ(Requests(), (std::multiset<uint64_t>{1, 2}));
  EXPECT_EQ(store_->admin().GetStatus()->late_refused, 1);
}

TEST_F(RocksStoreTest, ChunksAreFoundBySpanAndByTimeAndContentsAreKeptOnce) {
  options_.seal_after_ns = 0;
  Open();
  model::Batch batch = LossBatch("a", 1, kStartNs, 1);
  const model::Chunk timeline{.kind = model::ChunkKind::kThreadTimeline,
                              .span_id = 77,
                              .first_ns = kStartNs + 5,
                              .last_ns = kStartNs + 9,
                              .host = "node",
                              .pid = 12,
                              .tid = 13,
                              .bytes = std::string(5000, 'x')};
  model::Chunk packets = timeline;
  packets.kind = model::ChunkKind::kPackets;
  packets.span_id = 0;
  packets.first_ns = packets.last_ns = kStartNs + 100;
  packets.bytes = "p";
  batch.chunks = {timeline, packets};
  const std::string stack(3000, 's');
  batch.contents = {{.hash = {1, 2}, .time_ns = kStartNs, .bytes = stack}};
  const auto check = [&] {
    std::vector<model::Chunk> found;
    const auto collect = [&](const model::Chunk& chunk) {
      found.push_back(chunk);
      return true;
    };
    ASSERT_OK(
        store_->QueryChunks({.tenant = "default", .cluster = "test", .span_id = 77}, collect));
    EXPECT_EQ(found, std::vector{timeline});
    found.clear();
    ASSERT_OK(store_->QueryChunks({.tenant = "default",
                                   .cluster = "test",
                                   .start_ns = kStartNs + 9,
                                   .end_ns = kStartNs + 101},
                                  collect));
    EXPECT_EQ(found, (std::vector{timeline, packets}));
    const auto content = store_->GetContent("default", "test", {1, 2});
    ASSERT_OK(content);
    EXPECT_EQ(*content, stack);
    EXPECT_TRUE(absl::IsNotFound(store_->GetContent("default", "test", {1, 3}).status()));
    EXPECT_TRUE(absl::IsNotFound(store_->GetContent("other", "test", {1, 2}).status()));
  };
  ASSERT_OK(store_->Append({batch}));
  check();
  WaitUntilSealed();
  check();
  batch.id.sequence = 2;
  batch.chunks.clear();
  ASSERT_OK(store_->Append({batch}));
  WaitUntilSealed();
  int contents = 0;
  Tamper([](std::string_view key) { return ContentKey::Parse(key).has_value(); },
         [&](std::string value) {
           ++contents;
           return value;
         });
  EXPECT_EQ(contents, 1);
  Open();
  check();
}

TEST_F(RocksStoreTest, SpansAreFoundByIdTraceAliasAndParent) {
  model::Batch batch = LossBatch("a", 1, kStartNs, 1);
  for (uint64_t id = 1; id <= 20; ++id) {
    model::Span span;
    span.id = id;
    span.parent_id = id / 2;
    span.trace_id = {id % 3, 1};
    if (id > 15) span.alias_trace_id = {9, id % 2};
    span.start_ns = kStartNs + static_cast<int64_t>(id) * kSecondNs;
    batch.spans.push_back(span);
  }
  ASSERT_OK(store_->Append({batch}));
  const auto found = [&](Store::SpanIds ids) {
    ids.tenant = "default";
    ids.cluster = "test";
    std::vector<model::Span> spans;
    EXPECT_OK(store_->FindSpans(ids, &spans));
    std::multiset<model::SpanId> out;
    for (const model::Span& span : spans) out.insert(span.id);
    return out;
  };
  using Ids = std::multiset<model::SpanId>;
  // As they came, and in a block.
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(found({.spans = {3, 77}}), Ids({3}));
    EXPECT_EQ(found({.traces = {{0, 1}}}), Ids({3, 6, 9, 12, 15, 18}));
    EXPECT_EQ(found({.aliases = {{9, 0}}}), Ids({16, 18, 20}));
    EXPECT_EQ(found({.parents = {4, 7, 0}}), Ids({8, 9, 14, 15}));
    EXPECT_EQ(found({.parents = {4, 7},
                     .children_start_ns = kStartNs + 9 * kSecondNs,
                     .children_end_ns = kStartNs + 15 * kSecondNs}),
              Ids({9, 14}));
    EXPECT_EQ(found({.spans = {9}, .traces = {{0, 1}}, .parents = {4}}),
              Ids({3, 6, 8, 9, 12, 15, 18}));
    ASSERT_OK(store_->admin().Compact());
    WaitUntilSealed();
  }
}

TEST_F(RocksStoreTest, ABackupHoldsWhatWasAcknowledgedAndGetsAnIdOfItsOwn) {
  ASSERT_OK(store_->Append({LossBatch("a", 1, kStartNs, 1)}));
  const std::string copy = dir_.File("copy");
  ASSERT_OK(store_->admin().Backup(copy));
  ASSERT_OK(store_->Append({LossBatch("a", 2, kStartNs, 2)}));
  EXPECT_TRUE(absl::IsFailedPrecondition(store_->admin().Backup(copy)));
  const std::string id = store_->id();
  options_.directory = copy;
  std::ofstream(copy + "/restored").put('\n');
  Open();
  EXPECT_EQ(Requests(), (std::multiset<uint64_t>{1}));
  EXPECT_EQ(store_->DurableSequences("a")->front().sequence, 1);
  const std::string restored_id = store_->id();
  EXPECT_NE(restored_id, id);
  Open();
  EXPECT_EQ(store_->id(), restored_id);
}

TEST_F(RocksStoreTest, AnAppendThatWaitsForMemoryGetsIt) {
  // A quarter of it is for what is not sealed.
  options_.memory_bytes = 8 * kMiB;
  options_.seal_after_ns = int64_t{3600} * kSecondNs;
  options_.directory = dir_.File("small");
  Open();
  RandomRecords records(3, kStartNs);
  for (uint64_t sequence = 1; sequence <= 40; ++sequence) {
    // About half a megabyte in memory, and far from a full block.
    ASSERT_OK(store_->Append(
        {records.Batch({.agent_id = "a", .boot_epoch = 1, .sequence = sequence}, 100)}));
  }
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
  const auto is_format = [](std::string_view key) { return key == MetaKey{"format"}.Encode(); };
  Tamper(is_format, [](const std::string&) { return "9"; });
  EXPECT_THAT(OpenMessage(options_), AllOf(HasSubstr("format 9"), HasSubstr("newer"),
                                           HasSubstr(options_.directory), Not(HasSubstr("\n"))));
  Tamper(is_format, [](const std::string&) { return "2"; });
  EXPECT_THAT(OpenMessage(options_), AllOf(HasSubstr("format 2"), HasSubstr("move it away")));
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

}  // namespace
}  // namespace kindling::storage
