#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "agent/protocols/codec.h"
#include "agent/protocols/codec_limits.h"

namespace kindling::agent {

// Where and when a byte of a flow was moved.
struct ByteOrigin {
  int64_t boot_ns = 0;
  uint32_t tcp_seq = 0;  // of this very byte; 0 if not TCP
  uint32_t tid = 0;
};

// One flow of a connection as a parser wants to see it: the unread bytes in one piece, whatever
// the segments they came in.
//
// A codec's Feed is
//
//   buffer.Append(segment);
//   while (!buffer.skipping() && !buffer.empty()) {
//     parse a message from buffer.bytes(); if it is not whole yet, break;
//     buffer.Consume(its size) or buffer.Skip(its size, captured or not);
//   }
//   const StreamBuffer::Ending ending = buffer.EndSegment();
//   if (ending.broken()) { report ending.dropped_bytes as unparsed and resynchronise }
//
// While nothing is pending the parser reads the segment itself; only what is left at EndSegment is
// copied.
//
// Lifetime: bytes() is valid until the next call that is not const. Between Append and EndSegment
//           the segment's bytes must live.
// Limits:   keeps at most `max_bytes` between segments; what is more than that is dropped whole.
class StreamBuffer {
 public:
  static constexpr uint64_t kSkipForever = std::numeric_limits<uint64_t>::max();

  // What EndSegment had to give up.
  struct Ending {
    uint64_t gap_bytes = 0;      // moved but not captured, and no Skip covered them
    uint64_t dropped_bytes = 0;  // captured, but useless before a gap, or more than the bound

    bool broken() const { return gap_bytes != 0 || dropped_bytes != 0; }
  };

  explicit StreamBuffer(size_t max_bytes = kMaxBufferedBytes) : max_bytes_(max_bytes) {}

  // Adds the bytes of `segment`, less what a pending Skip takes.
  // REQUIRES: the previous Append was followed by EndSegment.
  void Append(const Segment& segment);

  std::span<const std::byte> bytes() const { return view_; }
  std::string_view text() const {
    return {reinterpret_cast<const char*>(view_.data()), view_.size()};
  }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

  // Position in the flow of the first byte of bytes(): all bytes before it were consumed, skipped
  // or lost.
  uint64_t offset() const { return offset_; }

  // Of bytes()[index]. REQUIRES: index < size().
  ByteOrigin OriginAt(size_t index) const;
  ByteOrigin first() const { return OriginAt(0); }
  // Of the last byte that was consumed or skipped, even if it lay in a hole.
  const ByteOrigin& last() const { return last_; }

  // The next `count` bytes were read. REQUIRES: count <= size().
  void Consume(size_t count);

  // The next `count` bytes are of no interest. They may be in bytes(), in a hole, or still to come;
  // they are never kept. Until they all came by, skipping() is true and bytes() is empty.
  void Skip(uint64_t count);
  bool skipping() const { return skip_ != 0; }
  uint64_t skip_remaining() const { return skip_; }
  void CancelSkip() { skip_ = 0; }

  // Whether uncaptured bytes follow bytes() in this segment: what is not whole now never will be.
  bool has_hole() const { return hole_ != 0; }

  // Ends the segment: keeps what was not consumed. Where a gap follows it, or it is more than the
  // bound, it is dropped instead and the result says so.
  Ending EndSegment();

  // `lost_bytes` (0: unknown) of the flow never came. True if a pending Skip covers them all, so
  // that nothing is amiss. Else everything pending is dropped and the skip is cancelled.
  // `dropped_bytes`, if not null, gets how many bytes were dropped.
  bool Lose(uint64_t lost_bytes, uint64_t* dropped_bytes = nullptr);

  // Drops everything pending, and the skip. The position in the flow stays exact.
  void Clear();

  // Heap bytes held.
  size_t memory_bytes() const { return pending_.capacity() + pieces_.capacity() * sizeof(Piece); }

 private:
  // A run of consecutive bytes of one origin.
  struct Piece {
    uint64_t offset = 0;  // in the flow
    ByteOrigin origin;    // of the byte at `offset`
  };

  // More runs than this are joined: the first and the last keep their own time, and sequence
  // numbers stay exact for all.
  static constexpr size_t kMaxPieces = 64;
  // An empty buffer gives back more memory than this.
  static constexpr size_t kKeepCapacityBytes = 1024;

  static ByteOrigin OriginIn(const Piece& piece, uint64_t offset);
  void TakeFromHole(uint64_t count);
  void KeepPiece(const Piece& piece);
  void Release();

  size_t max_bytes_;
  std::span<const std::byte> view_;
  uint64_t offset_ = 0;  // of view_'s first byte
  uint64_t skip_ = 0;
  uint64_t hole_ = 0;  // of the current segment, not yet skipped; it follows view_
  Piece current_;      // the segment being read
  ByteOrigin last_;
  std::vector<std::byte> pending_;  // view_ is its tail unless it points into the segment
  std::vector<Piece> pieces_;       // origins of pending bytes before current_
  bool borrowed_ = false;           // view_ points into the segment
};

}  // namespace kindling::agent
