#include "storage/blocks/text_table.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/byte_reader.h"
#include "storage/varint.h"

namespace kindling::storage {

uint32_t TextTableBuilder::Add(std::string_view text) {
  const auto [it, added] = added_.try_emplace(absl::string_view(text.data(), text.size()),
                                              static_cast<uint32_t>(texts_.size()));
  if (added) texts_.push_back(text);
  return it->second;
}

void TextTableBuilder::Sort() {
  std::vector<uint32_t> order(texts_.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [this](uint32_t a, uint32_t b) { return texts_[a] < texts_[b]; });
  std::vector<std::string_view> sorted;
  sorted.reserve(texts_.size());
  numbers_.resize(texts_.size());
  for (uint32_t i = 0; i < order.size(); ++i) {
    sorted.push_back(texts_[order[i]]);
    numbers_[order[i]] = i;
  }
  texts_ = std::move(sorted);
}

std::string EncodeTexts(const std::vector<std::string_view>& texts) {
  std::string out;
  PutVarint(out, texts.size());
  std::string_view last;
  for (const std::string_view text : texts) {
    const size_t most = std::min(last.size(), text.size());
    size_t shared = 0;
    while (shared < most && text[shared] == last[shared]) ++shared;
    PutVarint(out, shared);
    PutVarint(out, text.size() - shared);
    out += text.substr(shared);
    last = text;
  }
  return out;
}

absl::StatusOr<TextTable> TextTable::Parse(std::string_view bytes, size_t max_bytes) {
  base::ByteReader reader(base::AsBytes(bytes));
  const uint64_t count = ReadVarint(reader);
  // Two numbers each.
  if (count > reader.remaining() / 2 || max_bytes > UINT32_MAX) {
    return absl::DataLossError("more texts than bytes");
  }
  TextTable table;
  table.ends_.reserve(count + 1);
  table.bytes_.reserve(std::min(2 * bytes.size(), max_bytes));
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t shared = ReadVarint(reader);
    const std::string_view rest = reader.Text(ReadVarint(reader));
    const size_t start = i == 0 ? 0 : table.ends_[i - 1];
    const size_t last_size = table.bytes_.size() - start;
    if (!reader.ok() || shared > last_size ||
        shared + rest.size() > max_bytes - table.bytes_.size()) {
      return absl::DataLossError("texts are damaged or too large");
    }
    // The first byte that differs tells, as every text shares what it can with the one before.
    const bool is_after = !rest.empty() && (shared == last_size ||
                                            static_cast<uint8_t>(rest.front()) >
                                                static_cast<uint8_t>(table.bytes_[start + shared]));
    if (i > 0 && !is_after) return absl::DataLossError("texts are not in order");
    table.bytes_.append(table.bytes_, start, shared);
    table.bytes_ += rest;
    table.ends_.push_back(static_cast<uint32_t>(table.bytes_.size()));
  }
  if (reader.remaining() != 0) return absl::DataLossError("bytes after the texts");
  return table;
}

size_t TextTable::Find(std::string_view text) const {
  size_t low = 0;
  size_t high = size();
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if ((*this)[middle] < text) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < size() && (*this)[low] == text ? low : size();
}

}  // namespace kindling::storage
