#include "model/filter_parser.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/suggest.h"
#include "base/units.h"
#include "base/utf8.h"
#include "model/filter_lexer.h"

namespace kindling::model {
namespace {

using Kind = FilterToken::Kind;

// Of a pattern's compiled form and its automaton.
constexpr int64_t kPatternMemoryBytes = 1 << 20;
constexpr size_t kMaxFoundBytes = 40;

bool IsKeyword(const FilterToken& token, std::string_view lower) {
  if (token.kind != Kind::kWord || token.text.size() != lower.size()) return false;
  return std::equal(lower.begin(), lower.end(), token.text.begin(),
                    [](char a, char b) { return a == b || a == (b | 0x20); });
}

std::string Found(const FilterToken& token) {
  if (token.kind == Kind::kEnd) return "the end of the filter";
  std::string_view rest = token.text;
  while (!rest.empty() && token.text.size() - rest.size() < kMaxFoundBytes) base::TakeUtf8(rest);
  return "\"" + token.text.substr(0, token.text.size() - rest.size()) +
         (rest.empty() ? "\"" : "...\"");
}

std::string_view OperatorsOf(FieldKind kind) {
  switch (kind) {
    case FieldKind::kText:
      return "= != =~ !~ in";
    case FieldKind::kTextual:
      return "= != =~ !~ > >= < <= in";
    case FieldKind::kChoice:
      return "= != in";
    case FieldKind::kNumber:
    case FieldKind::kDuration:
    case FieldKind::kBytes:
      return "= != > >= < <= in";
  }
  return "";
}

bool Takes(FieldKind kind, FilterOp op) {
  switch (op) {
    case FilterOp::kEqual:
    case FilterOp::kNotEqual:
      return true;
    case FilterOp::kMatch:
    case FilterOp::kNotMatch:
      return kind == FieldKind::kText || kind == FieldKind::kTextual;
    case FilterOp::kGreater:
    case FilterOp::kGreaterEqual:
    case FilterOp::kLess:
    case FilterOp::kLessEqual:
      return kind != FieldKind::kText && kind != FieldKind::kChoice;
  }
  return false;
}

bool IsOrdering(FilterOp op) { return op >= FilterOp::kGreater; }

FilterOp OpOf(std::string_view text) {
  if (text == "!=") return FilterOp::kNotEqual;
  if (text == "=~") return FilterOp::kMatch;
  if (text == "!~") return FilterOp::kNotMatch;
  if (text == ">") return FilterOp::kGreater;
  if (text == ">=") return FilterOp::kGreaterEqual;
  if (text == "<") return FilterOp::kLess;
  if (text == "<=") return FilterOp::kLessEqual;
  return FilterOp::kEqual;
}

std::optional<double> ParseNumber(const std::string& text) {
  double value;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (error != std::errc() || stop != end || !(value - value == 0)) return std::nullopt;
  return value;
}

// By recursive descent; `depth_` bounds the recursion.
class Parser {
 public:
  Parser(std::string_view text, std::optional<RecordKind> kind)
      : text_(text), kind_(kind), lexer_(text) {}

  absl::StatusOr<FilterNode> Parse() {
    FilterToken first = lexer_.Next();
    if (first.kind == Kind::kEnd) return FilterNode();
    lexer_.Rewind(first);
    ASSIGN_OR_RETURN(FilterNode node, Or());
    const FilterToken rest = lexer_.Next();
    if (rest.kind == Kind::kClose) return Error(rest, "this ) closes nothing");
    if (rest.kind != Kind::kEnd) return Expected(rest, "a condition");
    return node;
  }

 private:
  absl::Status ErrorAt(size_t offset, const std::string& what) const {
    std::string_view before = text_.substr(0, offset);
    size_t column = 1;
    while (!before.empty()) {
      base::TakeUtf8(before);
      ++column;
    }
    return absl::InvalidArgumentError(absl::StrFormat("column %d: %s", column, what));
  }
  absl::Status Error(const FilterToken& at, const std::string& what) const {
    return ErrorAt(at.offset, what);
  }
  absl::Status Expected(const FilterToken& at, const std::string& what) const {
    if (at.kind == Kind::kInvalid) return Error(at, at.text);
    return Error(at, "expected " + what + ", found " + Found(at));
  }

  absl::StatusOr<FilterNode> Or() {
    FilterNode any;
    any.kind = FilterNode::Kind::kOr;
    while (true) {
      ASSIGN_OR_RETURN(FilterNode next, And());
      any.children.push_back(std::move(next));
      const FilterToken token = lexer_.Next();
      if (IsKeyword(token, "or")) continue;
      lexer_.Rewind(token);
      return any.children.size() == 1 ? std::move(any.children.front()) : std::move(any);
    }
  }

