#include "model/redact.h"

#include <algorithm>
#include <array>

#include "model/url_template.h"

namespace kindling::model {
namespace {

constexpr size_t kMaxQueryNameBytes = 40;
constexpr size_t kMaxPlainSegmentBytes = 40;
constexpr size_t kMaxNameBytes = 64;  // longer names are looked at up to here

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::string LowerOf(std::string_view text) {
  std::string lower(text.substr(0, kMaxNameBytes));
  std::transform(lower.begin(), lower.end(), lower.begin(), Lower);
  return lower;
}

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool StartsWith(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

// Wherever they stand in a name.
constexpr std::array<std::string_view, 9> kSecretParts = {"passw",   "passphrase", "secret",
                                                          "token",   "credential", "apikey",
                                                          "api-key", "api_key",    "cookie"};
// As a whole name or its last word.
constexpr std::array<std::string_view, 9> kSecretWords = {
    "key", "auth", "pwd", "pass", "sig", "jwt", "pin", "session", "signature"};

bool IsPlain(std::string_view text) {
  unsigned other = 0;
  for (const char c : text) {
    other |= c <= ' ' || c >= 0x7f || c == '%' || c == '@' || c == '"' || c == '\\' || c == ';'
                 ? 1u
                 : 0u;
  }
  return other == 0;
}

// Cuts what `text` holds behind `begin`.
void Cap(std::string& text, size_t max_bytes, size_t begin = 0) {
  max_bytes += begin;
  if (text.size() <= max_bytes) return;
  text.resize(max_bytes < begin + 3 ? max_bytes : max_bytes - 3);
  if (max_bytes >= begin + 3) text += "...";
}

// Leaves out "user:password@" of every URL in `argument`.
std::string WithoutUserInfo(std::string_view argument) {
  std::string out;
  while (true) {
    const size_t scheme = argument.find("://");
    if (scheme == std::string_view::npos) break;
    const size_t authority = scheme + 3;
    const size_t end = std::min(argument.find_first_of("/?# \t\"'", authority), argument.size());
    const size_t at = argument.substr(0, end).rfind('@');
    out += argument.substr(0, authority);
    if (at != std::string_view::npos && at >= authority) {
      out += "*@";
      argument.remove_prefix(at + 1);
    } else {
      argument.remove_prefix(authority);
    }
  }
  out += argument;
  // The query of a URL may hold secrets too.
  const size_t url = out.find("://");
  const size_t query = url == std::string::npos ? url : out.find('?', url);
  if (query != std::string::npos) {
    const std::string redacted = RedactQuery(std::string_view(out).substr(query), 256);
    out.resize(query + 1);
    out += redacted;
  }
  return out;
}

std::string_view BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// A short option whose value is a password: attached ("-psecret") or the next argument.
struct PasswordOption {
  std::string_view program_prefix;
  std::string_view option;
  bool attached;  // the value may follow without a space
  bool next;      // the value may be the next argument
};
constexpr PasswordOption kPasswordOptions[] = {
    {"mysql", "-p", true, false},     {"mariadb", "-p", true, false},
    {"redis-cli", "-a", false, true}, {"curl", "-u", true, true},
    {"curl", "--user", false, true},  {"curl", "--proxy-user", false, true},
    {"curl", "-U", true, true},       {"curl", "-b", true, true},
    {"sshpass", "-p", true, true},    {"wget", "--user", false, true},
    {"ldapsearch", "-w", true, true}, {"smbclient", "-U", true, true},
    {"mongo", "-p", false, true},     {"sqlcmd", "-P", true, true},
};

class CommandLineRedactor {
 public:
  explicit CommandLineRedactor(std::string_view program) : program_(BaseName(program)) {}

  std::string Argument(std::string_view argument) {
    if (next_is_secret_) {
      next_is_secret_ = false;
      return "*";
    }
    for (const PasswordOption& row : kPasswordOptions) {
      if (!StartsWith(program_, row.program_prefix)) continue;
      if (row.next && argument == row.option) {
        next_is_secret_ = true;
        return std::string(argument);
      }
      if (row.attached && argument.size() > row.option.size() && StartsWith(argument, row.option) &&
          argument[1] != '-') {
        return std::string(row.option) + "*";
      }
    }
    const size_t split = argument.find_first_of("=:");
    if (split != std::string_view::npos) {
      const std::string_view name = NameOf(argument.substr(0, split));
      if (IsSecretName(name) || IsSecretHeader(name)) {
        return std::string(argument.substr(0, split + 1)) + "*";
      }
    } else if (argument.size() > 2 && StartsWith(argument, "--") &&
               IsSecretName(NameOf(argument))) {
      next_is_secret_ = true;
      return std::string(argument);
    }
    return WithoutUserInfo(argument);
  }

 private:
  // "--db-password" and "-Dmy.password" name what follows their dashes.
  static std::string_view NameOf(std::string_view option) {
    const size_t begin = option.find_first_not_of('-');
    return begin == std::string_view::npos ? std::string_view() : option.substr(begin);
  }

  std::string_view program_;
  bool next_is_secret_ = false;
};

}  // namespace

bool IsSecretName(std::string_view name) {
  const std::string lower = LowerOf(name);
  for (const std::string_view part : kSecretParts) {
    if (Contains(lower, part)) return true;
  }
  for (const std::string_view word : kSecretWords) {
    if (!EndsWith(lower, word)) continue;
    if (lower.size() == word.size()) return true;
    const char before = lower[lower.size() - word.size() - 1];
    if (before == '-' || before == '_' || before == '.') return true;
  }
  return false;
}

bool IsSecretHeader(std::string_view name) {
  const std::string lower = LowerOf(name);
  return Contains(lower, "authorization") || Contains(lower, "authentic") || IsSecretName(lower);
}

void AppendRedactedPath(std::string_view target, size_t max_bytes, std::string& out) {
  const std::string_view path = UrlPath(target);
  // Most paths are short and plain, and stay as they are.
  if (path.size() <= std::min(kMaxPlainSegmentBytes, max_bytes) && IsPlain(path)) {
    out += path;
    return;
  }
  const size_t begin = out.size();
  size_t at = 0;
  while (at < path.size() && out.size() <= begin + max_bytes) {
    if (path[at] == '/') {
      out += '/';
      ++at;
      continue;
    }
    const size_t end = std::min(path.find('/', at), path.size());
    std::string_view segment = path.substr(at, end - at);
    at = end;
    const size_t parameters = segment.find(';');
    const bool has_parameters = parameters != std::string_view::npos;
    segment = segment.substr(0, parameters);
    const bool plain = segment.size() <= kMaxPlainSegmentBytes && IsPlain(segment);
    if (plain) {
      out += segment;
    } else {
      out += '*';
    }
    if (has_parameters) out += ";*";
  }
  Cap(out, max_bytes, begin);
}

std::string RedactPath(std::string_view target, size_t max_bytes) {
  std::string out;
  AppendRedactedPath(target, max_bytes, out);
  return out;
}

std::string RedactQuery(std::string_view target, size_t max_bytes) {
  const size_t begin = target.find('?');
  if (begin == std::string_view::npos) return {};
  std::string_view query = target.substr(begin + 1);
  query = query.substr(0, query.find('#'));
  std::string out;
  while (!query.empty() && out.size() <= max_bytes) {
    const size_t end = std::min(query.find_first_of("&;"), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (!out.empty()) out += '&';
    const size_t equals = pair.find('=');
    const std::string_view name = pair.substr(0, equals);
    // A parameter without "=", and a name that looks like a value, are values.
    if (equals == std::string_view::npos || name.size() > kMaxQueryNameBytes || LooksLikeId(name)) {
      out += '*';
      if (equals != std::string_view::npos) out += "=*";
      continue;
    }
    out += name;
    out += "=*";
  }
  Cap(out, max_bytes);
  return out;
}

std::string RedactCommandLine(std::string_view arguments, size_t max_bytes) {
  while (!arguments.empty() && arguments.back() == '\0') arguments.remove_suffix(1);
  CommandLineRedactor redactor(arguments.substr(0, arguments.find('\0')));
  std::string out;
  bool is_program = true;
  while (!arguments.empty() && out.size() <= max_bytes) {
    const size_t end = std::min(arguments.find('\0'), arguments.size());
    const std::string_view argument = arguments.substr(0, end);
    arguments.remove_prefix(std::min(end + 1, arguments.size()));
    if (!is_program) out += ' ';
    out += is_program ? std::string(argument) : redactor.Argument(argument);
    is_program = false;
  }
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte >= 0x7f) c = byte < ' ' ? ' ' : '?';
  }
  Cap(out, max_bytes);
  return out;
}

std::vector<std::string> RedactArguments(const std::vector<std::string>& arguments) {
  std::vector<std::string> out;
  if (arguments.empty()) return out;
  out.reserve(arguments.size());
  CommandLineRedactor redactor(arguments.front());
  out.push_back(arguments.front());
  for (size_t i = 1; i < arguments.size(); ++i) out.push_back(redactor.Argument(arguments[i]));
  return out;
}

}  // namespace kindling::model
