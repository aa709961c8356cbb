#include "model/filter.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "model/filter_lexer.h"
#include "model/filter_node.h"
#include "model/filter_parser.h"

namespace kindling::model {
namespace {

std::string_view Symbol(FilterOp op) {
  switch (op) {
    case FilterOp::kEqual:
      return "=";
    case FilterOp::kNotEqual:
      return "!=";
    case FilterOp::kMatch:
      return "=~";
    case FilterOp::kNotMatch:
      return "!~";
    case FilterOp::kGreater:
      return ">";
    case FilterOp::kGreaterEqual:
      return ">=";
    case FilterOp::kLess:
      return "<";
    case FilterOp::kLessEqual:
      return "<=";
  }
  return "";
}

// Whether any number of the range stands in relation `op` to `bound`.
bool Compare(FilterOp op, FieldRange range, double bound) {
  switch (op) {
    case FilterOp::kGreater:
      return range.most > bound;
    case FilterOp::kGreaterEqual:
      return range.most >= bound;
    case FilterOp::kLess:
      return range.least < bound;
    case FilterOp::kLessEqual:
      return range.least <= bound;
    default:
      return range.least <= bound && bound <= range.most;
  }
}

// The term as if it had no negation.
bool Holds(const FilterTerm& term, const FieldSource& record) {
  const FieldKind kind = InfoOf(term.field).kind;
  if (kind == FieldKind::kNumber || kind == FieldKind::kDuration || kind == FieldKind::kBytes) {
    const std::optional<FieldRange> range = record.Range(term.field);
    return range && std::any_of(term.numbers.begin(), term.numbers.end(),
                                [&](double bound) { return Compare(term.op, *range, bound); });
  }
  FieldTexts texts;
  record.Texts(term.field, term.attribute, &texts);
  // field="" asks for records that lack the field.
  if (texts.begin() == texts.end() && term.pattern == nullptr) {
    return std::find(term.texts.begin(), term.texts.end(), "") != term.texts.end();
  }
  for (const std::string_view text : texts) {
    if (term.pattern != nullptr) {
      if (re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *term.pattern)) {
        return true;
      }
    } else if (!term.numbers.empty()) {
      double value;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error == std::errc() && end == text.data() + text.size() &&
          Compare(term.op, {value, value}, term.numbers.front())) {
        return true;
      }
    } else if (std::find(term.texts.begin(), term.texts.end(), text) != term.texts.end()) {
      return true;
    }
  }
  return false;
}

bool Matches(const FilterNode& node, const FieldSource& record) {
  const auto matches = [&record](const FilterNode& child) { return Matches(child, record); };
  switch (node.kind) {
    case FilterNode::Kind::kAnd:
      return std::all_of(node.children.begin(), node.children.end(), matches);
    case FilterNode::Kind::kOr:
      return std::any_of(node.children.begin(), node.children.end(), matches);
    case FilterNode::Kind::kNot:
      return !matches(node.children.front());
    case FilterNode::Kind::kTerm: {
      const FilterOp op = node.term.op;
      const bool is_negative = op == FilterOp::kNotEqual || op == FilterOp::kNotMatch;
      return Holds(node.term, record) != is_negative;
    }
  }
  return false;
}

enum class Truth : uint8_t { kNo, kMaybe, kYes };

Truth Not(Truth truth) {
  return truth == Truth::kMaybe ? truth : truth == Truth::kYes ? Truth::kNo : Truth::kYes;
}

// Matches() where some fields are not known.
Truth MayMatch(const FilterNode& node, const FieldSource& record,
               const std::function<bool(FilterField)>& is_known) {
  switch (node.kind) {
    case FilterNode::Kind::kAnd:
    case FilterNode::Kind::kOr: {
      const bool is_and = node.kind == FilterNode::Kind::kAnd;
      Truth truth = is_and ? Truth::kYes : Truth::kNo;
      for (const FilterNode& child : node.children) {
        const Truth of_child = MayMatch(child, record, is_known);
        truth = is_and ? std::min(truth, of_child) : std::max(truth, of_child);
      }
      return truth;
    }
    case FilterNode::Kind::kNot:
      return Not(MayMatch(node.children.front(), record, is_known));
    case FilterNode::Kind::kTerm:
      if (!is_known(node.term.field)) return Truth::kMaybe;
      return Matches(node, record) ? Truth::kYes : Truth::kNo;
  }
  return Truth::kNo;
}

bool AsksEnds(const FilterNode& node) {
  if (node.kind != FilterNode::Kind::kTerm) {
    return std::any_of(node.children.begin(), node.children.end(), AsksEnds);
  }
  switch (node.term.field) {
    case FilterField::kService:
    case FilterField::kClient:
    case FilterField::kServer:
    case FilterField::kHost:
    case FilterField::kAddress:
    case FilterField::kProtocol:
    case FilterField::kTransport:
    case FilterField::kSide:
      return true;
    default:
      return false;
  }
}

void AddLatency(const FilterTerm& term, FilterNeeds& needs) {
  const auto [least, most] = std::minmax_element(term.numbers.begin(), term.numbers.end());
  const bool is_equal = term.op == FilterOp::kEqual;
  if (is_equal || term.op == FilterOp::kGreater || term.op == FilterOp::kGreaterEqual) {
    needs.least_latency_ns = std::max(needs.least_latency_ns, *least);
  }
  if (is_equal || term.op == FilterOp::kLess || term.op == FilterOp::kLessEqual) {
    needs.most_latency_ns = std::min(needs.most_latency_ns, *most);
  }
}

