#include "agent/protocols/redact_message.h"

#include <algorithm>

namespace kindling::agent {
namespace {

bool IsQuote(char c) { return c == '\'' || c == '"' || c == '`'; }

bool IsWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         static_cast<unsigned char>(c) >= 0x80;
}

// "doesn't": a quote between letters opens nothing and closes nothing. Within quoted data that is
// no harm: the server's own closing quote comes later.
bool IsApostrophe(std::string_view text, size_t at) {
  return at > 0 && at + 1 < text.size() && IsWordByte(text[at - 1]) && IsWordByte(text[at + 1]);
}

}  // namespace

std::string RedactMessage(std::string_view message, bool is_whole, size_t max_bytes) {
  size_t open = std::string_view::npos;
  size_t close = std::string_view::npos;
  for (size_t i = 0; i < message.size(); ++i) {
    if (!IsQuote(message[i]) || IsApostrophe(message, i)) continue;
    if (open == std::string_view::npos) {
      open = i;
    } else {
      close = i;
    }
  }
  std::string text;
  if (open == std::string_view::npos) {
    text = std::string(message);
  } else {
    text = std::string(message.substr(0, open)) + "?";
    if (is_whole && close != std::string_view::npos) text += message.substr(close + 1);
  }
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  if (text.size() > max_bytes) text.resize(max_bytes);
  return text;
}

}  // namespace kindling::agent
