#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/protocol.h"

// The key space, drawn in README.md. Numbers are big-endian, so that keys sort by them; texts are a
// two-byte length and the bytes. Parse gives nothing for bytes that Encode cannot have made.
namespace kindling::storage {

// First byte of every key. On disk: never renumber.
enum class Table : uint8_t {
  kMeta = 1,
  kSequences = 2,
  kDictionaries = 3,
  kRawBatches = 4,
  kBlocks = 16,
  kAliases = 17,
  kChunks = 18,
  kSpanChunks = 19,
  kContents = 20,
  kAddresses = 32,
};

// Whose records a block, chunk or alias is of.
struct Space {
  std::string tenant;
  std::string cluster;
  auto operator<=>(const Space&) const = default;
};

// Longest text of a key; longer ones must be refused before they get here.
inline constexpr size_t kMaxKeyText = 1024;

// A fact about the store as a whole: "format", "store_id".
struct MetaKey {
  std::string name;

  std::string Encode() const;
  static std::optional<MetaKey> Parse(std::string_view bytes);
  bool operator==(const MetaKey&) const = default;
};

// Last durable sequence of one run of one agent.
struct SequenceKey {
  std::string agent_id;
  uint64_t boot_epoch = 0;

  std::string Encode() const;
  static std::optional<SequenceKey> Parse(std::string_view bytes);
  // What all keys of one agent begin with.
  static std::string Prefix(std::string_view agent_id);
  bool operator==(const SequenceKey&) const = default;
};

// A zstd dictionary that blocks name by number.
struct DictionaryKey {
  uint32_t number = 0;

  std::string Encode() const;
  static std::optional<DictionaryKey> Parse(std::string_view bytes);
  bool operator==(const DictionaryKey&) const = default;
};

// A batch that is durable and not yet sealed, by the order of arrival.
struct RawBatchKey {
  uint64_t arrival = 0;

  std::string Encode() const;
  static std::optional<RawBatchKey> Parse(std::string_view bytes);
  bool operator==(const RawBatchKey&) const = default;
};

// What blocks hold. On disk: never renumber.
enum class BlockClass : uint8_t {
  kSpans = 1,
  kEdges = 2,
  kMetrics = 3,
  kProcesses = 4,
  kLosses = 5,
  kFlows = 6,  // sums of EdgeStats without endpoints: see FlowsOf
};

// The values of one block. On disk: never renumber.
enum class BlockPart : uint8_t { kSummary = 0, kFilter = 1, kBody = 2 };

// One value of one block. Numbers grow, so a bucket's blocks are appended, never put in between.
struct BlockKey {
  Space space;
  BlockClass block_class = BlockClass::kSpans;
  uint64_t number = 0;
  BlockPart part = BlockPart::kSummary;

  std::string Encode() const;
  static std::optional<BlockKey> Parse(std::string_view bytes);
  bool operator==(const BlockKey&) const = default;
};

// Says that a block holds spans whose alias trace id has this hash.
struct AliasKey {
  Space space;
  uint64_t hash = 0;
  uint64_t block_number = 0;

  static std::string Prefix(const Space& space, uint64_t hash);
  std::string Encode() const;
  static std::optional<AliasKey> Parse(std::string_view bytes);
  bool operator==(const AliasKey&) const = default;
};

// A chunk by its time; `number` tells those of one time apart.
struct ChunkKey {
  Space space;
  int64_t first_ns = 0;
  uint64_t number = 0;

  static std::string Prefix(const Space& space);
  std::string Encode() const;
  static std::optional<ChunkKey> Parse(std::string_view bytes);
  bool operator==(const ChunkKey&) const = default;
};

// Finds the chunks of a span.
struct SpanChunkKey {
  Space space;
  uint64_t span_id = 0;
  int64_t first_ns = 0;
  uint64_t number = 0;

  static std::string Prefix(const Space& space, uint64_t span_id);
  std::string Encode() const;
  static std::optional<SpanChunkKey> Parse(std::string_view bytes);
  bool operator==(const SpanChunkKey&) const = default;
};

// Bytes by their hash, once per bucket.
struct ContentKey {
  Space space;
  uint64_t high = 0;
  uint64_t low = 0;

  std::string Encode() const;
  static std::optional<ContentKey> Parse(std::string_view bytes);
  bool operator==(const ContentKey&) const = default;
};

// From `first_ns` on the address belonged to the workload in the value, as that host knows it: the
// same private address may be in use on several.
struct AddressKey {
  std::string tenant;
  std::string cluster;
  std::string address;
  uint16_t port = 0;
  model::Transport transport = model::Transport::kUnknown;
  std::string host;
  int64_t first_ns = 0;

  std::string Encode() const;
  static std::optional<AddressKey> Parse(std::string_view bytes);
  static std::string Prefix(std::string_view tenant, std::string_view cluster);
  bool operator==(const AddressKey&) const = default;
};

// A time as a value: eight bytes that sort by it.
std::string TimeValue(int64_t ns);
std::optional<int64_t> ParseTime(std::string_view bytes);

// The smallest key greater than all that begin with `prefix`; empty when there is none.
std::string PrefixEnd(std::string prefix);

}  // namespace kindling::storage
