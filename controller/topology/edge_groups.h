#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/node_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "controller/topology/address_table.h"
#include "controller/topology/flows.h"
#include "model/records.h"
#include "storage/flow_run.h"
#include "storage/span_search.h"

namespace kindling::controller {

// All that one observer's side saw between two named ends with one endpoint and status, over the
// whole range.
struct EdgeGroup {
  EndName client;
  EndName server;
  model::EdgeStats sum;
  // The part of what a server saw from an address that none of the watched workloads there made.
  bool is_remainder = false;
  // Of either side, by what Flows chose for each slot of time; beside the groups of both sides.
  bool is_mixed = false;
};

// Sums EdgeStats rows over a time range and names their ends.
//
// A server knows a client on another host by its address only. Once all rows are in, Finish() gives
// such rows to the client that was itself seen calling that server from that address, if there is
// exactly one and it made as many requests. What none of the clients there made is shown as the
// address's own: never a workload's.
//
// An edge whose views cover the range unequally wants the rows a second time (AddAgain).
//
// Threads: one at a time.
// Limits:  kMaxGroups groups.
class EdgeGroups {
 public:
  static constexpr size_t kMaxGroups = 100'000;

  // `table` must outlive this.
  EdgeGroups(const AddressTable& table, int64_t start_ns, int64_t end_ns);
  EdgeGroups(const EdgeGroups&) = delete;
  EdgeGroups& operator=(const EdgeGroups&) = delete;

  // RESOURCE_EXHAUSTED when there are too many groups to answer.
  absl::Status Add(const model::EdgeStats& row);

  // The same of a flow's rows, of one answer of the store; not together with Add.
  absl::Status AddFlow(const storage::FlowRun& run);

  // Call once, after the last Add.
  void Finish();

  // After Finish(): whether all rows of the range should be given to AddAgain, then FinishAgain be
  // called.
  bool wants_rows_again() const { return flows_.has_mixed(); }
  absl::Status AddAgain(const model::EdgeStats& row);
  absl::Status AddFlowAgain(const storage::FlowRun& run);
  void FinishAgain();

  // After Finish().
  const std::vector<EdgeGroup>& groups() const { return finished_; }
  const Flows& flows() const { return flows_; }

  // The names of the two ends of something that `observer` saw at `time_ns`; after Finish() also of
  // clients that a server knows by address only. Without a protocol: of all that passed between
  // them.
  struct Ends {
    EndName client;
    EndName server;
    auto operator<=>(const Ends&) const = default;
  };
  Ends NameEnds(model::Side observer, const model::Party& client, const model::Party& server,
                std::optional<model::Protocol> protocol, model::Transport transport,
                int64_t time_ns) const;

 private:
  // Two named ends as rows of one side have them in common.
  struct Pair {
    EndName client;
    EndName server;
    model::Side observer;
    model::Protocol protocol;
    model::Transport transport;
    std::string remote_client;  // address of a client that only its server saw
    bool operator==(const Pair&) const = default;

