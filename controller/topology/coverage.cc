#include "controller/topology/coverage.h"

#include <algorithm>
#include <array>
#include <set>

namespace kindling::controller {
namespace {

constexpr size_t kServer = 0;
constexpr size_t kClient = 1;
// Of the requests of a slot, so many may fall on either side of its end.
constexpr double kAtTheEnd = 0.02;

// Of one view: what it counted in each slot, and how many there were by its own reckoning. Losses
// are often told later than they happened, so they are spread as the counts are.
struct View {
  explicit View(const Slots& slots) : slots(slots) {
    for (const auto& [slot, tally] : slots) {
      count += static_cast<double>(tally.count);
      lost += static_cast<double>(tally.lost);
    }
  }
  double CountIn(uint32_t slot) const {
    const Tally* tally = slots.Find(slot);
    return tally == nullptr ? 0 : static_cast<double>(tally->count);
  }
  double LostIn(uint32_t slot) const {
    if (count > 0) return lost * CountIn(slot) / count;
    const Tally* tally = slots.Find(slot);
    return tally == nullptr ? 0 : static_cast<double>(tally->lost);
  }

  const Slots& slots;
  double count = 0;
  double lost = 0;
};

// What a view counted in a slot in which there were `all`, less what it misses without knowing.
double Worth(const View& view, uint32_t slot, double all) {
  return view.CountIn(slot) - (all - view.CountIn(slot) - view.LostIn(slot));
}

// Room for a quarter of an hour of minutes.
constexpr size_t kFirstSlots = 16;

bool IsBefore(const Slots::Slot& slot, uint32_t number) { return slot.first < number; }

}  // namespace

Tally& Slots::operator[](uint32_t slot) {
  if (slots_.empty()) slots_.reserve(kFirstSlots);
  if (slots_.empty() || slots_.back().first < slot)
    return slots_.emplace_back(slot, Tally()).second;
  if (slots_.back().first == slot) return slots_.back().second;
  const auto at = std::lower_bound(slots_.begin(), slots_.end(), slot, IsBefore);
  if (at->first == slot) return at->second;
  return slots_.emplace(at, slot, Tally())->second;
}

const Tally* Slots::Find(uint32_t slot) const {
  const auto at = std::lower_bound(slots_.begin(), slots_.end(), slot, IsBefore);
  return at == slots_.end() || at->first != slot ? nullptr : &at->second;
}

Choice ChooseViews(const Slots& client, const Slots& server) {
  std::set<uint32_t> all;
  for (const auto& [slot, tally] : client) all.insert(slot);
  for (const auto& [slot, tally] : server) all.insert(slot);
  if (all.empty()) return {};
  const View of_client(client);
  const View of_server(server);
  const double mean = std::max(of_client.count, of_server.count) / static_cast<double>(all.size());
  const double change_cost = 1 + mean * kAtTheEnd;

  // The best way to each view of a slot, and the view before it.
  std::array<double, 2> best = {0, 0};
  std::vector<std::array<size_t, 2>> from;
  for (const uint32_t slot : all) {
    const double there_were = std::max(of_client.CountIn(slot) + of_client.LostIn(slot),
                                       of_server.CountIn(slot) + of_server.LostIn(slot));
    const std::array<double, 2> worth = {Worth(of_server, slot, there_were),
                                         Worth(of_client, slot, there_were)};
    std::array<double, 2> next;
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
