#include "agent/protocols/dns/name_template.h"

#include <algorithm>
#include <vector>

namespace kindling::agent::dns {
namespace {

constexpr size_t kMaxLabelBytes = 32;

// At least two digits, and a third of the letters and digits are digits; or a single digit alone;
// or bytes that no host name has.
bool IsVariable(std::string_view label) {
  if (label.size() > kMaxLabelBytes || label.find('?') != std::string_view::npos) return true;
  size_t digits = 0;
  size_t letters = 0;
  for (const char c : label) {
    digits += c >= '0' && c <= '9' ? 1 : 0;
    letters += c >= 'a' && c <= 'z' ? 1 : 0;
  }
  return digits > 0 && (letters == 0 || (digits >= 2 && digits * 2 >= letters));
}

}  // namespace

std::string TemplatedName(std::string_view name) {
  if (name == "." || name.empty()) return ".";
  std::vector<std::string_view> labels;  // last first
  size_t bytes = 0;
  while (!name.empty()) {
    const size_t dot = name.rfind('.');
    std::string_view label = dot == std::string_view::npos ? name : name.substr(dot + 1);
    name = dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
    if (IsVariable(label)) label = "*";
    // "*" for all that is left if there is no room for it. One label is kept free for that "*".
    const bool has_room = labels.size() + (name.empty() ? 0 : 1) < kMaxNameLabels &&
                          bytes + label.size() + 3 <= kMaxTemplatedNameBytes;
    if (!has_room) {
      label = "*";
      name = {};
    }
    if (label == "*" && !labels.empty() && labels.back() == "*") continue;
    labels.push_back(label);
    bytes += label.size() + 1;
  }
  std::string text;
  for (auto label = labels.rbegin(); label != labels.rend(); ++label) {
    if (!text.empty()) text += '.';
    text += *label;
  }
  return text;
}

}  // namespace kindling::agent::dns
