#include "storage/blocks/frame.h"

#include <zstd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/byte_reader.h"
#include "base/status_macros.h"
#include "storage/checksum.h"
#include "storage/varint.h"

namespace kindling::storage {
namespace {

constexpr std::string_view kMagic = "KB";
constexpr size_t kPreambleBytes = 8;  // magic, version, class, checksum of the directory
constexpr int kFastLevel = 1;
constexpr int kDenseLevel = 3;

// On disk: never renumber.
enum Codec : uint8_t { kStored = 0, kZstd = 1, kZstdDictionary = 2 };

void PutU32(std::string& out, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(value >> shift));
}

// One of each per thread: they are dear to make.
ZSTD_CCtx* Compressor() {
  thread_local const std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context(ZSTD_createCCtx(),
                                                                                ZSTD_freeCCtx);
  return context.get();
}
ZSTD_DCtx* Decompressor() {
  thread_local const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                                ZSTD_freeDCtx);
  return context.get();
}

}  // namespace

size_t FrameWriter::Add(uint32_t number, std::string_view raw, Packing packing) {
  Section section{.number = number, .codec = kStored, .raw_size = raw.size()};
  if (packing != Packing::kStored && raw.size() > 8) {
    std::string packed(ZSTD_compressBound(raw.size()), '\0');
    const auto keep_if_smaller = [&](size_t size, Codec codec) {
      const size_t best =
          section.codec == kStored ? raw.size() - raw.size() / 32 : section.stored.size();
      if (ZSTD_isError(size) || size >= best) return;
      section.codec = codec;
      section.stored.assign(packed, 0, size);
    };
    const int level = packing == Packing::kFast ? kFastLevel : kDenseLevel;
    keep_if_smaller(ZSTD_compressCCtx(Compressor(), packed.data(), packed.size(), raw.data(),
                                      raw.size(), level),
                    kZstd);
    if (packing == Packing::kText && dictionary_ != nullptr) {
      section.dictionary = dictionary_->number;
      keep_if_smaller(ZSTD_compress_usingCDict(Compressor(), packed.data(), packed.size(),
                                               raw.data(), raw.size(), dictionary_->compress),
                      kZstdDictionary);
    }
  }
  if (section.codec == kStored) section.stored = std::string(raw);
  sections_.push_back(std::move(section));
  return sections_.back().stored.size();
}

std::string FrameWriter::Finish() const {
  std::vector<const Section*> sections;
  size_t bytes = kPreambleBytes;
  for (const Section& section : sections_) {
    sections.push_back(&section);
    bytes += section.stored.size() + 24;
  }
  std::sort(sections.begin(), sections.end(),
            [](const Section* a, const Section* b) { return a->number < b->number; });
  std::string directory;
  PutVarint(directory, sections.size());
  uint32_t before = 0;
  for (const Section* section : sections) {
    PutVarint(directory, section->number - std::exchange(before, section->number));
    directory.push_back(static_cast<char>(section->codec));
    PutVarint(directory, section->raw_size);
    if (section->codec != kStored) PutVarint(directory, section->stored.size());
    if (section->codec == kZstdDictionary) PutVarint(directory, section->dictionary);
    PutU32(directory, Checksum(section->stored));
  }
  std::string out;
  out.reserve(bytes);
  out += kMagic;
  out.push_back(static_cast<char>(version_));
  out.push_back(static_cast<char>(class_));
  PutU32(out, Checksum(directory));
  out += directory;
  for (const Section* section : sections) out += section->stored;
  return out;
}

absl::StatusOr<FrameReader> FrameReader::Open(std::string_view bytes, FrameClass frame_class,
                                              uint8_t newest,
                                              const ZstdDictionaries& dictionaries) {
  if (bytes.size() < kPreambleBytes || bytes.substr(0, 2) != kMagic) {
    return absl::DataLossError("no block");
  }
  if (static_cast<uint8_t>(bytes[3]) != static_cast<uint8_t>(frame_class)) {
    return absl::DataLossError("a block of another class");
  }
  FrameReader frame;
  frame.dictionaries_ = &dictionaries;
  frame.version_ = static_cast<uint8_t>(bytes[2]);
  if (frame.version_ == 0 || frame.version_ > newest) {
    return absl::DataLossError(
        absl::StrFormat("block version %d; this program reads up to %d", frame.version_, newest));
  }
  RETURN_IF_ERROR(frame.ParseDirectory(bytes));
  return frame;
}

