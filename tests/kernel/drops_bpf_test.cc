// Packets dropped on purpose in the test's own network namespace, compared with what the kernel, or
// the rule that dropped them, counted.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <tuple>

#include "tests/kernel/capture_fixture.h"

namespace kindling::agent {
namespace {

using ::testing::IsEmpty;

class DropsTest : public CaptureTest {
 protected:
  void RunToEnd(Workload& workload, const KernelSourceOptions& options) {
    ASSERT_NO_FATAL_FAILURE(Run(workload, options));
    source_->SampleTcp(recorder_);
    source_->SampleDrops(recorder_);
    // What no longer grows is taken out; nothing is told of it again.
    const size_t told = recorder_.drops.size();
    source_->SampleDrops(recorder_);
    source_->SampleDrops(recorder_);
    EXPECT_EQ(recorder_.drops.size(), told);
    EXPECT_EQ(recorder_.loss.map_full, 0);
  }
  // Of packets to the port.
  uint64_t Packets(const std::string& reason, uint16_t port) const {
    uint64_t packets = 0;
    for (const DropSample& drop : recorder_.drops) {
      if (drop.reason == reason && drop.destination_port == port) packets += drop.packets;
    }
    return packets;
  }
  uint64_t Bytes(uint16_t port) const {
    uint64_t bytes = 0;
    for (const DropSample& drop : recorder_.drops) {
      if (drop.destination_port == port) bytes += drop.bytes;
    }
    return bytes;
  }
  // What this kernel calls it: before 5.17 it gave no reasons.
  static std::string Reason(const std::string& name) {
    return ParseKernelVersion(KernelRelease()) >= KernelVersion{5, 17} ? name : "not_specified";
  }
};

INSTANTIATE_TEST_SUITE_P(Hooks, DropsTest, ::testing::ValuesIn(HooksHere()),
                         [](const auto& info) { return info.param; });

// These need nft, ip and tc.
class DropFaultTest : public DropsTest {};

INSTANTIATE_TEST_SUITE_P(Hooks, DropFaultTest, ::testing::ValuesIn(HooksHere()),
                         [](const auto& info) { return info.param; });

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

int UdpSocket(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  const sockaddr_in address = Loopback(port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) std::abort();
  return fd;
}

bool SendTo(int fd, uint16_t port, size_t bytes) {
  const std::string text(bytes, 'x');
  const sockaddr_in address = Loopback(port);
  return sendto(fd, text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)) == static_cast<ssize_t>(bytes);
}

// The drops column of /proc/net/udp in the caller's namespace.
uint64_t SocketDrops(uint16_t port) {
  std::ifstream file("/proc/self/net/udp");
  std::string line;
  char wanted[8];
  std::snprintf(wanted, sizeof(wanted), ":%04X", port);
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string slot, local;
    words >> slot >> local;
    if (!local.ends_with(wanted)) continue;
    return std::stoull(line.substr(line.find_last_of(' ', line.find_last_not_of(' '))));
  }
  std::abort();
}

constexpr uint16_t kPort = 7001;

TEST_P(DropsTest, APortThatNobodyListensOn) {
  constexpr uint64_t kDatagrams = 7;
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    const int client = UdpSocket(0);
    for (uint64_t i = 0; i < kDatagrams; ++i) {
      if (!SendTo(client, kPort, 100)) return false;
    }
    return true;
  });
  ASSERT_NO_FATAL_FAILURE(RunToEnd(workload, Options()));
  EXPECT_EQ(Packets(Reason("no_socket"), kPort), kDatagrams);
  EXPECT_EQ(Bytes(kPort), kDatagrams * 128);  // with the headers of IP and UDP
  const auto drop = std::ranges::find(recorder_.drops, kPort, &DropSample::destination_port);
  EXPECT_EQ(ToString(drop->source), "127.0.0.1");
  EXPECT_EQ(ToString(drop->destination), "127.0.0.1");
  EXPECT_EQ(drop->protocol, IPPROTO_UDP);
  EXPECT_EQ(drop->direction, Direction::kReceived);
  EXPECT_FALSE(drop->without_ends);
}

