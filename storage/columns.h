#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "base/byte_reader.h"
#include "base/hash.h"
#include "base/recent_numbers.h"
#include "model/records.h"
#include "storage/varint.h"

// Rows to columns and back. Each record class has one description (block.cc), a template over the
// archive, so that what is written and what is read cannot differ:
//
//   template <typename Archive> void Describe(Archive& a, std::type_identity<model::Loss>, uint8_t)
//   {
//     a.Delta([](auto& row) -> auto& { return row.time_ns; });
//     a.Text([](auto& row) -> auto& { return row.host; });
//   }
//
// A column is one byte, 0 when every row has the default, else 1 and the values. Texts and parties
// are numbers into dictionaries that stand before the columns.
namespace kindling::storage {

// Limits of what a decoder makes of a block, whatever the block says.
inline constexpr size_t kMaxBlockRows = 65536;
inline constexpr size_t kMaxBlockRawBytes = 64 << 20;
// Texts are copied into each row that refers to them; this bounds the sum of the copies.
inline constexpr size_t kMaxBlockTextBytes = 256 << 20;
inline constexpr size_t kMaxAttributesPerRow = 256;

// Bytes that are appended to without asking for room each time.
class ColumnBytes {
 public:
  // Room for `bytes` more; Grown tells how far it was written.
  char* Room(size_t bytes) {
    if (bytes > room_ - size_) Grow(bytes);
    return data_.get() + size_;
  }
  void Grown(const char* end) { size_ = static_cast<size_t>(end - data_.get()); }
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  void Grow(size_t bytes) {
    room_ = std::max(2 * room_, size_ + bytes);
    auto larger = std::make_unique_for_overwrite<char[]>(room_);
    std::copy_n(data_.get(), size_, larger.get());
    data_ = std::move(larger);
  }

  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
  size_t room_ = 0;
};

// Numbers distinct values in order of appearance; number 0 is the default value.
//
// Lifetime: the texts must outlive this.
class TextDictionary {
 public:
  TextDictionary() { Number(""); }
  uint64_t Number(std::string_view text) {
    return recent_.Find(
        base::QuickHash(text), [text](std::string_view other) { return text == other; },
        [this, text] { return std::pair(text, Add(text)); });
  }
  void WriteTo(std::string& out) const {
    PutVarint(out, numbers_.size());
    out += bytes_;
  }

 private:
  uint64_t Add(std::string_view text) {
    const auto [it, added] = numbers_.try_emplace(text, numbers_.size());
    if (added) {
      PutVarint(bytes_, text.size());
      bytes_ += text;
    }
    return it->second;
  }

  base::RecentNumbers<std::string_view, uint64_t, 512> recent_;
  absl::flat_hash_map<std::string_view, uint64_t, base::StringHash> numbers_;
  std::string bytes_;
};

// Numbers distinct parties, likewise. Lifetime: they must outlive this.
class PartyDictionary {
 public:
  explicit PartyDictionary(TextDictionary& texts) : texts_(texts) { Number(kNone); }
  uint64_t Number(const model::Party& party) {
    return recent_.Find(
        QuickHash(party), [&party](const model::Party* other) { return party == *other; },
        [this, &party] { return std::pair(&party, Add(party)); });
  }
  void WriteTo(std::string& out) const {
    PutVarint(out, numbers_.size());
    out += bytes_;
  }

 private:
  struct Hash {
    size_t operator()(const model::Party* party) const { return absl::HashOf(*party); }
  };
  struct Equal {
    bool operator()(const model::Party* a, const model::Party* b) const { return *a == *b; }
  };
  static inline const model::Party kNone;

  static uint64_t QuickHash(const model::Party& party) {
    return base::QuickHash(party.workload) + 31 * base::QuickHash(party.address) + party.port;
  }

  uint64_t Add(const model::Party& party) {
    const auto [it, added] = numbers_.try_emplace(&party, numbers_.size());
    if (added) {
      for (const std::string* text :
           {&party.workload, &party.workload_kind, &party.host, &party.address, &party.dns_name}) {
        PutVarint(bytes_, texts_.Number(*text));
      }
      PutVarint(bytes_, party.port);
    }
    return it->second;
  }

  TextDictionary& texts_;
  base::RecentNumbers<const model::Party*, uint64_t, 256> recent_;
  absl::flat_hash_map<const model::Party*, uint64_t, Hash, Equal> numbers_;
  std::string bytes_;
};

// Lifetime: the rows must outlive this.
template <typename Row>
class ColumnEncoder {
 public:
  // A description is gone through for a few rows at a time, so that they are near when their next
  // column is asked for.
  static constexpr size_t kRowsAtOnce = 32;

  template <typename Describe>
  ColumnEncoder(const std::vector<const Row*>& rows, Describe describe) : count_(rows.size()) {
    const std::span<const Row* const> all(rows);
    for (size_t begin = 0; begin < rows.size() || begin == 0; begin += kRowsAtOnce) {
      rows_ = all.subspan(begin, std::min(kRowsAtOnce, rows.size() - begin));
      next_ = 0;
      describe(*this);
    }
  }

