#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace kindling::agent::redis {

enum class Step : uint8_t {
  kFrame,     // one whole item was consumed and is in the framer's accessor
  kNeedMore,  // the input was consumed to its end; the item goes on
  kInvalid,   // not this protocol; input stands at the offending byte; Reset() before going on
};

// What bytes that were not seen did to the item being read.
enum class Hole : uint8_t {
  kInside,  // they all lay within one string: nothing is missing that matters
  kFrame,   // so they did, and the item ended with them
  kLost,    // where the next item begins is not known; Reset() before going on
};

// One command as a client sent it. Views are valid until the framer's next call.
struct Command {
  static constexpr size_t kWords = 3;
  static constexpr size_t kWordBytes = 32;

  std::array<std::string_view, kWords> words;  // name and first arguments, each cut at kWordBytes
  bool name_is_whole = false;
  bool words_are_whole = true;  // no part of `words` went unseen
  uint32_t arguments = 0;       // without the name
  uint64_t bytes = 0;           // on the wire
};

// Cuts a client's bytes into commands: arrays of bulk strings and inline commands. Keeps the
// beginning of the first words and walks over the rest, so an argument of any size costs no memory.
//
// Lifetime: command() is valid from Step::kFrame until the next call that is not const.
class CommandFramer {
 public:
  static constexpr uint32_t kMaxWords = 1 << 20;          // as Redis
  static constexpr uint64_t kMaxBulkBytes = 1ULL << 32;   // Redis: 512 MiB unless configured
  static constexpr uint32_t kMaxInlineBytes = 64 * 1024;  // as Redis

  // Takes one whole array of bulk strings from the front of `input` where bytes() is 0, without the
  // steps of Next(): nearly every command comes so. False, with `input` as it was and `command` of
  // no meaning, if anything else is there. The views of `command` point into `input`.
  static bool TakeWhole(std::span<const std::byte>& input, Command& command);

  // Consumes from the front of `input`.
  Step Next(std::span<const std::byte>& input);
  // `bytes` follow that were not captured.
  Hole Skip(uint64_t bytes);
  void Reset();

  // Bytes of the command being read so far; 0 between commands.
  uint64_t bytes() const { return state_ == State::kDone ? 0 : bytes_; }
  // After kFrame the command; before, what is known of it so far.
  Command command() const;

  // What the next byte is part of.
  bool in_word() const { return state_ == State::kBody; }
  bool in_inline() const { return state_ == State::kInline; }
  // REQUIRES: in_word() or in_inline(). Which word it is, and how many bytes of it are to come.
  uint32_t word() const { return word_; }
  uint64_t word_remaining() const { return remaining_; }

 private:
  enum class State : uint8_t {
    kStart,     // between commands
    kCount,     // in "*3\r\n" after the star
    kCountEnd,  // before its \n
    kDollar,    // before a "$"
    kSize,      // in "$5\r\n" after the dollar
    kSizeEnd,   // before its \n
    kBody,      // in a bulk string, remaining_ bytes to go
    kBodyCr,    // before the \r after it
    kBodyLf,    // before the \n after it
    kInline,    // in an inline command
    kDone,      // command() was given; the next call starts anew
  };

  void Begin();
  bool Digit(char c, uint64_t max);
  void KeepBody(std::string_view bytes);
  void InlineByte(char c);
  Step EndWord();

  State state_ = State::kStart;
  bool negative_ = false;
  bool in_word_ = false;  // inline: the last byte belonged to a word
  bool words_are_whole_ = true;
  bool holed_ = false;  // a part of the word being read was not seen
  uint8_t digits_ = 0;
  uint32_t word_ = 0;        // index of the word being read
  uint32_t word_count_ = 0;  // of an array: as announced
  uint64_t number_ = 0;
  uint64_t remaining_ = 0;
  uint64_t bytes_ = 0;
  std::array<uint8_t, Command::kWords> sizes_{};
  bool name_is_whole_ = false;
  std::array<std::array<char, Command::kWordBytes>, Command::kWords> words_;
};

}  // namespace kindling::agent::redis
