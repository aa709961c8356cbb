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

// Takes the next line, without its end, off the front of `rest`; the last one may lack its end.
Bytes TakeLine(Bytes& rest) {
  const size_t end = Text(rest).find('\n');
  const size_t size = end == std::string_view::npos ? rest.size() : end + 1;
  Bytes line = rest.first(size);
  rest = rest.subspan(size);
  while (!line.empty() && (line.back() == std::byte{'\n'} || line.back() == std::byte{'\r'})) {
    line = line.first(line.size() - 1);
  }
  return line;
}

// --- HTTP/1 ---

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

bool IsStatusLine(std::string_view line) { return line.starts_with("HTTP/1."); }
bool IsRequestLine(std::string_view line) {
  return line.find(" HTTP/1.") != std::string_view::npos;
}

// A chunk-size line: hexadecimal, maybe with an extension.
bool IsChunkSize(std::string_view line) {
  const std::string_view digits = line.substr(0, line.find(';'));
  return !digits.empty() && digits.size() <= 8 &&
         std::all_of(digits.begin(), digits.end(),
                     [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; });
}

void MaskRequestLine(Bytes line) {
  const size_t target = Text(line).find(' ');
  if (target == std::string_view::npos) return;
  const size_t end = std::min(Text(line).rfind(' '), line.size());
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

void MaskHttp(Bytes rest) {
  bool in_head = false;
  while (!rest.empty()) {
    const Bytes line = TakeLine(rest);
    const std::string_view text = Text(line);
    if (IsStatusLine(text)) {
      in_head = true;
    } else if (IsRequestLine(text)) {
      in_head = true;
      MaskRequestLine(line);
    } else if (!in_head) {
      if (!IsChunkSize(text)) MaskAll(line);
    } else if (line.empty()) {
      in_head = false;
    } else if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
      const std::string_view name = text.substr(0, colon);
      const bool plain =
          std::any_of(kPlainHeaders.begin(), kPlainHeaders.end(),
                      [name](std::string_view p) { return EqualsIgnoreCase(p, name); });
      if (!plain) MaskAll(line.subspan(colon));
    } else {
      MaskAll(line);
    }
  }
}

// --- Redis ---

// Commands whose second word is part of the command.
constexpr std::array<std::string_view, 16> kContainerCommands = {
    "ACL",    "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DEBUG",   "FUNCTION", "LATENCY",
    "MEMORY", "MODULE", "OBJECT",  "PUBSUB",  "SCRIPT", "SLOWLOG", "XGROUP",   "XINFO"};

void MaskRedis(Flow flow, Bytes rest) {
  constexpr std::string_view kTypes = "*$+-:_,#(!=%~>|";
  size_t plain_words = 0;  // of the command being read, still to be kept
  bool keep_subcommand = false;
  while (!rest.empty()) {
    const Bytes line = TakeLine(rest);
    const std::string_view text = Text(line);
    if (text.empty()) continue;
    const char type = text.front();
    if (kTypes.find(type) == std::string_view::npos) {
      // An inline command, or the middle of a bulk string.
      const size_t word = flow == Flow::kRequest ? std::min(text.find(' '), text.size()) : 0;
      MaskAll(line.subspan(word));
    } else if (type == '*' && flow == Flow::kRequest) {
      plain_words = 1;
      keep_subcommand = true;
    } else if (type == '$') {
      const Bytes value = TakeLine(rest);
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

void MaskMysql(Flow flow, Bytes rest) {
  while (rest.size() > kPacketHeader) {
    const size_t length = static_cast<size_t>(rest[0]) | static_cast<size_t>(rest[1]) << 8 |
                          static_cast<size_t>(rest[2]) << 16;
    const auto sequence = static_cast<uint8_t>(rest[3]);
    const size_t here = std::min(length, rest.size() - kPacketHeader);
    MaskMysqlPacket(flow, rest.subspan(kPacketHeader, here), sequence);
    rest = rest.subspan(kPacketHeader + here);
  }
}

}  // namespace

void MaskPayload(model::Protocol protocol, Flow flow, std::span<std::byte> bytes) {
  constexpr size_t kRecognised = 24;  // longest signature: the HTTP/2 preface
  switch (protocol) {
    case model::Protocol::kHttp:
      return MaskHttp(bytes);
    case model::Protocol::kRedis:
      return MaskRedis(flow, bytes);
    case model::Protocol::kMysql:
      return MaskMysql(flow, bytes);
    case model::Protocol::kDns:
      return;  // names are what DNS monitoring shows
    case model::Protocol::kTls:
    case model::Protocol::kHttp2:
    case model::Protocol::kPostgresql:
    case model::Protocol::kKafka:
      return MaskAll(bytes.subspan(std::min(kRecognised, bytes.size())));
    case model::Protocol::kUnknown:
      return MaskAll(bytes);
  }
}

}  // namespace kindling::agent
