#include "model/sql_lexer.h"

#include <algorithm>

namespace kindling::model {
namespace {

bool IsSpace(char c) { return static_cast<unsigned char>(c) <= ' '; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsWordStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool IsWord(char c) { return IsWordStart(c) || IsDigit(c) || c == '$'; }

// A word that, right before a quote, belongs to the string.
bool IsStringPrefix(std::string_view word) {
  if (word.size() == 1) {
    const char c = word[0];
    return c == 'x' || c == 'X' || c == 'b' || c == 'B' || c == 'n' || c == 'N';
  }
  return word[0] == '_';  // a character set
}

}  // namespace

std::string_view SqlLexer::Take(size_t size) {
  size = std::min(size, rest_.size());
  const std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}

bool SqlLexer::SkipBlank() {
  bool skipped = false;
  while (!rest_.empty()) {
    const char c = rest_[0];
    const char next = rest_.size() > 1 ? rest_[1] : '\0';
    if (IsSpace(c)) {
      Take(1);
    } else if (c == '#' || (c == '-' && next == '-' && (rest_.size() == 2 || IsSpace(rest_[2])))) {
      Take(rest_.find('\n'));
    } else if (c == '/' && next == '*') {
      if (rest_.size() > 2 && rest_[2] == '!') {
        Take(3);
        while (!rest_.empty() && IsDigit(rest_[0])) Take(1);
      } else {
        const size_t end = rest_.find("*/", 2);
        Take(end == std::string_view::npos ? end : end + 2);
      }
    } else if (c == '*' && next == '/') {
      Take(2);  // the end of /*! */
    } else {
      break;
    }
    skipped = true;
  }
  return skipped;
}

std::string_view SqlLexer::TakeQuoted(char quote, bool backslash) {
  size_t at = 1;
  while (at < rest_.size()) {
    if (backslash && rest_[at] == '\\') {
      at += 2;
    } else if (rest_[at] != quote) {
      ++at;
    } else if (at + 1 < rest_.size() && rest_[at + 1] == quote) {
      at += 2;
    } else {
      const std::string_view inside = rest_.substr(1, at - 1);
      Take(at + 1);
      return inside;
    }
  }
  const std::string_view inside = rest_.substr(1);
  Take(rest_.size());
  return inside;
}

SqlToken SqlLexer::Next() {
  SqlToken token;
  token.space_before = SkipBlank();
  if (rest_.empty()) return token;
  const char c = rest_[0];
  if (IsWordStart(c)) {
    size_t size = 1;
    while (size < rest_.size() && IsWord(rest_[size])) ++size;
    token.kind = SqlTokenKind::kWord;
    token.text = Take(size);
    if (!rest_.empty() && (rest_[0] == '\'' || rest_[0] == '"') && IsStringPrefix(token.text)) {
      token.kind = SqlTokenKind::kString;
      token.text = TakeQuoted(rest_[0], true);
    }
  } else if (IsDigit(c) || (c == '.' && rest_.size() > 1 && IsDigit(rest_[1]))) {
    size_t size = 1;
    while (size < rest_.size() &&
           (IsWord(rest_[size]) || rest_[size] == '.' ||
            ((rest_[size] == '+' || rest_[size] == '-') &&
             (rest_[size - 1] == 'e' || rest_[size - 1] == 'E') && rest_.substr(0, 2) != "0x"))) {
      ++size;
    }
    token.kind = SqlTokenKind::kNumber;
    token.text = Take(size);
  } else if (c == '\'' || c == '"') {
    token.kind = SqlTokenKind::kString;
    token.text = TakeQuoted(c, true);
  } else if (c == '`') {
    token.kind = SqlTokenKind::kIdentifier;
    token.text = TakeQuoted(c, false);
  } else if (c == '?') {
    token.kind = SqlTokenKind::kParameter;
    token.text = Take(1);
  } else if ((c == ':' || c == '$') && rest_.size() > 1 && IsWord(rest_[1])) {
    size_t size = 1;
    while (size < rest_.size() && IsWord(rest_[size])) ++size;
    token.kind = SqlTokenKind::kParameter;
    token.text = Take(size);
  } else if (c == '@') {
    size_t size = 1;
    while (size < rest_.size() &&
           (IsWord(rest_[size]) || rest_[size] == '@' || rest_[size] == '.')) {
      ++size;
    }
    token.kind = SqlTokenKind::kVariable;
    token.text = Take(size);
  } else {
    token.kind = SqlTokenKind::kSymbol;
    token.text = Take(1);
  }
  return token;
}

}  // namespace kindling::model
