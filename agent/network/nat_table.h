#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <unordered_map>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "agent/capture/nat_event.h"

namespace kindling::agent {

// How NAT changes one connection, all namespaces together that it passes.
struct NatView {
  Endpoint client;  // the true one, as seen_as is what the server takes for it
  Endpoint asked;
  Endpoint server;  // the true one, where `asked` is what the client takes for it
  Endpoint seen_as;
  bool operator==(const NatView&) const = default;
};

// The flows that NAT changes now, of all namespaces in scope.
//
// The same addresses may be in use in namespaces that have nothing to do with each other: the own
// namespace's flow is meant where there is one, else the only one that it can be. Conntrack zones
// are not told apart.
//
// Threads: capture thread only.
// Limits:  max_flows; the oldest is forgotten for a new one, and counted.
class NatTable {
 public:
  struct Options {
    size_t max_flows = 65'536;
  };
  // Of a flow that goes, because it ended or was forgotten: nobody had asked for it, and it had
  // begun under the agent's eyes.
  using Unclaimed = std::function<void(const NatView&, model::Transport)>;
  NatTable(const Options& options, Unclaimed unclaimed)
      : options_(options), unclaimed_(std::move(unclaimed)) {}

  void OnEvent(const NatEvent& event);

  // Of the socket of the one who began a connection, and of the one who answers; both claim the
  // flows that it is made of. nullopt: NAT does not change it, or it is not clear how.
  std::optional<NatView> OfClient(model::Transport transport, uint32_t netns, const Endpoint& local,
                                  const Endpoint& remote);
  std::optional<NatView> OfServer(model::Transport transport, uint32_t netns, const Endpoint& local,
                                  const Endpoint& remote);
  // Gives those to `unclaimed` that are older than the call before and were not yet given.
  void EndWindow();

  size_t size() const { return flows_.size(); }
  uint64_t TakeForgotten() { return std::exchange(forgotten_, 0); }

 private:
  struct Flow {
    NatView view;
    uint32_t netns = 0;
    model::Transport transport = model::Transport::kUnknown;
    uint64_t list = 0;     // the one in which it was last seen
    uint64_t window = 0;   // in which it began
    bool is_told = false;  // claimed, or given to unclaimed_, or there before
  };
  using Flows = std::list<Flow>;  // the oldest first
  struct Pair {
    model::Transport transport;
    Endpoint from, to;
    bool operator==(const Pair&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Pair& pair) {
      return H::combine(std::move(h), pair.transport, pair.from, pair.to);
    }
  };
  using Index = std::unordered_multimap<Pair, Flows::iterator, absl::Hash<Pair>>;

  static Pair AskedOf(const Flow& flow) {
    return {flow.transport, flow.view.client, flow.view.asked};
  }
  static Pair AnsweredOf(const Flow& flow) {
    return {flow.transport, flow.view.server, flow.view.seen_as};
  }
  static Flow* Find(const Index& index, const Pair& pair, uint32_t netns);
  Flows::iterator FindOwn(const NatEvent& event);
  void Add(const NatEvent& event);
  void Erase(Flows::iterator flow);
  void Tell(Flow& flow);

  const Options options_;
  const Unclaimed unclaimed_;
  Flows flows_;
  Index by_asked_;                                 // from the client to whom it asks
  Index by_answered_;                              // from the server to whom it sees
  absl::flat_hash_map<uint32_t, uint64_t> lists_;  // of a namespace, the one that is being told
  uint64_t list_ = 1;
  uint64_t window_ = 1;
  uint64_t forgotten_ = 0;
};

}  // namespace kindling::agent
