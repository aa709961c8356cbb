#include "storage/engine/find_spans.h"

#include <rocksdb/db.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/status_macros.h"
#include "storage/engine/block_reader.h"
#include "storage/engine/sealer.h"
#include "storage/keys.h"

namespace kindling::storage {
namespace {

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

}  // namespace

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
      if (!status.ok()) damage.Add(*block, status);
      std::move(found.begin(), found.end(), std::back_inserter(*spans));
    }
  }
  return damage.Take();
}

}  // namespace kindling::storage