// Sends more to the server at kPort than it has room for, after one datagram that it reads.
bool Overflow(int server, int client, uint64_t* dropped) {
  const int room = 4096;
  setsockopt(server, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
  char bytes[64];
  if (!SendTo(client, kPort, 10) || recv(server, bytes, sizeof(bytes), 0) != 10) return false;
  for (int i = 0; i < 100; ++i) {
    if (!SendTo(client, kPort, 500)) return false;
  }
  *dropped = SocketDrops(kPort);
  return true;
}

TEST_P(DropsTest, AReaderThatIsTooSlow) {
  auto* dropped = Shared<uint64_t>();
  Workload workload([&](const Workload::Gate& gate) {
    gate.Wait();
    const int server = UdpSocket(kPort);
    const int client = UdpSocket(0);
    if (!Overflow(server, client, dropped)) return false;
    gate.Wait();
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
  workload.AwaitReady();
  source_->Drain(recorder_);
  source_->SampleTcp(recorder_);
  source_->SampleDrops(recorder_);
  workload.Go();
  ASSERT_TRUE(DrainUntil(*source_, recorder_, [&] { return workload.Ended(); }));
  ASSERT_EQ(workload.exit_code(), 0);
  EXPECT_GT(*dropped, 50);
  ASSERT_EQ(recorder_.datagrams.size(), 1);
  EXPECT_EQ(recorder_.datagrams[0].drops, *dropped);
  EXPECT_EQ(recorder_.datagrams[0].local_port, kPort);
  EXPECT_EQ(recorder_.datagrams[0].tgid, workload.pid());
  EXPECT_EQ(Packets(Reason("socket_rcvbuff"), kPort), *dropped);
}

// A datagram whose sum is wrong, made by hand.
bool SendBadChecksum() {
  struct {
    udphdr header;
    char text[8];
  } packet{};
  packet.header.source = htons(1234);
  packet.header.dest = htons(kPort);
  packet.header.len = htons(sizeof(packet));
  packet.header.check = htons(0x1234);
  std::memcpy(packet.text, "damaged", 8);
  const int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
  const sockaddr_in address = Loopback(0);
  return sendto(raw, &packet, sizeof(packet), 0, reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)) == sizeof(packet);
}

TEST_P(DropsTest, ABadChecksum) {
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    UdpSocket(kPort);
    return SendBadChecksum() && SendBadChecksum();
  });
  ASSERT_NO_FATAL_FAILURE(RunToEnd(workload, Options()));
  EXPECT_EQ(Packets(Reason("udp_csum"), kPort), 2);
}

// What every connection frees in the ordinary course of things is no drop.
TEST_P(DropsTest, ConnectionsThatEndWell) {
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    const int listener = Listen(AF_INET);
    char bytes[64];
    for (int i = 0; i < 200; ++i) {
      const int client = Connect(AF_INET, listener);
      const int server = accept(listener, nullptr, nullptr);
      if (send(client, "question", 8, 0) != 8 || recv(server, bytes, 64, 0) != 8 ||
          send(server, "answer", 6, 0) != 6 || recv(client, bytes, 64, 0) != 6) {
        return false;
      }
      close(i % 2 == 0 ? client : server);
      close(i % 2 == 0 ? server : client);
    }
    return true;
  });
  ASSERT_NO_FATAL_FAILURE(RunToEnd(workload, Options()));
  for (const DropSample& drop : recorder_.drops) {
    ADD_FAILURE() << drop.reason << " " << drop.packets << " of " << drop.bytes << " bytes, "
                  << int{drop.protocol} << " " << ToString(drop.source) << ":" << drop.source_port
                  << " " << ToString(drop.destination) << ":" << drop.destination_port;
    if (recorder_.drops.size() > 20) break;
  }
}

// More flows than the kernel's sums have room for.
TEST_P(DropsTest, AFloodKeepsItsCount) {
  constexpr uint64_t kDatagrams = 20'000;
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    const int client = UdpSocket(0);
    for (uint64_t i = 0; i < kDatagrams; ++i) {
      if (!SendTo(client, static_cast<uint16_t>(10'000 + i), 4)) return false;
    }
    return true;
  });
  ASSERT_NO_FATAL_FAILURE(RunToEnd(workload, Options()));
  uint64_t with_ends = 0, without = 0;
  for (const DropSample& drop : recorder_.drops) {
    if (drop.protocol != IPPROTO_UDP) continue;
    (drop.without_ends ? without : with_ends) += drop.packets;
  }
  EXPECT_EQ(with_ends + without, kDatagrams);
  EXPECT_GT(without, kDatagrams / 2);
}

// Of what crosses a device nobody knows whose it is; what a socket in scope does not take is its
// own.
TEST_P(DropsTest, AScopeOfProcesses) {
  auto* dropped = Shared<uint64_t>();
  Workload workload([&](const Workload::Gate& gate) {
    gate.Wait();
    const int client = UdpSocket(0);
    if (!Overflow(UdpSocket(kPort), client, dropped)) return false;
    return SendTo(client, kPort + 1, 100);
  });
  KernelSourceOptions options = Options();
  options.scope.pids = {static_cast<uint32_t>(workload.pid())};
  ASSERT_NO_FATAL_FAILURE(RunToEnd(workload, options));
  // Older kernels do not tell the receiving socket.
  const bool has_socket = ParseKernelVersion(KernelRelease()) >= KernelVersion{6, 11};
  EXPECT_GT(*dropped, 0);
  EXPECT_EQ(Packets("socket_rcvbuff", kPort), has_socket ? *dropped : 0);
  EXPECT_EQ(Packets("no_socket", kPort + 1), 0);
}

TEST_P(DropsTest, WithoutTheHookOnlySocketsCount) {
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    return SendTo(UdpSocket(0), kPort, 100);
  });
  KernelSourceOptions options = Options();
  options.disable = {"tp_btf/kfree_skb"};
  ASSERT_NO_FATAL_FAILURE(RunToEnd(workload, options));
  EXPECT_THAT(recorder_.drops, IsEmpty());
  const auto missing =
      std::ranges::find(source_->missing(), "tp_btf/kfree_skb", &MissingHook::hook);
  ASSERT_NE(missing, source_->missing().end());
  EXPECT_EQ(missing->why, "disabled by config");
}

