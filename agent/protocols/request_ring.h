#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

namespace kindling::agent {

// Requests of one connection that wait for their responses in order: a queue that allocates only
// when it grows, and gives its memory back when it empties after having grown large.
//
// Limits: `max_size` entries; Push() refuses more.
template <typename T>
class RequestRing {
 public:
  explicit RequestRing(size_t max_size) : max_size_(max_size) {}

  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == max_size_; }
  size_t size() const { return size_; }

  // REQUIRES: index < size(). 0 is the oldest.
  T& operator[](size_t index) { return slots_[Slot(index)]; }
  const T& operator[](size_t index) const { return slots_[Slot(index)]; }
  T& front() { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }

  // False, and nothing done, if full.
  bool Push(T value) {
    if (full()) return false;
    if (size_ == slots_.size()) Grow();
    slots_[Slot(size_)] = std::move(value);
    ++size_;
    return true;
  }

  // REQUIRES: !empty().
  void Pop() {
    if constexpr (!std::is_trivially_destructible_v<T>) slots_[head_] = T();  // frees what it holds
    head_ = (head_ + 1) & (slots_.size() - 1);
    if (--size_ == 0 && slots_.size() > kKeepSlots) Clear();
  }

  void Clear() {
    slots_ = std::vector<T>();
    head_ = size_ = 0;
  }

 private:
  static constexpr size_t kKeepSlots = 64;

  size_t Slot(size_t index) const { return (head_ + index) & (slots_.size() - 1); }

  void Grow() {
    std::vector<T> grown(slots_.empty() ? 1 : slots_.size() * 2);
    for (size_t i = 0; i < size_; ++i) grown[i] = std::move((*this)[i]);
    slots_ = std::move(grown);
    head_ = 0;
  }

  size_t max_size_;
  std::vector<T> slots_;  // a power of two of them
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace kindling::agent
