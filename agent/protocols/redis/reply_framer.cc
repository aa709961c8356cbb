#include "agent/protocols/redis/reply_framer.h"

#include <algorithm>
#include <cstring>

#include "base/byte_reader.h"

namespace kindling::agent::redis {
namespace {

bool IsAggregate(char type) {
  return type == '*' || type == '%' || type == '~' || type == '>' || type == '|';
}
// Their line holds a length or a count.
bool IsSized(char type) {
  return IsAggregate(type) || type == '$' || type == '!' || type == '=' || type == ';';
}

// Size of the value at the front of `text` that TakeWhole() takes; 0 if there is none.
size_t PlainSize(std::string_view text) {
  static constexpr size_t kMaxLine = 18;  // type and digits: any number of them fits 64 bits
  if (text.size() < 3) return 0;
  const char type = text[0];
  if (type == '+') {
    const size_t cr = text.substr(0, ReplyFramer::kMaxLineBytes).find('\r', 1);
    if (cr == std::string_view::npos || cr + 1 >= text.size() || text[cr + 1] != '\n') return 0;
    return text.substr(1, cr - 1).find('\n') == std::string_view::npos ? cr + 2 : 0;
  }
  if (type != '$' && type != ':') return 0;
  if (text.starts_with("$-1\r\n")) return 5;
  size_t at = 1;
  if (type == ':' && text[1] == '-') ++at;
  const size_t digits = at;
  uint64_t number = 0;
  while (at < text.size() && at < kMaxLine && text[at] >= '0' && text[at] <= '9') {
    number = number * 10 + static_cast<uint64_t>(text[at++] - '0');
  }
  if (at == digits || !text.substr(at).starts_with("\r\n")) return 0;
  at += 2;
  if (type == ':') return at;
  if (text.size() - at < 2 || number > text.size() - at - 2) return 0;
  at += number;
  return text[at] == '\r' && text[at + 1] == '\n' ? at + 2 : 0;
}

}  // namespace

bool ReplyFramer::TakeWhole(std::span<const std::byte>& input, Reply& reply) {
  const std::string_view text = base::AsText(input);
  const size_t size = PlainSize(text);
  if (size == 0) return false;
  reply = Reply{.type = text[0], .bytes = size};
  input = input.subspan(size);
  return true;
}

void ReplyFramer::Begin() {
  state_ = State::kType;
  type_ = top_type_ = 0;
  negative_ = streamed_ = in_chunks_ = false;
  has_error_ = in_error_ = error_is_whole_ = holed_ = false;
  word_is_whole_ = true;
  depth_ = word_size_ = error_size_ = 0;
  line_ = elements_ = index_ = 0;
  number_ = remaining_ = bytes_ = 0;
  third_ = 0;
}

void ReplyFramer::Reset() { Begin(); }

Reply ReplyFramer::reply() const {
  return Reply{.type = top_type_,
               .elements = elements_,
               .word_is_whole = word_is_whole_,
               .word = {word_.data(), word_size_},
               .third = third_,
               .error = {error_.data(), error_size_},
               .has_error = has_error_,
               .error_is_whole = error_is_whole_,
               .bytes = bytes_};
}

// Takes the first byte of a value; false if no value may begin with it here.
bool ReplyFramer::StartsValue(char c) {
  const bool in_stream = depth_ > 0 && levels_[depth_ - 1].streamed;
  switch (c) {
    case '+':
    case ':':
    case '_':
    case ',':
    case '#':
    case '(':
    case '$':
    case '=':
    case '*':
    case '%':
    case '~':
    case '|':
      if (in_chunks_) return false;
      break;
    case '-':
    case '!':
      if (in_chunks_) return false;
      in_error_ = !has_error_;
      has_error_ = true;
      break;
    case '>':
      // Pushes come between values, not in them.
      if (in_chunks_ || depth_ > 0) return false;
      break;
    case ';':
      if (!in_chunks_) return false;
      break;
    case '.':
      if (!in_stream || in_chunks_) return false;
      break;
    default:
      return false;
  }
  type_ = c;
  if (depth_ == 0 && !in_chunks_ && c != '|') top_type_ = c;
  line_ = 0;
  number_ = 0;
  negative_ = streamed_ = false;
  state_ = State::kLine;
  return true;
}

// A byte of a line, not its end; false if it cannot stand there.
bool ReplyFramer::LineByte(char c) {
  if (++line_ > kMaxLineBytes) return false;
  const bool digit = c >= '0' && c <= '9';
  if (IsSized(type_)) {
    if (c == '?' && line_ == 1 && type_ != '!' && type_ != '=' && type_ != ';' && type_ != '|') {
      streamed_ = true;
      return true;
    }
    if (c == '-' && line_ == 1 && (type_ == '$' || type_ == '*')) {
      negative_ = true;
      return true;
    }
    if (!digit || streamed_ || line_ > 14) return false;
    number_ = number_ * 10 + static_cast<uint64_t>(c - '0');
    return true;
  }
  switch (type_) {
    case ':':
      if ((c == '-' || c == '+') && line_ == 1) {
        negative_ = c == '-';
        return true;
      }
      if (!digit || line_ > 20) return false;
      number_ = number_ * 10 + static_cast<uint64_t>(c - '0');
      return true;
    case '(':
      return digit || (line_ == 1 && (c == '-' || c == '+'));
    case '#':
      return line_ == 1 && (c == 't' || c == 'f');
    case ',':
      return line_ <= 64 &&
             (digit || std::string_view("+-.eEinfa").find(c) != std::string_view::npos);
    case '_':
    case '.':
      return false;
    case '-':
      if (in_error_ && error_size_ < kErrorBytes) error_[error_size_++] = c;
      return c != '\n';
    default:  // '+'
      if (depth_ == 1 && index_ == 0 && word_size_ < kWordBytes) word_[word_size_++] = c;
      return c != '\n';
  }
}

// The line of a value is whole. False if it is not one.
bool ReplyFramer::EndLine() {
  if (IsSized(type_)) {
    if (line_ == (negative_ ? 1u : 0u)) return false;
    if (type_ == ';') {
      if (number_ == 0) {
        in_chunks_ = false;
        return EndValue();
      }
    } else if (streamed_ && type_ == '$') {
      in_chunks_ = true;
      state_ = State::kType;
      return true;
    } else if (negative_) {
      return number_ == 1 && EndValue();
    } else if (IsAggregate(type_)) {
      return Open(number_);
    }
    if (number_ > kMaxBulkBytes) return false;
    remaining_ = number_;
    state_ = remaining_ == 0 ? State::kBodyCr : State::kBody;
    return true;
  }
  if (type_ == '.') {
    // The end of a streamed aggregate ends that aggregate.
    --depth_;
    return EndValue();
  }
  if ((type_ == ':' || type_ == '#' || type_ == ',' || type_ == '(') && line_ == 0) return false;
  if (type_ == ':' && depth_ == 1 && index_ == 2) {
    const auto magnitude = static_cast<int64_t>(number_ & 0x7fffffffffffffff);
    third_ = negative_ ? -magnitude : magnitude;
  }
  if (type_ == '-' && in_error_) {
    error_is_whole_ = error_size_ < kErrorBytes;
    in_error_ = false;
  }
  return EndValue();
}

bool ReplyFramer::Open(uint64_t elements) {
  if (type_ == '%' || type_ == '|') elements *= 2;
  if (elements > kMaxElements) return false;
  if (depth_ == 0 && type_ != '|') elements_ = static_cast<uint32_t>(elements);
  state_ = State::kType;
  if (elements == 0 && !streamed_) return type_ == '|' ? true : EndValue();
  if (depth_ == kMaxDepth) return false;
  levels_[depth_++] = Level{
      .left = static_cast<uint32_t>(elements), .streamed = streamed_, .attribute = type_ == '|'};
  return true;
}

// A value ended, and with it perhaps the aggregates it was the last element of.
bool ReplyFramer::EndValue() {
  state_ = State::kType;
  while (depth_ > 0) {
    if (depth_ == 1 && index_ < kMaxElements) ++index_;
    Level& level = levels_[depth_ - 1];
    if (level.streamed || --level.left > 0) return true;
    --depth_;
    if (level.attribute) {
      if (depth_ == 0) {
        index_ = 0;
        word_size_ = 0;
        word_is_whole_ = true;
        third_ = 0;
      }
      return true;  // the value that it describes follows
    }
  }
  state_ = State::kDone;
  return true;
}

void ReplyFramer::KeepBody(std::string_view bytes) {
  if (type_ == '$' && depth_ == 1 && index_ == 0) {
    const size_t take = std::min(bytes.size(), kWordBytes - word_size_);
    std::memcpy(word_.data() + word_size_, bytes.data(), take);
    word_size_ = static_cast<uint8_t>(word_size_ + take);
  } else if (type_ == '!' && in_error_) {
    const size_t take = std::min(bytes.size(), kErrorBytes - error_size_);
    std::memcpy(error_.data() + error_size_, bytes.data(), take);
    error_size_ = static_cast<uint8_t>(error_size_ + take);
  }
}

Step ReplyFramer::Next(std::span<const std::byte>& input) {
  if (state_ == State::kDone) Begin();
  const std::string_view text = base::AsText(input);
  size_t i = 0;
  bool valid = true;
  while (valid && i < text.size() && state_ != State::kDone) {
    const char c = text[i];
    switch (state_) {
      case State::kType:
        valid = StartsValue(c);
        break;
      case State::kLine:
        if (c == '\r') {
          state_ = State::kLineLf;
        } else {
          valid = LineByte(c);
        }
        break;
      case State::kLineLf:
        valid = c == '\n' && EndLine();
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
        valid = c == '\r';
        state_ = State::kBodyLf;
        break;
      case State::kBodyLf:
        valid = c == '\n' && EndBody();
        break;
      case State::kDone:
        break;  // ends the loop
    }
    if (valid) ++i;
  }
  bytes_ += i;
  input = input.subspan(i);
  if (!valid) return Step::kInvalid;
  return state_ == State::kDone ? Step::kFrame : Step::kNeedMore;
}

// A bulk string, or a chunk of one, is whole.
bool ReplyFramer::EndBody() {
  if (type_ == '!' && in_error_) {
    error_is_whole_ = error_size_ < kErrorBytes && !holed_;
    in_error_ = false;
  }
  holed_ = false;
  if (!in_chunks_) return EndValue();
  state_ = State::kType;
  return true;
}

Hole ReplyFramer::Skip(uint64_t bytes) {
  if (bytes == 0) return Hole::kInside;
  if (state_ != State::kBody && state_ != State::kBodyCr && state_ != State::kBodyLf) {
    return Hole::kLost;
  }
  const uint64_t to_end = state_ == State::kBodyLf ? 1 : remaining_ + 2;
  if (bytes > to_end) return Hole::kLost;
  bytes_ += bytes;
  if (remaining_ > 0) holed_ = true;
  if (holed_ && depth_ == 1 && index_ == 0) word_is_whole_ = false;
  const uint64_t left = to_end - bytes;
  if (left > 0) {
    remaining_ = left > 2 ? left - 2 : 0;
    state_ = left > 2 ? State::kBody : left == 2 ? State::kBodyCr : State::kBodyLf;
    return Hole::kInside;
  }
  remaining_ = 0;
  return EndBody() && state_ == State::kDone ? Hole::kFrame : Hole::kInside;
}

}  // namespace kindling::agent::redis
