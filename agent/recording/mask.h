#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "agent/capture/events.h"
#include "agent/protocols/codec.h"
#include "model/protocol.h"

namespace kindling::agent {

// Replaces values in payload by others of the same length (letters and digits by 'x', digits of
// numbers that must stay numbers by '1'), keeping what a codec needs: framing, lengths, methods,
// commands, SQL keywords and names, status. What is not parsed is masked entirely, but for the
// first bytes of TLS, HTTP/2, PostgreSQL and Kafka by which they are recognised.
//
// Threads: the capture thread only.
// Limits:  remembers where kMaxFlows flows stand within a message; beyond that it forgets all of
// them,
//          and their next bytes are masked as values.
class PayloadMasker {
 public:
  // `bytes` are event.bytes in a copy of their own.
  void Mask(const DataEvent& event, model::Protocol protocol, Flow flow,
            std::span<std::byte> bytes);

 private:
  // Where a flow stands at the end of a call.
  struct Position {
    bool in_head = false;       // HTTP: between a first line and the empty line
    bool in_line = false;       // the call ended before its line did
    bool is_plain = false;      // what follows of that line stays
    std::string name;           // HTTP: the part of a header's name that came with the last call
    uint64_t packet_bytes = 0;  // MySQL: still to come of the packet
  };
  static constexpr size_t kMaxFlows = 65'536;

  static void MaskHttp(std::span<std::byte> bytes, Position& at);
  static void MaskRedis(Flow flow, std::span<std::byte> bytes, Position& at);
  static void MaskMysql(Flow flow, std::span<std::byte> bytes, uint64_t size, Position& at);

  absl::flat_hash_map<std::pair<ConnId, Flow>, Position> positions_;
};

}  // namespace kindling::agent
