#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "controller/topology/address_table.h"
#include "model/records.h"

namespace kindling::controller {

// All that one observer's side saw between two named ends with one endpoint and status, over the
// whole range.
struct EdgeGroup {
  EndName client;
  EndName server;
  model::EdgeStats sum;
  // Requests of windows so near the ends of the range that the other side's may not be in it.
  uint64_t ragged_count = 0;
};

// The requests that a server saw from an address where several workloads call it: whose they are
// cannot be told.
struct SharedAddress {
  std::string address;
  std::set<std::string> clients;
  std::string server;
  model::Protocol protocol = model::Protocol::kUnknown;
  model::Transport transport = model::Transport::kUnknown;
  uint64_t server_count = 0;
  uint64_t server_lost = 0;
  uint64_t ragged_count = 0;
};

// Sums EdgeStats rows over a time range and names their ends.
//
// A server knows a client on another host by its address only. Once all rows are in, Finish() gives
// such rows to the client that was itself seen calling that server from that address, if there is
// exactly one.
//
// Threads: one at a time.
// Limits:  kMaxGroups groups.
class EdgeGroups {
 public:
  static constexpr size_t kMaxGroups = 100'000;

  // Rows within `ragged_ns` of either end of the range are counted apart. `table` must outlive
  // this.
  EdgeGroups(const AddressTable& table, int64_t start_ns, int64_t end_ns);

  // RESOURCE_EXHAUSTED when there are too many groups to answer.
  absl::Status Add(const model::EdgeStats& row);

  // Call once, after the last Add.
  void Finish();

  // After Finish().
  const std::vector<EdgeGroup>& groups() const { return finished_; }
  const std::vector<SharedAddress>& shared() const { return shared_; }

  // The names of the two ends of something that `observer` saw at `time_ns`; after Finish() also of
  // clients that a server knows by address only.
  struct Ends {
    EndName client;
    EndName server;
  };
  Ends NameEnds(model::Side observer, const model::Party& client, const model::Party& server,
                model::Protocol protocol, model::Transport transport, int64_t time_ns) const;

 private:
  struct Key {
    EndName client;
    EndName server;
    model::Side observer;
    model::Protocol protocol;
    model::Transport transport;
    model::Outcome outcome;
    std::string endpoint;
    std::string status_code;
    std::string remote_client;  // address of a client that only its server saw
    bool operator==(const Key&) const = default;

    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.client, key.server, key.observer, key.protocol,
                        key.transport, key.outcome, key.endpoint, key.status_code,
                        key.remote_client);
    }
  };
  using Callers = std::set<EndName>;
  // A server, and where its callers call from: an address, or "@" and a host.
  using CallPlace = std::tuple<std::string, model::Protocol, model::Transport, std::string>;

  EndName ServerName(model::Side observer, const model::Party& client, const model::Party& server,
                     model::Transport transport, int64_t time_ns) const;
  EndName ClientName(model::Side observer, const model::Party& client, const model::Party& server,
                     model::Transport transport, int64_t time_ns) const;
  // The workloads that were themselves seen calling `server` from `address`.
  Callers CallersFrom(const std::string& address, const std::string& server,
                      model::Protocol protocol, model::Transport transport) const;

  const AddressTable& table_;
  const int64_t start_ns_;
  const int64_t end_ns_;
  absl::flat_hash_map<Key, EdgeGroup> groups_;
  std::map<CallPlace, Callers> callers_;
  bool done_ = false;
  std::vector<EdgeGroup> finished_;
  std::vector<SharedAddress> shared_;
};

// Adds the counts of `row` to `sum`.
void AddCounts(const model::EdgeStats& row, model::EdgeStats& sum);

}  // namespace kindling::controller
