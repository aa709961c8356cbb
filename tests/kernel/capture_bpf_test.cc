// What the programs report of exchanges whose every byte is known, on both data paths.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/kernel/kernel_facts.h"
#include "agent/kernel/kernel_source.h"
#include "tests/kernel/recorder.h"
#include "tests/kernel/socket_calls.h"
#include "tests/kernel/workload.h"

namespace kindling::agent {
namespace {

using model::Side;
using model::Transport;
using ::testing::SizeIs;

// The paths that this kernel has: the tracepoints came with 6.3.
std::vector<std::string> HooksHere() {
  if (ParseKernelVersion(KernelRelease()) < KernelVersion{6, 3}) return {"sys_exit"};
  return {"socket_tracepoints", "sys_exit"};
}

// Memory that the workload's process shares with the test.
template <typename T>
T* Shared() {
  void* memory =
      mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return new (memory) T();
}

// Content that differs at every place and with every message.
std::string Message(int number, size_t size) {
  std::string text = "message " + std::to_string(number) + " ";
  while (text.size() < size) text += static_cast<char>('a' + (text.size() * 7 + number) % 26);
  text.resize(size);
  return text;
}

class CaptureTest : public ::testing::TestWithParam<std::string> {
 protected:
  KernelSourceOptions Options() const {
    KernelSourceOptions options;
    options.hook = GetParam();
    options.payload_bytes = 4096;
    options.data_ring_bytes = 4 << 20;
    return options;
  }

  // Runs the workload under a capture scoped to its network namespace, to its end.
  void Run(Workload& workload, KernelSourceOptions options) {
    workload.AwaitReady();
    if (options.scope.empty()) options.scope.network_namespaces = {workload.NetnsPath()};
    auto source = KernelSource::Open(options);
    ASSERT_TRUE(source.ok()) << source.status();
    source_ = *std::move(source);
    ASSERT_EQ(source_->hook(), GetParam());
    const absl::Status started = source_->Start(recorder_);
    ASSERT_TRUE(started.ok()) << started;
    workload.Go();
    ASSERT_TRUE(DrainUntil(*source_, recorder_, [&] { return workload.Ended(); }));
    ASSERT_EQ(workload.exit_code(), 0);
    for (int i = 0; i < 4; ++i) source_->Drain(recorder_);
  }

  const ConnOpen* OpenOf(Side side, Transport transport) const {
    for (const ConnOpen& open : recorder_.opens) {
      if (open.side == side && open.transport == transport) return &open;
    }
    return nullptr;
  }

  const ConnCounters* EndOf(ConnId id) const {
    for (const ConnCounters& end : recorder_.ends) {
      if (end.id == id) return &end;
    }
    return nullptr;
  }