void AddNeed(const FilterTerm& term, FilterNeeds& needs) {
  if (term.field == FilterField::kLatency) {
    if (!term.numbers.empty()) AddLatency(term, needs);
    return;
  }
  // "" asks for what is not there.
  const bool is_value = term.op == FilterOp::kEqual && term.numbers.empty() &&
                        std::find(term.texts.begin(), term.texts.end(), "") == term.texts.end();
  if (!is_value) return;
  const bool is_one = term.texts.size() == 1;
  switch (term.field) {
    case FilterField::kEndpoint:
      if (needs.endpoints.empty()) needs.endpoints = term.texts;
      break;
    case FilterField::kCode:
      if (needs.codes.empty()) needs.codes = term.texts;
      break;
    case FilterField::kStatus:
      needs.is_error |= is_one && term.texts.front() == "error";
      break;
    case FilterField::kSlow:
      needs.is_slow |= is_one && term.texts.front() == "true";
      break;
    case FilterField::kAttribute:
      if (is_one) needs.attributes.emplace_back(term.attribute, term.texts.front());
      break;
    default:
      break;
  }
}

void AddNeeds(const FilterNode& node, FilterNeeds& needs) {
  if (node.kind == FilterNode::Kind::kTerm) AddNeed(node.term, needs);
  if (node.kind != FilterNode::Kind::kAnd) return;
  for (const FilterNode& child : node.children) AddNeeds(child, needs);
}

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c);
  }
  return quoted + "\"";
}

std::string Print(const FilterNode& node) {
  std::vector<std::string> parts;
  for (const FilterNode& child : node.children) {
    const bool is_group =
        child.kind == FilterNode::Kind::kAnd || child.kind == FilterNode::Kind::kOr;
    parts.push_back(is_group ? "(" + Print(child) + ")" : Print(child));
  }
  switch (node.kind) {
    case FilterNode::Kind::kAnd:
      return absl::StrJoin(parts, " ");
    case FilterNode::Kind::kOr:
      return absl::StrJoin(parts, " or ");
    case FilterNode::Kind::kNot:
      return "not " + parts.front();
    case FilterNode::Kind::kTerm:
      break;
  }
  const FilterTerm& term = node.term;
  const std::string name = std::string(InfoOf(term.field).name) + term.attribute;
  if (term.texts.size() == 1) {
    return name + std::string(Symbol(term.op)) + Quoted(term.texts.front());
  }
  for (const std::string& text : term.texts) parts.push_back(Quoted(text));
  return name + (term.op == FilterOp::kNotEqual ? " not in (" : " in (") +
         absl::StrJoin(parts, ", ") + ")";
}

}  // namespace

Filter::Filter() = default;
Filter::Filter(Filter&&) noexcept = default;
Filter& Filter::operator=(Filter&&) noexcept = default;
Filter::~Filter() = default;
Filter::Filter(std::unique_ptr<const FilterNode> root) : root_(std::move(root)) {}

absl::StatusOr<Filter> Filter::Parse(std::string_view text, std::optional<RecordKind> kind) {
  ASSIGN_OR_RETURN(FilterNode root, ParseFilter(text, kind));
  if (root.kind == FilterNode::Kind::kAnd && root.children.empty()) return Filter();
  return Filter(std::make_unique<const FilterNode>(std::move(root)));
}

bool Filter::Matches(const FieldSource& record) const {
  return root_ == nullptr || model::Matches(*root_, record);
}

bool Filter::MayMatch(const FieldSource& record,
                      const std::function<bool(FilterField)>& is_known) const {
  return root_ == nullptr || model::MayMatch(*root_, record, is_known) != Truth::kNo;
}

FilterNeeds Filter::Needs() const {
  FilterNeeds needs;
  if (root_ == nullptr) return needs;
  AddNeeds(*root_, needs);
  needs.asks_ends = AsksEnds(*root_);
  return needs;
}

bool Filter::matches_all() const { return root_ == nullptr; }

std::string Filter::ToString() const { return root_ == nullptr ? "" : Print(*root_); }

FilterCompletion CompleteFilter(std::string_view text, std::optional<RecordKind> kind) {
  FilterCompletion completion;
  std::vector<std::string> candidates = FilterFieldNames(kind);
  FilterLexer lexer(text);
  FilterToken last;
  std::string field;
  bool is_value = false;
  bool after_in = false;
  bool is_list = false;  // inside in (...)
  // Tokens to the end; one that touches the end is the word being written.
  while (true) {
    const FilterToken token = is_value ? lexer.NextValue() : lexer.Next();
    if (token.kind == FilterToken::Kind::kEnd || token.kind == FilterToken::Kind::kInvalid) break;
    const bool was_value = is_value;
    is_list = (is_list && token.kind != FilterToken::Kind::kClose) ||
              (token.kind == FilterToken::Kind::kOpen && after_in);
    after_in = token.kind == FilterToken::Kind::kWord && !was_value && token.text == "in";
    is_value = token.kind == FilterToken::Kind::kOperator ||
               (is_list && token.kind != FilterToken::Kind::kWord);
    if (token.kind == FilterToken::Kind::kWord) {
      if (!was_value && !after_in && token.text != "not") field = token.text;
      if (token.offset + token.text.size() == text.size()) {
        last = token;
        is_value = was_value;
        break;
      }
    }
  }
  completion.offset = last.kind == FilterToken::Kind::kWord ? last.offset : text.size();
  if (is_value) {
    const FilterFieldInfo* info = FindFilterField(field);
    candidates = info == nullptr ? std::vector<std::string>() : ChoicesOf(info->field);
  }
  for (std::string& word : candidates) {
    if (word.starts_with(text.substr(completion.offset))) {
      completion.words.push_back(std::move(word));
    }
  }
  return completion;
}

}  // namespace kindling::model
