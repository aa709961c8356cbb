#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "agent/aggregate/window_source.h"
#include "agent/network/nat_table.h"
#include "model/edge_labels.h"
#include "model/records.h"

namespace kindling::agent {

// Counts the connections that NAT changes by their true ends, and says whom the client asked and as
// whom the server sees it, as metric series (model/nat_metrics.h). A flow that no socket in scope
// has, as where this host only forwards, is counted with its addresses for ends.
//
// Threads: capture thread only.
// Limits:  max_rows rows a window; what is beyond goes to one whose ends are "(other)".
class NatStats final : public WindowSource {
 public:
  struct Options {
    std::string host;
    size_t max_rows = 5'000;
    NatTable::Options table;
  };
  explicit NatStats(Options options);

  void OnEvent(const NatEvent& event);
  // A connection with the ends as its observer knows them.
  void OnConnection(const model::EdgeEnds& ends, const NatView& view, model::Transport transport);

  void EmitWindow(int64_t start_ns, model::Batch& batch) override;

  NatTable& table() { return table_; }
  size_t rows() const { return rows_.size(); }

 private:
  struct Row {
    model::EdgeEnds ends;
    model::Transport transport = model::Transport::kUnknown;
    std::string kind;
    std::string asked;
    std::string seen_as;
    bool operator==(const Row&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Row& row) {
      return H::combine(std::move(h), row.ends, row.transport, row.kind, row.asked, row.seen_as);
    }
  };

  const Options options_;
  absl::flat_hash_map<Row, uint64_t> rows_;
  uint64_t lost_ = 0;
  NatTable table_;  // last: it calls back
};

}  // namespace kindling::agent
