// Sends requests at a fixed rate over many connections and prints latency quantiles as JSON.
// Latency runs from the time a request was due, not from when it could be sent, so a stall of the
// server is not hidden by a generator that waits with it (coordinated omission).
//
// paced --port N --request TEXT [--connections 32] [--rate 1000] [--seconds 1] [--hold 0]
// TEXT is sent as it is, with \r and \n written as escapes; every response must have the same size,
// which the first exchange on each connection teaches. --hold keeps the connections open for so
// many seconds afterwards. Loopback only.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "model/latency_histogram.h"

namespace {

using kindling::base::UniqueFd;

struct Options {
  int port = 0;
  std::string request;
  int connections = 32;
  double rate = 1000;
  double seconds = 1;
  double hold = 0;
};

struct Connection {
  UniqueFd fd;
  std::deque<int64_t> due_ns;  // requests sent and not answered yet
  size_t unread = 0;           // bytes of the response being read that are still to come
};

// Bytes of requests or responses that may be on their way on one connection. A server that has
// fallen behind gets no heap of requests in one read; those that wait here are late all the same.
constexpr size_t kMostOpenBytes = 4096;

int64_t NowNs() { return kindling::base::SystemClock().BootNs(); }

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "paced: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

std::string Unescape(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == 'r' || text[i + 1] == 'n')) {
      out.push_back(text[++i] == 'r' ? '\r' : '\n');
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

Options Parse(int argc, char** argv) {
  std::map<std::string, std::string> flags;
  for (int i = 1; i + 1 < argc; i += 2) flags[argv[i]] = argv[i + 1];
  Options options;
  for (const auto& [name, value] : flags) {
    if (name == "--port") {
      options.port = std::atoi(value.c_str());
    } else if (name == "--request") {
      options.request = Unescape(value);
    } else if (name == "--connections") {
      options.connections = std::atoi(value.c_str());
    } else if (name == "--rate") {
      options.rate = std::atof(value.c_str());
    } else if (name == "--seconds") {
      options.seconds = std::atof(value.c_str());
    } else if (name == "--hold") {
      options.hold = std::atof(value.c_str());
    } else {
      std::fprintf(stderr, "paced: unknown flag %s\n", name.c_str());
      std::exit(2);
    }
  }
  if (options.port <= 0 || options.request.empty() || options.connections < 1 ||
      options.rate <= 0) {
    std::fprintf(stderr, "paced: --port and --request are required\n");
    std::exit(2);
  }
  return options;
}

UniqueFd Connect(int port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) Fail("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    Fail("connect");
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

void Send(const Connection& connection, const std::string& request) {
  if (send(connection.fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    Fail("send");
  }
}

// Does one exchange and returns the size of its response: what arrives until nothing has for 50 ms.
size_t LearnSize(const Connection& connection, const std::string& request) {
  Send(connection, request);
  size_t size = 0;
  char buffer[65536];
  pollfd waiting{.fd = connection.fd.get(), .events = POLLIN, .revents = 0};
  while (poll(&waiting, 1, size == 0 ? 5000 : 50) == 1) {
    const ssize_t got = recv(connection.fd.get(), buffer, sizeof(buffer), 0);
    if (got <= 0) Fail("recv");
    size += static_cast<size_t>(got);
  }
  if (size == 0) Fail("no response");
  return size;
}

void ExchangeOnce(const Connection& connection, const std::string& request, size_t size) {
  Send(connection, request);
  std::vector<char> buffer(size);
  if (recv(connection.fd.get(), buffer.data(), size, MSG_WAITALL) != static_cast<ssize_t>(size)) {
    Fail("recv");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  const UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  std::vector<Connection> connections(static_cast<size_t>(options.connections));
  size_t response_size = 0;
  for (size_t i = 0; i < connections.size(); ++i) {
    Connection& connection = connections[i];
    connection.fd = Connect(options.port);
    if (i == 0) response_size = LearnSize(connection, options.request);
    ExchangeOnce(connection, options.request, response_size);
    epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
    epoll_ctl(epoll.get(), EPOLL_CTL_ADD, connection.fd.get(), &event);
  }

  kindling::model::LatencyHistogram latency;
  const auto total = static_cast<int64_t>(options.rate * options.seconds);
  const double gap_ns = 1e9 / options.rate;
  const int64_t start_ns = NowNs();
  const int64_t give_up_ns = start_ns + static_cast<int64_t>(options.seconds * 1e9) + 5'000'000'000;
  const size_t most_open =
      std::max<size_t>(1, kMostOpenBytes / std::max(response_size, options.request.size()));
  int64_t sent = 0;
  int64_t answered = 0;
  std::vector<char> buffer(1 << 20);
  std::vector<epoll_event> events(256);
  while (answered < total && NowNs() < give_up_ns) {
    const int64_t now_ns = NowNs();
    while (sent < total &&
           start_ns + static_cast<int64_t>(gap_ns * static_cast<double>(sent)) <= now_ns) {
      Connection& connection = connections[static_cast<size_t>(sent) % connections.size()];
      if (connection.due_ns.size() >= most_open) break;
      connection.due_ns.push_back(start_ns +
                                  static_cast<int64_t>(gap_ns * static_cast<double>(sent)));
      Send(connection, options.request);
      ++sent;
    }
    const int ready = epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), 0);
    if (ready == 0) sched_yield();
    for (int i = 0; i < ready; ++i) {
      Connection& connection = connections[events[static_cast<size_t>(i)].data.u64];
      const ssize_t got = recv(connection.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got <= 0) Fail("connection closed by the server");
      auto left = static_cast<size_t>(got);
      const int64_t done_ns = NowNs();
      while (left > 0 && !connection.due_ns.empty()) {
        if (connection.unread == 0) connection.unread = response_size;
        const size_t take = std::min(left, connection.unread);
        connection.unread -= take;
        left -= take;
        if (connection.unread == 0) {
          latency.Record(done_ns - connection.due_ns.front());
          connection.due_ns.pop_front();
          ++answered;
        }
      }
    }
  }
  const double elapsed = static_cast<double>(NowNs() - start_ns) / 1e9;
  std::printf(
      "{\"sent\": %lld, \"answered\": %lld, \"warmup\": %zu, \"seconds\": %.3f, \"p50_us\": %.1f, "
      "\"p99_us\": %.1f}\n",
      static_cast<long long>(sent), static_cast<long long>(answered), connections.size() + 1,
      elapsed, latency.QuantileNs(0.5) / 1e3, latency.QuantileNs(0.99) / 1e3);
  std::fflush(stdout);
  if (options.hold > 0) usleep(static_cast<useconds_t>(options.hold * 1e6));
  return answered == total ? 0 : 1;
}
