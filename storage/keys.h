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
  kSpans = 16,
  kEdges = 17,
  kProcesses = 18,
  kLosses = 19,
  kAddresses = 32,
};
inline constexpr Table kBlockTables[] = {Table::kSpans, Table::kEdges, Table::kProcesses,
                                         Table::kLosses};

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

// Where the blocks of one table, tenant and cluster begin.
struct BlockSpace {
  Table table = Table::kSpans;
  std::string tenant;
  std::string cluster;

  std::string Encode() const;
  // First possible key of a bucket.
  std::string BucketStart(int64_t bucket_start_ns) const;
  bool operator==(const BlockSpace&) const = default;
};

// One block of records of one batch within one time bucket.
struct BlockKey {
  BlockSpace space;
  int64_t bucket_start_ns = 0;
  int64_t first_ns = 0;  // of the block's records
  int64_t last_ns = 0;
  std::string agent_id;
  uint64_t boot_epoch = 0;
  uint64_t sequence = 0;
  uint32_t part = 0;  // when a batch has more rows than one block may hold

  std::string Encode() const;
  static std::optional<BlockKey> Parse(std::string_view bytes);
  bool operator==(const BlockKey&) const = default;
};

// From `first_ns` on the address belonged to the workload in the value.
struct AddressKey {
  std::string tenant;
  std::string cluster;
  std::string address;
  uint16_t port = 0;
  model::Transport transport = model::Transport::kUnknown;
  int64_t first_ns = 0;

  std::string Encode() const;
  static std::optional<AddressKey> Parse(std::string_view bytes);
  static std::string Prefix(std::string_view tenant, std::string_view cluster);
  bool operator==(const AddressKey&) const = default;
};

// The smallest key greater than all that begin with `prefix`; empty when there is none.
std::string PrefixEnd(std::string prefix);

}  // namespace kindling::storage
