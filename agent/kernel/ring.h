#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace kindling::agent {

// Reader of one BPF ring buffer, which, unlike libbpf's, can stop at a position chosen before.
// Threads: one.
// Lifetime: the map's fd may be closed after Open().
class Ring {
 public:
  static absl::StatusOr<std::unique_ptr<Ring>> Open(int map_fd, size_t size_bytes);
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring();

  // Where the next record will be written.
  uint64_t producer_position() const {
    return __atomic_load_n(reinterpret_cast<const uint64_t*>(producer_), __ATOMIC_ACQUIRE);
  }

  // Calls `visit(std::span<const std::byte>)` for each finished record before `limit`, in order,
  // and gives its room back. Stops early at a record that is still being written.
  template <typename Visit>
  void Drain(uint64_t limit, Visit&& visit) {
    auto* consumer = reinterpret_cast<uint64_t*>(consumer_);
    uint64_t position = *consumer;
    while (position < limit) {
      const std::byte* record = data_ + (position & mask_);
      const uint32_t length =
          __atomic_load_n(reinterpret_cast<const uint32_t*>(record), __ATOMIC_ACQUIRE);
      if (length & kBusy) break;
      const uint32_t bytes = length & ~kDiscarded;
      if (!(length & kDiscarded)) visit(Payload(position + kHeaderBytes, bytes));
      position += (bytes + kHeaderBytes + 7) & ~uint64_t{7};
      // Room given back in steps, so that a burst finds some before the end of a long drain.
      if (position - *consumer >= release_bytes_) Release(position);
    }
    Release(position);
  }

 private:
  static constexpr uint32_t kBusy = 1u << 31;
  static constexpr uint32_t kDiscarded = 1u << 30;
  static constexpr uint32_t kHeaderBytes = 8;

  Ring() = default;
  // The bytes from `position` on; those of a record that goes on at the beginning are put together.
  std::span<const std::byte> Payload(uint64_t position, uint32_t bytes) {
    const size_t begin = position & mask_;
    const size_t until_end = size_bytes_ - begin;
    if (bytes <= until_end) return {data_ + begin, bytes};
    wrapped_.assign(data_ + begin, data_ + size_bytes_);
    wrapped_.insert(wrapped_.end(), data_, data_ + (bytes - until_end));
    return wrapped_;
  }
  void Release(uint64_t position) {
    __atomic_store_n(reinterpret_cast<uint64_t*>(consumer_), position, __ATOMIC_RELEASE);
  }

  std::byte* consumer_ = nullptr;  // one page, written by us
  // One page, then the data. The kernel would give it twice in a row, but every mapped page counts
  // as resident memory of this process.
  const std::byte* producer_ = nullptr;
  const std::byte* data_ = nullptr;
  size_t page_bytes_ = 0;
  size_t size_bytes_ = 0;
  uint64_t mask_ = 0;
  uint64_t release_bytes_ = 0;
  std::vector<std::byte> wrapped_;
};

}  // namespace kindling::agent
