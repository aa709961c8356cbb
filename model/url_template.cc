#include "model/url_template.h"

#include <array>
#include <cstdint>

#include "base/find_byte.h"

namespace kindling::model {
namespace {

enum CharClass : uint8_t { kOther, kDigit, kHexLower, kHexUpper, kLower, kUpper, kDash, kForeign };

constexpr std::array<uint8_t, 256> MakeClasses() {
  std::array<uint8_t, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    uint8_t value = kOther;
    if (c >= '0' && c <= '9') {
      value = kDigit;
    } else if (c >= 'a' && c <= 'f') {
      value = kHexLower;
    } else if (c >= 'A' && c <= 'F') {
      value = kHexUpper;
    } else if (c >= 'g' && c <= 'z') {
      value = kLower;
    } else if (c >= 'G' && c <= 'Z') {
      value = kUpper;
    } else if (c == '-' || c == '_' || c == '.' || c == ':' || c == ',' || c == '~') {
      value = kDash;
    } else if (c <= ' ' || c >= 0x7f || c == '%' || c == '@' || c == '"' || c == '<' || c == '>' ||
               c == '\\' || c == '*') {
      value = kForeign;  // encoded, personal, or no part of a route
    }
    classes[static_cast<size_t>(c)] = value;
  }
  return classes;
}
constexpr std::array<uint8_t, 256> kClasses = MakeClasses();

constexpr size_t kMaxRouteSegmentBytes = 40;
constexpr size_t kMaxDigits = 1;          // "oauth2", "s3"; with more it is a value: "user17"
constexpr size_t kMaxVersionBytes = 6;    // "v1", "v1.24"
constexpr size_t kMinTokenBytes = 16;     // hexadecimal or mixed case without digits
constexpr size_t kMaxExtensionBytes = 5;  // "jpg", "woff2"

// "v" and then a number: part of a route.
bool IsVersion(std::string_view segment) {
  if (segment.size() < 2 || segment.size() > kMaxVersionBytes) return false;
  if (segment[0] != 'v' && segment[0] != 'V') return false;
  for (const char c : segment.substr(1)) {
    if ((c < '0' || c > '9') && c != '.') return false;
  }
  return true;
}

// Bytes of ".ext" at the end of `segment`, 0 if there is none.
size_t ExtensionBytes(std::string_view segment) {
  size_t letters = 0;
  while (letters < segment.size() && letters <= kMaxExtensionBytes) {
    const char c = segment[segment.size() - 1 - letters];
    if (c == '.') {
      const bool is_extension = letters > 0 && letters + 1 < segment.size();
      return is_extension ? letters + 1 : 0;
    }
    if (c < 'a' || c > 'z') break;
    ++letters;
  }
  return 0;
}

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }

// A random token changes case about every other letter; camel case every seventh or so.
bool ChangesCaseOften(std::string_view segment) {
  size_t changes = 0;
  for (size_t i = 1; i < segment.size(); ++i) {
    if ((IsUpper(segment[i - 1]) && IsLower(segment[i])) ||
        (IsLower(segment[i - 1]) && IsUpper(segment[i]))) {
      ++changes;
    }
  }
  return changes * 3 > segment.size();
}

}  // namespace

bool LooksLikeId(std::string_view segment) {
  if (segment.size() > kMaxRouteSegmentBytes) return true;
  uint64_t counts = 0;  // a byte for each class
  for (const char c : segment) counts += uint64_t{1} << (8 * kClasses[static_cast<uint8_t>(c)]);
  const auto count = [counts](CharClass value) { return (counts >> (8 * value)) & 0xff; };
  if (count(kForeign) != 0) return true;
  const size_t digits = count(kDigit);
  const size_t hex_letters = count(kHexLower) + count(kHexUpper);
  const size_t letters = hex_letters + count(kLower) + count(kUpper);
  if (digits != 0 && letters == 0) return true;  // number, date, address
  if (digits > kMaxDigits) return !IsVersion(segment);
  if (letters + digits < kMinTokenBytes) return false;
  const bool hex = hex_letters == letters && count(kOther) == 0;
  return hex || ChangesCaseOften(segment);
}

std::string_view UrlPath(std::string_view target) {
  if (target.empty() || target[0] != '/') {
    const size_t scheme = target.find("://");
    if (scheme != std::string_view::npos && scheme < target.find_first_of("/?#")) {
      const size_t path = target.find_first_of("/?#", scheme + 3);
      target = path == std::string_view::npos ? std::string_view() : target.substr(path);
    }
  }
  target = target.substr(0, base::FindByte(target, '?'));
  target = target.substr(0, base::FindByte(target, '#'));
  return target.empty() ? std::string_view("/") : target;
}

void AppendUrlTemplate(std::string_view target, std::string& out) {
  const std::string_view path = UrlPath(target);
  if (path == "*") {  // OPTIONS *
    out += '*';
    return;
  }
  const size_t limit = out.size() + kMaxTemplateBytes;
  const size_t start = out.size();
  size_t segments = 0;
  size_t at = 0;
  while (at < path.size()) {
    if (path[at] == '/') ++at;
    size_t end = base::FindByte(path, '/', at);
    if (end == std::string_view::npos) end = path.size();
    std::string_view segment = path.substr(at, end - at);
    const bool is_last = end == path.size();
    at = end;
    segment = segment.substr(0, base::FindByte(segment, ';'));
    if (segment.empty()) {
      if (is_last && (out.size() == start || out.back() != '/')) out += '/';
      continue;
    }
    const size_t extension = ExtensionBytes(segment);
    const bool is_id = LooksLikeId(segment.substr(0, segment.size() - extension)) ||
                       segment.size() > kMaxRouteSegmentBytes;
    std::string_view tail;
    if (is_id && segment.find_first_of("@%") == std::string_view::npos) {
      tail = segment.substr(segment.size() - extension);
    }
    const size_t size = is_id ? 1 + tail.size() : segment.size();
    if (++segments > kMaxTemplateSegments || out.size() + 1 + size + 3 > limit) {
      out += "/**";
      return;
    }
    out += '/';
    if (is_id) {
      out += '*';
      out += tail;
    } else {
      out += segment;
    }
  }
  if (out.size() == start) out += '/';
}

std::string UrlTemplate(std::string_view target) {
  std::string out;
  AppendUrlTemplate(target, out);
  return out;
}

}  // namespace kindling::model
