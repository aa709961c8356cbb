#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/byte_reader.h"

namespace kindling::base {

struct PcapngOption {
  uint16_t code;
  std::string value;
  bool operator==(const PcapngOption&) const = default;
};
inline void PrintTo(const PcapngOption& option, std::ostream* out) {
  *out << option.code << "=\"" << testing::PrintToString(option.value) << '"';
}

struct PcapngBlock {
  uint32_t type = 0;
  std::string body;  // without the options
  std::vector<PcapngOption> options;

  // The values of one kind.
  std::vector<std::string> values(uint16_t code) const {
    std::vector<std::string> found;
    for (const PcapngOption& option : options) {
      if (option.code == code) found.push_back(option.value);
    }
    return found;
  }
};

// The blocks of a pcapng file, read as the draft says and by what stands in the file alone. What is
// wrong with it fails the test.
inline std::vector<PcapngBlock> ParsePcapng(std::string_view file) {
  std::vector<PcapngBlock> blocks;
  ByteReader reader(AsBytes(file));
  while (reader.remaining() > 0) {
    PcapngBlock block;
    block.type = reader.U32Le();
    const uint32_t length = reader.U32Le();
    EXPECT_EQ(length % 4, 0);
    if (length < 12 || length - 8 > reader.remaining()) {
      ADD_FAILURE() << "length " << length;
      break;
    }
    const std::string_view inner = reader.Text(length - 12);
    EXPECT_EQ(reader.U32Le(), length) << "the length at the end";
    ByteReader body(AsBytes(inner));
    size_t fixed = 0;
    switch (block.type) {
      case 0x0A0D0D0A:
        fixed = 16;
        break;
      case 1:
        fixed = 8;
        break;
      case 5:
        fixed = 12;
        break;
      case 6: {
        ByteReader head(AsBytes(inner));
        head.Skip(12);
        fixed = 20 + (head.U32Le() + 3) / 4 * 4;
        break;
      }
      default:
        ADD_FAILURE() << "type " << block.type;
    }
    block.body = body.Text(fixed);
    while (body.remaining() > 0) {
      const uint16_t code = body.U16Le();
      const uint16_t size = body.U16Le();
      if (code == 0) {
        EXPECT_EQ(size, 0);
        EXPECT_EQ(body.remaining(), 0) << "something behind the end of options";
        break;
      }
      block.options.push_back({code, std::string(body.Text(size))});
      for (int i = size; i % 4 != 0; ++i) EXPECT_EQ(body.U8(), 0) << "padding";
    }
    EXPECT_TRUE(body.ok());
    blocks.push_back(std::move(block));
  }
  EXPECT_TRUE(reader.ok());
  return blocks;
}

}  // namespace kindling::base
