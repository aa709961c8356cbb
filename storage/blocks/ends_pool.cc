#include "storage/blocks/ends_pool.h"

#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/synchronization/mutex.h"
#include "base/hash.h"
#include "model/records.h"

namespace kindling::storage {
namespace {

size_t HashOf(const EndsTable::Party& party, const TextTable& texts) {
  const auto of = [&](uint32_t text) { return base::StringHash()(texts[text]); };
  return absl::HashOf(party.port, of(party.workload), of(party.workload_kind), of(party.host),
                      of(party.address), of(party.dns_name));
}

// Ends of a table, whose parties' hashes are known.
struct TableEnds {
  const EndsTable& table;
  const TextTable& texts;
  const EndsTable::Ends& ends;
  size_t hash;
};

bool IsSame(const model::Party& party, const EndsTable::Party& other, const TextTable& texts) {
  return party.port == other.port && party.workload == texts[other.workload] &&
         party.workload_kind == texts[other.workload_kind] && party.host == texts[other.host] &&
         party.address == texts[other.address] && party.dns_name == texts[other.dns_name];
}

class EndsPool {
 public:
  void Hold(const EndsTable& table, const TextTable& texts, std::vector<uint32_t>& numbers) {
    std::vector<size_t> hashes;
    hashes.reserve(table.parties.size());
    for (const EndsTable::Party& party : table.parties) {
      hashes.push_back(HashOf(party, texts));
    }
    numbers.reserve(table.ends.size());
    absl::MutexLock lock(&mutex_);
    for (size_t i = 0; i < table.ends.size(); ++i) {
      const EndsTable::Ends& ends = table.ends[i];
      const TableEnds key{table, texts, ends,
                          absl::HashOf(ends.side, ends.protocol, ends.transport,
                                       hashes[ends.client], hashes[ends.server])};
      auto known = known_.find(key);
      if (known == known_.end()) {
        known = known_.insert(Add(table.MakeEnds(i, texts), key.hash)).first;
      }
      ++entries_[*known].holders;
      numbers.push_back(*known);
    }
  }

  void Release(const std::vector<uint32_t>& numbers) {
    absl::MutexLock lock(&mutex_);
    for (const uint32_t number : numbers) {
      if (--entries_[number].holders > 0) continue;
      known_.erase(number);
      entries_[number].ends = {};
      free_.push_back(number);
    }
  }

  // Stays where it is while it is held.
  const SpanEnds& Get(uint32_t number) {
    absl::MutexLock lock(&mutex_);
    return entries_[number].ends;
  }

 private:
  struct Entry {
    SpanEnds ends;
    size_t hash = 0;
    uint64_t holders = 0;
  };
  struct Hash {
    using is_transparent = void;
    const std::deque<Entry>* entries;
    size_t operator()(uint32_t number) const { return (*entries)[number].hash; }
    size_t operator()(const TableEnds& key) const { return key.hash; }
  };
  struct Equal {
    using is_transparent = void;
    const std::deque<Entry>* entries;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(const TableEnds& key, uint32_t number) const {
      const SpanEnds& ends = (*entries)[number].ends;
      return ends.side == key.ends.side && ends.protocol == key.ends.protocol &&
             ends.transport == key.ends.transport &&
             IsSame(ends.client, key.table.parties[key.ends.client], key.texts) &&
             IsSame(ends.server, key.table.parties[key.ends.server], key.texts);
    }
    bool operator()(uint32_t number, const TableEnds& key) const { return (*this)(key, number); }
  };

  uint32_t Add(SpanEnds ends, size_t hash) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (free_.empty()) {
      free_.push_back(static_cast<uint32_t>(entries_.size()));
      entries_.emplace_back();
    }
    const uint32_t number = free_.back();
    free_.pop_back();
    entries_[number] = {.ends = std::move(ends), .hash = hash};
    return number;
  }

  absl::Mutex mutex_;
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint32_t> free_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<uint32_t, Hash, Equal> known_ ABSL_GUARDED_BY(mutex_){0, Hash{&entries_},
                                                                            Equal{&entries_}};
};

EndsPool& Pool() {
  // Never destroyed: summaries may outlive statics.
  static EndsPool& pool = *new EndsPool;
  return pool;
}

}  // namespace

HeldEnds::HeldEnds(const EndsTable& table, const TextTable& texts) {
  Pool().Hold(table, texts, numbers_);
}

HeldEnds::~HeldEnds() {
  if (!numbers_.empty()) Pool().Release(numbers_);
}

const SpanEnds& HeldEnds::operator[](size_t i) const { return Pool().Get(numbers_[i]); }

bool EndsAnswers::Wants(const HeldEnds& ends, size_t i) {
  const uint32_t number = ends.number(i);
  if (number >= answers_.size()) answers_.resize(number + 1, kUnknown);
  if (answers_[number] == kUnknown) answers_[number] = search_.ends(ends[i]) ? kYes : kNo;
  return answers_[number] == kYes;
}

}  // namespace kindling::storage
