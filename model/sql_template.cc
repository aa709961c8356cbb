#include "model/sql_template.h"

#include <algorithm>
#include <array>

#include "model/sql_lexer.h"

namespace kindling::model {
namespace {

constexpr size_t kMaxNameBytes = 48;   // of a schema or a table
constexpr size_t kMaxShardDigits = 2;  // of a name: "s3"; more are a shard or a date
constexpr size_t kMaxEndpointTokens = 2000;

std::string Upper(std::string_view text) {
  std::string upper(text.substr(0, 32));
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return upper;
}

bool Is(const SqlToken& token, std::string_view upper_word) {
  if (token.kind != SqlTokenKind::kWord || token.text.size() != upper_word.size()) return false;
  for (size_t i = 0; i < upper_word.size(); ++i) {
    const char c = token.text[i];
    if ((c >= 'a' && c <= 'z' ? c - 32 : c) != upper_word[i]) return false;
  }
  return true;
}

// A quoted name without what could be a piece of anything but a name.
std::string PlainName(std::string_view text) {
  std::string name(text.substr(0, kMaxNameBytes));
  for (char& c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte >= 0x7f || c == '`' || c == '"' || c == '\'') c = '_';
  }
  return name;
}

template <size_t N>
bool IsAny(const SqlToken& token, const std::array<std::string_view, N>& upper_words) {
  return std::any_of(upper_words.begin(), upper_words.end(),
                     [&](std::string_view word) { return Is(token, word); });
}

bool IsSymbol(const SqlToken& token, char c) {
  return token.kind == SqlTokenKind::kSymbol && token.text[0] == c;
}

// Operations that name themselves, and no table.
constexpr std::array<std::string_view, 34> kPlain = {
    "BEGIN",    "COMMIT",     "ROLLBACK", "START",  "SAVEPOINT", "RELEASE", "SET",
    "USE",      "LOCK",       "UNLOCK",   "DO",     "KILL",      "GRANT",   "REVOKE",
    "PREPARE",  "EXECUTE",    "FLUSH",    "RESET",  "LOAD",      "EXPLAIN", "DESCRIBE",
    "DESC",     "DEALLOCATE", "HANDLER",  "XA",     "HELP",      "CHANGE",  "ANALYZE",
    "OPTIMIZE", "CHECK",      "REPAIR",   "SIGNAL", "PURGE",     "VALUES"};
// Operations on a kind of thing and its name.
constexpr std::array<std::string_view, 5> kDefinition = {"CREATE", "DROP", "ALTER", "TRUNCATE",
                                                         "RENAME"};
constexpr std::array<std::string_view, 12> kThings = {"TABLE",    "INDEX", "VIEW",    "DATABASE",
                                                      "SCHEMA",   "USER",  "TRIGGER", "PROCEDURE",
                                                      "FUNCTION", "EVENT", "ROLE",    "SEQUENCE"};
// Words between an operation and its table.
constexpr std::array<std::string_view, 8> kModifiers = {
    "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "QUICK", "IGNORE", "ONLY", "INTO", "OVERWRITE"};
// What SHOW shows; another word would be data.
constexpr std::array<std::string_view, 24> kShown = {
    "TABLES", "DATABASES", "VARIABLES", "STATUS", "COLUMNS",     "FIELDS",
    "INDEX",  "INDEXES",   "KEYS",      "CREATE", "TABLE",       "WARNINGS",
    "ERRORS", "GRANTS",    "ENGINES",   "ENGINE", "PROCESSLIST", "MASTER",
    "SLAVE",  "REPLICA",   "BINARY",    "BINLOG", "PLUGINS",     "COLLATION"};

// Reads what the endpoint needs from the front of a statement.
class EndpointReader {
 public:
  explicit EndpointReader(std::string_view sql) : lexer_(sql) { Advance(); }

  std::string Read() {
    while (IsSymbol(token_, '(') || IsSymbol(token_, ';')) Advance();
    if (Is(token_, "WITH")) SkipCommonTables();
    if (token_.kind != SqlTokenKind::kWord) return "(other)";
    const SqlToken first = token_;
    const std::string operation = Upper(first.text);
    Advance();
    if (operation == "SELECT" || operation == "DELETE") return operation + TableAfterFrom();
    if (operation == "INSERT" || operation == "REPLACE" || operation == "UPDATE") {
      while (IsAny(token_, kModifiers)) Advance();
      return operation + Table();
    }
    if (operation == "CALL") return operation + Table();
    if (operation == "SHOW") return operation + Shown();
    if (IsAny(first, kDefinition)) return operation + Definition();
    if (operation == "END") return "COMMIT";
    if (operation == "TABLE") return operation + Table();
    return IsAny(first, kPlain) ? operation : "(other)";
  }

 private:
  void Advance() { token_ = ++tokens_ > kMaxEndpointTokens ? SqlToken() : lexer_.Next(); }
  bool AtEnd() const { return token_.kind == SqlTokenKind::kEnd; }

  // WITH name AS (...), name AS (...) and then the statement.
  void SkipCommonTables() {
    int depth = 0;
    for (; !AtEnd(); Advance()) {
      if (IsSymbol(token_, '(')) ++depth;
      if (IsSymbol(token_, ')')) --depth;
      if (depth == 0 && (Is(token_, "SELECT") || Is(token_, "INSERT") || Is(token_, "UPDATE") ||
                         Is(token_, "DELETE") || Is(token_, "REPLACE"))) {
        return;
      }
    }
  }

  std::string TableAfterFrom() {
    while (!AtEnd() && !IsSymbol(token_, ';')) {
      const bool is_from = Is(token_, "FROM");
      Advance();
      if (!is_from) continue;
      while (Is(token_, "ONLY") || Is(token_, "LATERAL")) Advance();
      // Of a subquery, the table is after its own FROM; of a parenthesised join, here.
      while (IsSymbol(token_, '(')) Advance();
      if (Is(token_, "SELECT")) continue;
      const std::string table = Table();
      return table == " DUAL" || table == " dual" ? "" : table;
    }
    return "";
  }

  std::string Definition() {
    for (int i = 0; i < 8 && !AtEnd(); ++i) {  // OR REPLACE TEMPORARY UNIQUE ... TABLE
      if (IsAny(token_, kThings)) {
        std::string thing = " " + Upper(token_.text);
        Advance();
        while (Is(token_, "IF") || Is(token_, "NOT") || Is(token_, "EXISTS")) Advance();
        if (thing == " USER" || thing == " ROLE") return thing;
        return thing + Table();
      }
      // TRUNCATE orders
      if (i == 0 && token_.kind == SqlTokenKind::kIdentifier) return Table();
      Advance();
    }
    return "";
  }

  std::string Shown() {
    for (int i = 0; i < 3 && !AtEnd(); ++i) {  // FULL, GLOBAL, SESSION, ...
      if (IsAny(token_, kShown)) return " " + Upper(token_.text);
      Advance();
    }
    return "";
  }

  // [schema.]table, with a space before it; "" if there is none here.
  std::string Table() {
    std::string name = Name();
    if (name.empty()) return "";
    for (int i = 0; i < 2 && IsSymbol(token_, '.'); ++i) {
      Advance();
      const std::string part = Name();
      if (part.empty()) break;
      name += '.';
      name += part;
    }
    return " " + name;
  }

  std::string Name() {
    // A double-quoted table is an identifier: MySQL has no string here.
    if (token_.kind != SqlTokenKind::kWord && token_.kind != SqlTokenKind::kIdentifier &&
        token_.kind != SqlTokenKind::kString) {
      return "";
    }
    const std::string text = PlainName(token_.text);
    std::string name;
    for (size_t i = 0; i < text.size();) {
      size_t digits = 0;
      while (i + digits < text.size() && text[i + digits] >= '0' && text[i + digits] <= '9') {
        ++digits;
      }
      if (digits == 0) {
        name += text[i++];
      } else if (digits <= kMaxShardDigits) {
        name.append(text, i, digits);
      } else {
        name += '*';
      }
      i += digits;
    }
    Advance();
    return name;
  }

  SqlLexer lexer_;
  SqlToken token_;
  size_t tokens_ = 0;
};

// Writes a statement token by token.
class StatementWriter {
 public:
  explicit StatementWriter(size_t max_bytes) : max_bytes_(max_bytes) { out_.reserve(256); }

  bool full() const { return out_.size() > max_bytes_; }

  void Literal(bool space_before) {
    // A sign belongs to the number unless something stands before it that it could join.
    if (sign_) {
      out_.pop_back();
      space_before = !out_.empty() && out_.back() == ' ';
      if (space_before) out_.pop_back();
      sign_ = false;
    }
    if (EndsWith("?,")) {  // one "?" for a list of them
      out_.pop_back();
      literal_ = true;
      return;
    }
    if (literal_ && EndsWith("?")) return;  // adjacent strings are one string
    Put("?", space_before);
    literal_ = true;
  }

  void Text(std::string_view text, bool space_before, bool symbol) {
    const bool operand = symbol && (text == "-" || text == "+") && ExpectsOperand();
    Put(text, space_before);
    literal_ = false;
    sign_ = operand;
    word_ = !symbol;
  }

  // What leaves is printable ASCII, whatever came in.
  std::string Finish() {
    for (char& c : out_) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < ' ' || byte >= 0x7f) c = '_';
    }
    while (!out_.empty() && (out_.back() == ' ' || out_.back() == ';')) out_.pop_back();
    if (out_.size() > max_bytes_) {
      out_.resize(max_bytes_ < 3 ? max_bytes_ : max_bytes_ - 3);
      if (max_bytes_ >= 3) out_ += "...";
    }
    return std::move(out_);
  }

