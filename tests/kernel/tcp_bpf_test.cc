// What TCP tells of its connections, compared with the kernel's own counters of the namespace that
// the test runs in (those that nstat prints) and with what the test itself did.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/kernel/capture_fixture.h"

namespace kindling::agent {
namespace {

using model::Side;
using ::testing::SizeIs;

class TcpTest : public CaptureTest {
 protected:
  TcpSample EndsSum() const {
    TcpSample sum;
    for (const TcpSample& end : recorder_.tcp_ends) {
      sum.sent_bytes += end.sent_bytes;
      sum.received_bytes += end.received_bytes;
      sum.retransmits += end.retransmits;
      sum.timeout_retransmits += end.timeout_retransmits;
      sum.fast_retransmits += end.fast_retransmits;
      sum.syn_retransmits += end.syn_retransmits;
      sum.resets_sent += end.resets_sent;
      sum.resets_received += end.resets_received;
    }
    return sum;
  }
  const TcpSample* EndOfSide(Side side) const {
    for (const ConnOpen& open : recorder_.opens) {
      if (open.side != side) continue;
      for (const TcpSample& end : recorder_.tcp_ends) {
        if (end.id == open.id) return &end;
      }
    }
    return nullptr;
  }
  // Starts a capture of the workload's namespace, which waits at its gate.
  void Start(Workload& workload, KernelSourceOptions options) {
    workload.AwaitReady();
    options.scope.network_namespaces = {workload.NetnsPath()};
    auto source = KernelSource::Open(options);
    ASSERT_TRUE(source.ok()) << source.status();
    source_ = *std::move(source);
    const absl::Status started = source_->Start(recorder_);
    ASSERT_TRUE(started.ok()) << started;
  }
  void Sample() {
    source_->Drain(recorder_);
    recorder_.tcp_samples.clear();
    recorder_.listeners.clear();
    source_->SampleTcp(recorder_);
  }
  void FinishWorkload(Workload& workload) {
    ASSERT_TRUE(DrainUntil(*source_, recorder_, [&] { return workload.Ended(); }));
    ASSERT_EQ(workload.exit_code(), 0);
    for (int i = 0; i < 4; ++i) source_->Drain(recorder_);
  }
};

INSTANTIATE_TEST_SUITE_P(Hooks, TcpTest, ::testing::ValuesIn(HooksHere()),
                         [](const auto& info) { return info.param; });

// These need nft and ip.
class TcpFaultTest : public TcpTest {};

INSTANTIATE_TEST_SUITE_P(Hooks, TcpFaultTest, ::testing::ValuesIn(HooksHere()),
                         [](const auto& info) { return info.param; });

// A counter of the caller's network namespace, from /proc/net/snmp or /proc/net/netstat.
uint64_t KernelCount(const std::string& group, const std::string& name) {
  for (const char* path : {"/proc/self/net/snmp", "/proc/self/net/netstat"}) {
    std::ifstream file(path);
    std::string names, values;
    while (std::getline(file, names) && std::getline(file, values)) {
      std::istringstream name_words(names), value_words(values);
      std::string word, value;
      name_words >> word;
      value_words >> value;
      if (word != group + ":") continue;
      while (name_words >> word && value_words >> value) {
        if (word == name) return std::stoull(value);
      }
    }
  }
  std::abort();
}

// Rules of the caller's own network namespace.
bool Nft(const std::string& rule) {
  const std::string command =
      "nft 'add table ip t; add chain ip t c { type filter hook input priority 0; }; add rule ip t "
      "c " +
      rule + "'";
  return std::system(command.c_str()) == 0;
}

sockaddr_in AddressOf(int listener) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  return address;
}

int ListenWith(int backlog) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener, backlog) != 0) {
    std::abort();
  }
  return listener;
}

