#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

// Every system call of the read and write family, each behind the same signature.
namespace kindling::agent {

// Sends all of `bytes` in one call (one message, two iovecs where the call takes them).
using SendFunction = ssize_t (*)(int fd, std::string_view bytes);
// Receives up to `room` bytes.
using ReceiveFunction = ssize_t (*)(int fd, char* bytes, size_t room);

struct SendCall {
  const char* name;
  SendFunction call;
};
struct ReceiveCall {
  const char* name;
  ReceiveFunction call;
};

std::span<const SendCall> SendCalls();
std::span<const ReceiveCall> ReceiveCalls();

// Connected stream sockets, {client, server}; aborts on failure. `family` is AF_INET, AF_INET6 or
// AF_UNIX (bound to `path`).
struct StreamPair {
  int listener = -1;
  int client = -1;
  int server = -1;
};
int Listen(int family, const std::string& path = "");
int Connect(int family, int listener);
StreamPair ConnectedPair(int family, const std::string& path = "");
uint16_t PortOf(int fd);

// A datagram socket bound to loopback.
int BoundUdp(int family);
// A datagram socket connected to `server`.
int ConnectedUdp(int family, int server);

}  // namespace kindling::agent
