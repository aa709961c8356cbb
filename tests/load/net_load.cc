// Short connections and a bulk transfer over TCP, each as fast as it goes, one after the other.
//
// net_load serve PORT             answers HTTP requests of at most 512 bytes, reads whatever else
// net_load connect PORT COUNT     COUNT connections of one request each; {"per_second": N}
// net_load bulk PORT SECONDS      sends for so long; {"bytes_per_second": N}
//
// Loopback only: clients take their addresses in turn from 127.0.1.0/24, so that ports of
// connections that have ended need not be used again.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace {

using kindling::base::UniqueFd;

constexpr std::string_view kRequest =
    "GET /short HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
constexpr size_t kMostRequestBytes = 512;
constexpr size_t kBulkBytes = 128 << 10;  // of one call
constexpr int kBacklog = 4096;
constexpr int kAddresses = 250;

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "net_load: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

sockaddr_in Address(uint32_t address, int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<uint16_t>(port));
  out.sin_addr.s_addr = htonl(address);
  return out;
}

void SendAll(const UniqueFd& fd, std::string_view bytes) {
  if (send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(bytes.size())) {
    Fail("send");
  }
}

[[noreturn]] void Serve(int port) {
  UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const sockaddr_in address = Address(INADDR_LOOPBACK, port);
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener.get(), kBacklog) != 0) {
    Fail("listen");
  }
  std::printf("ready: serving on %d\n", port);
  std::fflush(stdout);
  std::vector<char> buffer(kBulkBytes);
  while (true) {
    const UniqueFd fd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd.valid()) Fail("accept");
    bool is_bulk = false;
    while (true) {
      const ssize_t got = recv(fd.get(), buffer.data(), buffer.size(), 0);
      if (got <= 0) break;
      is_bulk |= static_cast<size_t>(got) > kMostRequestBytes;
      if (is_bulk) continue;
      SendAll(fd, kResponse);
      break;  // closes first, as a server does that was asked to
    }
  }
}

UniqueFd Connect(int port, int turn) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) Fail("socket");
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
  const sockaddr_in from = Address(
      (INADDR_LOOPBACK & 0xffff0000) + 0x0101 + static_cast<uint32_t>(turn % kAddresses), 0);
  const sockaddr_in to = Address(INADDR_LOOPBACK, port);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof(from)) != 0) Fail("bind");
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0) Fail("connect");
  return fd;
}

double SecondsSince(int64_t start_ns) {
  return static_cast<double>(kindling::base::SystemClock().BootNs() - start_ns) / 1e9;
}

void ConnectShortly(int port, int count) {
  char buffer[512];
  const int64_t start_ns = kindling::base::SystemClock().BootNs();
  for (int i = 0; i < count; ++i) {
    const UniqueFd fd = Connect(port, i);
    SendAll(fd, kRequest);
    size_t got = 0;
    ssize_t part = 0;
    while ((part = recv(fd.get(), buffer, sizeof(buffer), 0)) > 0) got += static_cast<size_t>(part);
    if (got != kResponse.size()) Fail("the response is not whole");
  }
  std::printf("{\"per_second\": %.1f}\n", count / SecondsSince(start_ns));
}

void SendBulk(int port, double seconds) {
  const UniqueFd fd = Connect(port, 0);
  const std::string bytes(kBulkBytes, 'x');
  const int64_t start_ns = kindling::base::SystemClock().BootNs();
  double sent = 0;
  while (SecondsSince(start_ns) < seconds) {
    SendAll(fd, bytes);
    sent += static_cast<double>(bytes.size());
  }
  std::printf("{\"bytes_per_second\": %.0f}\n", sent / SecondsSince(start_ns));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  const int port = argc > 2 ? std::atoi(argv[2]) : 0;
  if (mode == "serve" && argc == 3 && port > 0) Serve(port);
  if (mode == "connect" && argc == 4 && port > 0) {
    ConnectShortly(port, std::atoi(argv[3]));
    return 0;
  }
  if (mode == "bulk" && argc == 4 && port > 0) {
    SendBulk(port, std::atof(argv[3]));
    return 0;
  }
  std::fprintf(stderr, "usage: net_load serve PORT | connect PORT COUNT | bulk PORT SECONDS\n");
  return 2;
}
