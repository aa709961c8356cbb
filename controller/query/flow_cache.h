#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "controller/query/loaded_edges.h"
#include "controller/query/query_context.h"
#include "controller/topology/edge_groups.h"
#include "controller/topology/service_map.h"
#include "storage/span_search.h"

namespace kindling::controller {

// Who called whom in some minutes: what names the ends of their spans and tells how complete an
// answer about them is. Immutable but for what it remembers.
//
// Threads: safe from any.
class NamedFlows {
 public:
  NamedFlows(LoadedEdges loaded, const Range& range);

  const LoadedEdges& loaded() const { return loaded_; }
  // All of them.
  const std::vector<MapEdge>& edges() const { return edges_; }

  // Of a span, when it ended.
  EdgeGroups::Ends NamesOf(const model::Span& span) const;
  // All that spans between these ends may get in the range: more than one where an address changes
  // hands. Empty: too many.
  using EndsList = std::shared_ptr<const std::vector<EdgeGroups::Ends>>;
  EndsList PossibleNames(const storage::SpanEnds& ends) const;

  // What is missing from an answer about spans that `filter` selects, and the requests that were
  // captured of the edges that it may concern.
  void AddCompleteness(const QueryContext& context, const model::Filter& filter, const Range& range,
                       CompletenessSum& completeness) const;

  const Range& range() const { return range_; }
  // With room for what it will remember; roughly.
  size_t memory_bytes() const { return memory_bytes_; }

 private:
  static constexpr size_t kMaxRemembered = 20'000;
  static constexpr size_t kMaxNames = 16;

  std::vector<EdgeGroups::Ends> FindPossibleNames(const storage::SpanEnds& ends) const;
  size_t CountBytes() const;

  const LoadedEdges loaded_;
  const Range range_;
  const std::vector<MapEdge> edges_;
  const size_t memory_bytes_;
  mutable absl::Mutex mu_;
  // Possible names.
  mutable absl::flat_hash_map<storage::SpanEnds, EndsList> names_ ABSL_GUARDED_BY(mu_);
};

// Keeps flows from question to question. They are loaded anew when anything of their time has
// changed in the store; while that takes long and goes on all the time, at most a twenty-fifth of
// the time is spent on it and names and completeness of answers may be as old as that: twenty-five
// times what loading takes.
//
// Threads: safe from any; one loads the same flows, others wait for it.
// Limits:  max_bytes in all, but for the last one asked for.
class FlowCache {
 public:
  static constexpr size_t kDefaultMaxBytes = size_t{64} << 20;

  explicit FlowCache(size_t max_bytes = kDefaultMaxBytes) : max_bytes_(max_bytes) {}

  // The flows of the minutes, or the hours of a long range, that `range` touches.
  absl::StatusOr<std::shared_ptr<const NamedFlows>> Get(const QueryContext& context,
                                                        const Range& range);
  // The flows around what happened in `range`: any that are here and not of much more time, or else
  // such as questions about nearby times share.
  absl::StatusOr<std::shared_ptr<const NamedFlows>> GetAround(const QueryContext& context,
                                                              const Range& range);

  uint64_t loads() const;
  size_t memory_bytes() const;

 private:
  using Key = std::tuple<std::string, std::string, int64_t, int64_t>;  // tenant, cluster, range
  struct Loaded {
    std::shared_ptr<const NamedFlows> flows;  // null: not yet
    uint64_t changes = 0;
    absl::Time at;
    absl::Duration took;
    // For what has last changed then.
    bool IsGood(uint64_t last_change, absl::Time now) const;
  };
  struct Entry {
    explicit Entry(Key of) : key(std::move(of)) {}
    const Key key;
    absl::Mutex loading;  // held while it is loaded
    Loaded loaded;        // the cache's mu_ guards it
  };
  using Entries = std::list<std::shared_ptr<Entry>>;  // the last used first

  std::shared_ptr<Entry> EntryOf(const Key& key);
  std::shared_ptr<const NamedFlows> FindGood(const Entry& entry, uint64_t last_change) const;
  // Null: none that cover the range.
  std::shared_ptr<const NamedFlows> FindCovering(const QueryContext& context, const Range& range);
  void Put(Entry& entry, Loaded loaded);
  void Evict() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t max_bytes_;
  mutable absl::Mutex mu_;  // taken after an entry's `loading`
  Entries entries_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<Key, Entries::iterator> by_key_ ABSL_GUARDED_BY(mu_);
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t loads_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace kindling::controller