  Recorder recorder_;
  std::unique_ptr<KernelSource> source_;
};

constexpr size_t kRequestBytes = 311;
constexpr size_t kResponseBytes = 1500;

// Request and response over each pair of calls, alternating; numbered from 0.
bool ExchangeOverEveryCall(int client, int server) {
  char bytes[4096];
  int number = 0;
  for (size_t i = 0; i < SendCalls().size(); ++i) {
    const SendCall& send = SendCalls()[i];
    const ReceiveCall& receive = ReceiveCalls()[i];
    const std::string request = Message(number++, kRequestBytes);
    const std::string response = Message(number++, kResponseBytes);
    if (send.call(client, request) != ssize_t{kRequestBytes} ||
        receive.call(server, bytes, sizeof(bytes)) != ssize_t{kRequestBytes} ||
        std::memcmp(bytes, request.data(), kRequestBytes) != 0 ||
        send.call(server, response) != ssize_t{kResponseBytes} ||
        receive.call(client, bytes, sizeof(bytes)) != ssize_t{kResponseBytes}) {
      std::perror(send.name);
      return false;
    }
  }
  return true;
}

// Checks that `events` are those of one side of ExchangeOverEveryCall().
void ExpectExchange(const std::vector<RecordedData>& events, bool is_client) {
  const int calls = static_cast<int>(2 * SendCalls().size());
  ASSERT_THAT(events, SizeIs(calls));
  uint64_t sent = 0, received = 0;
  for (int i = 0; i < calls; ++i) {
    SCOPED_TRACE(i);
    const RecordedData& event = events[i];
    const bool is_request = i % 2 == 0;
    const bool is_sent = is_request == is_client;
    uint64_t& position = is_sent ? sent : received;
    EXPECT_EQ(event.direction, is_sent ? Direction::kSent : Direction::kReceived);
    EXPECT_EQ(event.position, position);
    EXPECT_EQ(event.size, is_request ? kRequestBytes : kResponseBytes);
    EXPECT_EQ(event.payload, Message(i, event.size));
    EXPECT_EQ(event.turn, i + 1);
    EXPECT_NE(event.tgid, 0);
    EXPECT_NE(event.tid, 0);
    if (i > 0) {
      EXPECT_GE(event.boot_ns, events[i - 1].boot_ns);
    }
    position += event.size;
  }
}

class StreamTest : public CaptureTest {
 protected:
  void RunStream(int family, Transport transport) {
    struct Facts {
      uint16_t client_port = 0, server_port = 0;
    };
    auto* facts = Shared<Facts>();
    const std::string path =
        family == AF_UNIX ? "/tmp/kindling_capture_test." + std::to_string(getpid()) : "";
    Workload workload([&](const Workload::Gate& gate) {
      gate.Wait();
      const StreamPair pair = ConnectedPair(family, path);
      if (family != AF_UNIX) {
        facts->client_port = PortOf(pair.client);
        facts->server_port = PortOf(pair.server);
      }
      const bool ok = ExchangeOverEveryCall(pair.client, pair.server);
      close(pair.client);
      close(pair.server);
      return ok;
    });
    ASSERT_NO_FATAL_FAILURE(Run(workload, Options()));
    ASSERT_THAT(recorder_.opens, SizeIs(2));
    const ConnOpen* client = OpenOf(Side::kClient, transport);
    const ConnOpen* server = OpenOf(Side::kServer, transport);
    ASSERT_NE(client, nullptr);
    ASSERT_NE(server, nullptr);
    EXPECT_EQ(client->tgid, workload.pid());
    ExpectExchange(recorder_.DataOf(client->id), true);
    ExpectExchange(recorder_.DataOf(server->id), false);
    EXPECT_EQ(recorder_.loss, KernelLoss());
    if (family == AF_UNIX) {
      EXPECT_EQ(client->unix_path, path);
      EXPECT_EQ(server->unix_path, path);
      EXPECT_NE(server->unix_inode, 0);
      EXPECT_EQ(client->unix_inode, server->unix_peer_inode);
      EXPECT_EQ(client->unix_peer_inode, server->unix_inode);
      unlink(path.c_str());
    } else {
      EXPECT_EQ(client->origin, ConnOrigin::kConnect);
      EXPECT_EQ(server->origin, ConnOrigin::kAccept);
      EXPECT_GT(client->connect_duration_ns, 0);
      const std::string loopback = family == AF_INET ? "127.0.0.1" : "::1";
      for (const IpAddress& address :
           {client->local, client->remote, server->local, server->remote}) {
        EXPECT_EQ(ToString(address), loopback);
      }
      EXPECT_EQ(client->local_port, facts->client_port);
      EXPECT_EQ(client->remote_port, facts->server_port);
      EXPECT_EQ(server->local_port, facts->server_port);
      EXPECT_EQ(server->remote_port, facts->client_port);
      ASSERT_THAT(recorder_.listens, SizeIs(1));
      EXPECT_EQ(recorder_.listens[0].port, facts->server_port);
      EXPECT_EQ(recorder_.listens[0].tgid, workload.pid());
      // Both ends give the same bytes the same place on the wire.
      const auto from_client = recorder_.DataOf(client->id);
      const auto from_server = recorder_.DataOf(server->id);
      for (size_t i = 0; i < from_client.size(); ++i) {
        EXPECT_NE(from_client[i].tcp_seq, 0);
        EXPECT_EQ(from_client[i].tcp_seq, from_server[i].tcp_seq);
      }
    }
    source_->SweepCounters(recorder_);
    for (int i = 0; i < 3; ++i) source_->Drain(recorder_);
    const uint64_t requests = kRequestBytes * SendCalls().size();
    const uint64_t responses = kResponseBytes * SendCalls().size();
    const ConnCounters* end = EndOf(client->id);
    ASSERT_NE(end, nullptr);
    EXPECT_EQ(end->sent_bytes, requests);
    EXPECT_EQ(end->received_bytes, responses);
    EXPECT_EQ(end->turns, 2 * SendCalls().size());
    end = EndOf(server->id);
    ASSERT_NE(end, nullptr);
    EXPECT_EQ(end->sent_bytes, responses);
    EXPECT_EQ(end->received_bytes, requests);
    EXPECT_THAT(recorder_.ends, SizeIs(2));
  }
};

INSTANTIATE_TEST_SUITE_P(Hooks, StreamTest, ::testing::ValuesIn(HooksHere()),
                         [](const auto& info) { return info.param; });

TEST_P(StreamTest, EveryCallOverTcp4) { RunStream(AF_INET, Transport::kTcp); }
TEST_P(StreamTest, EveryCallOverTcp6) { RunStream(AF_INET6, Transport::kTcp); }
TEST_P(StreamTest, EveryCallOverUnix) { RunStream(AF_UNIX, Transport::kUnix); }

}  // namespace
}  // namespace kindling::agent
