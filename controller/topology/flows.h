#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "base/hash.h"
#include "controller/topology/address_table.h"
#include "controller/topology/coverage.h"
#include "model/records.h"
#include "storage/flow_run.h"
#include "storage/span_search.h"

namespace kindling::controller {

// How many requests each side saw of who called whom, by slots of time and without their endpoints.
// From that follows whose the requests are that a server saw from an address, and which side's view
// stands for an edge.
//
// Threads: one at a time.
// Limits:  at most kMaxSlots slots for each flow.
class Flows {
 public:
  static constexpr int64_t kMaxSlots = 120;

  // `table` must outlive this. Windows at the ends of the range are ragged: one side's may not be
  // in it, or not yet.
  Flows(const AddressTable& table, int64_t start_ns, int64_t end_ns);

  // What rows of these ends count towards. `is_remote`: they are a server's, which knows its client
  // by nothing but an address. Lifetime: until Finish().
  struct Flow {
    model::Side side = model::Side::kUnknown;
    EndName client;
    std::string address;  // of the client
    std::string host;     // of who saw it
    std::string server;
    uint32_t client_number = 0;  // of its name
    uint32_t server_number = 0;
    model::Protocol protocol = model::Protocol::kUnknown;
    model::Transport transport = model::Transport::kUnknown;
    bool is_remote = false;
    Slots slots;
    uint64_t count = 0;
    uint64_t lost = 0;
    uint64_t ragged = 0;
    std::map<int64_t, uint64_t> latest;  // by window, of those at the end of the range
    uint64_t unclaimed = 0;              // a client's, not yet found among what a server saw
    int64_t* reported_ns = nullptr;      // of its host
  };
  Flow& FlowOf(const storage::SpanEnds& ends, const EndName& client, const std::string& server,
               bool is_remote);
  void Count(const storage::FlowRow& row, Flow& flow);
  // Call once, after the last row.
  void Finish();

  // All below: after Finish().

  // Where requests came from that a server saw from an address.
  struct Origin {
    std::string address;
    std::string server;
    model::Protocol protocol = model::Protocol::kUnknown;
    model::Transport transport = model::Transport::kUnknown;
    std::set<EndName> callers;  // watched workloads that call it from there
    uint64_t count = 0;         // of the server's view
    uint64_t lost = 0;
    uint64_t caller_count = 0;  // of the callers' own
    // Of `count`, how many none of the callers made: a program beside them that is not watched, or
    // one behind the address.
    uint64_t outside = 0;
    // How many more the callers made than the server saw, beyond the counted loss; only of several.
    uint64_t unexplained = 0;

    // Whose all of them are; null when that cannot be told.
    const EndName* owner() const {
      return callers.size() == 1 && outside == 0 ? &*callers.begin() : nullptr;
    }
  };
  // Null: no watched workload calls `server` from there.
  const Origin* OriginOf(const std::string& address, const std::string& server_host,
                         const std::string& server, model::Protocol protocol,
                         model::Transport transport) const;
  // The watched workload that all requests to `server` from there are of, in whatever protocol;
  // null when there is none or more than one.
  const EndName* OwnerFrom(const std::string& address, const std::string& server_host,
                           const std::string& server, model::Transport transport) const;
  std::vector<const Origin*> origins() const;

  // What is known of two ends that were both watched.
  struct Verdict {
    Choice choice;
    uint64_t client_count = 0;
    uint64_t server_count = 0;
    // By how much the two differ beyond what is known to be lost.
    uint64_t unexplained = 0;
  };
  // Null: one side only was watched.
  const Verdict* VerdictOf(const std::string& client, const std::string& server,
                           model::Protocol protocol, model::Transport transport) const;
  bool has_mixed() const { return has_mixed_; }

  uint32_t SlotOf(int64_t window_start_ns) const;
  // From the beginning of the first window that anybody told of to the end of the last; 0 without
  // any.
  int64_t first_ns() const { return first_ns_; }
  int64_t last_ns() const { return last_ns_; }

 private:
  // Side, texts of a client, its address and who saw it, the server; texts by number.
  using FlowKey =
      std::tuple<model::Side, std::array<uint32_t, 6>, model::Protocol, model::Transport>;
  using ServerKey = std::tuple<std::string, model::Protocol, model::Transport>;
  // With the host on which the address means something; empty: it is unique.
  using OriginKey = std::tuple<std::string, std::string, ServerKey>;
  // Names by number.
  using ServerNumber = std::tuple<uint32_t, model::Protocol, model::Transport>;
  using PairNumber = std::tuple<uint32_t, ServerNumber>;
  struct Pair;

  static ServerKey ServerOf(const Flow& flow) {
    return {flow.server, flow.protocol, flow.transport};
  }
  static ServerNumber NumberOf(const Flow& flow) {
    return {flow.server_number, flow.protocol, flow.transport};
  }
  static PairNumber PairOf(const Flow& flow) { return {flow.client_number, NumberOf(flow)}; }
  uint32_t NumberOf(const std::string& text);
  OriginKey OriginKeyOf(const std::string& address, const std::string& server_host,
                        ServerKey server) const;
  // Whether `caller` may be who the server saw from an address.
  bool MayCallFrom(const Flow& caller, const OriginKey& place) const;
  void FindOrigin(const OriginKey& key, const std::vector<Flow*>& seen);
  void FindOrigins();
  void MakeVerdicts();

  const AddressTable& table_;
  const int64_t start_ns_;
  const int64_t end_ns_;
  const int64_t slot_ns_;
  base::StringMap<uint32_t> numbers_;  // of texts
  absl::node_hash_map<FlowKey, Flow> flows_;
  std::map<std::string, int64_t> reported_ns_;  // by host: the last window it told of
  absl::flat_hash_map<ServerNumber, std::vector<Flow*>> callers_;
  std::map<OriginKey, Origin> origins_;
  std::map<OriginKey, std::vector<Flow*>> callers_of_;
  absl::node_hash_map<PairNumber, Verdict> verdicts_;
  bool has_mixed_ = false;
  int64_t first_ns_ = 0;
  int64_t last_ns_ = 0;
};

}  // namespace kindling::controller
