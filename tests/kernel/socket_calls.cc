#include "tests/kernel/socket_calls.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace kindling::agent {
namespace {

int Checked(int result, const char* what) {
  if (result < 0) {
    std::perror(what);
    std::abort();
  }
  return result;
}

struct TwoParts {
  TwoParts(char* bytes, size_t size) {
    parts[0] = {bytes, size / 2};
    parts[1] = {bytes + size / 2, size - size / 2};
  }
  msghdr Message() {
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    return message;
  }
  iovec parts[2];
};

char* Mutable(std::string_view bytes) { return const_cast<char*>(bytes.data()); }

constexpr SendCall kSends[] = {
    {"write", [](int fd, std::string_view b) { return write(fd, b.data(), b.size()); }},
    {"send", [](int fd, std::string_view b) { return send(fd, b.data(), b.size(), 0); }},
    {"writev",
     [](int fd, std::string_view b) {
       TwoParts two(Mutable(b), b.size());
       return writev(fd, two.parts, 2);
     }},
    {"pwritev2",
     [](int fd, std::string_view b) {
       TwoParts two(Mutable(b), b.size());
       return pwritev2(fd, two.parts, 2, -1, 0);
     }},
    {"sendmsg",
     [](int fd, std::string_view b) {
       TwoParts two(Mutable(b), b.size());
       const msghdr message = two.Message();
       return sendmsg(fd, &message, 0);
     }},
    {"sendmmsg",
     [](int fd, std::string_view b) {
       TwoParts two(Mutable(b), b.size());
       mmsghdr messages[1] = {{two.Message(), 0}};
       return sendmmsg(fd, messages, 1, 0) == 1 ? ssize_t{messages[0].msg_len} : -1;
     }},
};

constexpr ReceiveCall kReceives[] = {
    {"read", [](int fd, char* b, size_t n) { return read(fd, b, n); }},
    {"recv", [](int fd, char* b, size_t n) { return recv(fd, b, n, 0); }},
    {"readv",
     [](int fd, char* b, size_t n) {
       // A small first part, so that what arrives spans both.
       iovec parts[2] = {{b, 3}, {b + 3, n - 3}};
       return readv(fd, parts, 2);
     }},
    {"preadv2",
     [](int fd, char* b, size_t n) {
       iovec parts[2] = {{b, 3}, {b + 3, n - 3}};
       return preadv2(fd, parts, 2, -1, 0);
     }},
    {"recvmsg",
     [](int fd, char* b, size_t n) {
       iovec parts[2] = {{b, 3}, {b + 3, n - 3}};
       msghdr message{};
       message.msg_iov = parts;
       message.msg_iovlen = 2;
       return recvmsg(fd, &message, 0);
     }},
    {"recvmmsg",
     [](int fd, char* b, size_t n) {
       iovec part = {b, n};
       mmsghdr messages[1] = {};
       messages[0].msg_hdr.msg_iov = &part;
       messages[0].msg_hdr.msg_iovlen = 1;
       return recvmmsg(fd, messages, 1, 0, nullptr) == 1 ? ssize_t{messages[0].msg_len} : -1;
     }},
};

socklen_t Loopback(int family, uint16_t port, sockaddr_storage& storage) {
  storage = {};
  if (family == AF_INET) {
    auto& address = reinterpret_cast<sockaddr_in&>(storage);
    address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof(address);
  }
  auto& address = reinterpret_cast<sockaddr_in6&>(storage);
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = in6addr_loopback;
  return sizeof(address);
}

}  // namespace

std::span<const SendCall> SendCalls() { return kSends; }
std::span<const ReceiveCall> ReceiveCalls() { return kReceives; }

uint16_t PortOf(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  Checked(getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size), "getsockname");
  return ntohs(storage.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(storage).sin_port
                                            : reinterpret_cast<sockaddr_in6&>(storage).sin6_port);
}

int Listen(int family, const std::string& path) {
  const int fd = Checked(socket(family, SOCK_STREAM, 0), "socket");
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (family == AF_UNIX) {
    auto& address = reinterpret_cast<sockaddr_un&>(storage);
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    size = sizeof(address);
    unlink(path.c_str());
  } else {
    size = Loopback(family, 0, storage);
  }
  Checked(bind(fd, reinterpret_cast<sockaddr*>(&storage), size), "bind");
  Checked(listen(fd, 16), "listen");
  return fd;
}

int Connect(int family, int listener) {
  const int fd = Checked(socket(family, SOCK_STREAM, 0), "socket");
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  Checked(getsockname(listener, reinterpret_cast<sockaddr*>(&storage), &size), "getsockname");
  Checked(connect(fd, reinterpret_cast<sockaddr*>(&storage), size), "connect");
  return fd;
}

StreamPair ConnectedPair(int family, const std::string& path) {
  StreamPair pair;
  pair.listener = Listen(family, path);
  pair.client = Connect(family, pair.listener);
  pair.server = Checked(accept(pair.listener, nullptr, nullptr), "accept");
  return pair;
}

int BoundUdp(int family) {
  const int fd = Checked(socket(family, SOCK_DGRAM, 0), "socket");
  sockaddr_storage storage{};
  const socklen_t size = Loopback(family, 0, storage);
  Checked(bind(fd, reinterpret_cast<sockaddr*>(&storage), size), "bind");
  return fd;
}

int ConnectedUdp(int family, int server) {
  const int fd = Checked(socket(family, SOCK_DGRAM, 0), "socket");
  sockaddr_storage storage{};
  const socklen_t size = Loopback(family, PortOf(server), storage);
  Checked(connect(fd, reinterpret_cast<sockaddr*>(&storage), size), "connect");
  return fd;
}

}  // namespace kindling::agent
