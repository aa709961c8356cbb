#include "agent/recording/mask.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <string>
#include <string_view>

namespace kindling::agent {
namespace {

using Bytes = std::span<std::byte>;

std::string_view Text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool IsAlnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

void MaskAll(Bytes bytes) {
  for (std::byte& byte : bytes) {
    // Above ASCII: text in UTF-8 as well as binary.
    if (IsAlnum(static_cast<char>(byte)) || byte >= std::byte{0x80}) byte = std::byte{'x'};
  }
}

void MaskDigits(Bytes bytes) {
  for (std::byte& byte : bytes) {
    if (IsDigit(static_cast<char>(byte))) byte = std::byte{'1'};
  }
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return std::tolower(static_cast<unsigned char>(x)) ==
                  std::tolower(static_cast<unsigned char>(y));
         });
}

// Takes the next line, without its end, off the front of `rest`; `*is_whole` is false when it goes
// on in a later call.
Bytes TakeLine(Bytes& rest, bool* is_whole) {
  const size_t end = Text(rest).find('\n');
  *is_whole = end != std::string_view::npos;
  const size_t size = *is_whole ? end + 1 : rest.size();
  Bytes line = rest.first(size);
  rest = rest.subspan(size);
  while (!line.empty() && (line.back() == std::byte{'\n'} || line.back() == std::byte{'\r'})) {
    line = line.first(line.size() - 1);
  }
  return line;
}

// --- HTTP/1 ---

constexpr size_t kMaxHeaderName = 64;

// Headers by which a message is framed, routed or joined to a trace; their values stay.
constexpr std::array<std::string_view, 18> kPlainHeaders = {"content-length",
                                                            "transfer-encoding",
                                                            "connection",
                                                            "upgrade",
                                                            "expect",
                                                            "host",
                                                            "content-type",
                                                            "content-encoding",
                                                            "server",
                                                            "date",
                                                            "keep-alive",
                                                            "trailer",
                                                            "traceparent",
                                                            "b3",
                                                            "x-b3-traceid",
                                                            "x-b3-spanid",
                                                            "sw8",
                                                            "uber-trace-id"};

bool IsStatusLine(std::string_view line, bool is_whole) {
  constexpr std::string_view kVersion = "HTTP/1.";
  return line.starts_with(kVersion) || (!is_whole && !line.empty() && kVersion.starts_with(line));
}
// "GET /x HTTP/1.1", or as much of it as one call sent.
bool IsRequestLine(std::string_view line, bool is_whole) {
  if (is_whole) return line.find(" HTTP/1.") != std::string_view::npos;
  const size_t method = std::min(line.find(' '), line.size());
  return method > 0 && method <= 16 &&
         std::all_of(line.begin(), line.begin() + static_cast<ptrdiff_t>(method),
                     [](char c) { return c >= 'A' && c <= 'Z'; });
}

// A chunk-size line: hexadecimal, maybe with an extension.
bool IsChunkSize(std::string_view line) {
  const std::string_view digits = line.substr(0, line.find(';'));
  return !digits.empty() && digits.size() <= 8 &&
         std::all_of(digits.begin(), digits.end(),
                     [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; });
}

// Where in a line that began as a body a message's first line begins; 0 when it does not.
size_t FindHead(std::string_view line) {
  const size_t version = line.find("HTTP/1.");
  if (version == std::string_view::npos || version == 0) return 0;
  if (line[version - 1] != ' ') return version;  // a status line
  for (const std::string_view method :
       {"GET /", "POST /", "PUT /", "DELETE /", "PATCH /", "HEAD /"}) {
    const size_t at = line.rfind(method, version);
    if (at != std::string_view::npos) return at;
  }
  return 0;
}

void MaskRequestLine(Bytes line, bool is_whole) {
  const size_t target = Text(line).find(' ');
  if (target == std::string_view::npos) return;
  const size_t end = is_whole ? std::min(Text(line).rfind(' '), line.size()) : line.size();
  if (end <= target) return;
  Bytes path = line.subspan(target, end - target);
  const size_t query = Text(path).find('?');
  MaskDigits(path.first(std::min(query, path.size())));
  bool in_value = false;
  for (size_t i = std::min(query, path.size()); i < path.size(); ++i) {
    const char c = static_cast<char>(path[i]);
    if (c == '&') in_value = false;
    if (in_value && IsAlnum(c)) path[i] = std::byte{'x'};
    if (c == '=') in_value = true;
  }
}