// The number after `word` in what a command prints.
uint64_t NumberIn(const std::string& command, const std::string& word) {
  FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  for (char chunk[256]; fgets(chunk, sizeof(chunk), pipe) != nullptr;) text += chunk;
  pclose(pipe);
  const size_t at = text.find(word);
  if (at == std::string::npos) std::abort();
  return std::stoull(text.substr(at + word.size()));
}

TEST_P(DropFaultTest, ARuleOfNetfilter) {
  struct Facts {
    uint64_t packets = 0;
    uint64_t bytes = 0;
  };
  auto* facts = Shared<Facts>();
  Workload workload([&](const Workload::Gate& gate) {
    if (std::system("nft 'add table inet t; add chain inet t c { type filter hook input priority "
                    "0; }; add rule inet t c udp dport 7001 counter drop'") != 0) {
      return false;
    }
    gate.Wait();
    const int client = UdpSocket(0);
    for (size_t i = 0; i < 40; ++i) {
      if (!SendTo(client, kPort, 10 + i)) return false;
    }
    *facts = {NumberIn("nft list ruleset", "packets "), NumberIn("nft list ruleset", "bytes ")};
    return true;
  });
  ASSERT_NO_FATAL_FAILURE(RunToEnd(workload, Options()));
  EXPECT_EQ(facts->packets, 40);
  EXPECT_EQ(Packets(Reason("netfilter_drop"), kPort), facts->packets);
  EXPECT_EQ(Bytes(kPort), facts->bytes);
}

TEST_P(DropFaultTest, AFullQueueDiscipline) {
  auto* dropped = Shared<uint64_t>();
  Workload workload([&](const Workload::Gate& gate) {
    if (std::system("tc qdisc add dev lo root tbf rate 8kbit burst 1600 limit 3000") != 0) {
      return false;
    }
    gate.Wait();
    const int server = UdpSocket(kPort);
    for (int i = 0; i < 50; ++i) {
      if (!SendTo(server, kPort, 500)) return false;
    }
    *dropped = NumberIn("tc -s qdisc show dev lo", "dropped ");
    return true;
  });
  ASSERT_NO_FATAL_FAILURE(RunToEnd(workload, Options()));
  EXPECT_GT(*dropped, 30);
  uint64_t packets = 0;
  for (const DropSample& drop : recorder_.drops) {
    if (drop.reason != "qdisc_drop" && drop.reason != "not_specified") continue;
    EXPECT_EQ(drop.direction, Direction::kSent);
    packets += drop.packets;
  }
  EXPECT_EQ(packets, *dropped);
}

TEST_P(DropFaultTest, ANeighbourThatDoesNotAnswer) {
  Workload workload([](const Workload::Gate& gate) {
    if (std::system("ip link add v0 type veth peer name v1 && ip addr add 10.9.0.1/24 dev v0 && ip "
                    "link set v0 up && ip link set v1 up") != 0) {
      return false;
    }
    gate.Wait();
    const int client = socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in address = Loopback(kPort);
    inet_pton(AF_INET, "10.9.0.2", &address.sin_addr);
    for (int i = 0; i < 3; ++i) {
      if (sendto(client, "hello", 5, 0, reinterpret_cast<const sockaddr*>(&address),
                 sizeof(address)) != 5) {
        return false;
      }
    }
    sleep(5);  // it is asked for three times
    return true;
  });
  ASSERT_NO_FATAL_FAILURE(RunToEnd(workload, Options()));
  EXPECT_EQ(Packets(Reason("neigh_failed"), kPort), 3);
}

}  // namespace
}  // namespace kindling::agent
