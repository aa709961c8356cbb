#include "agent/protocols/recognised/postgresql.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/byte_reader.h"

namespace kindling::agent {
namespace {

constexpr uint32_t kProtocol3 = 3 << 16;
constexpr uint32_t kMaxMinor = 2;
constexpr uint32_t kCancelRequest = 80877102;
constexpr uint32_t kSslRequest = 80877103;
constexpr uint32_t kGssEncRequest = 80877104;
constexpr uint32_t kMaxStartupBytes = 10000;
constexpr uint32_t kMaxMessageBytes = 1 << 20;
constexpr size_t kHeaderBytes = 5;    // type and length
constexpr size_t kMaxNameBytes = 64;  // of a prepared statement

constexpr std::array<std::string_view, 6> kStartupKeys = {
    "user", "database", "application_name", "client_encoding", "options", "replication"};
constexpr std::array<std::string_view, 22> kSqlWords = {
    "SELECT", "INSERT",   "UPDATE", "DELETE", "BEGIN",      "COMMIT", "ROLLBACK", "START",
    "SET",    "SHOW",     "CREATE", "DROP",   "ALTER",      "WITH",   "DISCARD",  "RESET",
    "COPY",   "TRUNCATE", "CALL",   "LISTEN", "DEALLOCATE", "EXPLAIN"};

// What a server sends between a query and ReadyForQuery.
bool IsServerType(uint8_t type) {
  return std::string_view("12345ACDEHIKNRSTVWZcdnst").find(static_cast<char>(type)) !=
         std::string_view::npos;
}

// Whether a statement begins here: kRequest is yes.
Match BeginsWithSql(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return Match::kNeedMore;
  text.remove_prefix(begin);
  std::string word;
  for (const char c : text.substr(0, 12)) {
    const char upper = static_cast<char>(c & ~0x20);
    if (upper < 'A' || upper > 'Z') break;
    word += upper;
  }
  const bool is_cut = word.size() == text.size();
  for (const std::string_view known : kSqlWords) {
    if (word == known && !is_cut) return Match::kRequest;
    if (is_cut && known.substr(0, word.size()) == word) return Match::kNeedMore;
  }
  return Match::kNo;
}

// A message without a type: its length comes first.
Match DetectStartup(std::span<const std::byte> head) {
  base::ByteReader in(head);
  if (head.size() >= 2 && head[1] != std::byte{0}) return Match::kNo;  // over kMaxStartupBytes
  const uint32_t length = in.U32Be();
  if (!in.ok()) return Match::kNeedMore;
  if (length < 8 || length > kMaxStartupBytes) return Match::kNo;
  const uint32_t code = in.U32Be();
  if (!in.ok()) return Match::kNeedMore;
  if (code == kSslRequest || code == kGssEncRequest) {
    return length == 8 ? Match::kRequest : Match::kNo;
  }
  if (code == kCancelRequest) return length == 16 ? Match::kRequest : Match::kNo;
  if (code < kProtocol3 || code > kProtocol3 + kMaxMinor) return Match::kNo;
  const std::string_view rest = base::AsText(head.subspan(8));
  const size_t end = rest.find('\0');
  const std::string_view key = rest.substr(0, end);
  for (const std::string_view known : kStartupKeys) {
    if (end != std::string_view::npos && key == known) return Match::kRequest;
    if (end == std::string_view::npos && key == known.substr(0, key.size())) {
      return Match::kNeedMore;
    }
  }
  return Match::kNo;
}

// A Query or Parse of a client; `length` does not count the type.
Match DetectQuery(std::span<const std::byte> head, uint8_t type, uint32_t length) {
  std::string_view text = base::AsText(
      head.subspan(kHeaderBytes, std::min<size_t>(head.size() - kHeaderBytes, length - 4)));
  if (type == 'P') {
    const size_t name = text.find('\0');
    if (name == std::string_view::npos) {
      return text.size() > kMaxNameBytes ? Match::kNo : Match::kNeedMore;
    }
    text.remove_prefix(name + 1);
  }
  const Match statement = BeginsWithSql(text);
  if (statement != Match::kRequest) return statement;
  // Text ends in a NUL; of a query that is its last byte.
  const size_t end = text.find('\0');
  if (type == 'Q' && end != std::string_view::npos && kHeaderBytes + end + 1 != 1 + length) {
    return Match::kNo;
  }
  return Match::kRequest;
}

// Whole messages of a server up to ReadyForQuery.
Match DetectReplies(std::span<const std::byte> head) {
  size_t at = 0;
  while (at + kHeaderBytes <= head.size()) {
    base::ByteReader in(head.subspan(at));
    const uint8_t type = in.U8();
    const uint32_t length = in.U32Be();
    if (!IsServerType(type) || length < 4 || length > kMaxMessageBytes) return Match::kNo;
    if (type == 'Z') {
      if (length != 5) return Match::kNo;
      const uint8_t status = in.U8();
      if (!in.ok()) return Match::kNeedMore;
      return status == 'I' || status == 'T' || status == 'E' ? Match::kResponse : Match::kNo;
    }
    if (type == 'R' && at == 0) {  // authentication: a small code and what belongs to it
      const uint32_t code = in.U32Be();
      if (!in.ok()) return Match::kNeedMore;
      const bool plain = length == 8 && (code == 0 || code == 2 || code == 3 || code == 7);
      const bool md5 = length == 12 && code == 5;
      const bool sasl = length >= 10 && length < 1024 && code >= 10 && code <= 12;
      return plain || md5 || sasl ? Match::kResponse : Match::kNo;
    }
    at += 1 + length;
  }
  // One unfinished message says nothing; a chain of them may yet end.
  return at == 0 && head.size() >= kHeaderBytes ? Match::kNo : Match::kNeedMore;
}

}  // namespace

Match DetectPostgresql(std::span<const std::byte> head, model::Transport transport) {
  if (transport == model::Transport::kUdp) return Match::kNo;
  if (head.empty()) return Match::kNeedMore;
  const auto type = static_cast<uint8_t>(head[0]);
  if (type == 0) return DetectStartup(head);
  const bool is_query = type == 'Q' || type == 'P';
  if (!is_query && !IsServerType(type)) return Match::kNo;
  // Messages are shorter than 16 MiB here: text is not mistaken for a length.
  if (head.size() >= 2 && head[1] != std::byte{0}) return Match::kNo;
  if (head.size() < kHeaderBytes + 1) return Match::kNeedMore;
  base::ByteReader in(head.subspan(1));
  const uint32_t length = in.U32Be();
  if (length < 4 || length > kMaxMessageBytes) return Match::kNo;
  if (is_query) return DetectQuery(head, type, length);
  return DetectReplies(head);
}

}  // namespace kindling::agent