TEST_P(TcpTest, ShortConnectionsAreCountedExactly) {
  constexpr size_t kConnections = 500;
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    const int listener = Listen(AF_INET);
    char bytes[64];
    for (size_t i = 0; i < kConnections; ++i) {
      const int client = Connect(AF_INET, listener);
      const int server = accept(listener, nullptr, nullptr);
      if (send(client, "question", 8, 0) != 8 || recv(server, bytes, 64, 0) != 8 ||
          send(server, "answer", 6, 0) != 6 || recv(client, bytes, 64, 0) != 6) {
        return false;
      }
      // The end that closes first differs.
      close(i % 2 == 0 ? client : server);
      close(i % 2 == 0 ? server : client);
    }
    return true;
  });
  ASSERT_NO_FATAL_FAILURE(Run(workload, Options()));
  EXPECT_EQ(recorder_.loss, KernelLoss());
  ASSERT_THAT(recorder_.tcp_ends, SizeIs(2 * kConnections));
  for (const TcpSample& end : recorder_.tcp_ends) {
    EXPECT_EQ(end.sent_bytes + end.received_bytes, 14);
    EXPECT_EQ(end.error, 0);
    EXPECT_EQ(end.sent_segments, 1);
    EXPECT_EQ(end.received_segments, 1);
  }
  const TcpSample sum = EndsSum();
  EXPECT_EQ(sum.sent_bytes, kConnections * 14);
  EXPECT_EQ(sum.retransmits, 0);
  EXPECT_EQ(sum.resets_sent + sum.resets_received, 0);
  // Every client has measured a round trip.
  const TcpSample* client = EndOfSide(Side::kClient);
  ASSERT_NE(client, nullptr);
  EXPECT_GT(client->srtt_ns, 0);
  EXPECT_GT(client->min_rtt_ns, 0);
  EXPECT_LE(client->min_rtt_ns, 100'000'000);
}

TEST_P(TcpTest, ARefusedConnectIsAReset) {
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    const int listener = Listen(AF_INET);
    const sockaddr_in address = AddressOf(listener);
    close(listener);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    return connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0 &&
           errno == ECONNREFUSED;
  });
  ASSERT_NO_FATAL_FAILURE(Run(workload, Options()));
  ASSERT_THAT(recorder_.failures, SizeIs(1));
  EXPECT_EQ(recorder_.failures[0].error, ECONNREFUSED);
  EXPECT_EQ(recorder_.failures[0].resets_received, 1);
  EXPECT_EQ(recorder_.failures[0].syn_retransmits, 0);
  EXPECT_THAT(recorder_.tcp_ends, SizeIs(0));
}

TEST_P(TcpFaultTest, ADroppedSynIsSentAgainUntilItTimesOut) {
  auto* retransmits = Shared<uint64_t>();
  Workload workload([&](const Workload::Gate& gate) {
    const int listener = Listen(AF_INET);
    if (!Nft("tcp flags syn / syn,ack drop")) return false;
    gate.Wait();
    const sockaddr_in address = AddressOf(listener);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const int syns = 2;  // beyond the first; newer kernels send some more before they wait longer
    setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &syns, sizeof(syns));
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
        errno != ETIMEDOUT) {
      return false;
    }
    *retransmits = KernelCount("Tcp", "RetransSegs");
    return true;
  });
  ASSERT_NO_FATAL_FAILURE(Run(workload, Options()));
  EXPECT_GE(*retransmits, 2);
  ASSERT_THAT(recorder_.failures, SizeIs(1));
  EXPECT_EQ(recorder_.failures[0].error, ETIMEDOUT);
  EXPECT_EQ(recorder_.failures[0].syn_retransmits, *retransmits);
  EXPECT_EQ(recorder_.failures[0].resets_received, 0);
  EXPECT_GE(recorder_.failures[0].duration_ns, 2'000'000'000);
}

