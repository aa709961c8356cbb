#include "storage/engine/search.h"

#include <rocksdb/db.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "base/status_macros.h"
#include "storage/blocks/span_block.h"
#include "storage/engine/block_reader.h"
#include "storage/engine/rocks_status.h"
#include "storage/engine/sealer.h"
#include "storage/keys.h"

namespace kindling::storage {
namespace {

template <typename T>
bool AnyOf(const std::vector<T>& wanted, const T& value) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), value) != wanted.end();
}

// What a search knows of a block that it may have to read.
struct Candidate {
  const Bucket* bucket = nullptr;
  const Block* block = nullptr;
  bool is_asked = false;  // the filter and the summary, for what is below
  SpanUnits matching = SpanUnits::None();
  std::vector<bool> wanted_ends;
};

// A unit of it; all units where its summary could not be read.
struct UnitCandidate {
  int64_t highest_rank = 0;
  uint32_t candidate = 0;
  uint32_t unit = 0;

  static constexpr uint32_t kAllUnits = UINT32_MAX;
  // The best rank first, then the newest block.
  bool operator<(const UnitCandidate& other) const {
    return std::tuple(highest_rank, candidate, unit) <
           std::tuple(other.highest_rank, other.candidate, other.unit);
  }
};

bool Failed(model::Outcome outcome) {
  return outcome != model::Outcome::kUnset && outcome != model::Outcome::kOk;
}

// Opens the body of a block. Lifetime: `body` must outlive what is returned.
absl::StatusOr<SpanBlock> OpenBody(rocksdb::DB& db, const View& view, const Bucket& bucket,
                                   const Block& block, rocksdb::PinnableSlice* body) {
  const absl::Status read = ReadPart(db, view, bucket, block, BlockPart::kBody, body);
  if (!read.ok()) return read;
  return SpanBlock::Open(body->ToStringView(), *view.dictionaries);
}

// The units that the filter leaves.
SpanUnits MatchingUnits(rocksdb::DB& db, const View& view, const Candidate& candidate,
                        const SpanSearch& search) {
  if (search.attributes.empty() || !candidate.block->has_filter) return SpanUnits::All();
  rocksdb::PinnableSlice filter;
  const absl::Status read =
      ReadPart(db, view, *candidate.bucket, *candidate.block, BlockPart::kFilter, &filter);
  return read.ok() ? SpanFilterMatchingUnits(filter.ToStringView(), search) : SpanUnits::All();
}

// What of a block may hold spans that are asked for by id.
struct Parts {
  bool by_span = false;
  SpanUnits by_trace = SpanUnits::None();
  bool by_alias = false;
  SpanUnits by_parent = SpanUnits::None();

  bool empty() const { return !by_span && by_trace.empty() && !by_alias && by_parent.empty(); }
};

// `ids` are sorted.
Parts PartsOf(rocksdb::DB& db, const View& view, const Bucket& bucket, const Block& block,
              const Store::SpanIds& ids) {
  Parts parts;
  const auto may_hold_span = [&](model::SpanId id) {
    return !block.spans || block.spans->MayHoldSpan(id);
  };
  parts.by_span = std::any_of(ids.spans.begin(), ids.spans.end(), may_hold_span);
  // What the summary leaves, and then the filter.
  std::vector<std::pair<model::TraceId, SpanUnits>> traces;
  for (const model::TraceId& id : ids.traces) {
    const SpanUnits units = block.spans ? block.spans->units().OfTrace(id) : SpanUnits::All();
    if (!units.empty()) traces.emplace_back(id, units);
    parts.by_trace.Add(units);
  }
  if (!ids.parents.empty() && block.last_ns >= ids.children_start_ns &&
      block.first_ns < ids.children_end_ns) {
    parts.by_parent = block.spans
                          ? block.spans->units().Between(ids.children_start_ns, ids.children_end_ns)
                          : SpanUnits::All();
  }
  if (!block.has_filter || (traces.empty() && parts.by_parent.empty())) return parts;
  rocksdb::PinnableSlice filter;
  if (!ReadPart(db, view, bucket, block, BlockPart::kFilter, &filter).ok()) return parts;
  parts.by_trace = SpanUnits::None();
  for (const auto& [id, units] : traces) {
    parts.by_trace.Add(SpanFilterTraceUnits(filter.ToStringView(), id, units));
  }
  if (!parts.by_parent.empty()) {
    parts.by_parent = SpanFilterChildUnits(filter.ToStringView(), ids.parents, parts.by_parent);
  }
  return parts;
}

// Gives the wanted spans that are not sealed yet; returns the visitor's last word.
int64_t SearchUnsealed(const View& view, const SpanSearch& search, const SpanVisitor& visit) {
  std::vector<const model::Span*> found;
  for (const UnsealedBatch& unsealed : view.unsealed) {
    const model::Batch& batch = *unsealed.batch;
    if (batch.tenant != search.tenant || batch.cluster != search.cluster) continue;
    for (const model::Span& span : batch.spans) {
      if (view.Keeps(Tier::kSpans, span.start_ns) && Meets(span, search)) found.push_back(&span);
    }
  }
  std::sort(found.begin(), found.end(), [&](const model::Span* a, const model::Span* b) {
    return RankOf(*a, search.order) > RankOf(*b, search.order);
  });
  int64_t lowest_rank = INT64_MIN;
  for (const model::Span* span : found) {
    if (RankOf(*span, search.order) < lowest_rank) break;
    lowest_rank = visit(*span);
    if (lowest_rank == INT64_MAX) break;
  }
  return lowest_rank;
}

}  // namespace

