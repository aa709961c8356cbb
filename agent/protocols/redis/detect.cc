#include <algorithm>
#include <string>
#include <string_view>

#include "agent/protocols/redis/codec.h"
#include "agent/protocols/redis/command_framer.h"
#include "agent/protocols/redis/commands.h"
#include "agent/protocols/redis/reply_framer.h"
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

// An array of bulk strings is also what a server answers to, say, LRANGE: only a command's name
// tells them apart, and the confirmations and messages of pub/sub.
Match DetectArray(std::span<const std::byte> head) {
  const std::string_view text = base::AsText(head);
  for (const std::string_view push : {"$9\r\nsubscribe\r\n", "$10\r\npsubscribe\r\n",
                                      "$7\r\nmessage\r\n", "$8\r\npmessage\r\n"}) {
    // "*3\r\n" or "*4\r\n" before it; a client that subscribes sends "*2\r\n".
    if (text.size() > 4 && (text[1] == '3' || text[1] == '4') && text.substr(2, 2) == "\r\n" &&
        text.substr(4).starts_with(push)) {
      return push.ends_with("subscribe\r\n") && text.find("\r\n:") == std::string_view::npos
                 ? Match::kNeedMore
                 : Match::kResponse;
    }
  }
  CommandFramer framer;
  std::span<const std::byte> input = head;
  const Step step = framer.Next(input);
  if (step == Step::kInvalid) return Match::kNo;
  const Command command = framer.command();
  if (!command.name_is_whole) {
    // A name is short; one that is whole so far and too long is data.
    return command.words[0].size() < Command::kWordBytes ? Match::kNeedMore : Match::kNo;
  }
  const std::string name = Upper(command.words[0]);
  if (name == "HELLO") {  // a likely word of data, too
    if (command.arguments == 0) return Match::kNo;
    if (command.words[1].empty()) return Match::kNeedMore;
    return command.words[1] == "2" || command.words[1] == "3" ? Match::kRequest : Match::kNo;
  }
  return IsKnownCommand(name) ? Match::kRequest : Match::kNo;
}

// Replies that are Redis's alone. Others ("+OK", ":1", "$5") say too little.
Match DetectReply(std::span<const std::byte> head) {
  const std::string_view text = base::AsText(head);
  static constexpr std::string_view kSure[] = {
      "+PONG\r\n",
      "+QUEUED\r\n",
      "$-1\r\n",
      "-ERR unknown command",
      "-ERR wrong number of arguments for",
      "-NOAUTH Authentication required",
      "-WRONGTYPE Operation against a key",
      "-WRONGPASS ",
      "-LOADING Redis is loading",
      "-MOVED ",
      "-NOSCRIPT ",
      "-DENIED Redis is running in protected mode",
      "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n",
      "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n",
  };
  for (const std::string_view sure : kSure) {
    if (text.starts_with(sure)) return Match::kResponse;
    if (sure.starts_with(text)) return Match::kNeedMore;
  }
  ReplyFramer framer;
  std::span<const std::byte> input = head;
  const Step step = framer.Next(input);
  if (step == Step::kInvalid) return Match::kNo;
  // Text lines that begin with '+' or '-' are common; only a value that parses may go on.
  return text[0] == '+' || text[0] == '-'
             ? (text.starts_with("+OK\r\n") ? Match::kNeedMore : Match::kNo)
             : Match::kNeedMore;
}

}  // namespace

Match Detect(std::span<const std::byte> head, model::Transport transport) {
  if (transport == model::Transport::kUdp) return Match::kNo;
  if (head.empty()) return Match::kNeedMore;
  const std::string_view text = base::AsText(head);
  switch (text[0]) {
    case '*': {
      const Match match = DetectArray(head);
      return match == Match::kNo ? DetectReply(head) : match;
    }
    case '+':
    case '-':
    case ':':
    case '$':
    case '%':
    case '>':
    case '~':
    case '_':
      return DetectReply(head);
    default:
      // The one inline command that nothing else sends.
      if (text.size() >= 6 && (text.starts_with("PING\r\n") || text.starts_with("ping\r\n"))) {
        return Match::kRequest;
      }
      return std::string_view("PING\r\n").starts_with(text) ? Match::kNeedMore : Match::kNo;
  }
}

}  // namespace kindling::agent::redis