  template <typename Get>
  void Number(Get get) {
    Column([&](const Row& row, uint64_t&) { return ToBits(get(row)); });
  }
  // For values that grow from row to row: the difference to the row before.
  template <typename Get>
  void Delta(Get get) {
    Column([&](const Row& row, uint64_t& before) {
      const auto value = static_cast<uint64_t>(get(row));
      return ZigZag(static_cast<int64_t>(value - std::exchange(before, value)));
    });
  }
  template <typename Get>
  void Text(Get get) {
    Column([&](const Row& row, uint64_t&) { return texts_.Number(get(row)); });
  }
  template <typename Get>
  void Party(Get get) {
    Column([&](const Row& row, uint64_t&) { return parties_.Number(get(row)); });
  }
  template <typename Get>
  void Blame(Get get) {
    for (size_t i = 0; i < model::kCauseCount; ++i) {
      Column([&](const Row& row, uint64_t&) { return get(row).ns[i]; });
    }
  }
  template <typename Get>
  void Histogram(Get get) {
    ColumnState& state = Next(/*flagged=*/false);
    for (const Row* row : rows_) {
      const model::LatencyHistogram& latency = get(*row);
      char* out = state.bytes.Room((latency.counts().size() + 2) * kMaxVarintBytes);
      out = PutVarintAt(out, latency.counts().size());
      if (!latency.counts().empty()) {
        out = PutVarintAt(out, static_cast<uint64_t>(latency.offset()));
      }
      for (const uint64_t count : latency.counts()) out = PutVarintAt(out, count);
      state.bytes.Grown(out);
    }
    Column([&](const Row& row, uint64_t&) { return get(row).zero_count(); });
    Column([&](const Row& row, uint64_t&) { return get(row).sum_ns(); });
    Column([&](const Row& row, uint64_t&) { return ZigZag(get(row).min_ns()); });
    Column([&](const Row& row, uint64_t&) { return ZigZag(get(row).max_ns()); });
  }
  template <typename Get>
  void Attributes(Get get) {
    Column([&](const Row& row, uint64_t&) { return uint64_t{get(row).size()}; });
    ColumnState& state = Next(/*flagged=*/false);
    for (const Row* row : rows_) {
      const auto& attributes = get(*row);
      char* out = state.bytes.Room(attributes.size() * 2 * kMaxVarintBytes);
      for (const auto& [name, value] : attributes) {
        out = PutVarintAt(out, texts_.Number(name));
        out = PutVarintAt(out, texts_.Number(value));
      }
      state.bytes.Grown(out);
    }
  }

  void Finish(std::string& out) const {
    PutVarint(out, count_);
    texts_.WriteTo(out);
    parties_.WriteTo(out);
    for (const ColumnState& column : columns_) {
      if (column.flagged) out.push_back(column.used ? 1 : 0);
      if (column.used || !column.flagged) out += column.bytes.view();
    }
  }

 private:
  struct ColumnState {
    bool flagged = true;  // begins with the byte that says whether there are values
    bool used = false;
    uint64_t before = 0;
    ColumnBytes bytes;
  };

  ColumnState& Next(bool flagged) {
    if (next_ == columns_.size()) columns_.push_back({.flagged = flagged});
    return columns_[next_++];
  }

  template <typename Bits>
  void Column(Bits bits) {
    ColumnState& state = Next(/*flagged=*/true);
    char* out = state.bytes.Room(rows_.size() * kMaxVarintBytes);
    uint64_t any = 0;
    uint64_t before = state.before;
    for (const Row* row : rows_) {
      const uint64_t value = bits(*row, before);
      any |= value;
      out = PutVarintAt(out, value);
    }
    state.before = before;
    state.used |= any != 0;
    state.bytes.Grown(out);
  }

  const size_t count_;
  std::span<const Row* const> rows_;  // those of now
  size_t next_ = 0;                   // column
  std::vector<ColumnState> columns_;
  TextDictionary texts_;
  PartyDictionary parties_{texts_};
};

// The reverse. The bytes may be damaged or hostile.
//
// Failure: sticky; ok() is false and rows() means nothing.
template <typename Row>
class ColumnDecoder {
 public:
  explicit ColumnDecoder(std::string_view raw) : reader_(base::AsBytes(raw)) {
    const uint64_t rows = ReadVarint(reader_);
    ReadTexts();
    ReadParties();
    if (rows > kMaxBlockRows) Fail();
    if (ok_) rows_.resize(rows);
  }

