#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/records.h"
#include "storage/keys.h"

// Chunks and contents as rows: a chunk by its time, a row that finds it by its span, a content by
// its hash.
namespace kindling::storage {

struct KeyValue {
  std::string key;
  std::string value;
};

// `next_number` gives numbers that tell chunks of one time apart.
void AddChunks(const Space& space, const std::vector<model::Chunk>& chunks,
               std::atomic<uint64_t>& next_number, std::vector<KeyValue>& out);
void AddContents(const Space& space, const std::vector<model::Content>& contents,
                 std::vector<KeyValue>& out);

// Nothing for bytes that these cannot have made.
std::optional<model::Chunk> ParseChunk(const ChunkKey& key, std::string_view value);
std::optional<model::Content> ParseContent(const ContentKey& key, std::string_view value);

}  // namespace kindling::storage
