#include "agent/protocols/http1/framer.h"

#include <algorithm>

namespace kindling::agent::http1 {
namespace {

constexpr size_t kMaxChunkLineBytes = 256;
constexpr size_t kMaxTrailerBytes = 8 << 10;
constexpr std::string_view kLastChunk = "\r\n0\r\n\r\n";

// The hexadecimal number at the front of a chunk's line, or -1.
int64_t ChunkSize(std::string_view line) {
  int64_t size = 0;
  size_t digits = 0;
  for (const char c : line) {
    int digit = 0;
    if (c >= '0' && c <= '9') {
      digit = c - '0';
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
      digit = (c | 0x20) - 'a' + 10;
    } else if (c == ';' || c == ' ' || c == '\t' || c == '\r') {
      break;
    } else {
      return -1;
    }
    if (++digits > 15) return -1;
    size = size * 16 + digit;
  }
  return digits == 0 ? -1 : size;
}

}  // namespace

void MessageFramer::Feed(const Segment& segment) {
  if (state_ == State::kStopped) return;
  const std::string_view text(reinterpret_cast<const char*>(segment.bytes.data()),
                              segment.bytes.size());
  bool drops = false;  // the whole segment
  if (state_ == State::kBroken || state_ == State::kLost) {
    if (StartsHead(flow_, text)) {
      EndOpenEnded();
      buffer_.CancelSkip();
      state_ = State::kHead;
    } else {
      drops = true;
    }
  }
  if (doubtful_ && AwaitsBody() && StartsHead(flow_, text)) {
    buffer_.CancelSkip();
    state_ = State::kHead;
    End();
  }
  buffer_.Append(segment);
  if (drops) {
    // Of a broken chunked body the last chunk may still be seen.
    const bool ends = state_ == State::kBroken && chunked_ && segment.unseen_bytes == 0 &&
                      text.size() >= kLastChunk.size() &&
                      text.substr(text.size() - kLastChunk.size()) == kLastChunk;
    buffer_.Skip(StreamBuffer::kSkipForever);
    buffer_.CancelSkip();
    if (ends) {
      listener_.OnPart(flow_, Part::kStructure, kLastChunk, 0);
      End();
      state_ = State::kHead;
    }
  } else {
    Run();
  }
  const StreamBuffer::Ending ending = buffer_.EndSegment();
  if (!ending.broken() || state_ == State::kStopped) return;
  if (ending.gap_bytes == 0) {
    in_message_ = false;
    doubtful_ = false;
    state_ = State::kLost;
    listener_.OnInvalid(flow_, ending.dropped_bytes);
    return;
  }
  Break(Missing::kUncaptured);
}

void MessageFramer::OnGap(uint64_t lost_bytes) {
  if (state_ == State::kStopped) return;
  if (buffer_.Lose(lost_bytes)) return;
  Break(Missing::kLost);
}

void MessageFramer::EndOpenEnded() {
  if (!is_open_ended()) return;
  buffer_.CancelSkip();
  state_ = State::kLost;
  End();
}

void MessageFramer::Resynchronise() {
  if (state_ == State::kStopped) return;
  buffer_.Clear();
  in_message_ = false;
  doubtful_ = false;
  state_ = State::kLost;
}

void MessageFramer::Break(Missing missing) {
  doubtful_ = false;
  state_ = in_message_ ? State::kBroken : State::kLost;
  listener_.OnBreak(flow_, missing);
}

void MessageFramer::Invalid() {
  const uint64_t bytes = buffer_.size();
  buffer_.Skip(StreamBuffer::kSkipForever);
  buffer_.CancelSkip();
  in_message_ = false;
  doubtful_ = false;
  state_ = State::kLost;
  listener_.OnInvalid(flow_, bytes);
}

bool MessageFramer::AwaitsBody() const {
  if (flow_ == Flow::kResponse && buffer_.skipping()) return true;
  return buffer_.empty() && buffer_.offset() == body_offset_;
}

void MessageFramer::End() {
  in_message_ = false;
  doubtful_ = false;
  listener_.OnEnd(flow_, buffer_.last(), message_bytes());
}

void MessageFramer::Tell(Part part, size_t size) {
  listener_.OnPart(flow_, part, buffer_.text().substr(0, size), buffer_.size() - size);
}

void MessageFramer::Run() {
  bool goes_on = true;
  while (goes_on && !buffer_.skipping()) {
    switch (state_) {
      case State::kHead:
        goes_on = !buffer_.empty() && TakeHead();
        break;
      case State::kFixedBody:
        state_ = State::kHead;
        End();
        break;
      case State::kChunkSize:
        goes_on = TakeChunkSize();
        break;
      case State::kChunk:
        state_ = State::kChunkSize;
        break;
      case State::kTrailers:
        goes_on = TakeTrailers();
        break;
      case State::kUntilClose:
      case State::kBroken:
      case State::kLost:
      case State::kStopped:
        goes_on = false;
        break;
    }
  }
}

bool MessageFramer::TakeHead() {
  size_t blank = 0;  // empty lines before a message are allowed
  while (blank < buffer_.size() &&
         (buffer_.text()[blank] == '\r' || buffer_.text()[blank] == '\n')) {
    ++blank;
  }
  if (blank != 0) {
    Tell(Part::kStructure, blank);
    buffer_.Consume(blank);
  }
  if (buffer_.empty()) return false;
  Head head;
  const Step step = ParseHead(flow_, buffer_.text(), &head);
  Tell(Part::kHttpHead, head.size != 0 ? head.size : buffer_.size());
  switch (step) {
    case Step::kInvalid:
      Invalid();
      return false;
    case Step::kNeedMore: {
      if (!buffer_.has_hole() || !head.has_first_line || !listener_.WantsCutHead(flow_, head)) {
        return false;
      }
      in_message_ = true;
      chunked_ = true;  // it may be
      message_offset_ = buffer_.offset();
      doubtful_ = false;
      const Body body = listener_.OnHead(flow_, head, buffer_.first(), /*is_cut=*/true);
      state_ = body == Body::kStop ? State::kStopped : State::kBroken;
      buffer_.Skip(StreamBuffer::kSkipForever);
      buffer_.CancelSkip();
      if (body == Body::kNone || body == Body::kStop) {
        End();
        if (state_ != State::kStopped) state_ = State::kLost;
      }
      return false;
    }
    case Step::kFrame:
      break;
  }
  in_message_ = true;
  message_offset_ = buffer_.offset();
  const Body body = listener_.OnHead(flow_, head, buffer_.first(), /*is_cut=*/false);
  buffer_.Consume(head.size);
  BeginBody(head, body);
  return state_ != State::kStopped;
}

void MessageFramer::BeginBody(const Head& head, Body body) {
  chunked_ = false;
  doubtful_ = body == Body::kDoubtful;
  if (doubtful_ && StartsHead(flow_, buffer_.text())) body = Body::kNone;
  body_offset_ = buffer_.offset();
  if (body == Body::kStop) {
    state_ = State::kStopped;
    End();
    buffer_.Clear();
  } else if (body == Body::kNone) {
    state_ = State::kHead;
    End();
  } else if (head.chunked) {
    chunked_ = true;
    state_ = State::kChunkSize;
  } else if (head.has_content_length) {
    state_ = State::kFixedBody;
    buffer_.Skip(head.content_length);
  } else if (flow_ == Flow::kRequest) {
    state_ = State::kHead;
    End();
  } else {
    state_ = State::kUntilClose;
    buffer_.Skip(StreamBuffer::kSkipForever);
  }
}

bool MessageFramer::TakeChunkSize() {
  const std::string_view text = buffer_.text();
  const size_t end = text.find('\n');
  Tell(Part::kHttpChunkLine, std::min(end, text.size() - 1) + 1);
  if (end == std::string_view::npos) {
    if (text.size() > kMaxChunkLineBytes) Invalid();
    return false;
  }
  const int64_t size = end > kMaxChunkLineBytes ? -1 : ChunkSize(text.substr(0, end));
  if (size < 0) {
    Invalid();
    return false;
  }
  buffer_.Consume(end + 1);
  if (size == 0) {
    state_ = State::kTrailers;
  } else {
    state_ = State::kChunk;
    buffer_.Skip(static_cast<uint64_t>(size) + 2);
  }
  return true;
}

bool MessageFramer::TakeTrailers() {
  const std::string_view text = buffer_.text();
  const size_t end = text.find('\n');
  Tell(Part::kHttpTrailer, std::min(end, text.size() - 1) + 1);
  if (end == std::string_view::npos) {
    if (text.size() > kMaxTrailerBytes) Invalid();
    return false;
  }
  buffer_.Consume(end + 1);
  if (end == 0 || (end == 1 && text[0] == '\r')) {
    state_ = State::kHead;
    End();
  }
  return true;
}

}  // namespace kindling::agent::http1
