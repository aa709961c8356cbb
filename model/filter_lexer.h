#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kindling::model {

struct FilterToken {
  enum class Kind {
    kEnd,
    kWord,    // bare: a field, a keyword or a value
    kQuoted,  // text holds the value without quotes and escapes
    kOperator,
    kOpen,   // (
    kClose,  // )
    kComma,
    kBang,     // !
    kInvalid,  // text says why
  };

  Kind kind = Kind::kEnd;
  std::string text;
  size_t offset = 0;  // of its first byte
};

// Cuts a filter into tokens.
//
// A bare value may hold characters that are operators elsewhere ("endpoint=/a?b=c"), so the caller
// says what it expects next.
// Lifetime: `text` must outlive this.
class FilterLexer {
 public:
  explicit FilterLexer(std::string_view text) : text_(text) {}

  // A field name, keyword, operator or parenthesis.
  FilterToken Next();
  // A value: quoted, or bare up to white space, a comma, a quote or a parenthesis.
  FilterToken NextValue();

  // Goes back to the first byte of a token.
  void Rewind(const FilterToken& token) { position_ = token.offset; }

 private:
  void SkipSpace();
  FilterToken Quoted();
  // One of ( ) , or a quoted string, if that is what comes next.
  bool Common(FilterToken* token);

  const std::string_view text_;
  size_t position_ = 0;
};

}  // namespace kindling::model
