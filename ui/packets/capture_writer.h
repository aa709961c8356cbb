#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "kindling/v1/packets.pb.h"
#include "ui/packets/capture_file.h"
#include "ui/packets/packet_merge.h"

namespace kindling::ui {

// Writes what several nodes capture to one file, in the order of time: interfaces, packets with
// direction and owners, and at the end what was counted of each interface and lost of each
// namespace.
//
// Threads: one.
// Limits:  those of PacketMerge; kMaxInterfaces of all nodes, and kMaxSources of each.
// Failure: that of the file, from every call once it has failed; and InvalidArgument for what
// cannot
//          be read, which is left out.
class CaptureWriter {
 public:
  static constexpr size_t kMaxInterfaces = 65536;
  static constexpr size_t kMaxSources = 1024;

  struct Options {
    std::string filter;       // as the user gave it
    uint32_t snap_bytes = 0;  // 0: whole packets
    uint64_t max_bytes = 0;   // of the file; 0: no cap
    std::string application;
    PacketMerge::Options merge;
  };
  // What a node captured, as it last said.
  struct NodeCounts {
    uint64_t packets = 0;
    uint64_t bytes = 0;
    uint64_t dropped = 0;   // or of more interfaces than an agent tells apart
    uint64_t left_out = 0;  // beyond the rate asked for
  };

  // `file` must outlive this.
  CaptureWriter(const Options& options, CaptureFile& file);

  // A node from which something is to come; its number. `now_ns` here and below: any clock that
  // goes on.
  uint32_t BeginNode(const std::string& name, int64_t now_ns);
  absl::Status Take(uint32_t node, v1::PacketCaptureOutput output, int64_t now_ns);
  // Nothing more comes from it. `why`: what became of it, where that is not the end asked for.
  void EndNode(uint32_t node, const std::string& why);
  // Writes what need not wait.
  absl::Status Write(int64_t now_ns);
  // Writes everything and the counts. Call last; the file is to be closed by its owner.
  absl::Status Finish();

  // The file's cap is reached: what comes is left out.
  bool is_full() const { return is_full_; }
  uint64_t packets() const { return packets_; }  // written
  uint64_t late() const { return merge_.late(); }
  NodeCounts CountsOf(uint32_t node) const;

 private:
  struct Interface {
    uint32_t number = 0;  // in the file
    uint32_t source = 0;
    uint64_t packets = 0;  // written
    int64_t first_ns = 0;
    int64_t last_ns = 0;
  };
  struct Node {
    std::string name;
    std::string why;
    uint32_t head = 0;                     // its stream until its sources are known
    std::map<uint32_t, uint32_t> streams;  // by source
    std::map<uint32_t, Interface> interfaces;
    std::map<uint32_t, v1::PacketSource> sources;
  };

  absl::Status TakeInterface(Node& node, const v1::PacketInterface& interface);
  absl::Status TakeBatch(Node& node, v1::PacketBatch* batch, int64_t now_ns);
  void TakeProgress(Node& node, const v1::PacketProgress& progress, int64_t now_ns);
  uint32_t NewStream(uint32_t node, int64_t now_ns);
  void WritePacket(const MergedPacket& packet);
  void WriteCounts(const Node& node);

  const Options options_;
  CaptureFile& file_;
  PacketMerge merge_;
  std::vector<Node> nodes_;
  std::vector<uint32_t> node_of_stream_;
  uint32_t interfaces_ = 0;
  uint64_t packets_ = 0;
  bool is_full_ = false;
};

}  // namespace kindling::ui
