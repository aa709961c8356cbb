#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kindling::model {

enum class SqlTokenKind : uint8_t {
  kEnd,
  kWord,        // keyword or plain identifier
  kIdentifier,  // `quoted`; text is without the quotes
  kString,      // 'x' or "x", also with a prefix: x'4D', N'x', _utf8'x'; text is what is inside
  kNumber,      // 12, 1.5e3, 0x1F
  kParameter,   // ?, :name, $1
  kVariable,    // @name, @@name
  kSymbol,      // one byte of anything else
};

struct SqlToken {
  SqlTokenKind kind = SqlTokenKind::kEnd;
  std::string_view text;
  bool space_before = false;  // white space or a comment came before it
};

// Cuts SQL text into tokens; comments are dropped, but what MySQL runs of them (/*!...*/) is read.
// Strings are MySQL's: either quote, doubled or escaped by a backslash.
//
// Failure: never. A string or comment that does not end goes to the end of the text, so that
// cut-off
//          text gives no piece of a literal away.
class SqlLexer {
 public:
  explicit SqlLexer(std::string_view sql) : rest_(sql) {}

  SqlToken Next();

 private:
  bool SkipBlank();
  std::string_view TakeQuoted(char quote, bool backslash);
  std::string_view Take(size_t size);

  std::string_view rest_;
};

}  // namespace kindling::model