// Sends through a namespace that loses a part of what comes in; false: not all arrived.
bool SendThroughLoss(size_t bytes) {
  const StreamPair pair = ConnectedPair(AF_INET);
  if (!Nft("numgen random mod 100 < 6 counter drop")) return false;
  const std::string block(64 << 10, 'x');
  std::string room(256 << 10, '\0');
  size_t sent = 0, received = 0;
  fcntl(pair.client, F_SETFL, O_NONBLOCK);
  while (received < bytes) {
    pollfd ends[] = {{pair.server, POLLIN, 0},
                     {pair.client, static_cast<short>(sent < bytes ? POLLOUT : 0), 0}};
    if (poll(ends, 2, 60'000) <= 0) return false;
    if (ends[1].revents & POLLOUT) {
      const ssize_t moved =
          send(pair.client, block.data(), std::min(block.size(), bytes - sent), 0);
      if (moved < 0 && errno != EAGAIN) return false;
      if (moved > 0) sent += static_cast<size_t>(moved);
    }
    if (ends[0].revents & POLLIN) {
      const ssize_t moved = recv(pair.server, room.data(), room.size(), 0);
      if (moved <= 0) return false;
      received += static_cast<size_t>(moved);
    }
  }
  // Without the loss both ends close at once.
  if (std::system("nft flush ruleset") != 0) return false;
  close(pair.client);
  close(pair.server);
  return true;
}

TEST_P(TcpFaultTest, RetransmitsAreTheKernels) {
  constexpr size_t kBytes = 8 << 20;
  auto* retransmits = Shared<uint64_t>();
  Workload workload([&](const Workload::Gate& gate) {
    if (std::system("ip link set lo mtu 1500") != 0) return false;
    gate.Wait();
    if (!SendThroughLoss(kBytes)) return false;
    // Both sockets are gone once nothing but the listener is left of them.
    for (int i = 0; i < 500 && KernelCount("Tcp", "CurrEstab") > 0; ++i) usleep(10'000);
    *retransmits = KernelCount("Tcp", "RetransSegs");
    return true;
  });
  workload.AwaitReady();
  KernelSourceOptions options = Options();
  options.scope.network_namespaces = {workload.NetnsPath()};
  auto source = KernelSource::Open(options);
  ASSERT_TRUE(source.ok()) << source.status();
  source_ = *std::move(source);
  ASSERT_TRUE(source_->Start(recorder_).ok());
  workload.Go();
  for (int i = 0; i < 100 && !workload.Ended(); ++i) {
    DrainUntil(*source_, recorder_, [&] { return workload.Ended(); });
  }
  ASSERT_NO_FATAL_FAILURE(FinishWorkload(workload));
  ASSERT_THAT(recorder_.tcp_ends, SizeIs(2));
  const TcpSample sum = EndsSum();
  EXPECT_GT(*retransmits, 20);
  EXPECT_EQ(sum.retransmits, *retransmits);
  EXPECT_LE(sum.timeout_retransmits + sum.fast_retransmits, sum.retransmits);
  EXPECT_GT(sum.timeout_retransmits + sum.fast_retransmits, sum.retransmits / 2);
  const TcpSample* client = EndOfSide(Side::kClient);
  const TcpSample* server = EndOfSide(Side::kServer);
  ASSERT_NE(client, nullptr);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(client->sent_bytes, kBytes);  // each once, however often it was sent
  EXPECT_EQ(server->received_bytes, kBytes);
  EXPECT_GT(client->lost_segments, 0);
  EXPECT_GT(server->out_of_order, 0);
  EXPECT_GT(client->sent_segments, kBytes / 1500);
}

TEST_P(TcpTest, WhoResetsAndWhoIsReset) {
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    const StreamPair pair = ConnectedPair(AF_INET6);
    char byte = 0;
    if (send(pair.client, "unread", 6, 0) != 6 || recv(pair.server, &byte, 1, 0) != 1) return false;
    close(pair.server);  // with bytes that nobody read
    return recv(pair.client, &byte, 1, 0) < 0 && errno == ECONNRESET;
  });
  ASSERT_NO_FATAL_FAILURE(Run(workload, Options()));
  ASSERT_THAT(recorder_.tcp_ends, SizeIs(2));
  const TcpSample* client = EndOfSide(Side::kClient);
  const TcpSample* server = EndOfSide(Side::kServer);
  ASSERT_NE(client, nullptr);
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(server->resets_sent, 1);
  EXPECT_EQ(server->resets_received, 0);
  if (ParseKernelVersion(KernelRelease()) >= KernelVersion{6, 15}) {
    EXPECT_EQ(server->reset_reason, "abort_on_close");
  }
  EXPECT_EQ(client->resets_sent, 0);
  EXPECT_EQ(client->resets_received, 1);
  EXPECT_EQ(client->error, ECONNRESET);
}

TEST_P(TcpTest, AFullListenQueue) {
  struct Facts {
    uint64_t drops = 0;
    uint16_t port = 0;
  };
  auto* facts = Shared<Facts>();
  Workload workload([&](const Workload::Gate& gate) {
    gate.Wait();
    const int listener = ListenWith(/*backlog=*/1);
    facts->port = PortOf(listener);
    const sockaddr_in address = AddressOf(listener);
    for (int i = 0; i < 6; ++i) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0 &&
          errno != EINPROGRESS) {
        return false;
      }
    }
    // The SYNs that found no room are sent again after a second.
    usleep(1'200'000);
    gate.Wait();
    facts->drops = KernelCount("TcpExt", "ListenDrops");
    return KernelCount("TcpExt", "ListenOverflows") > 0;
  });
  ASSERT_NO_FATAL_FAILURE(Start(workload, Options()));
  workload.Go();
  workload.AwaitReady();
  Sample();
  ASSERT_THAT(recorder_.listeners, SizeIs(1));
  EXPECT_EQ(recorder_.listeners[0].port, facts->port);
  EXPECT_EQ(recorder_.listeners[0].tgid, workload.pid());
  EXPECT_EQ(recorder_.listeners[0].queue_max, 1);
  EXPECT_EQ(recorder_.listeners[0].queued, 2);  // one more than the backlog
  EXPECT_GT(recorder_.listeners[0].drops, 0);
  EXPECT_FALSE(recorder_.listeners[0].ended);
  workload.Go();
  ASSERT_NO_FATAL_FAILURE(FinishWorkload(workload));
  ASSERT_THAT(recorder_.listeners, SizeIs(2));
  EXPECT_TRUE(recorder_.listeners[1].ended);
  EXPECT_EQ(recorder_.listeners[1].drops, facts->drops);
}

