#include "agent/recording/mask_http.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "agent/protocols/http1/head.h"
#include "model/url_template.h"

namespace kindling::agent {
namespace {

constexpr size_t kMaxHeaderNameBytes = 64;
constexpr size_t kStatusBytes = 12;  // "HTTP/1.1 200"
constexpr size_t kMaxExtensionBytes = 6;

// Headers whose values stay, in lower case.
constexpr std::array<std::string_view, 17> kPlainHeaders = {"content-length",
                                                            "transfer-encoding",
                                                            "connection",
                                                            "upgrade",
                                                            "expect",
                                                            "host",
                                                            "traceparent",
                                                            "tracestate",
                                                            "b3",
                                                            "sw8",
                                                            "keep-alive",
                                                            "te",
                                                            "x-b3-traceid",
                                                            "x-b3-spanid",
                                                            "uber-trace-id",
                                                            "trailer",
                                                            "x-b3-parentspanid"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
char Lower(char c) { return IsUpper(c) ? static_cast<char>(c | 0x20) : c; }
bool IsAlnumOrForeign(char c) {
  return IsDigit(c) || IsLower(c) || IsUpper(c) || static_cast<unsigned char>(c) >= 0x80;
}
bool IsNameChar(char c) { return c > ' ' && c < 0x7f && c != ':'; }

void FillWords(std::string& text, size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i) {
    if (IsAlnumOrForeign(text[i])) text[i] = 'x';
  }
}

// All but white space and the ends of lines.
void FillAll(std::string& text, size_t begin, size_t end, char with) {
  for (size_t i = begin; i < end; ++i) {
    if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r' && text[i] != '\n') text[i] = with;
  }
}

bool IsPlainHeader(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), Lower);
  return std::find(kPlainHeaders.begin(), kPlainHeaders.end(), lower) != kPlainHeaders.end();
}

// The part of a segment behind which only ".jpg" or the like follows.
size_t StemEnd(std::string_view segment) {
  const size_t dot = segment.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || segment.size() - dot > kMaxExtensionBytes) {
    return segment.size();
  }
  const std::string_view letters = segment.substr(dot + 1);
  const bool is_extension =
      !letters.empty() && std::all_of(letters.begin(), letters.end(), IsLower);
  return is_extension ? dot : segment.size();
}

// What a template makes of a segment depends on the kinds of its characters; those stay.
void MaskSegment(std::string& text, size_t begin, size_t end) {
  const std::string_view segment = std::string_view(text).substr(begin, end - begin);
  const bool is_encoded = segment.find_first_of("@%") != std::string_view::npos;
  const size_t stem = StemEnd(segment);
  const bool is_id = model::LooksLikeId(segment.substr(0, stem)) || model::LooksLikeId(segment);
  // One or two digits at the end of what came may yet become a name: "2fa".
  if (!is_id || (end == text.size() && segment.size() <= 2)) return;
  for (size_t i = begin; i < (is_encoded ? end : begin + stem); ++i) {
    char& c = text[i];
    if (IsDigit(c)) c = '1';
    const bool is_hex = (Lower(c) >= 'a' && Lower(c) <= 'f');
    if (IsLower(c)) c = is_hex ? 'a' : 'x';
    if (IsUpper(c)) c = is_hex ? 'A' : 'X';
    if (static_cast<unsigned char>(c) >= 0x80) c = '\x80';
  }
}

void MaskQuery(std::string& text, size_t begin, size_t end) {
  while (begin < end) {
    const size_t parameter_end = std::min(text.find('&', begin), end);
    const size_t equals = text.find('=', begin);
    FillWords(text, equals < parameter_end ? equals : begin, parameter_end);
    begin = parameter_end + 1;
  }
}

void MaskTarget(std::string& text, size_t begin, size_t end) {
  const size_t query = std::min(text.find_first_of("?#", begin), end);
  size_t at = begin;
  while (at < query) {
    const size_t segment = std::min(text.find('/', at), query);
    const size_t parameters = std::min(text.find(';', at), segment);
    MaskSegment(text, at, parameters);
    FillWords(text, parameters, segment);
    at = segment + 1;
  }
  if (query < end) MaskQuery(text, query + 1, end);
}

void MaskRequestLine(std::string& text, size_t line_end) {
  const size_t method_end = std::min(text.find(' '), line_end);
  const std::string_view method = std::string_view(text).substr(0, method_end);
  if (method_end < line_end && http1::KnownMethod(method) != method) {
    for (size_t i = 0; i < method_end; ++i) {
      if (IsUpper(text[i])) text[i] = 'X';
    }
  }
  if (method_end == line_end) return;
  const size_t target_end = std::min(text.find(' ', method_end + 1), line_end);
  MaskTarget(text, method_end + 1, target_end);
}

// A header line; `is_plain` says of the line before whether its value stays, and then of this.
void MaskHeader(std::string& text, size_t begin, size_t end, bool is_whole, bool& is_plain) {
  if (text[begin] == ' ' || text[begin] == '\t') {  // goes on with the value before
    if (!is_plain) FillAll(text, begin, end, 'x');
    return;
  }
  const size_t colon = std::min(text.find(':', begin), end);
  const std::string_view name = std::string_view(text).substr(begin, colon - begin);
  const bool is_name =
      name.size() <= kMaxHeaderNameBytes && std::all_of(name.begin(), name.end(), IsNameChar);
  is_plain = is_name && colon < end && IsPlainHeader(name);
  if (is_plain) return;
  if (is_name && (colon < end || !is_whole)) {
    FillAll(text, colon, end, 'x');
    if (colon < end) text[colon] = ':';
    return;
  }
  // A first byte that no header begins with goes on saying so.
  FillAll(text, IsAlnumOrForeign(text[begin]) && is_name ? begin : begin + 1, end, 'x');
}

}  // namespace

void MaskHttpHead(Flow flow, std::string& text) {
  http1::Head head;
  const http1::Step step = http1::ParseHead(flow, text, &head);
  if (step == http1::Step::kInvalid && !head.has_first_line) {
    return FillAll(text, 0, text.size(), '?');
  }
  const auto line_end = [&text](size_t begin) {
    return std::min(text.find('\n', begin), text.size());
  };
  const auto without_cr = [&text](size_t begin, size_t end) {
    return end > begin && end < text.size() && text[end - 1] == '\r' ? end - 1 : end;
  };
  size_t end = line_end(0);
  if (flow == Flow::kRequest) {
    MaskRequestLine(text, without_cr(0, end));
  } else {
    FillAll(text, std::min(kStatusBytes, end), end, 'x');
  }
  bool is_plain = false;
  for (size_t begin = end + 1; begin < text.size(); begin = end + 1) {
    end = line_end(begin);
    const size_t content_end = without_cr(begin, end);
    if (content_end == begin) {  // the rest is no head
      return FillAll(text, std::min(end + 1, text.size()), text.size(), '?');
    }
    MaskHeader(text, begin, content_end, end < text.size(), is_plain);
  }
}

void MaskHttpChunkLine(std::string& line) {
  size_t digits = 0;
  while (digits < line.size() &&
         (IsDigit(line[digits]) || (Lower(line[digits]) >= 'a' && Lower(line[digits]) <= 'f'))) {
    ++digits;
  }
  const bool is_extended = digits < line.size() && line[digits] == ';';
  FillAll(line, digits + (is_extended ? 1 : 0), line.size(), '?');
}

void MaskHttpTrailer(std::string& line) { FillAll(line, 0, line.size(), 'x'); }

}  // namespace kindling::agent
