#include "agent/protocols/http1/head.h"

#include <array>

#include "base/find_byte.h"

namespace kindling::agent::http1 {
namespace {

constexpr size_t kMaxMethodBytes = 24;
constexpr size_t kStatusLineBytes = 12;  // "HTTP/1.1 200"
constexpr std::string_view kVersion = "HTTP/1.";

constexpr std::array<std::string_view, 38> kMethods = {
    "GET",         "POST",       "PUT",        "DELETE",    "HEAD",  "PATCH",   "OPTIONS",
    "CONNECT",     "TRACE",      "PROPFIND",   "PROPPATCH", "MKCOL", "COPY",    "MOVE",
    "LOCK",        "UNLOCK",     "REPORT",     "SEARCH",    "PURGE", "LINK",    "UNLINK",
    "BIND",        "UNBIND",     "REBIND",     "ACL",       "MERGE", "CHECKIN", "CHECKOUT",
    "UNCHECKOUT",  "MKACTIVITY", "MKCALENDAR", "UPDATE",    "LABEL", "QUERY",   "SUBSCRIBE",
    "UNSUBSCRIBE", "NOTIFY",     "M-SEARCH"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsMethodChar(char c) { return (c >= 'A' && c <= 'Z') || c == '-' || c == '_'; }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool EqualsLower(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  bool equal = true;
  for (size_t i = 0; i < text.size(); ++i) equal &= Lower(text[i]) == lower[i];
  return equal;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

// `line` may be cut off if `is_whole` is false.
Step ParseRequestLine(std::string_view line, bool is_whole, Head* head) {
  size_t at = 0;
  while (at < line.size() && IsMethodChar(line[at])) ++at;
  if (at > kMaxMethodBytes) return Step::kInvalid;
  if (at == line.size()) return is_whole ? Step::kInvalid : Step::kNeedMore;
  if (at == 0 || line[at] != ' ') return Step::kInvalid;
  const size_t target = at + 1;
  const size_t end = base::FindByte(line, ' ', target);
  if (end == std::string_view::npos) return is_whole ? Step::kInvalid : Step::kNeedMore;
  if (end == target) return Step::kInvalid;
  const std::string_view version = line.substr(end + 1);
  if (version.substr(0, kVersion.size()) != kVersion.substr(0, version.size())) {
    return Step::kInvalid;
  }
  if (version.size() > kVersion.size() && version[7] != '0' && version[7] != '1') {
    return Step::kInvalid;
  }
  if (is_whole && version.size() != kVersion.size() + 1) return Step::kInvalid;
  if (version.size() < kVersion.size() + 1) return Step::kNeedMore;
  if (version.size() > kVersion.size() + 1 && version[8] != '\r') return Step::kInvalid;
  head->method = line.substr(0, at);
  head->target = line.substr(target, end - target);
  head->has_first_line = true;
  return Step::kFrame;
}

Step ParseStatusLine(std::string_view line, bool is_whole, Head* head) {
  if (line.substr(0, kVersion.size()) != kVersion.substr(0, line.size())) return Step::kInvalid;
  for (size_t i = kVersion.size(); i < line.size() && i < kStatusLineBytes; ++i) {
    const char c = line[i];
    const bool fits = i == 7 ? c == '0' || c == '1' : i == 8 ? c == ' ' : IsDigit(c);
    if (!fits) return Step::kInvalid;
  }
  if (line.size() < kStatusLineBytes) return is_whole ? Step::kInvalid : Step::kNeedMore;
  if (line.size() > kStatusLineBytes && line[12] != ' ' && line[12] != '\r') return Step::kInvalid;
  const int status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (status < 100) return Step::kInvalid;
  head->status = static_cast<uint16_t>(status);
  head->has_first_line = true;
  return Step::kFrame;
}

enum class Field : uint8_t { kNone, kContentLength, kTransferEncoding };

void SetContentLength(std::string_view value, Head* head) {
  if (value.empty()) return;
  uint64_t length = 0;
  for (const char c : value) {
    if (!IsDigit(c) || length > (uint64_t{1} << 58)) {
      head->has_conflict = true;
      return;
    }
    length = length * 10 + static_cast<uint64_t>(c - '0');
  }
  if (head->has_content_length && head->content_length != length) head->has_conflict = true;
  head->has_content_length = true;
  head->content_length = length;
}

void SetTransferEncoding(std::string_view value, Head* head) {
  if (value.empty()) return;
  head->has_transfer_coding = true;
  // Chunked must be the last coding; only then it frames the body.
  head->chunked = value.size() >= 7 && EqualsLower(value.substr(value.size() - 7), "chunked");
}

// The value of `line` if its header is `name`, which is in lower case and goes to the colon.
[[gnu::always_inline]] inline bool IsHeader(std::string_view line, std::string_view name,
                                            std::string_view* value) {
  if (line.size() <= name.size() || line[name.size()] != ':') return false;
  if (!EqualsLower(line.substr(0, name.size()), name)) return false;
  *value = Trim(line.substr(name.size() + 1));
  return true;
}

// Takes one header line, which has no line end. Returns the field a folded line would continue.
Field TakeHeader(std::string_view line, Head* head) {
  std::string_view value;
  switch (line[0] | 0x20) {
    case 'b':
      if (IsHeader(line, "b3", &value)) head->b3 = value;
      break;
    case 'c':
      if (!IsHeader(line, "content-length", &value)) break;
      SetContentLength(value, head);
      return Field::kContentLength;
    case 'e':
      if (IsHeader(line, "expect", &value)) head->expects_continue = true;
      break;
    case 'h':
      if (IsHeader(line, "host", &value)) head->host = value;
      break;
    case 's':
      if (IsHeader(line, "sw8", &value)) head->sw8 = value;
      break;
    case 't':
      if (IsHeader(line, "traceparent", &value)) head->traceparent = value;
      if (!IsHeader(line, "transfer-encoding", &value)) break;
      SetTransferEncoding(value, head);
      return Field::kTransferEncoding;
    case 'u':
      if (IsHeader(line, "user-agent", &value)) head->user_agent = value;
      if (IsHeader(line, "upgrade", &value)) head->upgrade = value;
      if (IsHeader(line, "uber-trace-id", &value)) head->uber_trace_id = value;
      break;
    case 'x':
      if (head->b3.empty() && IsHeader(line, "x-b3-traceid", &value)) head->b3 = value;
      break;
    default:
      break;
  }
  return Field::kNone;
}

// One line from `at`, without its line end; `*next` is what follows. False if it is not whole.
[[gnu::always_inline]] inline bool TakeLine(std::string_view text, size_t at,
                                            std::string_view* line, size_t* next) {
  const size_t end = base::FindByte(text, '\n', at);
  if (end == std::string_view::npos) return false;
  *next = end + 1;
  *line = text.substr(at, end > at && text[end - 1] == '\r' ? end - at - 1 : end - at);
  return true;
}

}  // namespace

Step ParseHead(Flow flow, std::string_view text, Head* head) {
  *head = Head();
  if (text.empty()) return Step::kNeedMore;
  std::string_view line;
  size_t at = 0;
  const bool is_whole = TakeLine(text, 0, &line, &at);
  if (!is_whole) line = text;
  const Step first = flow == Flow::kRequest ? ParseRequestLine(line, is_whole, head)
                                            : ParseStatusLine(line, is_whole, head);
  if (first != Step::kFrame) return first;
  if (!is_whole) return Step::kNeedMore;
  Field field = Field::kNone;
  while (at < text.size() && TakeLine(text, at, &line, &at)) {
    if (line.empty()) {
      head->size = at;
      if (head->has_transfer_coding && head->has_content_length) head->has_conflict = true;
      return at > kMaxHeadBytes || head->has_conflict ? Step::kInvalid : Step::kFrame;
    }
    if (line[0] == ' ' || line[0] == '\t') {
      if (field == Field::kContentLength) SetContentLength(Trim(line), head);
      if (field == Field::kTransferEncoding) SetTransferEncoding(Trim(line), head);
      continue;
    }
    if (static_cast<unsigned char>(line[0]) <= ' ' || static_cast<unsigned char>(line[0]) >= 0x7f) {
      return Step::kInvalid;
    }
    field = TakeHeader(line, head);
  }
  return text.size() > kMaxHeadBytes ? Step::kInvalid : Step::kNeedMore;
}

bool StartsHead(Flow flow, std::string_view text) {
  Head head;
  if (flow == Flow::kResponse) {
    return text.size() >= kStatusLineBytes &&
           ParseStatusLine(text.substr(0, text.find('\n')), false, &head) == Step::kFrame;
  }
  const size_t method_end = text.substr(0, kMaxMethodBytes).find(' ');
  if (method_end == std::string_view::npos || method_end + 1 >= text.size()) return false;
  const std::string_view method = text.substr(0, method_end);
  const bool known = KnownMethod(method) == method;
  const char target = text[method_end + 1];
  if (!known || (target != '/' && target != '*' && target != 'h' && method != "CONNECT")) {
    return false;
  }
  const size_t line_end = text.find('\n');
  std::string_view line = text.substr(0, line_end);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return ParseRequestLine(line, line_end != std::string_view::npos, &head) != Step::kInvalid;
}

std::string_view KnownMethod(std::string_view method) {
  for (const std::string_view known : kMethods) {
    if (method == known) return known;
  }
  return "_OTHER";
}

}  // namespace kindling::agent::http1
