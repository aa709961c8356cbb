#include "base/pcapng.h"

#include <algorithm>
#include <cstring>

#include "base/utf8.h"

namespace kindling::base {
namespace {

enum class Block : uint32_t {
  kSection = 0x0A0D0D0A,
  kInterface = 1,
  kStatistics = 5,
  kPacket = 6,
};

// Of any block.
constexpr uint16_t kComment = 1;
// Of a section.
constexpr uint16_t kHardware = 2, kOs = 3, kApplication = 4;
// Of an interface.
constexpr uint16_t kName = 2, kDescription = 3, kTimeResolution = 9, kFilter = 11,
                   kInterfaceOs = 12;
// Of a packet.
constexpr uint16_t kFlags = 2;
// Of statistics.
constexpr uint16_t kStartTime = 2, kEndTime = 3, kReceived = 4, kAccepted = 6, kOsDropped = 7,
                   kDelivered = 8;

constexpr uint32_t kByteOrderMagic = 0x1A2B3C4D;
constexpr size_t kHeaderBytes = 8;  // type and length of a block

// Builds one block at the end of `out`; its length is known when it is finished.
class BlockBuilder {
 public:
  BlockBuilder(Block type, std::string* out) : out_(*out), begin_(out->size()) {
    U32(static_cast<uint32_t>(type));
    U32(0);
  }

  void U16(uint16_t value) { Integer(value); }
  void U32(uint32_t value) { Integer(value); }
  void U64(uint64_t value) { Integer(value); }
  // Two halves, the upper one first.
  void Time(int64_t time_ns) {
    const auto value = static_cast<uint64_t>(time_ns);
    U32(static_cast<uint32_t>(value >> 32));
    U32(static_cast<uint32_t>(value));
  }
  void Padded(std::string_view bytes) {
    out_.append(bytes);
    out_.append((4 - bytes.size() % 4) % 4, '\0');
  }

  void Text(uint16_t code, std::string_view text, std::string_view prefix = {}) {
    if (text.empty()) return;
    const std::string_view cut = text.substr(0, kMaxPcapngTextBytes);
    std::string value(prefix);
    if (IsValidUtf8(cut)) {
      value.append(cut);
    } else {
      value.append(ToValidUtf8(cut));
    }
    Option(code, value);
  }
  void Comments(std::span<const std::string> comments) {
    for (const std::string& comment : comments) Text(kComment, comment);
  }
  void Byte(uint16_t code, char value) { Option(code, {&value, 1}); }
  void Number32(uint16_t code, uint32_t value) {
    OptionHead(code, sizeof(value));
    U32(value);
  }
  void Number64(uint16_t code, std::optional<uint64_t> value) {
    if (!value) return;
    OptionHead(code, sizeof(*value));
    U64(*value);
  }
  void TimeOption(uint16_t code, int64_t time_ns) {
    OptionHead(code, sizeof(time_ns));
    Time(time_ns);
  }

  void Finish() {
    if (has_options_) U32(0);  // the option that ends them
    const auto length = static_cast<uint32_t>(out_.size() - begin_ + sizeof(uint32_t));
    std::memcpy(out_.data() + begin_ + sizeof(uint32_t), &length, sizeof(length));
    U32(length);
  }

 private:
  // This machine is little-endian, as every one that the project runs on.
  template <typename T>
  void Integer(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void OptionHead(uint16_t code, size_t size) {
    has_options_ = true;
    U16(code);
    U16(static_cast<uint16_t>(size));
  }
  void Option(uint16_t code, std::string_view value) {
    OptionHead(code, value.size());
    Padded(value);
  }

  std::string& out_;
  const size_t begin_;
  bool has_options_ = false;
};

}  // namespace

void AppendPcapng(const PcapngSection& section, std::string* out) {
  BlockBuilder block(Block::kSection, out);
  block.U32(kByteOrderMagic);
  block.U16(1);  // version 1.0
  block.U16(0);
  block.U64(UINT64_MAX);  // the section's length is not known
  block.Comments(section.comments);
  block.Text(kHardware, section.hardware);
  block.Text(kOs, section.os);
  block.Text(kApplication, section.application);
  block.Finish();
}

void AppendPcapng(const PcapngInterface& interface, std::string* out) {
  BlockBuilder block(Block::kInterface, out);
  block.U16(static_cast<uint16_t>(interface.link));
  block.U16(0);
  block.U32(interface.snap_bytes);
  block.Text(kName, interface.name);
  block.Text(kDescription, interface.description);
  block.Byte(kTimeResolution, 9);                                    // 10^-9 s
  block.Text(kFilter, interface.filter, std::string_view("\0", 1));  // 0: text of libpcap
  block.Text(kInterfaceOs, interface.os);
  block.Finish();
}

void AppendPcapng(const PcapngPacket& packet, std::string* out) {
  BlockBuilder block(Block::kPacket, out);
  block.U32(packet.interface);
  block.Time(packet.time_ns);
  block.U32(static_cast<uint32_t>(packet.bytes.size()));
  block.U32(packet.original_bytes);
  block.Padded({reinterpret_cast<const char*>(packet.bytes.data()), packet.bytes.size()});
  const uint32_t flags =
      static_cast<uint32_t>(packet.direction) | static_cast<uint32_t>(packet.reception) << 2;
  if (flags != 0) block.Number32(kFlags, flags);
  block.Comments(packet.comments);
  block.Finish();
}

void AppendPcapng(const PcapngStatistics& statistics, std::string* out) {
  BlockBuilder block(Block::kStatistics, out);
  block.U32(statistics.interface);
  block.Time(statistics.time_ns);
  block.TimeOption(kStartTime, statistics.start_ns);
  block.TimeOption(kEndTime, statistics.end_ns);
  block.Number64(kReceived, statistics.received);
  block.Number64(kAccepted, statistics.accepted);
  block.Number64(kOsDropped, statistics.os_dropped);
  block.Number64(kDelivered, statistics.delivered);
  block.Comments(statistics.comments);
  block.Finish();
}

size_t WholePcapngBlocks(std::string_view blocks, size_t size) {
  size = std::min(size, blocks.size());
  size_t whole = 0;
  while (size - whole >= kHeaderBytes) {
    uint32_t length = 0;
    std::memcpy(&length, blocks.data() + whole + sizeof(uint32_t), sizeof(length));
    if (length < kHeaderBytes || length > size - whole) break;
    whole += length;
  }
  return whole;
}

}  // namespace kindling::base