  absl::StatusOr<FilterNode> And() {
    FilterNode all;
    all.kind = FilterNode::Kind::kAnd;
    while (true) {
      ASSIGN_OR_RETURN(FilterNode next, Unary());
      all.children.push_back(std::move(next));
      const FilterToken token = lexer_.Next();
      if (IsKeyword(token, "and")) continue;
      lexer_.Rewind(token);
      const bool ends =
          token.kind == Kind::kEnd || token.kind == Kind::kClose || IsKeyword(token, "or");
      if (ends) return all.children.size() == 1 ? std::move(all.children.front()) : std::move(all);
    }
  }

  absl::StatusOr<FilterNode> Unary() {
    const FilterToken token = lexer_.Next();
    if (token.kind == Kind::kBang || IsKeyword(token, "not")) {
      return Nested(token, [this]() -> absl::StatusOr<FilterNode> {
        ASSIGN_OR_RETURN(FilterNode inner, Unary());
        FilterNode node;
        node.kind = FilterNode::Kind::kNot;
        node.children.push_back(std::move(inner));
        return node;
      });
    }
    if (token.kind == Kind::kOpen) {
      return Nested(token, [this, &token]() -> absl::StatusOr<FilterNode> {
        ASSIGN_OR_RETURN(FilterNode inner, Or());
        const FilterToken close = lexer_.Next();
        if (close.kind == Kind::kEnd) return Error(token, "this ( is never closed");
        if (close.kind != Kind::kClose) return Expected(close, "a condition or )");
        return inner;
      });
    }
    if (token.kind != Kind::kWord || IsKeyword(token, "or") || IsKeyword(token, "and")) {
      return Expected(token, "a condition, such as protocol=http");
    }
    return Term(token);
  }

  template <typename Inner>
  absl::StatusOr<FilterNode> Nested(const FilterToken& at, const Inner& inner) {
    if (depth_ == kMaxFilterDepth) {
      return Error(at, absl::StrFormat("nested deeper than %d levels", kMaxFilterDepth));
    }
    ++depth_;
    absl::StatusOr<FilterNode> node = inner();
    --depth_;
    return node;
  }

  absl::StatusOr<FilterNode> Term(const FilterToken& name) {
    if (++terms_ > kMaxFilterTerms) {
      return Error(name, absl::StrFormat("more than %d conditions", kMaxFilterTerms));
    }
    const FilterFieldInfo* info = FindFilterField(name.text);
    if (info == nullptr) return UnknownField(name);
    if (kind_ && (info->records & static_cast<uint8_t>(*kind_)) == 0) {
      return Error(name,
                   absl::StrFormat("%s do not have the field %s; they have %s", PluralOf(*kind_),
                                   name.text, absl::StrJoin(FilterFieldNames(kind_), ", ")));
    }
    FilterNode node;
    node.kind = FilterNode::Kind::kTerm;
    FilterTerm& term = node.term;
    term.field = info->field;
    if (term.field == FilterField::kAttribute) term.attribute = name.text.substr(5);

    const FilterToken op = lexer_.Next();
    const bool is_not = IsKeyword(op, "not");
    if (is_not || IsKeyword(op, "in")) {
      // "slow not ..." is a condition by itself, followed by another.
      const FilterToken in = is_not ? lexer_.Next() : op;
      if (IsKeyword(in, "in")) {
        term.op = is_not ? FilterOp::kNotEqual : FilterOp::kEqual;
        RETURN_IF_ERROR(List(*info, &term));
        return node;
      }
      if (info->field != FilterField::kSlow) return Expected(in, "in (...) after \"not\"");
    }
    if (op.kind != Kind::kOperator) {
      if (info->field == FilterField::kSlow) {
        lexer_.Rewind(op);
        term.texts = {"true"};
        return node;
      }
      return Expected(
          op, absl::StrFormat("an operator after \"%s\" (%s)", name.text, OperatorsOf(info->kind)));
    }
    term.op = OpOf(op.text);
    if (!Takes(info->kind, term.op)) {
      return Error(op, absl::StrFormat("%s cannot be compared by %s: it takes %s", name.text,
                                       op.text, OperatorsOf(info->kind)));
    }
    RETURN_IF_ERROR(Value(*info, lexer_.NextValue(), &term));
    return node;
  }

