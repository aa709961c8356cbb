#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/yaml_tree.h"

namespace {

size_t Depth(const kindling::base::YamlNode& node) {
  size_t deepest = 0;
  for (const auto& item : node.items) deepest = std::max(deepest, Depth(item));
  for (const auto& entry : node.entries) deepest = std::max(deepest, Depth(entry.value));
  return deepest + 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 16384) return 0;
  kindling::base::YamlNode root;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto faults = kindling::base::ParseYaml(text, &root);
  for (const auto& fault : faults) {
    if (fault.what.empty()) std::abort();
  }
  if (Depth(root) > kindling::base::kMaxYamlDepth + 1) std::abort();
  return 0;
}
