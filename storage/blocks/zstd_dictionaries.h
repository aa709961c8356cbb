#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

// zstd.h's ZSTD_CDict and ZSTD_DDict.
struct ZSTD_CDict_s;
struct ZSTD_DDict_s;

namespace kindling::storage {

// The zstd dictionaries of a store by number. Blocks name the one they need; number 0 is none. Many
// small sections compress well only against what is common to all blocks.
//
// Threads: safe from any once made; Add and Use before that or under the caller's lock. A copy is a
//          snapshot: what is added to the original later is not in it.
class ZstdDictionaries {
 public:
  ZstdDictionaries();
  ~ZstdDictionaries();
  ZstdDictionaries(const ZstdDictionaries& other);  // shares the dictionaries
  ZstdDictionaries& operator=(const ZstdDictionaries& other);

  // A dictionary as ZDICT_trainFromBuffer makes it. INVALID_ARGUMENT: number 0 or taken, or not a
  // dictionary.
  absl::Status Add(uint32_t number, std::string_view bytes);
  // What new blocks are compressed with; 0 or unknown: none.
  void Use(uint32_t number);

  struct Entry {
    Entry(uint32_t number, std::string_view bytes);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    const uint32_t number;
    ZSTD_CDict_s* const compress;  // for texts; null only if zstd refused the bytes
    ZSTD_DDict_s* const decompress;
  };
  // Null: none, or unknown.
  const Entry* Find(uint32_t number) const;
  const Entry* current() const;

 private:
  struct Parts;
  std::shared_ptr<const Parts> parts_;
};

// Trains a dictionary of at most `max_bytes` on `samples`; empty when they are too few or too small
// to learn from.
std::string TrainZstdDictionary(const std::vector<std::string>& samples, size_t max_bytes);

}  // namespace kindling::storage
