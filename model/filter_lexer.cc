#include "model/filter_lexer.h"

#include <array>

namespace kindling::model {
namespace {

using Kind = FilterToken::Kind;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool EndsValue(char c) {
  return IsSpace(c) || c == '(' || c == ')' || c == ',' || c == '"' || c == '\'';
}
bool EndsName(char c) {
  return EndsValue(c) || c == '=' || c == '!' || c == '<' || c == '>' || c == '~';
}

// Longest first.
constexpr std::array<std::string_view, 9> kOperators = {
    "!=", "=~", "!~", ">=", "<=", "==", "=", ">", "<"};

}  // namespace

void FilterLexer::SkipSpace() {
  while (position_ < text_.size() && IsSpace(text_[position_])) ++position_;
}

FilterToken FilterLexer::Quoted() {
  FilterToken token{Kind::kQuoted, "", position_};
  const char quote = text_[position_++];
  while (position_ < text_.size()) {
    const char c = text_[position_++];
    if (c == quote) return token;
    // Only the quote and the backslash itself are escaped: regular expressions keep their own.
    if (c == '\\' && position_ < text_.size() &&
        (text_[position_] == quote || text_[position_] == '\\')) {
      token.text.push_back(text_[position_++]);
    } else {
      token.text.push_back(c);
    }
  }
  token.kind = Kind::kInvalid;
  token.text = "the quote that opens here is never closed";
  return token;
}

bool FilterLexer::Common(FilterToken* token) {
  SkipSpace();
  *token = FilterToken{Kind::kEnd, "", position_};
  if (position_ == text_.size()) return true;
  switch (text_[position_]) {
    case '(':
      token->kind = Kind::kOpen;
      break;
    case ')':
      token->kind = Kind::kClose;
      break;
    case ',':
      token->kind = Kind::kComma;
      break;
    case '"':
    case '\'':
      *token = Quoted();
      return true;
    default:
      return false;
  }
  token->text = text_[position_++];
  return true;
}

FilterToken FilterLexer::Next() {
  FilterToken token;
  if (Common(&token)) return token;
  const std::string_view rest = text_.substr(position_);
  for (const std::string_view op : kOperators) {
    if (!rest.starts_with(op)) continue;
    token.kind = Kind::kOperator;
    token.text = op == "==" ? "=" : op;
    position_ += op.size();
    return token;
  }
  if (rest.front() == '!') {
    token.kind = Kind::kBang;
    token.text = "!";
    ++position_;
    return token;
  }
  size_t size = 0;
  while (size < rest.size() && !EndsName(rest[size])) ++size;
  if (size == 0) size = 1;  // a stray ~: a word that is no field
  token.kind = Kind::kWord;
  token.text = rest.substr(0, size);
  position_ += size;
  return token;
}

FilterToken FilterLexer::NextValue() {
  FilterToken token;
  if (Common(&token)) return token;
  token.kind = Kind::kWord;
  while (position_ < text_.size() && !EndsValue(text_[position_])) {
    token.text.push_back(text_[position_++]);
  }
  return token;
}

}  // namespace kindling::model
