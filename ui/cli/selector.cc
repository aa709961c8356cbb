#include "ui/cli/selector.h"

#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "kindling/v1/query.pb.h"

namespace kindling::ui {
namespace {

using v1::LabelMatcher;

constexpr char kNameLabel[] = "__name__";

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == ':' || c == '.';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<std::vector<LabelMatcher>> Parse() {
    std::vector<LabelMatcher> out;
    const std::string metric = Name();
    if (!metric.empty()) {
      LabelMatcher& matcher = out.emplace_back();
      matcher.set_name(kNameLabel);
      matcher.set_operator_(LabelMatcher::OPERATOR_EQUAL);
      matcher.set_value(metric);
    }
    if (Take("{")) {
      while (!Take("}")) {
        ASSIGN_OR_RETURN(LabelMatcher matcher, Matcher());
        out.push_back(std::move(matcher));
        if (Take(",")) continue;
        if (!Take("}")) return Expected("\",\" or \"}\"");
        break;
      }
    }
    SkipSpaces();
    if (at_ != text_.size()) return Expected("nothing more");
    return out;
  }

 private:
  absl::Status Expected(const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrFormat(
        "selector \"%s\": %s was expected at column %d; write name{label=\"value\"}",
        std::string(text_), what, at_ + 1));
  }

  void SkipSpaces() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool Take(std::string_view token) {
    SkipSpaces();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  std::string Name() {
    SkipSpaces();
    const size_t first = at_;
    while (at_ < text_.size() && IsNameByte(text_[at_])) ++at_;
    return std::string(text_.substr(first, at_ - first));
  }

  absl::StatusOr<LabelMatcher> Matcher() {
    LabelMatcher matcher;
    matcher.set_name(Name());
    if (matcher.name().empty()) return Expected("the name of a label");
    if (Take("=~")) {
      matcher.set_operator_(LabelMatcher::OPERATOR_MATCHES);
    } else if (Take("!~")) {
      matcher.set_operator_(LabelMatcher::OPERATOR_NOT_MATCHES);
    } else if (Take("!=")) {
      matcher.set_operator_(LabelMatcher::OPERATOR_NOT_EQUAL);
    } else if (Take("=")) {
      matcher.set_operator_(LabelMatcher::OPERATOR_EQUAL);
    } else {
      return Expected("one of = != =~ !~");
    }
    ASSIGN_OR_RETURN(*matcher.mutable_value(), Quoted());
    return matcher;
  }

  absl::StatusOr<std::string> Quoted() {
    if (!Take("\"")) return Expected("a value in double quotes");
    std::string value;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        return value;
      }
      if (text_[at_] == '\\' && ++at_ == text_.size()) break;
      const bool is_newline = text_[at_] == 'n' && text_[at_ - 1] == '\\';
      value += is_newline ? '\n' : text_[at_];
    }
    return Expected("the closing quote");
  }

  const std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<v1::LabelMatcher>> ParseSelector(std::string_view text) {
  return Parser(text).Parse();
}

}  // namespace kindling::ui
