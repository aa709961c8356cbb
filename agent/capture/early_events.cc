#include "agent/capture/early_events.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace kindling::agent {

void EarlyEvents::Add(const DataEvent& event) {
  Held& added =
      held_.emplace_back(Held{.event = event, .bytes = {event.bytes.begin(), event.bytes.end()}});
  added.event.bytes = added.bytes;

  // Positions and turns are counted one after the other: of two calls in one direction the first in
  // position may have the later turn. The bytes are in the order of positions, so turns are too.
  std::vector<DataEvent*> same;
  std::vector<uint32_t> turns;
  for (Held& held : held_) {
    if (held.event.direction != event.direction) continue;
    same.push_back(&held.event);
    turns.push_back(held.event.turn);
  }
  std::ranges::sort(same, {}, &DataEvent::position);
  std::ranges::sort(turns);
  for (size_t i = 0; i < same.size(); ++i) same[i]->turn = turns[i];

  std::ranges::stable_sort(
      held_, {}, [](const Held& held) { return std::tuple(held.event.turn, held.event.position); });
}

EarlyEvents::Held EarlyEvents::Take() {
  Held first = std::move(held_.front());  // vectors keep their bytes in place when they are moved
  held_.erase(held_.begin());
  return first;
}

}  // namespace kindling::agent
