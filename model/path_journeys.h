#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "model/packet_path.h"

namespace kindling::model {

// How the way of a packet ended, as far as it was seen.
enum class PathOutcome : uint8_t {
  kUnfinished = 0,  // nothing more came
  kDelivered = 1,   // at a socket, or read
  kDropped = 2,
  kDone = 3,     // freed without a fault: handshakes, ICMP, segments cut into others
  kArrived = 4,  // at the host of its receiver; TCP takes acknowledgements without a word
};
std::string_view Name(PathOutcome outcome);

// One packet from where it was seen first to where it ended.
struct PathJourney {
  std::vector<PathHop> hops;  // by time; never empty
  PathOutcome outcome = PathOutcome::kUnfinished;
  bool is_partial = false;   // its beginning was not told
  uint32_t hops_beyond = 0;  // more than are kept

  // The hop that dropped it, where that is its outcome.
  const PathHop* drop() const;
  // Since the hop before; of hops on two hosts it is by two clocks and may be negative. 0 for the
  // first.
  int64_t SinceLastNs(size_t hop) const;
  bool CrossesClocks(size_t hop) const;
};

// Puts hops together to journeys. One packet has many names: a bridge copies it, a router changes
// its addresses, another host's kernel counts for itself. What stays is IP's id, TCP's sequence
// number and the length, which with the addresses seen so far tell whether two are one.
//
// Threads: one.
// Limits:  Options; a journey that finds no room makes the oldest one end early, which is counted.
class JourneyTable {
 public:
  struct Options {
    size_t journeys = 4096;
    size_t hops = 128;                // of a journey
    int64_t linger_ns = 300'000'000;  // without a hop, a journey is over
    int64_t join_ns = 1'000'000'000;  // hops further apart are not of one packet
    size_t remembered = 16384;        // packets that are over, whose late hops are known as such
  };
  struct Counts {
    uint64_t late_hops = 0;     // of a journey that was over
    uint64_t hops_beyond = 0;   // of a journey that has the most already
    uint64_t ended_early = 0;   // journeys, for want of room
    uint64_t invalid_hops = 0;  // without a place
  };

  JourneyTable() : JourneyTable(Options()) {}
  explicit JourneyTable(const Options& options) : options_(options) {}
  JourneyTable(const JourneyTable&) = delete;
  JourneyTable& operator=(const JourneyTable&) = delete;

  // `now_ns` is any clock that does not go back.
  void Add(PathHop hop, int64_t now_ns);
  // Journeys that are over, in the order in which they began to be seen; with `all`, those that are
  // not, too.
  std::vector<PathJourney> Take(int64_t now_ns, bool all = false);

  const Counts& counts() const { return counts_; }
  size_t size() const { return live_.size(); }

 private:
  using PacketKey = std::pair<std::string, uint64_t>;  // node, packet
  // protocol, IP id, sequence, length, fragment
  using Identity = std::tuple<uint8_t, uint16_t, uint32_t, uint32_t, bool>;
  struct Live {
    PathJourney journey;
    int64_t last_added_ns = 0;
    Identity identity;
    std::vector<PacketKey> packets;
    std::vector<PathTuple> tuples;
    bool has_sender = false;
  };
  struct Place {
    std::string node;
    std::string network_namespace;
    bool operator==(const Place&) const = default;
  };
  using LiveList = std::list<Live>;

  LiveList::iterator Find(const PathHop& hop);
  PathOutcome OutcomeOf(const std::vector<PathHop>& hops) const;
  void End(LiveList::iterator live);
  void Remember(const PacketKey& packet);

  const Options options_;
  LiveList live_;  // in the order of their beginning
  std::map<PacketKey, LiveList::iterator> by_packet_;
  std::multimap<Identity, LiveList::iterator> by_identity_;
  std::vector<PathJourney> over_;
  std::map<std::string, Place> senders_;  // addresses, and where sockets send from them
  std::deque<PacketKey> remembered_;
  std::set<PacketKey> remembered_set_;
  Counts counts_;
};

}  // namespace kindling::model
