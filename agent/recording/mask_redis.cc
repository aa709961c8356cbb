#include "agent/recording/mask_redis.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace kindling::agent {
namespace {

constexpr char kFill = '?';
constexpr size_t kMaxCodeBytes = 32;

constexpr std::array<std::string_view, 9> kPushes = {"message",     "pmessage",     "smessage",
                                                     "subscribe",   "psubscribe",   "ssubscribe",
                                                     "unsubscribe", "punsubscribe", "sunsubscribe"};

constexpr std::array<std::string_view, 8> kErrors = {"ERR unknown command",
                                                     "ERR unknown subcommand",
                                                     "ERR wrong number of arguments for",
                                                     "NOAUTH Authentication required",
                                                     "WRONGTYPE Operation against a key",
                                                     "LOADING Redis is loading",
                                                     "DENIED Redis is running in protected mode",
                                                     "EXECABORT Transaction discarded"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsCodeByte(char c) {
  return (c >= 'A' && c <= 'Z') || IsDigit(c) || c == '.' || c == '_' || c == '-';
}
bool IsNameByte(char c) { return IsCodeByte(c) || (c >= 'a' && c <= 'z'); }

size_t CommonPrefix(std::string_view a, std::string_view b) {
  return static_cast<size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<ptrdiff_t>(std::min(a.size(), b.size())),
                    b.begin())
          .first -
      a.begin());
}

}  // namespace

void MaskRedisName(std::string& name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !IsNameByte(c); }, kFill);
}

void MaskRedisSimple(std::string& text) {
  for (char& c : text) {
    if (std::string_view("OKPNGQUED").find(c) == std::string_view::npos) c = kFill;
  }
}

void MaskRedisError(std::string& error) {
  size_t kept = std::min(error.find(' '), error.size());
  if (kept > kMaxCodeBytes ||
      !std::all_of(error.begin(), error.begin() + static_cast<ptrdiff_t>(kept), IsCodeByte)) {
    // No code; its bytes until then were taken for one, and must not become one now.
    kept = static_cast<size_t>(std::find_if_not(error.begin(), error.end(), IsCodeByte) -
                               error.begin());
    kept = std::min(kept, kMaxCodeBytes);
  }
  for (const std::string_view known : kErrors) {
    kept = std::max(kept, CommonPrefix(error, known));
  }
  for (size_t i = kept; i < error.size(); ++i) {
    if (error[i] != ' ') error[i] = kFill;
  }
}

void MaskRedisNumber(std::string& digits) {
  for (char& c : digits) {
    if (IsDigit(c) && c != '0') c = '1';
  }
}

void MaskRedisPush(std::string& word) {
  size_t kept = 0;
  for (const std::string_view known : kPushes) {
    if (known.starts_with(word)) kept = word.size();
  }
  std::fill(word.begin() + static_cast<ptrdiff_t>(kept), word.end(), kFill);
}

}  // namespace kindling::agent
