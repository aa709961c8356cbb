#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "agent/protocols/redis/command_framer.h"

namespace kindling::agent::redis {

// One value as the server sent it, RESP2 or RESP3. Views are valid until the framer's next call.
struct Reply {
  char type = 0;              // its first byte: '+', '-', '$', '*', '>', ...
  uint32_t elements = 0;      // of an aggregate as announced; a map counts keys and values
  bool word_is_whole = true;  // no part of it went unseen
  std::string_view word;      // an aggregate's first element if it is a string: "message"
  // Value of an aggregate's third element if it is an integer.
  int64_t third = 0;
  // Text of the first error at any depth, without its '-', cut at ReplyFramer::kErrorBytes.
  std::string_view error;
  bool has_error = false;
  bool error_is_whole = false;
  uint64_t bytes = 0;  // on the wire
};

// Cuts a server's bytes into top-level values. Walks over strings and aggregates without keeping
// them; an attribute belongs to the value after it.
//
// Lifetime: reply() is valid from Step::kFrame until the next call that is not const.
// Limits:   kMaxDepth aggregates within one another; deeper is kInvalid.
class ReplyFramer {
 public:
  static constexpr size_t kMaxDepth = 24;
  static constexpr size_t kWordBytes = 16;
  static constexpr size_t kErrorBytes = 128;
  static constexpr uint32_t kMaxElements = 1U << 28;
  static constexpr uint64_t kMaxBulkBytes = 1ULL << 40;
  static constexpr uint32_t kMaxLineBytes = 64 * 1024;

  // Takes one whole string, integer, null or simple string from the front of `input` where bytes()
  // is 0, without the steps of Next(): nearly every reply is one. False, and nothing done, if
  // anything else is there.
  static bool TakeWhole(std::span<const std::byte>& input, Reply& reply);

  // Consumes from the front of `input`.
  Step Next(std::span<const std::byte>& input);
  // `bytes` follow that were not captured.
  Hole Skip(uint64_t bytes);
  void Reset();

  // Bytes of the value being read so far; 0 between values.
  uint64_t bytes() const { return state_ == State::kDone ? 0 : bytes_; }
  // After kFrame the value; before, what is known of it so far.
  Reply reply() const;

  // What the next byte is part of.
  bool in_string() const { return state_ == State::kBody; }
  bool in_line() const { return state_ == State::kLine; }
  // REQUIRES: in_string() or in_line(). The first byte of the value it belongs to, how many bytes
  // of the line came, and how many of the string are to come.
  char type() const { return type_; }
  uint32_t line_bytes() const { return line_; }
  uint64_t string_remaining() const { return remaining_; }
  // Whether it is in the first element of a top-level aggregate.
  bool in_first_element() const { return depth_ == 1 && index_ == 0; }
  // Whether it is in the error that reply() tells.
  bool in_told_error() const { return in_error_; }

 private:
  enum class State : uint8_t {
    kType,    // before the first byte of a value
    kLine,    // in a line: a simple value, a length or a count
    kLineLf,  // before its \n
    kBody,    // in a bulk string, remaining_ bytes to go
    kBodyCr,  // before the \r after it
    kBodyLf,  // before the \n after it
    kDone,    // reply() was given; the next call starts anew
  };
  // An aggregate being read.
  struct Level {
    uint32_t left = 0;  // elements to go
    bool streamed = false;
    bool attribute = false;
  };

  void Begin();
  bool StartsValue(char c);
  bool LineByte(char c);
  bool EndLine();
  bool EndBody();
  bool Open(uint64_t elements);
  bool EndValue();
  void KeepBody(std::string_view bytes);

  State state_ = State::kType;
  char type_ = 0;      // of the value being read, at whatever depth
  char top_type_ = 0;  // of the top-level value
  bool negative_ = false;
  bool streamed_ = false;   // "?" in place of a length
  bool in_chunks_ = false;  // in a streamed string
  bool has_error_ = false;
  bool in_error_ = false;  // the error being read is the first
  bool error_is_whole_ = false;
  bool word_is_whole_ = true;
  bool holed_ = false;  // a part of the string being read was not seen
  uint8_t depth_ = 0;
  uint8_t word_size_ = 0;
  uint8_t error_size_ = 0;
  uint32_t line_ = 0;  // bytes of the line so far
  uint32_t elements_ = 0;
  uint32_t index_ = 0;  // of the top-level aggregate's element being read
  uint64_t number_ = 0;
  uint64_t remaining_ = 0;
  uint64_t bytes_ = 0;
  int64_t third_ = 0;
  std::array<Level, kMaxDepth> levels_;
  std::array<char, kWordBytes> word_;
  std::array<char, kErrorBytes> error_;
};

}  // namespace kindling::agent::redis
