// Searches over many blocks, some of which helpers read.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "storage/rocks_store.h"

namespace kindling::storage {
namespace {

constexpr int64_t kHourNs = int64_t{3600} * 1'000'000'000;
constexpr int64_t kStartNs = 472'222 * kHourNs;
constexpr int kBuckets = 40;
constexpr int kRowsOfLargest = 500;
constexpr int kLargest = 17;  // this bucket has so many rows, the others one

class SearchTest : public ::testing::Test {
 protected:
  // A block in each of several buckets, so that none is merged with another.
  SearchTest() {
    Open();
    for (int i = 0; i < kBuckets; ++i) {
      model::Batch batch;
      batch.id = {.agent_id = "a", .boot_epoch = 1, .sequence = static_cast<uint64_t>(i) + 1};
      batch.tenant = "default";
      batch.cluster = "test";
      for (int n = 0; n < (i == kLargest ? kRowsOfLargest : 1); ++n) {
        model::Span span;
        span.id = static_cast<uint64_t>(i) * 1000 + static_cast<uint64_t>(n) + 1;
        span.start_ns = kStartNs + i * kHourNs + n;
        span.wait_duration_ns = (i * 13 + n) % 97;
        span.server.workload = i % 2 == 0 ? "even" : "odd";
        span.attributes = {{"color", "red"}};
        batch.spans.push_back(span);
        if (n == 0) spans_.push_back(span);
        if (n > 0) more_.push_back(span);
        // Ruled out by its attribute.
        span.id += 500'000;
        span.attributes = {{"color", "blue"}};
        batch.spans.push_back(span);
      }
      EXPECT_OK(store_->Append({batch}));
    }
    EXPECT_OK(store_->admin().Compact());
    spans_.insert(spans_.end(), more_.begin(), more_.end());
  }

  void Open() {
    store_.reset();
    auto store = OpenRocksStore({.directory = dir_.File("store"), .min_free_bytes = 0});
    EXPECT_OK(store);
    store_ = *std::move(store);
  }

  // The best `most` that are red.
  std::vector<model::Span> Best(SpanSearch search, size_t most, uint64_t* damaged = nullptr) {
    search.tenant = "default";
    search.cluster = "test";
    search.attributes = {{"color", "red"}};
    std::vector<model::Span> page;
    const auto is_better = [&](const model::Span& a, const model::Span& b) {
      return std::pair(RankOf(a, search.order), a.id) > std::pair(RankOf(b, search.order), b.id);
    };
    const auto report = store_->SearchSpans(search, [&](const model::Span& span) {
      EXPECT_EQ(span.attributes.front().second, "red");
      page.insert(std::upper_bound(page.begin(), page.end(), span, is_better), span);
      if (page.size() > most) page.pop_back();
      return page.size() == most ? RankOf(page.back(), search.order) : INT64_MIN;
    });
    EXPECT_OK(report);
    if (damaged != nullptr) *damaged = report->damaged_blocks;
    return page;
  }
  std::vector<model::Span> Expected(SpanSearch::Order order, size_t most) const {
    std::vector<model::Span> all = spans_;
    std::sort(all.begin(), all.end(), [&](const model::Span& a, const model::Span& b) {
      return std::pair(RankOf(a, order), a.id) > std::pair(RankOf(b, order), b.id);
    });
    all.resize(std::min(all.size(), most));
    return all;
  }

  base::TempDir dir_;
  std::unique_ptr<Store> store_;
  std::vector<model::Span> spans_;  // red
  std::vector<model::Span> more_;
};

TEST_F(SearchTest, GivesTheBestOfAllBlocks) {
  for (const auto order : {SpanSearch::Order::kNewest, SpanSearch::Order::kSlowest}) {
    for (const size_t most : {size_t{1}, size_t{10}, size_t{30}, size_t{300}, size_t{10'000}}) {
      EXPECT_TRUE(Best({.order = order}, most) == Expected(order, most)) << most;
    }
  }
}

TEST_F(SearchTest, AsksAboutEnds) {
  int asked = 0;
  const auto found = Best({.ends =
                               [&](const SpanEnds& ends) {
                                 ++asked;
                                 return ends.server.workload == "even";
                               }},
                          10'000);
  EXPECT_EQ(found.size(), kBuckets / 2);
  EXPECT_LE(asked, 2);
}

TEST_F(SearchTest, ADamagedBlockIsToldOfAndTheRestGiven) {
  store_.reset();
  // The last body of a small table: behind its magic bytes, which its table's checksum covers.
  std::filesystem::path smallest;
  for (const auto& entry : std::filesystem::directory_iterator(dir_.File("store"))) {
    if (entry.path().extension() != ".sst") continue;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(in), {});
    const bool has_blocks = bytes.find("KB\x01\x01") != std::string::npos;
    if (has_blocks && (smallest.empty() || bytes.size() < std::filesystem::file_size(smallest))) {
      smallest = entry.path();
    }
  }
  ASSERT_FALSE(smallest.empty());
  std::fstream file(smallest, std::ios::in | std::ios::out | std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  file.seekp(static_cast<std::streamoff>(bytes.rfind("KB\x01\x01")));
  file << "xx";
  file.close();
  Open();
  uint64_t damaged = 0;
  const std::vector<model::Span> found = Best({}, 10'000, &damaged);
  EXPECT_GE(damaged, 1);
  EXPECT_LT(found.size(), spans_.size());
  EXPECT_GE(found.size(), spans_.size() - 2);
}

}  // namespace
}  // namespace kindling::storage
