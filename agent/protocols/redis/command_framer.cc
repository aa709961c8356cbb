#include "agent/protocols/redis/command_framer.h"

#include <algorithm>
#include <cstring>

#include "base/byte_reader.h"

namespace kindling::agent::redis {
namespace {

constexpr size_t kMaxPlainDigits = 9;

// Takes "12\r\n" with up to kMaxPlainDigits digits from `at` on; false if anything else is there.
inline bool TakeNumberLine(const char*& at, const char* end, uint32_t& number) {
  const char* p = at;
  if (end - p >= 4) {  // nearly always there are one or two digits
    const uint32_t first = static_cast<uint8_t>(p[0]) - uint32_t{'0'};
    const uint32_t second = static_cast<uint8_t>(p[1]) - uint32_t{'0'};
    if (first <= 9 && p[1] == '\r' && p[2] == '\n') {
      number = first;
      at = p + 3;
      return true;
    }
    if (first <= 9 && second <= 9 && p[2] == '\r' && p[3] == '\n') {
      number = first * 10 + second;
      at = p + 4;
      return true;
    }
  }
  uint32_t value = 0;
  while (p < end && *p >= '0' && *p <= '9') {
    if (static_cast<size_t>(p - at) == kMaxPlainDigits) return false;
    value = value * 10 + static_cast<uint32_t>(*p++ - '0');
  }
  if (p == at || end - p < 2 || p[0] != '\r' || p[1] != '\n') return false;
  number = value;
  at = p + 2;
  return true;
}

}  // namespace

bool CommandFramer::TakeWhole(std::span<const std::byte>& input, Command& command) {
  const std::string_view text = base::AsText(input);
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* at = begin;
  uint32_t count = 0;
  if (at == end || *at++ != '*' || !TakeNumberLine(at, end, count)) return false;
  if (count == 0 || count > kMaxWords) return false;
  command.words = {};
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t size = 0;
    if (at == end || *at++ != '$' || !TakeNumberLine(at, end, size)) return false;
    if (static_cast<uint64_t>(end - at) < uint64_t{size} + 2) return false;
    if (at[size] != '\r' || at[size + 1] != '\n') return false;
    if (i < Command::kWords) {
      command.words[i] = {at, std::min<size_t>(size, Command::kWordBytes)};
      if (i == 0) command.name_is_whole = size < Command::kWordBytes;
    }
    at += size + 2;
  }
  command.words_are_whole = true;
  command.arguments = count - 1;
  command.bytes = static_cast<uint64_t>(at - begin);
  input = input.subspan(command.bytes);
  return true;
}

void CommandFramer::Begin() {
  state_ = State::kStart;
  negative_ = in_word_ = holed_ = name_is_whole_ = false;
  words_are_whole_ = true;
  digits_ = 0;
  word_ = word_count_ = 0;
  number_ = remaining_ = bytes_ = 0;
  sizes_ = {};
}

void CommandFramer::Reset() { Begin(); }

Command CommandFramer::command() const {
  Command command;
  for (size_t i = 0; i < Command::kWords; ++i) command.words[i] = {words_[i].data(), sizes_[i]};
  command.name_is_whole = name_is_whole_;
  command.words_are_whole = words_are_whole_;
  command.arguments = word_count_ == 0 ? 0 : word_count_ - 1;
  command.bytes = bytes_;
  return command;
}

bool CommandFramer::Digit(char c, uint64_t max) {
  if (c < '0' || c > '9') return false;
  number_ = number_ * 10 + static_cast<uint64_t>(c - '0');
  return ++digits_ <= 10 && number_ <= max;
}

void CommandFramer::KeepBody(std::string_view bytes) {
  if (word_ >= Command::kWords || holed_) return;
  uint8_t& size = sizes_[word_];
  const size_t take = std::min(bytes.size(), Command::kWordBytes - size);
  std::memcpy(words_[word_].data() + size, bytes.data(), take);
  size = static_cast<uint8_t>(size + take);
}

// A word of an array is whole.
Step CommandFramer::EndWord() {
  if (word_ == 0) name_is_whole_ = !holed_ && sizes_[0] < Command::kWordBytes;
  holed_ = false;
  if (++word_ < word_count_) {
    state_ = State::kDollar;
    return Step::kNeedMore;
  }
  state_ = State::kDone;
  return Step::kFrame;
}

