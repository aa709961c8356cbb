#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "model/records.h"

namespace kindling::storage {

// What the agents of a crash test send. Every batch follows from (seed, stream, sequence), so that
// nobody has to remember it, and every row says where it belongs.
class CrashRecords {
 public:
  // One run of one agent; there are two agents with two runs each.
  static constexpr int kStreams = 4;
  static constexpr int64_t kBeginNs = 472'222 * int64_t{3'600'000'000'000};

  explicit CrashRecords(uint64_t seed);

  static std::string AgentOf(int stream);
  static uint64_t EpochOf(int stream);
  // When a batch is sent. Its rows are from about then, some from up to `kMaxLateNs` before.
  int64_t SentNs(uint64_t sequence) const;
  static constexpr int64_t kMaxLateNs = int64_t{3'600'000'000'000};

  // All classes; some batches are large, some empty. Each is made once. Threads: safe from any.
  const model::Batch& Batch(int stream, uint64_t sequence) const;

 private:
  model::Batch Make(int stream, uint64_t sequence) const;

  const uint64_t seed_;
  const int64_t stride_ns_;
  mutable absl::Mutex mu_;
  mutable std::map<std::pair<int, uint64_t>, model::Batch> made_ ABSL_GUARDED_BY(mu_);
};

// Where a row belongs.
struct CrashTag {
  int stream = 0;
  uint64_t sequence = 0;
  uint32_t row = 0;
  auto operator<=>(const CrashTag&) const = default;
};

// False for a row that no stream has sent.
bool ReadTag(const model::Span& row, CrashTag& tag);
bool ReadTag(const model::ProcessEvent& row, CrashTag& tag);
bool ReadTag(const model::AddressBinding& row, CrashTag& tag);
bool ReadTag(const model::Loss& row, CrashTag& tag);
bool ReadTag(const model::Chunk& row, CrashTag& tag);

std::string Text(const CrashTag& tag);

}  // namespace kindling::storage