bool Meets(const model::Span& span, const SpanSearch& search) {
  const int64_t duration_ns = span.duration_ns();
  if (span.start_ns < search.start_ns || span.start_ns >= search.end_ns) return false;
  if (duration_ns < search.min_duration_ns || duration_ns > search.max_duration_ns) return false;
  if (RankOf(span, search.order) > search.highest_rank) return false;
  if (search.only_errors && !Failed(span.outcome)) return false;
  if (search.only_slow && !span.slow) return false;
  if (!AnyOf(search.endpoints, span.endpoint) || !AnyOf(search.status_codes, span.status_code)) {
    return false;
  }
  for (const auto& attribute : search.attributes) {
    if (std::find(span.attributes.begin(), span.attributes.end(), attribute) ==
        span.attributes.end()) {
      return false;
    }
  }
  return search.ends == nullptr ||
         search.ends({span.side, span.protocol, span.transport, span.client, span.server});
}

struct OpenSpanBlocks::Opened {
  rocksdb::PinnableSlice body;
  std::optional<SpanBlock> block;  // of the body
  uint64_t used = 0;               // when last: a number that only grows
};

OpenSpanBlocks::OpenSpanBlocks() = default;
OpenSpanBlocks::~OpenSpanBlocks() = default;

absl::StatusOr<SpanBlock*> OpenSpanBlocks::Open(rocksdb::DB& db, const View& view,
                                                const Bucket& bucket, const Block& block) {
  ++uses_;
  const auto known = blocks_.find(block.key.number);
  if (known != blocks_.end()) {
    known->second->used = uses_;
    return &*known->second->block;
  }
  auto opened = std::make_unique<Opened>();
  opened->used = uses_;
  ASSIGN_OR_RETURN(opened->block, OpenBody(db, view, bucket, block, &opened->body));
  if (blocks_.size() >= kMost) {
    blocks_.erase(std::min_element(
        blocks_.begin(), blocks_.end(),
        [](const auto& a, const auto& b) { return a.second->used < b.second->used; }));
  }
  return &*blocks_.emplace(block.key.number, std::move(opened)).first->second->block;
}

absl::StatusOr<ScanReport> SearchSpansIn(rocksdb::DB& db, const View& view,
                                         const SpanSearch& search, const SpanVisitor& visit) {
  Damage damage;
  damage.AddFaults(view, Tier::kSpans, search.start_ns, search.end_ns);
  const Space space{search.tenant, search.cluster};
  int64_t lowest_rank = SearchUnsealed(view, search, visit);

  EndsAnswers answers(search);
  std::vector<Candidate> candidates;
  std::vector<UnitCandidate> units;
  for (const auto& bucket : view.buckets) {
    if (bucket->id.tier != Tier::kSpans || !bucket->id.Overlaps(search.start_ns, search.end_ns)) {
      continue;
    }
    for (const auto& block : bucket->blocks) {
      if (block->key.block_class != BlockClass::kSpans || block->key.space != space) continue;
      if (block->last_ns < search.start_ns || block->first_ns >= search.end_ns) continue;
      // An unreadable summary says nothing: the body may be sound.
      if (block->spans && !block->spans->MayMatch(search, answers)) continue;
      const auto number = static_cast<uint32_t>(candidates.size());
      candidates.push_back({.bucket = bucket.get(), .block = block.get()});
      if (!block->spans) {
        units.push_back({INT64_MAX, number, UnitCandidate::kAllUnits});
        continue;
      }
      const int64_t of_block = block->spans->HighestRank(search, answers);
      for (uint32_t unit = 0; unit < block->spans->units().size(); ++unit) {
        const int64_t rank = block->spans->units().HighestRank(unit, search);
        if (rank != INT64_MIN) units.push_back({std::min(rank, of_block), number, unit});
      }
    }
  }
  std::make_heap(units.begin(), units.end());
  OpenSpanBlocks blocks;
  for (; !units.empty(); units.pop_back()) {
    std::pop_heap(units.begin(), units.end());
    const UnitCandidate& next = units.back();
    if (lowest_rank == INT64_MAX || next.highest_rank < lowest_rank) break;
    RETURN_IF_ERROR(StillWanted(search.cancelled));
    Candidate& candidate = candidates[next.candidate];
    if (!std::exchange(candidate.is_asked, true)) {
      candidate.matching = MatchingUnits(db, view, candidate, search);
      if (candidate.block->spans) {
        candidate.wanted_ends = candidate.block->spans->WantedEnds(search, answers);
      }
    }
    SpanUnits wanted = candidate.matching;
    if (next.unit != UnitCandidate::kAllUnits) {
      wanted = candidate.matching.Has(next.unit) ? SpanUnits::Only(next.unit) : SpanUnits::None();
    }
    if (wanted.empty()) continue;
    const absl::StatusOr<SpanBlock*> block =
        blocks.Open(db, view, *candidate.bucket, *candidate.block);
    const absl::StatusOr<int64_t> lowest =
        block.ok() ? (*block)->Search(search, lowest_rank, visit, candidate.wanted_ends, wanted)
                   : block.status();
    if (lowest.ok()) {
      lowest_rank = *lowest;
    } else {
      damage.Add(BlockFault(*candidate.block, lowest.status()));
      candidate.matching = SpanUnits::None();
    }
  }
  return damage.Take();
}

