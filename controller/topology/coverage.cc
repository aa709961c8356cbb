#include "controller/topology/coverage.h"

#include <algorithm>
#include <array>
#include <set>

namespace kindling::controller {
namespace {

constexpr size_t kServer = 0;
constexpr size_t kClient = 1;
// Of the requests of a slot, so many may fall on either side of its end.
constexpr int64_t kAtTheEnd = 50;  // 1 / 50

int64_t Worth(const Slots& slots, uint32_t slot) {
  const auto it = slots.find(slot);
  if (it == slots.end()) return 0;
  return static_cast<int64_t>(it->second.count) - static_cast<int64_t>(it->second.lost);
}

int64_t Total(const Slots& slots) {
  int64_t total = 0;
  for (const auto& [slot, tally] : slots) total += static_cast<int64_t>(tally.count);
  return total;
}

}  // namespace

Choice ChooseViews(const Slots& client, const Slots& server) {
  std::set<uint32_t> all;
  for (const auto& [slot, tally] : client) all.insert(slot);
  for (const auto& [slot, tally] : server) all.insert(slot);
  if (all.empty()) return {};
  const int64_t mean = std::max(Total(client), Total(server)) / static_cast<int64_t>(all.size());
  const int64_t change_cost = 1 + mean / kAtTheEnd;

  // The best way to each view of a slot, and the view before it.
  std::array<int64_t, 2> best = {0, 0};
  std::vector<std::array<size_t, 2>> from;
  for (const uint32_t slot : all) {
    const std::array<int64_t, 2> worth = {Worth(server, slot), Worth(client, slot)};
    std::array<int64_t, 2> next;
    std::array<size_t, 2> before;
    for (const size_t view : {kServer, kClient}) {
      const bool changes = best[1 - view] - change_cost > best[view] && !from.empty();
      before[view] = changes ? 1 - view : view;
      next[view] = worth[view] + (changes ? best[1 - view] - change_cost : best[view]);
    }
    best = next;
    from.push_back(before);
  }
  Choice choice;
  size_t view = best[kClient] > best[kServer] ? kClient : kServer;
  auto slot = all.rbegin();
  for (auto step = from.rbegin(); step != from.rend(); ++step, ++slot) {
    if (view == kClient) choice.client_slots.push_back(*slot);
    view = (*step)[view];
  }
  std::reverse(choice.client_slots.begin(), choice.client_slots.end());
  if (choice.client_slots.size() == all.size()) {
    choice = {.stands = Stands::kClient};
  } else if (!choice.client_slots.empty()) {
    choice.stands = Stands::kMixed;
  }
  return choice;
}

}  // namespace kindling::controller
