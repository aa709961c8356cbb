#include "agent/export/exporter.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "base/testing/fake_clock.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "kindling/v1/ingest.pb.h"

namespace kindling::agent {
namespace {

constexpr int64_t kWall = 1'700'000'000'000'000'000;

model::Batch MakeBatch(int edges, int spans) {
  model::Batch batch;
  batch.first_ns = kWall;
  batch.last_ns = kWall + 10;
  for (int i = 0; i < edges; ++i) {
    batch.edges.push_back({.window_start_ns = kWall, .window_ns = 10, .count = 3});
  }
  for (int i = 0; i < spans; ++i) {
    batch.spans.push_back({.id = static_cast<model::SpanId>(i + 1), .start_ns = kWall});
  }
  return batch;
}

struct Read {
  SpoolRecord record;
  v1::Batch batch;
};

std::vector<Read> ReadAll(Spool& spool) {
  std::vector<Read> read;
  Spool::Cursor cursor;
  while (const std::optional<Spool::Item> item = spool.Next(&cursor)) {
    v1::Batch batch;
    EXPECT_TRUE(batch.ParseFromString(item->payload));
    EXPECT_EQ(batch.boot_epoch(), item->record.epoch);
    EXPECT_EQ(batch.sequence(), item->record.sequence);
    read.push_back({item->record, std::move(batch)});
  }
  return read;
}

class ExporterTest : public ::testing::Test {
 protected:
  ExporterTest() : spool_(*Spool::Open({.directory = dir_.path()}, kWall)) {}

  std::unique_ptr<Exporter> Make(ExporterOptions options = {}) {
    options.boot_epoch = 1000;
    options.host = "host-a";
    return std::make_unique<Exporter>(options, spool_.get(), &clock_,
                                      std::vector<Exporter::Tap>{[this](const model::Batch& batch) {
                                        tapped_ += batch.edges.size() + batch.spans.size();
                                      }},
                                      [this] { ++wakes_; });
  }

  base::TempDir dir_;
  base::FakeClock clock_;
  std::unique_ptr<Spool> spool_;
  std::atomic<uint64_t> tapped_{0};
  std::atomic<uint64_t> wakes_{0};
};

TEST_F(ExporterTest, NumbersTheLanesApart) {
  const auto exporter = Make();
  exporter->Start();
  exporter->OnBatch(MakeBatch(2, 3));
  exporter->OnBatch(MakeBatch(0, 1));
  exporter->OnBatch(MakeBatch(1, 0));
  exporter->Stop();
  const std::vector<Read> read = ReadAll(*spool_);
  ASSERT_EQ(read.size(), 4u);
  EXPECT_EQ(read[0].record.epoch, 1000u);
  EXPECT_EQ(read[0].record.sequence, 1u);
  EXPECT_EQ(read[0].record.requests, 6u);
  EXPECT_EQ(read[0].batch.edges().count_size(), 2);
  EXPECT_EQ(read[1].record.sequence, 2u);
  EXPECT_EQ(read[2].record.epoch, 999u);
  EXPECT_EQ(read[2].record.sequence, 1u);
  EXPECT_EQ(read[2].record.spans, 3u);
  EXPECT_EQ(read[2].batch.spans().id_size(), 3);
  EXPECT_EQ(read[3].record.sequence, 2u);
  EXPECT_EQ(tapped_, 7u);
  EXPECT_EQ(wakes_, 4u);
  EXPECT_EQ(exporter->counters().batches, 4u);
}

TEST_F(ExporterTest, SplitsWhatIsLarge) {
  const auto exporter = Make({.batch_bytes = 10'000});
  exporter->Start();
  exporter->OnBatch(MakeBatch(500, 500));
  exporter->Stop();
  int edges = 0;
  int spans = 0;
  for (const Read& read : ReadAll(*spool_)) {
    EXPECT_LE(read.record.payload_size, 10'000u);
    edges += read.batch.edges().count_size();
    spans += read.batch.spans().id_size();
  }
  EXPECT_EQ(edges, 500);
  EXPECT_EQ(spans, 500);
  EXPECT_GT(wakes_, 10u);
}

TEST_F(ExporterTest, WhatTheQueueCannotHoldBecomesALoss) {
  const auto exporter = Make({.max_queued_bytes = 1'000});
  // Not started yet: the first batch is always taken, the others do not fit.
  exporter->OnBatch(MakeBatch(10, 0));
  exporter->OnBatch(MakeBatch(5, 20));
  exporter->OnBatch(MakeBatch(0, 20));
  exporter->Start();
  exporter->Stop();
  const std::vector<Read> read = ReadAll(*spool_);
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0].batch.edges().count_size(), 10);
  const v1::LossColumns& losses = read[0].batch.losses();
  ASSERT_EQ(losses.stage_size(), 1);
  EXPECT_EQ(losses.stage(0), static_cast<uint32_t>(model::LossStage::kCap));
  EXPECT_EQ(losses.requests(0), 15u);
  EXPECT_EQ(losses.events(0), 40u);
  EXPECT_EQ(exporter->counters().dropped_requests, 15u);
  EXPECT_EQ(exporter->counters().dropped_spans, 40u);
}

TEST_F(ExporterTest, WhatTheSpoolDroppedBecomesALoss) {
  ASSERT_OK(spool_->Append({.epoch = 5, .sequence = 1, .time_ns = kWall, .requests = 7}, "x"));
  spool_->DropOld(kWall + 90'000'000'000'000);
  const auto exporter = Make();
  exporter->Start();
  exporter->OnBatch(MakeBatch(1, 0));
  exporter->Stop();
  const std::vector<Read> read = ReadAll(*spool_);
  ASSERT_EQ(read.size(), 1u);
  ASSERT_EQ(read[0].batch.losses().stage_size(), 1);
  EXPECT_EQ(read[0].batch.losses().stage(0),
            static_cast<uint32_t>(model::LossStage::kSpoolOverflow));
  EXPECT_EQ(read[0].batch.losses().requests(0), 7u);
}

// In a child, for the limit holds for the whole process.
TEST_F(ExporterTest, WaitsForTheDiskAndThenWritesEverything) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit none = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY};
    const rlimit large = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &none);
    const auto exporter = Make({.retry = absl::Milliseconds(5)});
    exporter->Start();
    for (int i = 0; i < 3; ++i) exporter->OnBatch(MakeBatch(1, 1));
    while (exporter->counters().failed_writes < 3) absl::SleepFor(absl::Milliseconds(1));
    if (wakes_ != 0) _exit(1);
    setrlimit(RLIMIT_FSIZE, &large);
    exporter->Stop();
    if (ReadAll(*spool_).size() != 6) _exit(2);
    if (exporter->counters().dropped_requests != 0) _exit(3);
    setrlimit(RLIMIT_FSIZE, &none);
    const auto hopeless = Make();
    hopeless->Start();
    hopeless->OnBatch(MakeBatch(2, 1));
    hopeless->Stop();
    if (hopeless->counters().dropped_requests != 6) _exit(4);
    if (hopeless->counters().dropped_spans != 1) _exit(5);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace kindling::agent