 private:
  bool EndsWith(std::string_view end) const {
    return out_.size() >= end.size() &&
           std::string_view(out_).substr(out_.size() - end.size()) == end;
  }
  // Whether what comes next begins an operand, so that "-" is a sign. After a word it may be
  // either; as a literal follows, "a -1" is taken for a subtraction and "THEN -1" too: both keep
  // "-".
  bool ExpectsOperand() const {
    return out_.empty() || (!word_ && !literal_ && out_.back() != ')');
  }
  void Put(std::string_view text, bool space_before) {
    const bool glued =
        out_.empty() || out_.back() == '(' || text == "," || text == ")" || text == ";";
    if (!glued && (space_before || out_.back() == ',')) out_ += ' ';
    out_ += text.substr(0, max_bytes_ + 1 - std::min(out_.size(), max_bytes_));
  }

  size_t max_bytes_;
  std::string out_;
  bool literal_ = false;  // the last token
  bool sign_ = false;     // the last token
  bool word_ = false;     // the last token
};

}  // namespace

std::string SqlEndpoint(std::string_view sql) {
  std::string endpoint = EndpointReader(sql).Read();
  if (endpoint.size() > kMaxSqlEndpointBytes) endpoint.resize(kMaxSqlEndpointBytes);
  return endpoint;
}