// --- Redis ---

// Commands whose second word is part of the command.
constexpr std::array<std::string_view, 16> kContainerCommands = {
    "ACL",    "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DEBUG",   "FUNCTION", "LATENCY",
    "MEMORY", "MODULE", "OBJECT",  "PUBSUB",  "SCRIPT", "SLOWLOG", "XGROUP",   "XINFO"};

// --- MySQL ---

constexpr size_t kPacketHeader = 4;  // length, 3 bytes, and sequence number

void MaskSql(Bytes sql) {
  char quote = 0;
  char before = ' ';
  for (size_t i = 0; i < sql.size(); ++i) {
    const char c = static_cast<char>(sql[i]);
    if (quote != 0) {
      if (c == '\\') {
        ++i;
      } else if (c == quote) {
        quote = 0;
      } else if (quote != '`' && (IsAlnum(c) || static_cast<unsigned char>(c) >= 0x80)) {
        sql[i] = std::byte{'x'};
      }
    } else if (c == '\'' || c == '"' || c == '`') {
      quote = c;
    } else if (IsDigit(c) && !IsAlnum(before) && before != '_') {
      // A number: its digits, and those of a hexadecimal or exponent part.
      for (; i < sql.size() && (IsAlnum(static_cast<char>(sql[i])) || sql[i] == std::byte{'.'});
           ++i) {
        if (IsDigit(static_cast<char>(sql[i]))) sql[i] = std::byte{'1'};
      }
      if (i < sql.size()) --i;
    }
    before = c;
  }
}

void MaskMysqlPacket(Flow flow, Bytes payload, uint8_t sequence) {
  if (payload.empty()) return;
  const auto first = static_cast<uint8_t>(payload[0]);
  constexpr uint8_t kQuery = 0x03, kPrepare = 0x16, kExecute = 0x17;
  if (flow == Flow::kRequest) {
    constexpr size_t kUserOffset = 32;  // HandshakeResponse41
    constexpr size_t kParameters = 10;  // of COM_STMT_EXECUTE
    if (sequence == 0 && (first == kQuery || first == kPrepare)) {
      MaskSql(payload.subspan(1));
    } else if (sequence == 0 && first == kExecute) {
      if (payload.size() > kParameters) MaskAll(payload.subspan(kParameters));
    } else if (sequence != 0 && payload.size() > kUserOffset) {
      const Bytes rest = payload.subspan(kUserOffset);
      MaskAll(rest.first(std::min(Text(rest).find('\0'), rest.size())));
    }
    return;
  }
  constexpr uint8_t kOk = 0x00, kErr = 0xff, kEof = 0xfe, kGreeting = 0x0a;
  constexpr size_t kMessage = 9;  // of ERR: code, '#', SQL state, then text
  if (first == kErr) {
    if (payload.size() > kMessage) MaskAll(payload.subspan(kMessage));
  } else if (first != kOk && first != kEof && !(first == kGreeting && sequence == 0)) {
    for (std::byte& byte : payload.subspan(1)) {
      if (IsAlnum(static_cast<char>(byte))) byte = std::byte{'x'};
    }
  }
}

}  // namespace

void PayloadMasker::MaskHttp(std::span<std::byte> rest, Position& at) {
  while (!rest.empty()) {
    const bool goes_on = at.in_line;
    const bool was_plain = at.is_plain;
    bool is_whole = false;
    Bytes line = TakeLine(rest, &is_whole);
    std::string_view text = Text(line);
    if (goes_on && at.name.empty()) {
      at.in_line = !is_whole;
      was_plain ? MaskDigits(line) : MaskAll(line);
      continue;
    }
    const std::string begun = std::exchange(at.name, {});
    at.is_plain = false;
    if (!at.in_head) {  // a body need not end with a line
      const size_t head = FindHead(text);
      MaskAll(line.first(head));
      line = line.subspan(head);
      text = Text(line);
    }
    if (IsStatusLine(text, is_whole)) {
      at.in_head = at.is_plain = true;
    } else if (!at.in_head && IsRequestLine(text, is_whole)) {
      at.in_head = at.is_plain = true;
      MaskRequestLine(line, is_whole);
    } else if (!at.in_head) {
      if (!IsChunkSize(text)) MaskAll(line);
    } else if (line.empty() && is_whole) {
      at.in_head = false;
    } else if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
      const std::string name = begun + std::string(text.substr(0, colon));
      at.is_plain = std::any_of(kPlainHeaders.begin(), kPlainHeaders.end(),
                                [&name](std::string_view p) { return EqualsIgnoreCase(p, name); });
      if (!at.is_plain) MaskAll(line.subspan(colon));
    } else if (is_whole || begun.size() + text.size() > kMaxHeaderName) {
      MaskAll(line);
    } else {
      at.name = begun + std::string(text);
    }
    // Bodies start afresh with each call; the '\r' of an empty line alone is no line yet.
    at.in_line = at.in_head && !is_whole && !line.empty();
  }
}