absl::Status FrameReader::ParseDirectory(std::string_view bytes) {
  const absl::Status damaged = absl::DataLossError("directory of a block is damaged");
  base::ByteReader reader(base::AsBytes(bytes));
  reader.Skip(4);
  const uint32_t checksum = reader.U32Le();
  const uint64_t count = ReadVarint(reader);
  // Seven bytes each at least.
  if (!reader.ok() || count > kMaxFrameSections || count > reader.remaining() / 7) return damaged;
  sections_.resize(count);
  std::vector<uint64_t> sizes(count);
  uint64_t number = 0;
  uint64_t raw_bytes = 0;
  uint64_t stored_bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    Section& section = sections_[i];
    const uint64_t step = ReadVarint(reader);
    section.codec = reader.U8();
    section.raw_size = ReadVarint(reader);
    sizes[i] = section.codec == kStored ? section.raw_size : ReadVarint(reader);
    const uint64_t dictionary = section.codec == kZstdDictionary ? ReadVarint(reader) : 0;
    section.checksum = reader.U32Le();
    if (!reader.ok() || section.codec > kZstdDictionary || step > UINT32_MAX ||
        (i > 0 && step == 0) || dictionary > UINT32_MAX || section.raw_size > kMaxSectionRawBytes ||
        sizes[i] > bytes.size()) {
      return damaged;
    }
    number += step;
    if (number > UINT32_MAX) return damaged;
    section.number = static_cast<uint32_t>(number);
    section.dictionary = static_cast<uint32_t>(dictionary);
    raw_bytes += section.raw_size;
    stored_bytes += sizes[i];
  }
  if (raw_bytes > kMaxFrameRawBytes || stored_bytes != reader.remaining()) return damaged;
  size_t at = reader.position();
  if (Checksum(bytes.substr(kPreambleBytes, at - kPreambleBytes)) != checksum) return damaged;
  for (size_t i = 0; i < count; ++i) {
    sections_[i].stored = bytes.substr(at, sizes[i]);
    at += sizes[i];
  }
  return absl::OkStatus();
}

const FrameReader::Section* FrameReader::FindSection(uint32_t number) const {
  const auto it = std::lower_bound(
      sections_.begin(), sections_.end(), number,
      [](const Section& section, uint32_t wanted) { return section.number < wanted; });
  return it == sections_.end() || it->number != number ? nullptr : &*it;
}

std::vector<std::pair<uint32_t, size_t>> FrameReader::StoredSizes() const {
  std::vector<std::pair<uint32_t, size_t>> sizes;
  for (const Section& section : sections_) {
    sizes.emplace_back(section.number, section.stored.size());
  }
  return sizes;
}

uint64_t FrameReader::raw_size(uint32_t number) const {
  const Section* section = FindSection(number);
  return section == nullptr ? 0 : section->raw_size;
}

absl::StatusOr<std::string_view> FrameReader::Read(uint32_t number, std::string& room,
                                                   size_t max_bytes) const {
  const Section* section = FindSection(number);
  if (section == nullptr) {
    return absl::DataLossError(absl::StrFormat("section %d is missing", number));
  }
  if (section->raw_size > max_bytes) {
    return absl::DataLossError(absl::StrFormat("section %d is too large", number));
  }
  const std::string_view stored = section->stored;
  if (Checksum(stored) != section->checksum) {
    return absl::DataLossError(absl::StrFormat("checksum of section %d does not match", number));
  }
  if (section->codec == kStored) return stored;
  const ZstdDictionaries::Entry* dictionary = nullptr;
  if (section->codec == kZstdDictionary) {
    dictionary = dictionaries_->Find(section->dictionary);
    if (dictionary == nullptr) {
      return absl::DataLossError(
          absl::StrFormat("zstd dictionary %d is missing", section->dictionary));
    }
  }
  // What zstd itself states is checked first, so that a lie costs no memory.
  if (ZSTD_getFrameContentSize(stored.data(), stored.size()) != section->raw_size) {
    return absl::DataLossError(absl::StrFormat("section %d is not what it states", number));
  }
  room.resize(section->raw_size);
  const size_t size =
      dictionary == nullptr
          ? ZSTD_decompressDCtx(Decompressor(), room.data(), room.size(), stored.data(),
                                stored.size())
          : ZSTD_decompress_usingDDict(Decompressor(), room.data(), room.size(), stored.data(),
                                       stored.size(), dictionary->decompress);
  if (ZSTD_isError(size) || size != room.size()) {
    return absl::DataLossError(absl::StrFormat("section %d cannot be decompressed", number));
  }
  return std::string_view(room);
}

}  // namespace kindling::storage
