#pragma once

#include <cstdint>
#include <string>

#include "tests/kernel/path_topology.h"

namespace kindling::agent {

// Small exchanges between two hosts of a topology. Addresses are IPv4 or IPv6; a server may have
// another address than the one that clients know it by.
struct PathServer {
  std::string host;
  std::string address;
  uint16_t port = 0;
};

// A TCP connection over which 5 bytes go and are read; true if they came. Gives up after a second.
bool SayHello(const PathTopology& topology, const std::string& client, const std::string& address,
              uint16_t port, const PathServer& server);
// A datagram of 7 bytes from a socket bound to nothing; true if it was read within half a second.
bool SayDatagram(const PathTopology& topology, const std::string& client,
                 const std::string& address, uint16_t port, const PathServer& server);
// `count` datagrams of `bytes` each that nobody reads.
void SendDatagrams(const PathTopology& topology, const std::string& client,
                   const std::string& address, uint16_t port, int count, size_t bytes);

}  // namespace kindling::agent
