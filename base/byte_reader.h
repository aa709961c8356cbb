#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace kindling::base {

// A bounds-checked cursor over untrusted bytes.
//
// Failure: sticky. After one read past the end every later read returns zero or an empty view and
//          ok() is false, so a parser checks once after a group of reads.
// Lifetime: the bytes must outlive the reader and every view it returns.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t position() const { return position_; }
  size_t remaining() const { return ok_ ? bytes_.size() - position_ : 0; }

  uint8_t U8() { return Integer<uint8_t>(std::endian::big); }
  uint16_t U16Be() { return Integer<uint16_t>(std::endian::big); }
  uint16_t U16Le() { return Integer<uint16_t>(std::endian::little); }
  uint32_t U32Be() { return Integer<uint32_t>(std::endian::big); }
  uint32_t U32Le() { return Integer<uint32_t>(std::endian::little); }
  uint64_t U64Be() { return Integer<uint64_t>(std::endian::big); }
  uint64_t U64Le() { return Integer<uint64_t>(std::endian::little); }

  // MySQL's three-byte little-endian length.
  uint32_t U24Le() {
    const std::span<const std::byte> view = Bytes(3);
    if (!ok_) return 0;
    return static_cast<uint32_t>(view[0]) | static_cast<uint32_t>(view[1]) << 8 |
           static_cast<uint32_t>(view[2]) << 16;
  }

  std::span<const std::byte> Bytes(size_t size) {
    if (!ok_ || size > bytes_.size() - position_) {
      ok_ = false;
      return {};
    }
    const std::span<const std::byte> view = bytes_.subspan(position_, size);
    position_ += size;
    return view;
  }

  std::string_view Text(size_t size) {
    const std::span<const std::byte> view = Bytes(size);
    return {reinterpret_cast<const char*>(view.data()), view.size()};
  }

  void Skip(size_t size) { Bytes(size); }

 private:
  template <typename T>
  T Integer(std::endian order) {
    const std::span<const std::byte> view = Bytes(sizeof(T));
    if (!ok_) return 0;
    T value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) {
      const size_t shift = 8 * (order == std::endian::little ? i : sizeof(T) - 1 - i);
      value = static_cast<T>(value | static_cast<T>(static_cast<T>(view[i]) << shift));
    }
    return value;
  }

  std::span<const std::byte> bytes_;
  size_t position_ = 0;
  bool ok_ = true;
};

// The same bytes as text or as octets; neither copies.
inline std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::span<const std::byte> AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace kindling::base
