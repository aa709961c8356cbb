#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_reader.h"
#include "base/hash.h"
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

// Numbers distinct values in order of appearance; number 0 is the default value.
class TextDictionary {
 public:
  TextDictionary() { Number(""); }
  uint64_t Number(std::string_view text) {
    if (const auto it = numbers_.find(text); it != numbers_.end()) return it->second;
    PutVarint(bytes_, text.size());
    bytes_ += text;
    return numbers_.emplace(text, numbers_.size()).first->second;
  }
  void WriteTo(std::string& out) const {
    PutVarint(out, numbers_.size());
    out += bytes_;
  }

 private:
  base::StringMap<uint64_t> numbers_;
  std::string bytes_;
};

template <typename Row>
class ColumnEncoder {
 public:
  explicit ColumnEncoder(const std::vector<const Row*>& rows) : rows_(rows) { PartyNumber({}); }

  template <typename Get>
  void Number(Get get) {
    Column([&](const Row& row) { return ToBits(get(row)); });
  }
  // For values that grow from row to row: the difference to the row before.
  template <typename Get>
  void Delta(Get get) {
    uint64_t before = 0;
    Column([&](const Row& row) {
      const auto value = static_cast<uint64_t>(get(row));
      return ZigZag(static_cast<int64_t>(value - std::exchange(before, value)));
    });
  }
  template <typename Get>
  void Text(Get get) {
    Column([&](const Row& row) { return texts_.Number(get(row)); });
  }
  template <typename Get>
  void Party(Get get) {
    Column([&](const Row& row) { return PartyNumber(get(row)); });
  }
  template <typename Get>
  void Blame(Get get) {
    for (size_t i = 0; i < model::kCauseCount; ++i) {
      Column([&](const Row& row) { return get(row).ns[i]; });
    }
  }
  template <typename Get>
  void Histogram(Get get) {
    for (const Row* row : rows_) {
      const model::LatencyHistogram& latency = get(*row);
      PutVarint(columns_, latency.counts().size());
      if (!latency.counts().empty()) PutVarint(columns_, latency.offset());
      for (const uint64_t count : latency.counts()) PutVarint(columns_, count);
    }
    Column([&](const Row& row) { return get(row).zero_count(); });
    Column([&](const Row& row) { return get(row).sum_ns(); });
    Column([&](const Row& row) { return ZigZag(get(row).min_ns()); });
    Column([&](const Row& row) { return ZigZag(get(row).max_ns()); });
  }
  template <typename Get>
  void Attributes(Get get) {
    Column([&](const Row& row) { return uint64_t{get(row).size()}; });
    for (const Row* row : rows_) {
      for (const auto& [name, value] : get(*row)) {
        PutVarint(columns_, texts_.Number(name));
        PutVarint(columns_, texts_.Number(value));
      }
    }
  }

  std::string Finish() const {
    std::string out;
    PutVarint(out, rows_.size());
    texts_.WriteTo(out);
    PutVarint(out, party_numbers_.size());
    out += parties_;
    out += columns_;
    return out;
  }

 private:
  template <typename Bits>
  void Column(Bits bits) {
    const size_t mark = columns_.size();
    bool used = false;
    columns_.push_back(1);
    for (const Row* row : rows_) {
      const uint64_t value = bits(*row);
      used |= value != 0;
      PutVarint(columns_, value);
    }
    if (used) return;
    columns_.resize(mark);
    columns_.push_back(0);
  }

  uint64_t PartyNumber(const model::Party& party) {
    const auto [it, added] = party_numbers_.try_emplace(party, party_numbers_.size());
    if (added) {
      for (const std::string* text :
           {&party.workload, &party.workload_kind, &party.host, &party.address, &party.dns_name}) {
        PutVarint(parties_, texts_.Number(*text));
      }
      PutVarint(parties_, party.port);
    }
    return it->second;
  }

  const std::vector<const Row*>& rows_;
  TextDictionary texts_;
  std::map<model::Party, uint64_t> party_numbers_;
  std::string parties_;
  std::string columns_;
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
