#include "agent/network/host/kernel_answers.h"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <vector>

#include "absl/time/clock.h"
#include "base/unique_fd.h"

namespace kindling::agent {
namespace {

constexpr size_t kMaxFileBytes = 1 << 20;
constexpr size_t kAnswerBytes = 64 << 10;  // the kernel sends dumps in parts of at most 32 KiB

}  // namespace

std::string RunningKernel::File(const std::string& path) {
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!fd.valid()) return text;
  char part[16384];
  while (text.size() < kMaxFileBytes) {
    const ssize_t size = ::read(fd.get(), part, sizeof(part));
    if (size < 0) return "";
    if (size == 0) break;
    text.append(part, static_cast<size_t>(size));
  }
  return text;
}

bool RunningKernel::Dump(int family, std::span<const std::byte> request,
                         const std::function<void(const nlmsghdr&)>& visit) {
  const absl::Time end = absl::Now() + patience_;
  const base::UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family));
  if (!fd.valid()) return false;
  const timeval wait = absl::ToTimeval(patience_);
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
  const sockaddr_nl kernel{.nl_family = AF_NETLINK};
  if (::sendto(fd.get(), request.data(), request.size(), 0,
               reinterpret_cast<const sockaddr*>(&kernel), sizeof(kernel)) < 0) {
    return false;
  }
  std::vector<char> answer(kAnswerBytes);  // aligned, as all that is allocated
  while (absl::Now() < end) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof(from);
    const ssize_t size = ::recvfrom(fd.get(), answer.data(), answer.size(), 0,
                                    reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size <= 0) return false;
    if (from.nl_pid != 0) continue;  // not the kernel
    int left = static_cast<int>(size);
    const auto* message = reinterpret_cast<const nlmsghdr*>(answer.data());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_type == NLMSG_DONE) return true;
      if (message->nlmsg_type == NLMSG_ERROR) return false;
      visit(*message);
    }
  }
  return false;
}

}  // namespace kindling::agent
