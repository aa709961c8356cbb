#include "agent/kernel/ring.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace kindling::agent {
namespace {

constexpr uint32_t kBusy = 1u << 31;
constexpr uint32_t kDiscarded = 1u << 30;

// Plays the kernel's part of a ring in a file: consumer page, producer page, data of one page.
class RingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    page_ = sysconf(_SC_PAGESIZE);
    fd_.reset(memfd_create("ring", 0));
    ASSERT_EQ(ftruncate(fd_.get(), static_cast<off_t>(2 * page_ + 2 * page_)), 0);
    memory_ = static_cast<char*>(
        mmap(nullptr, 4 * page_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0));
    ASSERT_NE(memory_, MAP_FAILED);
    auto ring = Ring::Open(fd_.get(), page_);
    ASSERT_TRUE(ring.ok()) << ring.status();
    ring_ = *std::move(ring);
  }
  void TearDown() override { munmap(memory_, 4 * page_); }

  uint64_t& consumer() { return *reinterpret_cast<uint64_t*>(memory_); }
  uint64_t& producer() { return *reinterpret_cast<uint64_t*>(memory_ + page_); }

  // Writes a record and returns the place of its length.
  uint32_t* Put(const std::string& text, uint32_t flags = 0) {
    char* data = memory_ + 2 * page_;
    auto* length = reinterpret_cast<uint32_t*>(data + producer() % page_);
    *length = static_cast<uint32_t>(text.size()) | flags;
    for (size_t i = 0; i < text.size(); ++i) data[(producer() + 8 + i) % page_] = text[i];
    producer() += (text.size() + 8 + 7) / 8 * 8;
    return length;
  }

  std::vector<std::string> Drain(uint64_t limit) {
    std::vector<std::string> seen;
    ring_->Drain(limit, [&](std::span<const std::byte> record) {
      seen.emplace_back(reinterpret_cast<const char*>(record.data()), record.size());
    });
    return seen;
  }

  size_t page_ = 0;
  base::UniqueFd fd_;
  char* memory_ = nullptr;
  std::unique_ptr<Ring> ring_;
};

using Records = std::vector<std::string>;

TEST_F(RingTest, GivesRecordsInOrderAndTheirRoomBack) {
  Put("one");
  Put("two and more");
  EXPECT_EQ(Drain(ring_->producer_position()), (Records{"one", "two and more"}));
  EXPECT_EQ(consumer(), producer());
  EXPECT_EQ(Drain(ring_->producer_position()), Records{});
}

TEST_F(RingTest, StopsAtTheLimit) {
  Put("one");
  const uint64_t limit = ring_->producer_position();
  Put("two");
  EXPECT_EQ(Drain(limit), Records{"one"});
  EXPECT_EQ(Drain(ring_->producer_position()), Records{"two"});
}

TEST_F(RingTest, StopsAtAnUnfinishedRecordAndSkipsDiscardedOnes) {
  Put("gone", kDiscarded);
  Put("one");
  uint32_t* unfinished = Put("two", kBusy);
  Put("three");
  EXPECT_EQ(Drain(ring_->producer_position()), Records{"one"});
  *unfinished &= ~kBusy;
  EXPECT_EQ(Drain(ring_->producer_position()), (Records{"two", "three"}));
}

TEST_F(RingTest, ARecordMayGoOnAtTheBeginning) {
  for (size_t size = 1; size < 200; ++size) {  // ends at every distance from the end of the data
    for (int i = 0; i < 3; ++i) {
      const std::string text(size * 7, static_cast<char>('a' + i));
      Put(text);
      ASSERT_EQ(Drain(ring_->producer_position()), Records{text});
    }
  }
}

}  // namespace
}  // namespace kindling::agent
