#include "storage/blocks/zstd_dictionaries.h"

#include <zdict.h>
#include <zstd.h>

#include <map>
#include <utility>

#include "absl/strings/str_format.h"

namespace kindling::storage {
namespace {

// Compressing against a dictionary is for texts, which are a small part of a block.
constexpr int kLevel = 6;

}  // namespace

struct ZstdDictionaries::Parts {
  std::map<uint32_t, std::shared_ptr<const Entry>> entries;
  uint32_t current = 0;
};

ZstdDictionaries::Entry::Entry(uint32_t number, std::string_view bytes)
    : number(number),
      compress(ZSTD_createCDict(bytes.data(), bytes.size(), kLevel)),
      decompress(ZSTD_createDDict(bytes.data(), bytes.size())) {}

ZstdDictionaries::Entry::~Entry() {
  ZSTD_freeCDict(compress);
  ZSTD_freeDDict(decompress);
}

ZstdDictionaries::ZstdDictionaries() : parts_(std::make_shared<Parts>()) {}
ZstdDictionaries::~ZstdDictionaries() = default;
ZstdDictionaries::ZstdDictionaries(const ZstdDictionaries& other) = default;
ZstdDictionaries& ZstdDictionaries::operator=(const ZstdDictionaries& other) = default;

absl::Status ZstdDictionaries::Add(uint32_t number, std::string_view bytes) {
  if (number == 0 || parts_->entries.contains(number)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("zstd dictionary %d: the number is taken", number));
  }
  // zstd would take any bytes as a dictionary without statistics.
  if (ZDICT_getDictID(bytes.data(), bytes.size()) == 0) {
    return absl::InvalidArgumentError(absl::StrFormat("zstd dictionary %d: no dictionary", number));
  }
  auto entry = std::make_shared<const Entry>(number, bytes);
  if (entry->compress == nullptr || entry->decompress == nullptr) {
    return absl::InvalidArgumentError(absl::StrFormat("zstd dictionary %d: damaged", number));
  }
  auto parts = std::make_shared<Parts>(*parts_);
  parts->entries.emplace(number, std::move(entry));
  parts_ = std::move(parts);
  return absl::OkStatus();
}

void ZstdDictionaries::Use(uint32_t number) {
  auto parts = std::make_shared<Parts>(*parts_);
  parts->current = number;
  parts_ = std::move(parts);
}

const ZstdDictionaries::Entry* ZstdDictionaries::Find(uint32_t number) const {
  const auto it = parts_->entries.find(number);
  return it == parts_->entries.end() ? nullptr : it->second.get();
}

const ZstdDictionaries::Entry* ZstdDictionaries::current() const { return Find(parts_->current); }

std::string TrainZstdDictionary(const std::vector<std::string>& samples, size_t max_bytes) {
  std::string joined;
  std::vector<size_t> sizes;
  for (const std::string& sample : samples) {
    joined += sample;
    sizes.push_back(sample.size());
  }
  std::string dictionary(max_bytes, '\0');
  const size_t size = ZDICT_trainFromBuffer(dictionary.data(), dictionary.size(), joined.data(),
                                            sizes.data(), static_cast<unsigned>(sizes.size()));
  if (ZDICT_isError(size)) return "";
  dictionary.resize(size);
  return dictionary;
}

}  // namespace kindling::storage
