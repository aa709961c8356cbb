#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace kindling::controller {

// What one side counted of an edge in one slot of time, and what it knows to have lost.
struct Tally {
  uint64_t count = 0;
  uint64_t lost = 0;
};
// By number of the slot, ascending. Cheap where the next one is the last one or a later one.
class Slots {
 public:
  using Slot = std::pair<uint32_t, Tally>;

  Tally& operator[](uint32_t slot);
  const Tally* Find(uint32_t slot) const;  // null: none
  std::vector<Slot>::const_iterator begin() const { return slots_.begin(); }
  std::vector<Slot>::const_iterator end() const { return slots_.end(); }

 private:
  std::vector<Slot> slots_;
};

// Whose view stands for an edge.
enum class Stands : uint8_t {
  kServer,
  kClient,
  kMixed,  // one's in some slots and the other's in the rest
};

struct Choice {
  Stands stands = Stands::kServer;
  std::vector<uint32_t> client_slots;  // of kMixed, ascending; the server's stands in all others
};

// Chooses for each slot the view that covers it better: the one that counted more, and that misses
// less without knowing it. The two are never added. A request that one side counts at the end of a
// slot and the other at the beginning of the next would be taken twice or not at all where views
// change, so they change only where it gains more than that; where it does not matter, the server's
// stands.
Choice ChooseViews(const Slots& client, const Slots& server);

}  // namespace kindling::controller
