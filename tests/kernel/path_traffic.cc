#include "tests/kernel/path_traffic.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace kindling::agent {
namespace {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress ToSocketAddress(const std::string& text, uint16_t port) {
  SocketAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.size = sizeof(*v4);
  } else if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.size = sizeof(*v6);
  }
  return address;
}

bool IsReadable(int fd, int timeout_ms) {
  pollfd poller{.fd = fd, .events = POLLIN};
  return poll(&poller, 1, timeout_ms) == 1;
}

// Bound, and listening where it is TCP's.
int OpenServer(int type, const PathServer& server) {
  SocketAddress at = ToSocketAddress(server.address, server.port);
  const int fd = socket(at.storage.ss_family, type, 0);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (bind(fd, at.get(), at.size) != 0) return -1;
  if (type == SOCK_STREAM) listen(fd, 4);
  return fd;
}

}  // namespace

bool SayHello(const PathTopology& topology, const std::string& client, const std::string& address,
              uint16_t port, const PathServer& server) {
  int listener = -1, connected = -1, accepted = -1;
  bool came = false;
  topology.In(server.host, [&] { listener = OpenServer(SOCK_STREAM, server); });
  topology.In(client, [&] {
    SocketAddress at = ToSocketAddress(address, port);
    connected = socket(at.storage.ss_family, SOCK_STREAM, 0);
    const timeval wait{.tv_sec = 1, .tv_usec = 0};
    setsockopt(connected, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    came = connect(connected, at.get(), at.size) == 0 && write(connected, "hello", 5) == 5;
  });
  topology.In(server.host, [&] {
    if (!came) return;
    accepted = accept(listener, nullptr, nullptr);
    char text[8];
    came = IsReadable(accepted, 500) && read(accepted, text, sizeof(text)) == 5;
  });
  for (const int fd : {accepted, connected, listener}) {
    if (fd >= 0) close(fd);
  }
  return came;
}

bool SayDatagram(const PathTopology& topology, const std::string& client,
                 const std::string& address, uint16_t port, const PathServer& server) {
  int receiver = -1;
  bool came = false;
  topology.In(server.host, [&] { receiver = OpenServer(SOCK_DGRAM, server); });
  topology.In(client, [&] {
    SocketAddress at = ToSocketAddress(address, port);
    const int fd = socket(at.storage.ss_family, SOCK_DGRAM, 0);
    sendto(fd, "message", 7, 0, at.get(), at.size);
    close(fd);
  });
  topology.In(server.host, [&] {
    char text[16];
    came = IsReadable(receiver, 500) && recv(receiver, text, sizeof(text), 0) == 7;
  });
  close(receiver);
  return came;
}

void SendDatagrams(const PathTopology& topology, const std::string& client,
                   const std::string& address, uint16_t port, int count, size_t bytes) {
  topology.In(client, [&] {
    SocketAddress at = ToSocketAddress(address, port);
    const int fd = socket(at.storage.ss_family, SOCK_DGRAM, 0);
    std::string text(bytes, 'x');
    for (int i = 0; i < count; ++i) {
      std::memcpy(text.data(), &i, sizeof(i));
      sendto(fd, text.data(), text.size(), 0, at.get(), at.size);
    }
    close(fd);
  });
}

}  // namespace kindling::agent
