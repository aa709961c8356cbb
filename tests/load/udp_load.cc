// Sends UDP datagrams of one size at an even rate: udp_load ADDRESS PORT BYTES MBIT_PER_S SECONDS,
// the rate counted with the Ethernet header. Prints {"sent": N, "seconds": S}; nobody needs to
// receive them.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace {

constexpr size_t kBurst = 32;  // of one call
constexpr double kHeadersBytes = 14 + 20 + 8;

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: udp_load ADDRESS PORT BYTES MBIT_PER_S SECONDS\n");
    return 2;
  }
  sockaddr_in to{.sin_family = AF_INET,
                 .sin_port = htons(static_cast<uint16_t>(std::atoi(argv[2])))};
  const kindling::base::UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 ||
      connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)) != 0) {
    std::perror("udp_load: connect");
    return 1;
  }
  const auto bytes = static_cast<size_t>(std::atol(argv[3]));
  const double per_second =
      std::atof(argv[4]) * 1e6 / 8 / (static_cast<double>(bytes) + kHeadersBytes);
  const double seconds = std::atof(argv[5]);
  std::string payload(bytes, 'x');
  iovec part{payload.data(), payload.size()};
  std::array<mmsghdr, kBurst> burst{};
  for (mmsghdr& message : burst) message.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1};

  const kindling::base::Clock& clock = kindling::base::SystemClock();
  const int64_t start_ns = clock.BootNs();
  uint64_t sent = 0;
  while (true) {
    const double elapsed = static_cast<double>(clock.BootNs() - start_ns) / 1e9;
    if (elapsed >= seconds) break;
    if (static_cast<double>(sent) > elapsed * per_second) {
      const timespec pause{.tv_nsec = 100'000};
      nanosleep(&pause, nullptr);
      continue;
    }
    const int done = sendmmsg(fd.get(), burst.data(), kBurst, 0);
    // A port that nobody has is told of with the next datagram.
    if (done > 0) sent += static_cast<uint64_t>(done);
  }
  std::printf("{\"sent\": %lu, \"seconds\": %.3f}\n", sent,
              static_cast<double>(clock.BootNs() - start_ns) / 1e9);
}
