#include "storage/engine/search.h"

#include <rocksdb/db.h>

#include <algorithm>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/status_macros.h"
#include "storage/blocks/span_block.h"
#include "storage/engine/block_reader.h"
#include "storage/engine/open_span_blocks.h"

namespace kindling::storage {
namespace {

// A search that has read so many units and wants more finds little in each: helpers pay then.
constexpr size_t kUnitsAlone = 8;
// Units read at once, for each thread: enough that none waits long for another.
constexpr size_t kUnitsAtOnce = 4;
// Rows of a block that are held until the visitor is asked. Where there are more, the block is read
// again for the visitor.
constexpr size_t kMaxHeldRows = 200;

template <typename T>
bool AnyOf(const std::vector<T>& wanted, const T& value) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), value) != wanted.end();
}

bool Failed(model::Outcome outcome) {
  return outcome != model::Outcome::kUnset && outcome != model::Outcome::kOk;
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

// What a search knows of a block that it may have to read.
struct Candidate {
  const Bucket* bucket = nullptr;
  const Block* block = nullptr;
  bool is_asked = false;  // the filter and the summary, for what is below
  SpanUnits matching = SpanUnits::None();
  std::vector<bool> wanted_ends;
};

// A unit of a candidate; all units where its summary could not be read.
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

// Units of one block that are to be read next.
struct Piece {
  Candidate* candidate = nullptr;
  SpanUnits units = SpanUnits::None();
  // What a helper made of them.
  std::unique_ptr<OpenSpanBlock> opened;
  absl::Status status;
  std::vector<model::Span> rows;
  bool has_more = false;
};

class SpanSearcher {
 public:
  SpanSearcher(rocksdb::DB& db, const View& view, const SpanSearch& search,
               const SpanVisitor& visit, HelperThreads& helpers)
      : db_(db),
        view_(view),
        search_(search),
        visit_(visit),
        helpers_(helpers),
        helpers_search_(search),
        answers_(search) {
    // Helpers leave to the visitor what the summary does not tell of ends.
    if (search.ends != nullptr) helpers_search_.ends = [](const SpanEnds&) { return true; };
  }

  absl::StatusOr<ScanReport> Run() {
    damage_.AddFaults(view_, Tier::kSpans, search_.start_ns, search_.end_ns);
    lowest_rank_ = SearchUnsealed(view_, search_, visit_);
    CollectUnits();
    size_t read = 0;
    while (true) {
      const bool is_alone = helpers_.size() == 0 || read < kUnitsAlone;
      const size_t most = is_alone ? 1 : kUnitsAtOnce * (helpers_.size() + 1);
      ASSIGN_OR_RETURN(std::vector<Piece> pieces, NextPieces(most));
      if (pieces.empty()) break;
      read += most;
      if (pieces.size() == 1) {
        Read(pieces.front());
      } else {
        ReadTogether(pieces);
      }
    }
    return damage_.Take();
  }

 private:
  void CollectUnits();
  // Of so many units at most. Fails when the answer is not wanted any more.
  absl::StatusOr<std::vector<Piece>> NextPieces(size_t most);
  void Ask(Candidate& candidate);
  void Read(const Piece& piece);
  void ReadTogether(std::vector<Piece>& pieces);
  // On any thread.
  void ReadFor(Piece& piece, int64_t lowest_rank) const;
  void Fail(Candidate& candidate, const absl::Status& status) {
    damage_.Add(*candidate.block, status);
    candidate.matching = SpanUnits::None();
  }

  rocksdb::DB& db_;
  const View& view_;
  const SpanSearch& search_;
  const SpanVisitor& visit_;
  HelperThreads& helpers_;
  SpanSearch helpers_search_;
  EndsAnswers answers_;
  std::vector<Candidate> candidates_;
  std::vector<UnitCandidate> units_;  // a heap
  OpenSpanBlocks blocks_;
  Damage damage_;
  int64_t lowest_rank_ = INT64_MIN;
};

void SpanSearcher::CollectUnits() {
  const Space space{search_.tenant, search_.cluster};
  for (const auto& bucket : view_.buckets) {
    if (bucket->id.tier != Tier::kSpans || !bucket->id.Overlaps(search_.start_ns, search_.end_ns)) {
      continue;
    }
    for (const auto& block : bucket->blocks) {
      if (block->key.block_class != BlockClass::kSpans || block->key.space != space) continue;
      if (block->last_ns < search_.start_ns || block->first_ns >= search_.end_ns) continue;
      // An unreadable summary says nothing: the body may be sound.
      if (block->spans && !block->spans->MayMatch(search_, answers_)) continue;
      const auto number = static_cast<uint32_t>(candidates_.size());
      candidates_.push_back({.bucket = bucket.get(), .block = block.get()});
      if (!block->spans) {
        units_.push_back({INT64_MAX, number, UnitCandidate::kAllUnits});
        continue;
      }
      const int64_t of_block = block->spans->HighestRank(search_, answers_);
      for (uint32_t unit = 0; unit < block->spans->units().size(); ++unit) {
        const int64_t rank = block->spans->units()[unit].HighestRank(search_);
        if (rank != INT64_MIN) units_.push_back({std::min(rank, of_block), number, unit});
      }
    }
  }
  std::make_heap(units_.begin(), units_.end());
}

void SpanSearcher::Ask(Candidate& candidate) {
  if (std::exchange(candidate.is_asked, true)) return;
  const Block& block = *candidate.block;
  candidate.matching = SpanUnits::All();
  if (block.spans) candidate.wanted_ends = block.spans->WantedEnds(search_, answers_);
  if (search_.attributes.empty() || !block.has_filter) return;
  rocksdb::PinnableSlice filter;
  if (!ReadPart(db_, view_, *candidate.bucket, block, BlockPart::kFilter, &filter).ok()) return;
  candidate.matching = SpanFilterMatchingUnits(filter.ToStringView(), search_);
}

absl::StatusOr<std::vector<Piece>> SpanSearcher::NextPieces(size_t most) {
  std::vector<Piece> pieces;
  for (size_t count = 0; count < most && !units_.empty();) {
    const UnitCandidate next = units_.front();
    if (lowest_rank_ == INT64_MAX || next.highest_rank < lowest_rank_) break;
    RETURN_IF_ERROR(StillWanted(search_.cancelled));
    std::pop_heap(units_.begin(), units_.end());
    units_.pop_back();
    Candidate& candidate = candidates_[next.candidate];
    Ask(candidate);
    SpanUnits units = candidate.matching;
    if (next.unit != UnitCandidate::kAllUnits) {
      units = units.Has(next.unit) ? SpanUnits::Only(next.unit) : SpanUnits::None();
    }
    if (units.empty()) continue;
    ++count;
    const auto same = std::find_if(pieces.begin(), pieces.end(), [&](const Piece& piece) {
      return piece.candidate == &candidate;
    });
    if (same != pieces.end()) {
      same->units.Add(units);
    } else {
      pieces.push_back({.candidate = &candidate, .units = units});
    }
  }
  return pieces;
}

void SpanSearcher::Read(const Piece& piece) {
  Candidate& candidate = *piece.candidate;
  const absl::StatusOr<SpanBlock*> block =
      blocks_.Open(db_, view_, *candidate.bucket, *candidate.block);
  if (!block.ok()) return Fail(candidate, block.status());
  const absl::StatusOr<int64_t> lowest =
      (*block)->Search(search_, lowest_rank_, visit_, candidate.wanted_ends, piece.units);
  if (!lowest.ok()) return Fail(candidate, lowest.status());
  lowest_rank_ = *lowest;
}

void SpanSearcher::ReadFor(Piece& piece, int64_t lowest_rank) const {
  const Candidate& candidate = *piece.candidate;
  if (piece.opened == nullptr) {
    auto opened = OpenSpanBlock::Read(db_, view_, *candidate.bucket, *candidate.block);
    piece.status = opened.status();
    if (!opened.ok()) return;
    piece.opened = *std::move(opened);
  }
  const auto hold = [&](const model::Span& span) {
    piece.has_more = piece.rows.size() == kMaxHeldRows;
    if (piece.has_more) return INT64_MAX;
    piece.rows.push_back(span);
    return lowest_rank;
  };
  piece.status =
      piece.opened->block
          ->Search(helpers_search_, lowest_rank, hold, candidate.wanted_ends, piece.units)
          .status();
}

void SpanSearcher::ReadTogether(std::vector<Piece>& pieces) {
  for (Piece& piece : pieces) piece.opened = blocks_.Take(*piece.candidate->block);
  helpers_.Run(pieces.size(),
               [&, lowest_rank = lowest_rank_](size_t i) { ReadFor(pieces[i], lowest_rank); });
  for (Piece& piece : pieces) {
    if (piece.opened != nullptr) blocks_.Put(*piece.candidate->block, std::move(piece.opened));
    if (!piece.status.ok()) {
      Fail(*piece.candidate, piece.status);
      continue;
    }
    if (piece.has_more) {
      Read(piece);
      continue;
    }
    for (const model::Span& span : piece.rows) {
      if (lowest_rank_ == INT64_MAX) return;
      if (RankOf(span, search_.order) >= lowest_rank_) lowest_rank_ = visit_(span);
    }
  }
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

absl::StatusOr<ScanReport> SearchSpansIn(rocksdb::DB& db, const View& view,
                                         const SpanSearch& search, const SpanVisitor& visit,
                                         HelperThreads& helpers) {
  return SpanSearcher(db, view, search, visit, helpers).Run();
}

}  // namespace kindling::storage
