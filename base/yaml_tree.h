#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kindling::base {

// One value of a YAML document with the line it is on.
struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  struct Entry;

  Kind kind = Kind::kNull;
  int line = 0;         // from 1
  bool quoted = false;  // a scalar written in quotes: text, whatever it looks like
  std::string text;     // of a scalar
  std::vector<YamlNode> items;
  std::vector<Entry> entries;  // in the order of the file; duplicates are kept
};

struct YamlNode::Entry {
  std::string key;
  int line = 0;
  YamlNode value;
};

struct YamlFault {
  int line = 0;  // 0: of the whole file
  std::string what;
  auto operator<=>(const YamlFault&) const = default;
};

// Parses one YAML document into `*root` and returns what is wrong with it, in any order; empty: it
// is fine. An empty document is kNull. After a syntax error only what comes before it is looked at.
//
// Limits: aliases are refused, so that a small file cannot stand for a large tree; at most
//         kMaxYamlDepth levels.
inline constexpr int kMaxYamlDepth = 32;
std::vector<YamlFault> ParseYaml(std::string_view text, YamlNode* root);

}  // namespace kindling::base