void PayloadMasker::MaskRedis(Flow flow, std::span<std::byte> rest, Position& at) {
  constexpr std::string_view kTypes = "*$+-:_,#(!=%~>|";
  size_t plain_words = 0;  // of the command being read, still to be kept
  bool keep_subcommand = false;
  while (!rest.empty()) {
    const bool goes_on = at.in_line;
    bool is_whole = false;
    const Bytes line = TakeLine(rest, &is_whole);
    at.in_line = !is_whole;
    const std::string_view text = Text(line);
    if (text.empty()) continue;
    const char type = text.front();
    if (goes_on) {
      MaskAll(line);
    } else if (kTypes.find(type) == std::string_view::npos) {
      // An inline command, or a further line of a value.
      const size_t word = flow == Flow::kRequest ? std::min(text.find(' '), text.size()) : 0;
      MaskAll(line.subspan(word));
    } else if (type == '*' && flow == Flow::kRequest) {
      plain_words = 1;
      keep_subcommand = true;
    } else if (type == '$') {
      const Bytes value = TakeLine(rest, &is_whole);
      at.in_line = !is_whole;
      if (plain_words == 0) {
        MaskAll(value);
        continue;
      }
      --plain_words;
      const std::string_view word = Text(value);
      if (keep_subcommand &&
          std::any_of(kContainerCommands.begin(), kContainerCommands.end(),
                      [word](std::string_view c) { return EqualsIgnoreCase(c, word); })) {
        plain_words = 1;
      }
      keep_subcommand = false;
    } else if (type == '-') {
      const size_t word = text.find(' ');
      if (word != std::string_view::npos) MaskAll(line.subspan(word));
    }
  }
}

void PayloadMasker::MaskMysql(Flow flow, std::span<std::byte> rest, uint64_t size, Position& at) {
  uint64_t unseen = size - rest.size();
  const size_t before = static_cast<size_t>(std::min<uint64_t>(at.packet_bytes, rest.size()));
  MaskAll(rest.first(before));
  at.packet_bytes -= before;
  rest = rest.subspan(before);
  while (rest.size() >= kPacketHeader) {
    const size_t length = static_cast<size_t>(rest[0]) | static_cast<size_t>(rest[1]) << 8 |
                          static_cast<size_t>(rest[2]) << 16;
    const auto sequence = static_cast<uint8_t>(rest[3]);
    const size_t here = std::min(length, rest.size() - kPacketHeader);
    MaskMysqlPacket(flow, rest.subspan(kPacketHeader, here), sequence);
    rest = rest.subspan(kPacketHeader + here);
    at.packet_bytes = length - here;
  }
  at.packet_bytes -= std::min(unseen, at.packet_bytes);
}

void PayloadMasker::Mask(const DataEvent& event, model::Protocol protocol, Flow flow,
                         std::span<std::byte> bytes) {
  constexpr size_t kRecognised = 24;  // longest signature: the HTTP/2 preface
  if (positions_.size() >= kMaxFlows) positions_.clear();
  Position& at = positions_[{event.id, flow}];
  switch (protocol) {
    case model::Protocol::kHttp:
      MaskHttp(bytes, at);
      break;
    case model::Protocol::kRedis:
      MaskRedis(flow, bytes, at);
      break;
    case model::Protocol::kMysql:
      return MaskMysql(flow, bytes, event.size, at);
    case model::Protocol::kDns:
      return;  // names are what DNS monitoring shows
    case model::Protocol::kTls:
    case model::Protocol::kHttp2:
    case model::Protocol::kPostgresql:
    case model::Protocol::kKafka:
      return MaskAll(bytes.subspan(std::min(kRecognised, bytes.size())));
    case model::Protocol::kMysqlCompressed:
    case model::Protocol::kUnknown:
      return MaskAll(bytes);
  }
  if (event.size > bytes.size()) at = {.in_line = true};  // the rest of the call was not captured
}

}  // namespace kindling::agent
