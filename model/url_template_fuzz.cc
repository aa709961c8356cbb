#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "model/url_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view target(reinterpret_cast<const char*>(data), size);
  const std::string name = kindling::model::UrlTemplate(target);
  if (name.empty() || name.size() > kindling::model::kMaxTemplateBytes) std::abort();
  for (const char c : name) {
    if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7f) std::abort();
  }
  if (name.find('?') != std::string::npos) std::abort();
  return 0;
}
