// Run inside a guest by guest_test.sh: tells the kernel's release, reads its BTF and exchanges
// bytes over loopback TCP. Exits 0 only if the release begins with the series given, BTF is there
// and every byte came back.

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace {

using kindling::base::UniqueFd;

constexpr uint16_t kBtfMagic = 0xeb9f;
constexpr size_t kExchangeBytes = 100'000;

bool HasBtf() {
  std::ifstream file("/sys/kernel/btf/vmlinux", std::ios::binary);
  uint16_t magic = 0;
  file.read(reinterpret_cast<char*>(&magic), sizeof(magic));
  return file && magic == kBtfMagic;
}

// Accepts one connection and sends back what it reads.
void Echo(int listener) {
  UniqueFd connection(accept(listener, nullptr, nullptr));
  char buffer[4096];
  for (ssize_t n; (n = read(connection.get(), buffer, sizeof(buffer))) > 0;) {
    if (write(connection.get(), buffer, n) != n) return;
  }
}

// Bytes that came back unchanged through a TCP connection to this process.
size_t ExchangeOverLoopback() {
  UniqueFd listener(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      listen(listener.get(), 1) != 0 ||
      getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return 0;
  }
  std::thread echo(Echo, listener.get());
  size_t same = 0;
  {
    UniqueFd client(socket(AF_INET, SOCK_STREAM, 0));
    if (connect(client.get(), reinterpret_cast<sockaddr*>(&address), length) == 0) {
      std::string sent(1000, '\0');
      for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i);
      for (size_t total = 0; total < kExchangeBytes; total += sent.size()) {
        std::string received(sent.size(), '\0');
        if (write(client.get(), sent.data(), sent.size()) != static_cast<ssize_t>(sent.size()) ||
            recv(client.get(), received.data(), received.size(), MSG_WAITALL) !=
                static_cast<ssize_t>(received.size()) ||
            received != sent) {
          break;
        }
        same += received.size();
      }
    } else {
      shutdown(listener.get(), SHUT_RDWR);
    }
  }
  echo.join();
  return same;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  utsname name = {};
  uname(&name);
  const bool right_series = std::string(name.release).rfind(std::string(argv[1]) + ".", 0) == 0;
  const bool btf = HasBtf();
  const size_t same = ExchangeOverLoopback();
  std::printf("release %s, btf %s, %zu bytes over loopback\n", name.release, btf ? "yes" : "no",
              same);
  return right_series && btf && same == kExchangeBytes ? 0 : 1;
}