// What was thrown away before is the first's and not told again.
TEST_P(TcpTest, AListenerThatListensAgainIsAnother) {
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    const int listener = ListenWith(/*backlog=*/1);
    const sockaddr_in address = AddressOf(listener);
    for (int i = 0; i < 6; ++i) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0 &&
          errno != EINPROGRESS) {
        return false;
      }
    }
    if (shutdown(listener, SHUT_RD) != 0 || listen(listener, 1) != 0) return false;
    close(listener);
    return true;
  });
  ASSERT_NO_FATAL_FAILURE(Run(workload, Options()));
  ASSERT_THAT(recorder_.listeners, SizeIs(2));
  EXPECT_NE(recorder_.listeners[0].id, recorder_.listeners[1].id);
  EXPECT_GT(recorder_.listeners[0].drops, 0);
  EXPECT_EQ(recorder_.listeners[1].drops, 0);
  EXPECT_TRUE(recorder_.listeners[0].ended && recorder_.listeners[1].ended);
}

TEST_P(TcpTest, AReceiverThatDoesNotRead) {
  Workload workload([](const Workload::Gate& gate) {
    const StreamPair pair = ConnectedPair(AF_INET);
    gate.Wait();
    fcntl(pair.client, F_SETFL, O_NONBLOCK);
    const std::string block(64 << 10, 'x');
    // Until the window is closed: what is sent then waits here.
    for (int quiet = 0; quiet < 20;) {
      if (send(pair.client, block.data(), block.size(), 0) > 0) {
        quiet = 0;
      } else {
        ++quiet;
        usleep(10'000);
      }
    }
    usleep(1'000'000);
    gate.Wait();
    return true;
  });
  ASSERT_NO_FATAL_FAILURE(Start(workload, Options()));
  // Both were there before; the first samples say what they had done.
  EXPECT_THAT(recorder_.tcp_samples, SizeIs(2));
  workload.Go();
  workload.AwaitReady();
  Sample();
  ASSERT_THAT(recorder_.tcp_samples, SizeIs(2));
  const auto sender = std::ranges::max_element(recorder_.tcp_samples, {}, &TcpSample::sent_bytes);
  EXPECT_TRUE(sender->zero_window);
  EXPECT_GE(sender->receiver_limited_ns, 900'000'000);
  EXPECT_LE(sender->receiver_limited_ns, 10'000'000'000);
  EXPECT_GE(sender->busy_ns, sender->receiver_limited_ns);
  EXPECT_FALSE(sender->ended);
  workload.Go();
  ASSERT_NO_FATAL_FAILURE(FinishWorkload(workload));
}

// Without the hooks that TCP's state does not depend on, what can be known still is.
TEST_P(TcpFaultTest, WithoutItsOwnHooks) {
  KernelSourceOptions options = Options();
  options.disable = {"tp_btf/tcp_retransmit_skb",   "tp_btf/tcp_retransmit_synack",
                     "tp_btf/tcp_send_reset",       "tp_btf/tcp_receive_reset",
                     "iter/bpf_sk_storage_map:tcp", "iter/bpf_map_elem:tcp"};
  auto* retransmits = Shared<uint64_t>();
  Workload workload([&](const Workload::Gate& gate) {
    if (std::system("ip link set lo mtu 1500") != 0) return false;
    gate.Wait();
    if (!SendThroughLoss(1 << 20)) return false;
    const StreamPair pair = ConnectedPair(AF_INET);
    char byte = 0;
    if (send(pair.client, "unread", 6, 0) != 6 || recv(pair.server, &byte, 1, 0) != 1) return false;
    close(pair.server);
    if (recv(pair.client, &byte, 1, 0) >= 0 || errno != ECONNRESET) return false;
    *retransmits = KernelCount("Tcp", "RetransSegs");
    return true;
  });
  ASSERT_NO_FATAL_FAILURE(Start(workload, options));
  EXPECT_THAT(source_->missing(), SizeIs(5));  // the other path's iterator is not wanted
  workload.Go();
  for (int i = 0; i < 10 && !workload.Ended(); ++i) {
    DrainUntil(*source_, recorder_, [&] { return workload.Ended(); });
  }
  Sample();
  EXPECT_THAT(recorder_.tcp_samples, SizeIs(0));
  ASSERT_NO_FATAL_FAILURE(FinishWorkload(workload));
  ASSERT_THAT(recorder_.tcp_ends, SizeIs(4));
  const TcpSample sum = EndsSum();
  EXPECT_EQ(sum.retransmits, *retransmits);
  EXPECT_EQ(sum.timeout_retransmits + sum.fast_retransmits + sum.syn_retransmits, 0);
  EXPECT_EQ(sum.resets_sent, 1);
  EXPECT_EQ(sum.resets_received, 1);
}

TEST_P(TcpTest, AFullRingIsCounted) {
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    const int listener = Listen(AF_INET);
    for (int i = 0; i < 100; ++i) {
      const int client = Connect(AF_INET, listener);
      close(accept(listener, nullptr, nullptr));
      close(client);
    }
    gate.Wait();
    return true;
  });
  KernelSourceOptions options = Options();
  options.control_ring_bytes = 4096;
  ASSERT_NO_FATAL_FAILURE(Start(workload, options));
  workload.Go();
  workload.AwaitReady();  // nothing is drained until all is over
  workload.Go();
  ASSERT_NO_FATAL_FAILURE(FinishWorkload(workload));
  EXPECT_LT(recorder_.tcp_ends.size(), 200);
  EXPECT_GT(recorder_.loss.control_ring_events, 0);
}

}  // namespace
}  // namespace kindling::agent
