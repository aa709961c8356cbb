#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "controller/topology/address_table.h"
#include "controller/topology/flows.h"
#include "model/records.h"

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

  // RESOURCE_EXHAUSTED when there are too many groups to answer.
  absl::Status Add(const model::EdgeStats& row);

  // Call once, after the last Add.
  void Finish();

  // After Finish(): whether all rows of the range should be given to AddAgain, then FinishAgain be
  // called.
  bool wants_rows_again() const { return flows_.has_mixed(); }
  absl::Status AddAgain(const model::EdgeStats& row);
  void FinishAgain();

  // After Finish().
  const std::vector<EdgeGroup>& groups() const { return finished_; }
  const Flows& flows() const { return flows_; }

  // The names of the two ends of something that `observer` saw at `time_ns`; after Finish() also of
  // clients that a server knows by address only.
  struct Ends {
    EndName client;
    EndName server;
    bool operator==(const Ends&) const = default;
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
  using GroupMap = absl::flat_hash_map<Key, EdgeGroup>;

  EndName ServerName(model::Side observer, const model::Party& client, const model::Party& server,
                     model::Transport transport, int64_t time_ns) const;
  EndName ClientName(model::Side observer, const model::Party& client, const model::Party& server,
                     model::Transport transport, int64_t time_ns) const;
  const Flows::Origin* OriginOf(const Key& key) const;
  absl::Status AddTo(GroupMap& groups, Key key, const model::EdgeStats& row) const;
  // What is left of `seen`, all from one address, without what its watched callers made themselves.
  void AddRemainder(const Flows::Origin& origin, std::vector<std::pair<Key, EdgeGroup>> seen);

  const AddressTable& table_;
  Flows flows_;
  GroupMap groups_;
  GroupMap mixed_;
  bool done_ = false;
  std::vector<EdgeGroup> finished_;
};

// Adds the counts of `row` to `sum`.
void AddCounts(const model::EdgeStats& row, model::EdgeStats& sum);

}  // namespace kindling::controller
