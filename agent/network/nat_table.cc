#include "agent/network/nat_table.h"

#include <utility>

namespace kindling::agent {
namespace {

// Of namespaces that change one connection one after the other.
constexpr int kMaxHops = 4;

Endpoint Plain(const Endpoint& endpoint) {
  return {.address = Unmapped(endpoint.address), .port = endpoint.port};
}

}  // namespace

void NatTable::OnEvent(const NatEvent& event) {
  switch (event.kind) {
    case NatEventKind::kNew:
    case NatEventKind::kFound:
      return Add(event);
    case NatEventKind::kEnded:
      if (const auto flow = FindOwn(event); flow != flows_.end()) Erase(flow);
      return;
    case NatEventKind::kListBegin:
      lists_[event.netns] = ++list_;
      return;
    case NatEventKind::kListEnd: {
      const auto begun = lists_.find(event.netns);
      if (begun == lists_.end()) return;
      for (auto flow = flows_.begin(); flow != flows_.end();) {
        const auto next = std::next(flow);
        if (flow->netns == event.netns && flow->list < begun->second) Erase(flow);
        flow = next;
      }
      lists_.erase(begun);
      return;
    }
    case NatEventKind::kLost:
      return;
  }
}

NatTable::Flows::iterator NatTable::FindOwn(const NatEvent& event) {
  const auto [begin, end] = by_asked_.equal_range({event.transport, event.client, event.asked});
  for (auto entry = begin; entry != end; ++entry) {
    if (entry->second->netns == event.netns) return entry->second;
  }
  return flows_.end();
}

void NatTable::Add(const NatEvent& event) {
  const NatView view{.client = event.client,
                     .asked = event.asked,
                     .server = event.server,
                     .seen_as = event.seen_as};
  if (const auto known = FindOwn(event); known != flows_.end()) {
    if (known->view == view) {
      known->list = list_;
      return;
    }
    Erase(known);  // the end of the one before was not told
  }
  if (flows_.size() >= options_.max_flows) {
    ++forgotten_;
    Erase(flows_.begin());
  }
  flows_.push_back({.view = view,
                    .netns = event.netns,
                    .transport = event.transport,
                    .list = list_,
                    .window = window_,
                    .is_told = event.kind == NatEventKind::kFound});
  const auto flow = std::prev(flows_.end());
  by_asked_.emplace(AskedOf(*flow), flow);
  by_answered_.emplace(AnsweredOf(*flow), flow);
}

void NatTable::Erase(Flows::iterator flow) {
  const auto erase = [&](Index& index, const Pair& pair) {
    const auto [begin, end] = index.equal_range(pair);
    for (auto entry = begin; entry != end; ++entry) {
      if (entry->second != flow) continue;
      index.erase(entry);
      return;
    }
  };
  erase(by_asked_, AskedOf(*flow));
  erase(by_answered_, AnsweredOf(*flow));
  Tell(*flow);
  flows_.erase(flow);
}

void NatTable::Tell(Flow& flow) {
  if (!std::exchange(flow.is_told, true)) unclaimed_(flow.view, flow.transport);
}

NatTable::Flow* NatTable::Find(const Index& index, const Pair& pair, uint32_t netns) {
  const auto [begin, end] = index.equal_range(pair);
  Flow* found = nullptr;
  for (auto entry = begin; entry != end; ++entry) {
    Flow& flow = *entry->second;
    if (flow.netns == netns) return &flow;
    if (found != nullptr && found->view != flow.view) return nullptr;
    found = &flow;
  }
  return found;
}

std::optional<NatView> NatTable::OfClient(model::Transport transport, uint32_t netns,
                                          const Endpoint& local, const Endpoint& remote) {
  if (flows_.empty()) return std::nullopt;
  std::optional<NatView> view;
  Pair pair{transport, Plain(local), Plain(remote)};
  for (int hop = 0; hop < kMaxHops; ++hop) {
    Flow* flow = Find(by_asked_, pair, netns);
    if (flow == nullptr) break;
    flow->is_told = true;
    if (!view) view = flow->view;
    view->server = flow->view.server;
    view->seen_as = flow->view.seen_as;
    // The next one takes it for a connection from as whom it is seen to where it goes.
    Pair next{transport, flow->view.seen_as, flow->view.server};
    if (next == pair) break;
    pair = next;
    netns = 0;
  }
  return view;
}

std::optional<NatView> NatTable::OfServer(model::Transport transport, uint32_t netns,
                                          const Endpoint& local, const Endpoint& remote) {
  if (flows_.empty()) return std::nullopt;
  std::optional<NatView> view;
  Pair pair{transport, Plain(local), Plain(remote)};
  for (int hop = 0; hop < kMaxHops; ++hop) {
    Flow* flow = Find(by_answered_, pair, netns);
    if (flow == nullptr) break;
    flow->is_told = true;
    if (!view) view = flow->view;
    view->client = flow->view.client;
    view->asked = flow->view.asked;
    Pair next{transport, flow->view.asked, flow->view.client};
    if (next == pair) break;
    pair = next;
    netns = 0;
  }
  return view;
}

void NatTable::EndWindow() {
  for (Flow& flow : flows_) {
    if (flow.window < window_) Tell(flow);
  }
  ++window_;
}

}  // namespace kindling::agent
