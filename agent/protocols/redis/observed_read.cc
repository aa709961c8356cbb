#include "agent/protocols/redis/observed_read.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "agent/protocols/redis/commands.h"
#include "base/byte_reader.h"

namespace kindling::agent::redis {
namespace {

std::string Upper(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return upper;
}

// Whether word `index` of a command decides on its name or on its reply.
bool IsNameWord(const Command& command, uint32_t index) {
  if (index == 0) return true;
  if (index >= Command::kWords) return false;
  const std::string name = Upper(command.words[0]);
  const CommandKind kind = KindOf(name);
  if (index == 1) {
    return kind == CommandKind::kContainer || kind == CommandKind::kClient || name == "HELLO";
  }
  return kind == CommandKind::kClient && Upper(command.words[1]) == "REPLY";
}

// What the next bytes are, and how many of them at most; none: a value.
struct Run {
  std::optional<Part> part = Part::kStructure;
  size_t size = 1;
};

size_t Fits(uint64_t count, size_t limit) {
  return static_cast<size_t>(std::min<uint64_t>(count, limit));
}

Run NextRun(const CommandFramer& framer, std::span<const std::byte> input) {
  const std::byte next = input[0];
  if (framer.in_word()) {
    const bool is_name = IsNameWord(framer.command(), framer.word());
    return {.part = is_name ? std::optional(Part::kRedisName) : std::nullopt,
            .size = Fits(framer.word_remaining(), input.size())};
  }
  if (framer.in_inline() && next != std::byte{'\r'} && next != std::byte{'\n'} &&
      next != std::byte{' '} && next != std::byte{'\t'} &&
      !IsNameWord(framer.command(), framer.word())) {
    return {.part = std::nullopt};
  }
  return {};
}

Run NextRun(const ReplyFramer& framer, std::span<const std::byte> input) {
  const size_t string = Fits(framer.string_remaining(), input.size());
  if (framer.in_string()) {
    const size_t error = ReplyFramer::kErrorBytes - framer.reply().error.size();
    if (framer.type() == '!' && framer.in_told_error() && error > 0) {
      return {.part = Part::kRedisError, .size = std::min(string, error)};
    }
    const bool is_word = framer.type() == '$' && framer.in_first_element();
    return {.part = is_word ? std::optional(Part::kRedisPush) : std::nullopt, .size = string};
  }
  if (!framer.in_line() || input[0] == std::byte{'\r'}) return {};
  switch (framer.type()) {
    case '+':
      return {.part = framer.in_first_element() ? Part::kRedisPush : Part::kRedisSimple};
    case '-':
      if (!framer.in_told_error()) return {.part = std::nullopt};
      if (framer.reply().error.size() >= ReplyFramer::kErrorBytes) return {.part = std::nullopt};
      return {.part = Part::kRedisError};
    case ':':
    case ',':
    case '(':
      return {.part = Part::kRedisNumber};
    default:
      return {};
  }
}

// The part from its first byte, as far as the framer keeps it.
std::string_view Told(const CommandFramer& /*framer*/, Part /*part*/, std::string_view read) {
  return read;
}
std::string_view Told(const ReplyFramer& framer, Part part, std::string_view read) {
  const Reply reply = framer.reply();
  const std::string_view text = part == Part::kRedisError  ? reply.error
                                : part == Part::kRedisPush ? reply.word
                                                           : std::string_view();
  return text.ends_with(read) ? text : read;
}

template <typename Framer>
Step Read(Flow flow, Framer& framer, std::span<const std::byte>& input, PartObserver& observer) {
  while (!input.empty()) {
    const Run run = NextRun(framer, input);
    std::span<const std::byte> piece = input.first(run.size);
    const Step step = framer.Next(piece);
    const size_t consumed = run.size - piece.size();
    const std::string_view read = base::AsText(input.first(consumed));
    input = input.subspan(consumed);
    if (run.part.has_value() && consumed > 0) {
      observer.OnPart(flow, *run.part, Told(framer, *run.part, read), input.size());
    }
    if (step != Step::kNeedMore) return step;
  }
  return Step::kNeedMore;
}

}  // namespace

Step ReadObserved(CommandFramer& framer, std::span<const std::byte>& input,
                  PartObserver& observer) {
  return Read(Flow::kRequest, framer, input, observer);
}

Step ReadObserved(ReplyFramer& framer, std::span<const std::byte>& input, PartObserver& observer) {
  return Read(Flow::kResponse, framer, input, observer);
}

}  // namespace kindling::agent::redis
