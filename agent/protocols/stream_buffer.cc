#include "agent/protocols/stream_buffer.h"

#include <algorithm>

namespace kindling::agent {

ByteOrigin StreamBuffer::OriginIn(const Piece& piece, uint64_t offset) {
  ByteOrigin origin = piece.origin;
  if (origin.tcp_seq != 0) origin.tcp_seq += static_cast<uint32_t>(offset - piece.offset);
  return origin;
}

ByteOrigin StreamBuffer::OriginAt(size_t index) const {
  const uint64_t offset = offset_ + index;
  if (offset >= current_.offset || pieces_.empty()) return OriginIn(current_, offset);
  const auto after =
      std::upper_bound(pieces_.begin(), pieces_.end(), offset,
                       [](uint64_t value, const Piece& piece) { return value < piece.offset; });
  return OriginIn(after == pieces_.begin() ? *after : *(after - 1), offset);
}

void StreamBuffer::Append(const Segment& segment) {
  current_ = {
      .offset = offset_ + view_.size(),
      .origin = {.boot_ns = segment.boot_ns, .tcp_seq = segment.tcp_seq, .tid = segment.tid}};
  hole_ = segment.unseen_bytes;
  if (view_.empty()) {
    view_ = segment.bytes;
    borrowed_ = true;
    if (skip_ != 0) {
      const uint64_t count = skip_;
      skip_ = 0;
      Skip(count);
    }
    return;
  }
  // The view is the tail of pending_: drop the read head, then append.
  pending_.erase(pending_.begin(), pending_.end() - static_cast<ptrdiff_t>(view_.size()));
  pending_.insert(pending_.end(), segment.bytes.begin(), segment.bytes.end());
  view_ = pending_;
}

void StreamBuffer::Consume(size_t count) {
  count = std::min(count, view_.size());
  if (count == 0) return;
  last_ = OriginAt(count - 1);
  view_ = view_.subspan(count);
  offset_ += count;
}

void StreamBuffer::TakeFromHole(uint64_t count) {
  if (count == 0) return;
  hole_ -= count;
  offset_ += count;
  last_ = OriginIn(current_, offset_ - 1);
}

void StreamBuffer::Skip(uint64_t count) {
  const uint64_t seen = std::min<uint64_t>(count, view_.size());
  Consume(static_cast<size_t>(seen));
  if (count != kSkipForever) count -= seen;
  const uint64_t unseen = view_.empty() ? std::min(count, hole_) : 0;
  TakeFromHole(unseen);
  if (count != kSkipForever) count -= unseen;
  skip_ = count;
}

StreamBuffer::Ending StreamBuffer::EndSegment() {
  Ending ending;
  if (hole_ != 0) {
    ending.gap_bytes = hole_;
    ending.dropped_bytes = view_.size();
  } else if (view_.size() > max_bytes_) {
    ending.dropped_bytes = view_.size();
  }
  if (ending.broken()) {
    offset_ += view_.size() + hole_;
    Release();
  } else if (view_.empty()) {
    Release();
  } else {
    // Pieces wholly before the view are of no more use.
    while (pieces_.size() > 1 && pieces_[1].offset <= offset_) pieces_.erase(pieces_.begin());
    if (current_.offset <= offset_) pieces_.clear();
    if (current_.offset < offset_ + view_.size()) KeepPiece(current_);
    if (borrowed_) {
      pending_.assign(view_.begin(), view_.end());
      view_ = pending_;
    }
  }
  borrowed_ = false;
  hole_ = 0;
  return ending;
}

void StreamBuffer::KeepPiece(const Piece& piece) {
  if (!pieces_.empty()) {
    const Piece& back = pieces_.back();
    if (back.origin.boot_ns == piece.origin.boot_ns && back.origin.tid == piece.origin.tid &&
        OriginIn(back, piece.offset).tcp_seq == piece.origin.tcp_seq) {
      return;
    }
    if (pieces_.size() >= kMaxPieces) pieces_.pop_back();
  }
  pieces_.push_back(piece);
}

void StreamBuffer::Release() {
  view_ = {};
  pending_.clear();
  pieces_.clear();
  if (pending_.capacity() > kKeepCapacityBytes) pending_.shrink_to_fit();
  if (pieces_.capacity() * sizeof(Piece) > kKeepCapacityBytes) pieces_.shrink_to_fit();
}

bool StreamBuffer::Lose(uint64_t lost_bytes, uint64_t* dropped_bytes) {
  if (dropped_bytes != nullptr) *dropped_bytes = 0;
  if (lost_bytes != 0 && skip_ >= lost_bytes && view_.empty()) {
    if (skip_ != kSkipForever) skip_ -= lost_bytes;
    offset_ += lost_bytes;
    return true;
  }
  if (dropped_bytes != nullptr) *dropped_bytes = view_.size();
  Clear();
  offset_ += lost_bytes;
  return false;
}

void StreamBuffer::Clear() {
  offset_ += view_.size();
  Release();
  skip_ = 0;
}

}  // namespace kindling::agent
