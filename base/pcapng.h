#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Writes the blocks of a pcapng file (draft-ietf-opsawg-pcapng), little-endian, times in ns since
// the Unix epoch. A file is a section, its interfaces, packets, and at the end what was counted of
// each interface; an interface may be described any time before its first packet.
//
// Threads: any; each function appends one whole block to `out`.
// Limits:  texts are cut off at kMaxPcapngTextBytes; bytes that are not UTF-8 become '?'.
namespace kindling::base {

inline constexpr size_t kMaxPcapngTextBytes = 32 << 10;

// LINKTYPE_*: what the bytes of a packet begin with.
enum class PcapngLink : uint16_t { kEthernet = 1, kRawIp = 101 };

struct PcapngSection {
  std::string_view hardware;
  std::string_view os;
  std::string_view application;
  std::span<const std::string> comments = {};
};

struct PcapngInterface {
  PcapngLink link = PcapngLink::kEthernet;
  uint32_t snap_bytes = 0;  // 0: packets are whole
  std::string_view name;
  std::string_view description;
  std::string_view filter;  // as pcap-filter(7) writes it
  std::string_view os;      // of the machine that has it
};

// As the interface saw the packet. The values are those of the format.
enum class PcapngDirection : uint8_t { kUnknown = 0, kInbound = 1, kOutbound = 2 };
enum class PcapngReception : uint8_t {
  kUnknown = 0,
  kUnicast = 1,
  kMulticast = 2,
  kBroadcast = 3,
  kPromiscuous = 4,  // meant for another machine
};

struct PcapngPacket {
  uint32_t interface = 0;  // in the order in which interfaces were appended, from 0
  int64_t time_ns = 0;
  uint32_t original_bytes = 0;       // on the wire, at least bytes.size()
  std::span<const std::byte> bytes;  // as captured
  PcapngDirection direction = PcapngDirection::kUnknown;
  PcapngReception reception = PcapngReception::kUnknown;
  std::span<const std::string> comments = {};
};

struct PcapngStatistics {
  uint32_t interface = 0;
  int64_t time_ns = 0;  // when it was counted
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  std::optional<uint64_t> received;    // by the interface
  std::optional<uint64_t> accepted;    // by the filter
  std::optional<uint64_t> os_dropped;  // for want of room between kernel and program
  std::optional<uint64_t> delivered;
  std::span<const std::string> comments = {};
};

void AppendPcapng(const PcapngSection& section, std::string* out);
void AppendPcapng(const PcapngInterface& interface, std::string* out);
void AppendPcapng(const PcapngPacket& packet, std::string* out);
void AppendPcapng(const PcapngStatistics& statistics, std::string* out);

// How many of the first `size` bytes of `blocks`, which begins with a block, are whole blocks.
size_t WholePcapngBlocks(std::string_view blocks, size_t size);

}  // namespace kindling::base