void CommandFramer::InlineByte(char c) {
  const bool blank = c == ' ' || c == '\t';
  if (blank) {
    if (in_word_ && word_ == 0) name_is_whole_ = sizes_[0] < Command::kWordBytes;
    if (in_word_) ++word_;
  } else {
    if (!in_word_) ++word_count_;
    KeepBody({&c, 1});
  }
  in_word_ = !blank;
}

Step CommandFramer::Next(std::span<const std::byte>& input) {
  if (state_ == State::kDone) Begin();
  const std::string_view text = base::AsText(input);
  size_t i = 0;
  size_t begin = 0;  // where the command begins, if it does in this input
  const auto stop = [&](Step step) {
    bytes_ += i - begin;
    input = input.subspan(i);
    return step;
  };
  while (i < text.size()) {
    const char c = text[i];
    switch (state_) {
      case State::kStart:
        if (c == '*') {
          state_ = State::kCount;
        } else if (c == '\r' || c == '\n') {
          begin = i + 1;  // Redis ignores an empty line; it is part of no command
        } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
          state_ = State::kInline;
          continue;
        } else {
          return stop(Step::kInvalid);
        }
        break;
      case State::kCount:
        if (c == '-' && digits_ == 0 && !negative_) {
          negative_ = true;
        } else if (c == '\r' && digits_ > 0) {
          state_ = State::kCountEnd;
        } else if (!Digit(c, kMaxWords)) {
          return stop(Step::kInvalid);
        }
        break;
      case State::kCountEnd:
        if (c != '\n') return stop(Step::kInvalid);
        if (negative_ || number_ == 0) {
          Begin();  // Redis ignores an empty array
          begin = ++i;
          continue;
        }
        word_count_ = static_cast<uint32_t>(number_);
        state_ = State::kDollar;
        break;
      case State::kDollar:
        if (c != '$') return stop(Step::kInvalid);
        number_ = 0;
        digits_ = 0;
        state_ = State::kSize;
        break;
      case State::kSize:
        if (c == '\r' && digits_ > 0) {
          state_ = State::kSizeEnd;
        } else if (!Digit(c, kMaxBulkBytes)) {
          return stop(Step::kInvalid);
        }
        break;
      case State::kSizeEnd:
        if (c != '\n') return stop(Step::kInvalid);
        remaining_ = number_;
        state_ = remaining_ == 0 ? State::kBodyCr : State::kBody;
        break;
      case State::kBody: {
        const size_t take = static_cast<size_t>(std::min<uint64_t>(remaining_, text.size() - i));
        KeepBody(text.substr(i, take));
        remaining_ -= take;
        i += take;
        if (remaining_ == 0) state_ = State::kBodyCr;
        continue;
      }
      case State::kBodyCr:
        if (c != '\r') return stop(Step::kInvalid);
        state_ = State::kBodyLf;
        break;
      case State::kBodyLf:
        if (c != '\n') return stop(Step::kInvalid);
        if (EndWord() == Step::kFrame) {
          ++i;
          return stop(Step::kFrame);
        }
        break;
      case State::kInline:
        if (c == '\n') {
          InlineByte(' ');
          state_ = State::kDone;
          ++i;
          return stop(Step::kFrame);
        }
        if (bytes_ + i - begin > kMaxInlineBytes ||
            (c != '\r' && c != '\t' && (c < 0x20 || c == 0x7f))) {
          return stop(Step::kInvalid);
        }
        if (c != '\r') InlineByte(c);
        break;
      case State::kDone:
        break;  // left at the top
    }
    ++i;
  }
  return stop(Step::kNeedMore);
}

Hole CommandFramer::Skip(uint64_t bytes) {
  if (bytes == 0) return Hole::kInside;
  if (state_ != State::kBody && state_ != State::kBodyCr && state_ != State::kBodyLf) {
    return Hole::kLost;
  }
  const uint64_t to_end = state_ == State::kBodyLf ? 1 : remaining_ + 2;
  if (bytes > to_end) return Hole::kLost;
  bytes_ += bytes;
  if (remaining_ > 0 && word_ < Command::kWords) {
    holed_ = true;
    words_are_whole_ = false;
    sizes_[word_] = 0;
  }
  if (bytes < to_end) {
    const uint64_t left = to_end - bytes;
    remaining_ = left > 2 ? left - 2 : 0;
    state_ = left > 2 ? State::kBody : left == 2 ? State::kBodyCr : State::kBodyLf;
    return Hole::kInside;
  }
  return EndWord() == Step::kFrame ? Hole::kFrame : Hole::kInside;
}

}  // namespace kindling::agent::redis