  template <typename Get>
  void Number(Get get) {
    Column([&](Row& row, uint64_t bits) { return FromBits(bits, get(row)); });
  }
  template <typename Get>
  void Delta(Get get) {
    uint64_t value = 0;
    Column([&](Row& row, uint64_t bits) {
      value += static_cast<uint64_t>(UnZigZag(bits));
      get(row) = static_cast<int64_t>(value);
      return true;
    });
  }
  template <typename Get>
  void Text(Get get) {
    Column([&](Row& row, uint64_t number) { return Assign(number, get(row)); });
  }
  template <typename Get>
  void Party(Get get) {
    Column([&](Row& row, uint64_t number) {
      if (number >= parties_.size()) return false;
      const model::Party& party = parties_[number];
      if (!Spend(party.workload.size() + party.workload_kind.size() + party.host.size() +
                 party.address.size() + party.dns_name.size())) {
        return false;
      }
      get(row) = party;
      return true;
    });
  }
  template <typename Get>
  void Blame(Get get) {
    for (size_t i = 0; i < model::kCauseCount; ++i) {
      Column([&](Row& row, uint64_t bits) {
        get(row).ns[i] = bits;
        return true;
      });
    }
  }
  template <typename Get>
  void Histogram(Get get) {
    struct Parts {
      int offset = 0;
      std::vector<uint64_t> counts;
      uint64_t zero_count = 0;
      uint64_t sum_ns = 0;
      int64_t min_ns = 0;
      int64_t max_ns = 0;
    };
    std::vector<Parts> parts(rows_.size());
    for (Parts& part : parts) {
      const uint64_t size = ReadVarint(reader_);
      if (size > model::LatencyHistogram::kMaxBuckets || size > reader_.remaining()) Fail();
      if (!ok_ || size == 0) continue;
      const uint64_t offset = ReadVarint(reader_);
      if (offset > model::LatencyHistogram::kMaxBuckets) Fail();
      if (!ok_) continue;
      part.offset = static_cast<int>(offset);
      part.counts.resize(size);
      for (uint64_t& count : part.counts) count = ReadVarint(reader_);
    }
    size_t at = 0;
    const auto each = [&](auto set) {
      at = 0;
      Column([&](Row&, uint64_t bits) {
        set(parts[at++], bits);
        return true;
      });
    };
    each([](Parts& part, uint64_t bits) { part.zero_count = bits; });
    each([](Parts& part, uint64_t bits) { part.sum_ns = bits; });
    each([](Parts& part, uint64_t bits) { part.min_ns = UnZigZag(bits); });
    each([](Parts& part, uint64_t bits) { part.max_ns = UnZigZag(bits); });
    for (size_t i = 0; ok_ && i < rows_.size(); ++i) {
      const Parts& part = parts[i];
      if (!get(rows_[i]).Assign(part.offset, part.counts, part.zero_count, part.sum_ns, part.min_ns,
                                part.max_ns)) {
        Fail();
      }
    }
  }
  template <typename Get>
  void Attributes(Get get) {
    Column([&](Row& row, uint64_t size) {
      if (size > kMaxAttributesPerRow || !Spend(size * sizeof(get(row)[0]))) return false;
      get(row).resize(size);
      return true;
    });
    for (Row& row : rows_) {
      for (auto& [name, value] : get(row)) {
        if (!Assign(ReadVarint(reader_), name) || !Assign(ReadVarint(reader_), value)) Fail();
        if (!ok_) return;
      }
    }
  }

  // True when everything read so far was sound and nothing is left over.
  bool Finished() const { return ok_ && reader_.ok() && reader_.remaining() == 0; }
  std::vector<Row>& rows() { return rows_; }

 private:
  void Fail() {
    ok_ = false;
    rows_.clear();
  }

  template <typename Set>
  void Column(Set set) {
    const uint8_t used = reader_.U8();
    if (used > 1 || !reader_.ok()) return Fail();
    if (used == 0) return;
    for (Row& row : rows_) {
      if (!set(row, ReadVarint(reader_)) || !reader_.ok()) return Fail();
    }
  }

  bool Spend(size_t bytes) {
    spent_bytes_ += bytes;
    return spent_bytes_ <= kMaxBlockTextBytes;
  }

  bool Assign(uint64_t number, std::string& text) {
    if (number >= texts_.size() || !Spend(texts_[number].size())) return false;
    text = texts_[number];
    return true;
  }

  void ReadTexts() {
    const uint64_t count = ReadVarint(reader_);
    if (count > reader_.remaining()) return Fail();
    texts_.reserve(count);
    for (uint64_t i = 0; i < count; ++i) texts_.push_back(reader_.Text(ReadVarint(reader_)));
    if (!reader_.ok()) Fail();
  }

  void ReadParties() {
    const uint64_t count = ReadVarint(reader_);
    // Six numbers each.
    if (count > reader_.remaining() / 6) return Fail();
    for (uint64_t i = 0; ok_ && i < count; ++i) {
      model::Party& party = parties_.emplace_back();
      for (std::string* text :
           {&party.workload, &party.workload_kind, &party.host, &party.address, &party.dns_name}) {
        if (!Assign(ReadVarint(reader_), *text)) Fail();
      }
      if (!FromBits(ReadVarint(reader_), party.port)) Fail();
    }
  }

  base::ByteReader reader_;
  bool ok_ = true;
  size_t spent_bytes_ = 0;
  std::vector<std::string_view> texts_;
  std::vector<model::Party> parties_;
  std::vector<Row> rows_;
};

}  // namespace kindling::storage
