#include "controller/listen_address.h"

#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "absl/strings/str_format.h"
#include "base/unique_fd.h"

namespace kindling::controller {
namespace {

struct FreeAddrinfo {
  void operator()(addrinfo* info) const { freeaddrinfo(info); }
};

}  // namespace

std::string ListenAddress::ToString() const {
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? absl::StrFormat("[%s]:%d", host, port) : absl::StrFormat("%s:%d", host, port);
}

bool ListenAddress::IsLoopback() const {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view text) {
  const absl::Status fault = absl::InvalidArgumentError(
      absl::StrFormat("\"%s\" is not HOST:PORT, such as 127.0.0.1:7420", text));
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return fault;
  ListenAddress address;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.front() == '[') {
    if (host.size() < 3 || host.back() != ']') return fault;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return fault;
  }
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (parsed.ec != std::errc() || parsed.ptr != port.data() + port.size()) return fault;
  address.host = host;
  return address;
}

absl::Status ListenFault(const ListenAddress& address) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* raw = nullptr;
  const int error =
      getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &raw);
  if (error != 0) {
    return absl::InvalidArgumentError(absl::StrFormat("cannot listen on %s: %s: correct listen",
                                                      address.ToString(), gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, FreeAddrinfo> info(raw);
  const base::UniqueFd fd(
      socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC, info->ai_protocol));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd.get(), info->ai_addr, info->ai_addrlen) == 0 && listen(fd.get(), 1) == 0) {
    return absl::OkStatus();
  }
  if (errno == EADDRINUSE) {
    return absl::AlreadyExistsError(
        absl::StrFormat("cannot listen on %s: another program does: stop it, or set another listen",
                        address.ToString()));
  }
  return absl::FailedPreconditionError(absl::StrFormat(
      "cannot listen on %s: %s: set another listen", address.ToString(), strerror(errno)));
}

}  // namespace kindling::controller
