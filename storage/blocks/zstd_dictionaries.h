#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace kindling::storage {

// The zstd dictionaries of a store by number. Blocks name the one they need; number 0 is none. Many
// small sections compress well only against what is common to all blocks.
//
// Threads: safe from any once made; Add and Use before that or under the caller's lock.
class ZstdDictionaries {
 public:
  ZstdDictionaries();
  ~ZstdDictionaries();
  ZstdDictionaries(const ZstdDictionaries& other);  // shares the dictionaries
  ZstdDictionaries& operator=(const ZstdDictionaries& other);

  // A dictionary as ZDICT_trainFromBuffer makes it. INVALID_ARGUMENT: number 0 or taken.
  absl::Status Add(uint32_t number, std::string_view bytes);
  // What new blocks are compressed with; 0: none.
  void Use(uint32_t number);

  struct Entry;
  // Null: none, or unknown.
  const Entry* Find(uint32_t number) const;
  const Entry* current() const;

 private:
  struct Parts;
  std::shared_ptr<const Parts> parts_;
};

}  // namespace kindling::storage