    template <typename H>
    friend H AbslHashValue(H h, const Pair& pair) {
      return H::combine(std::move(h), pair.client, pair.server, pair.observer, pair.protocol,
                        pair.transport, pair.remote_client);
    }
  };
  struct Key {
    uint32_t pair = 0;  // its number
    model::Outcome outcome;
    std::string endpoint;
    std::string status_code;
    bool operator==(const Key&) const = default;

    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.pair, key.outcome, key.endpoint, key.status_code);
    }
  };
  struct Groups {
    std::vector<EdgeGroup> all;
    std::vector<uint32_t> pairs;  // of each
    absl::flat_hash_map<Key, uint32_t> numbers;

    // The number of the group, and whether it is new: then it has its names and no more.
    std::pair<uint32_t, bool> Find(Key key, const std::vector<Pair>& names);
  };
  // Rows by who talked to whom, before names: most rows are like one that came before.
  struct Known {
    uint32_t pair = 0;
    Flows::Flow* flow = nullptr;
    // Of windows that end in this time.
    int64_t from_ns = 0;
    int64_t until_ns = 0;
    bool Holds(int64_t time_ns) const { return from_ns <= time_ns && time_ns < until_ns; }
  };
  // Of a run of the store.
  struct KnownFlow : Known {
    std::optional<uint32_t> group;   // its number, once there is one
    const Choice* choice = nullptr;  // the second time: of an edge that is mixed
  };
  struct PartiesHash {
    using is_transparent = void;
    size_t operator()(const storage::SpanEnds& ends) const { return absl::HashOf(ends); }
    size_t operator()(const model::EdgeStats& row) const {
      return absl::HashOf(row.observer, row.protocol, row.transport, row.client, row.server);
    }
  };
  struct PartiesEqual {
    using is_transparent = void;
    bool operator()(const storage::SpanEnds& a, const storage::SpanEnds& b) const { return a == b; }
    bool operator()(const storage::SpanEnds& ends, const model::EdgeStats& row) const {
      return ends.side == row.observer && ends.protocol == row.protocol &&
             ends.transport == row.transport && ends.client == row.client &&
             ends.server == row.server;
    }
  };
  using KnownMap = absl::node_hash_map<storage::SpanEnds, Known, PartiesHash, PartiesEqual>;

  Known& KnownOf(const model::EdgeStats& row);
  KnownFlow& KnownOf(const storage::FlowRun& run);
  // What holds around the time of all between these ends.
  Known Learn(const storage::SpanEnds& ends, int64_t time_ns);
  KnownFlow LearnAgain(const storage::SpanEnds& ends, int64_t time_ns);
  void Narrow(const storage::SpanEnds& ends, int64_t time_ns, Known& known) const;
  // Whose view stands for a mixed edge in a window.
  bool IsOfClient(const Choice& choice, int64_t window_start_ns) const;
  uint32_t NumberOf(Pair pair);
  absl::Status AddTo(Groups& groups, const storage::FlowRun& run, const storage::FlowRow& row,
                     KnownFlow& known);
  absl::Status AddTo(Groups& groups, uint32_t pair, const model::EdgeStats& row);
  EndName ServerName(model::Side observer, const model::Party& client, const model::Party& server,
                     model::Transport transport, int64_t time_ns) const;
  EndName ClientName(model::Side observer, const model::Party& client, const model::Party& server,
                     model::Transport transport, int64_t time_ns) const;
  const Flows::Origin* OriginOf(const Pair& pair) const;
  // What is left of `seen`, all from one address, without what its watched callers made themselves.
  void AddRemainder(const Flows::Origin& origin, std::vector<EdgeGroup> seen);

  const AddressTable& table_;
  Flows flows_;
  std::vector<Pair> pairs_;  // by number
  // The numbers, found by what they are of.
  struct PairHash {
    using is_transparent = void;
    const std::vector<Pair>* pairs;
    size_t operator()(const Pair& pair) const { return absl::HashOf(pair); }
    size_t operator()(uint32_t number) const { return absl::HashOf((*pairs)[number]); }
  };
  struct PairEqual {
    using is_transparent = void;
    const std::vector<Pair>* pairs;
    bool operator()(uint32_t a, uint32_t b) const { return a == b; }
    bool operator()(uint32_t number, const Pair& pair) const { return (*pairs)[number] == pair; }
    bool operator()(const Pair& pair, uint32_t number) const { return (*pairs)[number] == pair; }
  };
  absl::flat_hash_set<uint32_t, PairHash, PairEqual> pair_numbers_;
  KnownMap known_;
  KnownMap::value_type* last_known_ = nullptr;
  std::vector<KnownFlow> known_flows_;  // by number
  Groups groups_;
  Groups mixed_;
  bool done_ = false;
  std::vector<EdgeGroup> finished_;
};

}  // namespace kindling::controller
