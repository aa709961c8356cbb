#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "agent/aggregate/window_source.h"
#include "agent/capture/events.h"
#include "model/edge_labels.h"
#include "model/records.h"

namespace kindling::agent {

// Sums dropped packets by edge, reason, protocol and direction over the aggregator's windows, and
// what UDP sockets count themselves, and gives it as metric series (model/drop_metrics.h).
//
// Threads: capture thread only.
// Limits:  max_rows sums a window; of what is beyond the reason stays and the ends are "(other)".
//          What sockets had counted before is kept of max_sockets; those beyond are not told of.
class DropStats final : public WindowSource {
 public:
  struct Options {
    std::string host;  // where packets are dropped
    size_t max_rows = 5'000;
    size_t max_sockets = 20'000;
  };
  explicit DropStats(const Options& options) : options_(options) {}

  void OnDrop(const model::EdgeEnds& ends, const DropSample& sample);
  void OnDatagrams(const model::EdgeEnds& ends, const DatagramSample& sample);

  void EmitWindow(int64_t start_ns, model::Batch& batch) override;

  size_t rows() const { return rows_.size(); }
  size_t sockets() const { return sockets_.size(); }

 private:
  struct Key {
    model::EdgeEnds ends;
    std::string reason;
    std::string_view protocol;
    Direction direction = Direction::kReceived;
    bool operator==(const Key&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.ends, key.reason, key.protocol, key.direction);
    }
  };
  struct Sum {
    uint64_t packets = 0;
    uint64_t bytes = 0;
  };
  struct Socket {
    uint32_t drops = 0;
    uint64_t window = 0;  // when last
  };
  static constexpr uint64_t kForgottenAfter = 30;  // windows

  const Options options_;
  absl::flat_hash_map<Key, Sum> rows_;
  absl::flat_hash_map<model::EdgeEnds, uint64_t> receive_drops_;
  absl::flat_hash_map<ConnId, Socket> sockets_;
  uint64_t windows_ = 0;
};

// "tcp" of a packet's protocol; "ip" of one that has no name here, "other" of what is no IP.
std::string_view PacketProtocol(uint16_t ethertype, uint8_t protocol);

}  // namespace kindling::agent