  absl::Status UnknownField(const FilterToken& name) const {
    // A value without its field is the likeliest slip: "mysql" for "protocol=mysql".
    for (const FilterFieldInfo& info : FilterFields()) {
      for (const std::string& choice : ChoicesOf(info.field)) {
        if (choice != name.text) continue;
        return Error(name, absl::StrFormat("%s is no field; did you mean \"%s=%s\"?", Found(name),
                                           info.name, choice));
      }
    }
    const std::vector<std::string> names = FilterFieldNames(kind_);
    const std::string hint = base::DidYouMean(name.text, names);
    return Error(name, "unknown field " + Found(name) +
                           (hint.empty() ? "; fields are " + absl::StrJoin(names, ", ") : hint));
  }

  absl::Status List(const FilterFieldInfo& info, FilterTerm* term) {
    const FilterToken open = lexer_.Next();
    if (open.kind != Kind::kOpen) return Expected(open, "( after \"in\"");
    while (true) {
      if (++terms_ > kMaxFilterTerms) {
        return Error(open, absl::StrFormat("more than %d values", kMaxFilterTerms));
      }
      RETURN_IF_ERROR(Value(info, lexer_.NextValue(), term));
      const FilterToken next = lexer_.Next();
      if (next.kind == Kind::kClose) return absl::OkStatus();
      if (next.kind == Kind::kEnd) return Error(open, "this ( is never closed");
      if (next.kind != Kind::kComma) return Expected(next, "a comma or )");
    }
  }

  absl::Status Value(const FilterFieldInfo& info, const FilterToken& value, FilterTerm* term) {
    if (value.kind != Kind::kWord && value.kind != Kind::kQuoted) {
      return Expected(value, "a value");
    }
    if (term->op == FilterOp::kMatch || term->op == FilterOp::kNotMatch) {
      RETURN_IF_ERROR(Pattern(value, term));
    } else if (info.kind == FieldKind::kChoice) {
      const std::vector<std::string> choices = ChoicesOf(info.field);
      if (std::find(choices.begin(), choices.end(), value.text) == choices.end()) {
        return Expected(value,
                        std::string(info.name) + " to be one of " + absl::StrJoin(choices, ", "));
      }
    } else if (info.kind != FieldKind::kText) {
      RETURN_IF_ERROR(NumberOf(info, value, term));
    }
    term->texts.push_back(value.text);
    return absl::OkStatus();
  }

  absl::Status NumberOf(const FilterFieldInfo& info, const FilterToken& value, FilterTerm* term) {
    std::optional<double> number;
    std::string what;
    switch (info.kind) {
      case FieldKind::kTextual:
        if (!IsOrdering(term->op)) return absl::OkStatus();
        [[fallthrough]];
      case FieldKind::kNumber:
        number = ParseNumber(value.text);
        what = "a number";
        break;
      case FieldKind::kDuration:
        number = base::ParseDurationNs(value.text);
        what = "a duration with its unit (ns us ms s m h), such as 100ms";
        break;
      case FieldKind::kBytes:
        number = base::ParseBytes(value.text);
        what = "a size (B KB MB GB, KiB MiB GiB), such as 64KB";
        break;
      case FieldKind::kText:
      case FieldKind::kChoice:
        return absl::OkStatus();
    }
    if (!number) return Expected(value, what);
    term->numbers.push_back(*number);
    return absl::OkStatus();
  }

  absl::Status Pattern(const FilterToken& value, FilterTerm* term) {
    if (++patterns_ > kMaxFilterPatterns) {
      return Error(value, absl::StrFormat("more than %d regular expressions", kMaxFilterPatterns));
    }
    if (value.text.size() > kMaxFilterPatternBytes) {
      return Error(value, absl::StrFormat("a regular expression longer than %d bytes",
                                          kMaxFilterPatternBytes));
    }
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kPatternMemoryBytes);
    term->pattern = std::make_unique<re2::RE2>(value.text, options);
    if (!term->pattern->ok()) {
      return Error(value, "not a regular expression (RE2): " + term->pattern->error());
    }
    return absl::OkStatus();
  }

  const std::string_view text_;
  const std::optional<RecordKind> kind_;
  FilterLexer lexer_;
  size_t depth_ = 0;
  size_t terms_ = 0;
  size_t patterns_ = 0;
};

}  // namespace

absl::StatusOr<FilterNode> ParseFilter(std::string_view text, std::optional<RecordKind> kind) {
  if (text.size() > kMaxFilterBytes) {
    return absl::InvalidArgumentError(
        absl::StrFormat("column 1: a filter longer than %d bytes", kMaxFilterBytes));
  }
  if (!base::IsValidUtf8(text)) {
    return absl::InvalidArgumentError("column 1: the filter is not valid UTF-8");
  }
  return Parser(text, kind).Parse();
}

}  // namespace kindling::model