absl::StatusOr<ScanReport> FindSpansIn(rocksdb::DB& db, const View& view, const Store::SpanIds& ids,
                                       OpenSpanBlocks& blocks, std::vector<model::Span>* spans) {
  Store::SpanIds wanted = ids;
  std::sort(wanted.spans.begin(), wanted.spans.end());
  std::sort(wanted.traces.begin(), wanted.traces.end());
  std::sort(wanted.aliases.begin(), wanted.aliases.end());
  std::erase(wanted.parents, 0);
  std::sort(wanted.parents.begin(), wanted.parents.end());
  const auto has = [](const auto& sorted, const auto& id) {
    return std::binary_search(sorted.begin(), sorted.end(), id);
  };

  Damage damage;
  damage.AddFaults(view, Tier::kSpans, INT64_MIN, INT64_MAX);
  for (const UnsealedBatch& unsealed : view.unsealed) {
    const model::Batch& batch = *unsealed.batch;
    if (batch.tenant != ids.tenant || batch.cluster != ids.cluster) continue;
    for (const model::Span& span : batch.spans) {
      if (has(wanted.spans, span.id) || has(wanted.traces, span.trace_id) ||
          has(wanted.aliases, span.alias_trace_id) ||
          (has(wanted.parents, span.parent_id) && span.start_ns >= ids.children_start_ns &&
           span.start_ns < ids.children_end_ns)) {
        spans->push_back(span);
      }
    }
  }

  const Space space{ids.tenant, ids.cluster};
  rocksdb::ReadOptions options;
  options.snapshot = view.snapshot.get();
  for (const auto& bucket : view.buckets) {
    if (bucket->id.tier != Tier::kSpans) continue;
    std::set<uint64_t> by_alias;
    if (!wanted.aliases.empty()) {
      const std::unique_ptr<rocksdb::Iterator> iterator(
          db.NewIterator(options, bucket->family->handle()));
      for (const model::TraceId& alias : wanted.aliases) {
        const std::string prefix = AliasKey::Prefix(space, AliasHash(alias));
        for (iterator->Seek(prefix); iterator->Valid() && iterator->key().starts_with(prefix);
             iterator->Next()) {
          const auto key = AliasKey::Parse(iterator->key().ToStringView());
          if (key) by_alias.insert(key->block_number);
        }
      }
      if (!iterator->status().ok()) damage.Add("an index: " + iterator->status().ToString());
    }
    for (const auto& block : bucket->blocks) {
      if (block->key.block_class != BlockClass::kSpans || block->key.space != space) continue;
      if (spans->size() >= ids.limit) break;
      RETURN_IF_ERROR(StillWanted(ids.cancelled));
      Parts parts = PartsOf(db, view, *bucket, *block, wanted);
      parts.by_alias = by_alias.contains(block->key.number);
      if (parts.empty()) continue;

      const absl::StatusOr<SpanBlock*> found_block = blocks.Open(db, view, *bucket, *block);
      absl::Status status = found_block.status();
      SpanBlock* const opened = status.ok() ? *found_block : nullptr;
      std::vector<model::Span> found;
      const auto add = [&](const absl::StatusOr<std::vector<model::Span>>& part) {
        status.Update(part.status());
        if (!part.ok()) return;
        // One span may be asked for in more than one way.
        const auto before = static_cast<ptrdiff_t>(found.size());
        for (const model::Span& span : *part) {
          const auto end = found.begin() + before;
          if (std::find(found.begin(), end, span) == end) found.push_back(span);
        }
      };
      if (status.ok() && parts.by_span) add(opened->FindSpans(wanted.spans));
      if (status.ok() && !parts.by_trace.empty()) {
        add(opened->FindTraces(wanted.traces, parts.by_trace));
      }
      if (status.ok() && parts.by_alias) add(opened->FindAliases(wanted.aliases));
      if (status.ok() && !parts.by_parent.empty()) {
        add(opened->FindChildren(wanted.parents, wanted.children_start_ns, wanted.children_end_ns,
                                 parts.by_parent));
      }
      if (!status.ok()) damage.Add(BlockFault(*block, status));
      std::move(found.begin(), found.end(), std::back_inserter(*spans));
    }
  }
  return damage.Take();
}

}  // namespace kindling::storage