std::string SqlStatement(std::string_view sql, size_t max_bytes) {
  SqlLexer lexer(sql);
  StatementWriter writer(max_bytes);
  // Rows of VALUES: 0 not in one, 1 after the word, 2 in the first row, 3 after a row, 4 in a later
  // row, which is not written.
  int rows = 0;
  int depth = 0;
  SqlToken comma;
  for (SqlToken token = lexer.Next(); token.kind != SqlTokenKind::kEnd && !writer.full();
       token = lexer.Next()) {
    const bool open = IsSymbol(token, '(');
    const bool close = IsSymbol(token, ')');
    if (open && (rows == 2 || rows == 4)) ++depth;
    if (rows == 4) {
      if (close && depth-- == 0) rows = 3;
      continue;
    }
    if (rows == 3) {
      if (comma.kind == SqlTokenKind::kEnd && IsSymbol(token, ',')) {
        comma = token;
        continue;
      }
      if (comma.kind != SqlTokenKind::kEnd && open) {
        comma = SqlToken();
        rows = 4;
        depth = 0;
        continue;
      }
      if (comma.kind != SqlTokenKind::kEnd) writer.Text(",", false, true);
      comma = SqlToken();
      rows = 0;
    }
    if (rows == 1) {
      rows = open ? 2 : 0;
      depth = 0;
    } else if (rows == 2 && close && depth-- == 0) {
      rows = 3;
    }
    if (Is(token, "VALUES") || Is(token, "VALUE")) rows = 1;
    switch (token.kind) {
      case SqlTokenKind::kString:
      case SqlTokenKind::kNumber:
      case SqlTokenKind::kParameter:
        writer.Literal(token.space_before);
        break;
      case SqlTokenKind::kIdentifier:
        writer.Text("`" + PlainName(token.text) + "`", token.space_before, false);
        break;
      case SqlTokenKind::kWord:
      case SqlTokenKind::kVariable:
        writer.Text(token.text, token.space_before, false);
        break;
      case SqlTokenKind::kSymbol:
        writer.Text(token.text, token.space_before, true);
        break;
      case SqlTokenKind::kEnd:
        break;
    }
  }
  return writer.Finish();
}

}  // namespace kindling::model
