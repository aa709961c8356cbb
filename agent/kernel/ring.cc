#include "agent/kernel/ring.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/errno_status.h"

namespace kindling::agent {

absl::StatusOr<std::unique_ptr<Ring>> Ring::Open(int map_fd, size_t size_bytes) {
  std::unique_ptr<Ring> ring(new Ring);
  const size_t page_bytes = sysconf(_SC_PAGESIZE);
  void* consumer = mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (consumer == MAP_FAILED) return base::ErrnoStatus(errno, "map the consumer page of a ring");
  ring->consumer_ = static_cast<std::byte*>(consumer);
  ring->page_bytes_ = page_bytes;
  void* producer = mmap(nullptr, page_bytes + size_bytes, PROT_READ, MAP_SHARED, map_fd,
                        static_cast<off_t>(page_bytes));
  if (producer == MAP_FAILED) return base::ErrnoStatus(errno, "map the data of a ring");
  ring->producer_ = static_cast<const std::byte*>(producer);
  ring->data_ = ring->producer_ + page_bytes;
  ring->size_bytes_ = size_bytes;
  ring->mask_ = size_bytes - 1;
  ring->release_bytes_ = std::max<size_t>(size_bytes / 16, 4096);
  return ring;
}

Ring::~Ring() {
  if (consumer_ != nullptr) munmap(consumer_, page_bytes_);
  if (producer_ != nullptr) {
    munmap(const_cast<std::byte*>(producer_), page_bytes_ + size_bytes_);
  }
}

}  // namespace kindling::agent
