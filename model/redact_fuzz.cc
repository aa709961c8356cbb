#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "model/redact.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kindling::model;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  IsSecretHeader(text);
  if (RedactPath(text, 100).size() > 100) std::abort();
  if (RedactQuery(text, 100).size() > 100) std::abort();
  const std::string line = RedactCommandLine(text, 100);
  if (line.size() > 100) std::abort();
  for (const char c : line + RedactPath(text, 100) + RedactQuery(text, 100)) {
    if (c < ' ' || c > '~') std::abort();
  }
  return 0;
}
