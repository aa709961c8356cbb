#include "agent/recording/mask_mysql.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "agent/protocols/mysql/wire.h"
#include "base/byte_reader.h"
#include "model/sql_lexer.h"

namespace kindling::agent {
namespace {

using mysql::CommandCode;

constexpr char kFill = '?';

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

void Fill(std::string& text, size_t begin, size_t end = std::string::npos) {
  for (size_t i = begin; i < std::min(end, text.size()); ++i) text[i] = kFill;
}

// Between two tokens: quotes, what makes a string of its kind, and comments.
char MaskBetween(char c) {
  if (IsDigit(c)) return '1';
  return IsLetter(c) ? 'x' : c;
}

// "0x1F", "12", "1.5e-3": what ends a number and what does not stays as it is.
char MaskNumber(std::string_view number, size_t at) {
  const char c = number[at];
  if (IsDigit(c)) return c == '0' && at == 0 ? '0' : '1';
  if (at == 1 && number[0] == '0' && (c == 'x' || c == 'X')) return c;
  return IsLetter(c) && c != 'e' && c != 'E' ? 'f' : c;
}

bool StaysInString(char c) { return c == '\\' || c == '\'' || c == '"' || c == '`'; }

// Takes a length-encoded number at `at`; returns what follows it, npos if it does not say.
size_t MaskLengthEncoded(std::string& text, size_t at) {
  if (at >= text.size()) return std::string::npos;
  const auto first = static_cast<uint8_t>(text[at]);
  size_t size = 0;
  switch (first) {
    case 0xfb:
    case 0xff:
      return std::string::npos;
    case 0xfc:
      size = 2;
      break;
    case 0xfd:
      size = 3;
      break;
    case 0xfe:
      size = 8;
      break;
    default:
      if (first > 1) text[at] = 1;
  }
  for (size_t i = at + 1; i < std::min(at + 1 + size, text.size()); ++i) text[i] = 1;
  return at + 1 + size;
}

size_t AfterZero(const std::string& text, size_t at) {
  const size_t zero = at < text.size() ? text.find('\0', at) : std::string::npos;
  return zero == std::string::npos ? text.size() : zero + 1;
}

}  // namespace

void MaskSql(std::string& sql) {
  const std::string raw = sql;
  std::transform(sql.begin(), sql.end(), sql.begin(), MaskBetween);
  model::SqlLexer lexer(raw);
  for (model::SqlToken token = lexer.Next(); token.kind != model::SqlTokenKind::kEnd;
       token = lexer.Next()) {
    const auto begin = static_cast<size_t>(token.text.data() - raw.data());
    for (size_t i = 0; i < token.text.size(); ++i) {
      const char c = token.text[i];
      switch (token.kind) {
        case model::SqlTokenKind::kString:
          sql[begin + i] = StaysInString(c) ? c : 'x';
          break;
        case model::SqlTokenKind::kNumber:
          sql[begin + i] = MaskNumber(token.text, i);
          break;
        default:
          sql[begin + i] = c;
      }
    }
  }
}

void MaskMysqlCommand(std::string& payload) {
  switch (static_cast<CommandCode>(payload[0])) {
    case CommandCode::kInitDb:
      return;
    case CommandCode::kQuery:
    case CommandCode::kStmtPrepare: {
      // MySQL 8 may count attributes first.
      const size_t begin =
          std::string_view(payload).substr(1).starts_with(std::string_view("\0\1", 2)) ? 3 : 1;
      std::string sql = payload.substr(begin);
      MaskSql(sql);
      payload.replace(begin, sql.size(), sql);
      return;
    }
    case CommandCode::kStmtExecute:
      return Fill(payload, 10);  // id, flags, count
    case CommandCode::kStmtFetch:
      return Fill(payload, 9);  // id, rows
    case CommandCode::kStmtSendLongData:
    case CommandCode::kStmtBulkExecute:
      return Fill(payload, 7);  // id, and parameter or flags
    case CommandCode::kStmtClose:
    case CommandCode::kStmtReset:
      return Fill(payload, 5);  // id
    case CommandCode::kSetOption:
      return Fill(payload, 3);
    default:
      return Fill(payload, 1);
  }
}

void MaskMysqlGreeting(std::string& payload) {
  if (payload[0] != 10) return MaskMysqlRow(payload);
  const size_t id = AfterZero(payload, 1);
  constexpr size_t kSaltOffset = 4;
  constexpr size_t kSaltBytes = 8;
  constexpr size_t kFlagBytes = 8;  // with the zero before and the character set among them
  Fill(payload, id + kSaltOffset, id + kSaltOffset + kSaltBytes);
  Fill(payload, id + kSaltOffset + kSaltBytes + kFlagBytes);
}

void MaskMysqlLogin(std::string& payload) {
  constexpr size_t kUserOffset = 32;
  if (payload.size() <= kUserOffset) return;
  const std::string raw = payload;
  Fill(payload, kUserOffset);
  const auto keep = [&](size_t begin, size_t end) {
    for (size_t i = begin; i < std::min(end, raw.size()); ++i) payload[i] = raw[i];
  };
  const uint32_t capabilities = base::ByteReader(base::AsBytes(std::string_view(raw))).U32Le();
  if ((capabilities & mysql::kProtocol41) == 0) return;
  const size_t auth = AfterZero(raw, kUserOffset);
  if (raw[auth - 1] == '\0') keep(auth - 1, auth);
  if (auth >= raw.size()) return;
  size_t database = 0;
  if ((capabilities & mysql::kPluginAuthLenenc) != 0) {
    const auto size = mysql::ParseLengthEncoded(base::AsBytes(std::string_view(raw).substr(auth)));
    if (!size.has_value() || size->value > raw.size()) {
      return keep(auth, auth + 1);
    }
    keep(auth, auth + size->size);
    database = auth + size->size + static_cast<size_t>(size->value);
  } else if ((capabilities & mysql::kSecureConnection) != 0) {
    keep(auth, auth + 1);
    database = auth + 1 + static_cast<uint8_t>(raw[auth]);
  } else {
    database = AfterZero(raw, auth);
    if (raw[database - 1] == '\0') keep(database - 1, database);
  }
  if ((capabilities & mysql::kConnectWithDb) == 0) return;
  keep(database, AfterZero(raw, database));
}

void MaskMysqlOk(std::string& payload) {
  size_t at = MaskLengthEncoded(payload, 1);                         // rows
  if (at != std::string::npos) at = MaskLengthEncoded(payload, at);  // last id
  if (at == std::string::npos) return Fill(payload, 2);
  Fill(payload, at + 4);  // behind status and warnings
}

void MaskMysqlError(std::string& payload) {
  constexpr size_t kTextOffset = 3;
  constexpr size_t kStateBytes = 6;
  const bool has_state = payload.size() > kTextOffset && payload[kTextOffset] == '#';
  Fill(payload, kTextOffset + (has_state ? kStateBytes : 0));
}

void MaskMysqlDefinition(std::string& payload) {
  constexpr std::string_view kCatalogue =
      "\x03"
      "def";
  Fill(payload, std::string_view(payload).starts_with(kCatalogue.substr(0, payload.size()))
                    ? kCatalogue.size()
                    : 1);
}

void MaskMysqlRow(std::string& payload) { Fill(payload, 1); }

}  // namespace kindling::agent
