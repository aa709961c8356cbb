// What the programs report of exchanges whose every byte is known, on both data paths.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/kernel/capture_fixture.h"
#include "tests/kernel/socket_calls.h"

namespace kindling::agent {
namespace {

using model::Side;
using model::Transport;
using ::testing::SizeIs;

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
      ASSERT_THAT(recorder_.listens, SizeIs(1));
      EXPECT_EQ(recorder_.listens[0].unix_path, path);
      EXPECT_EQ(recorder_.listens[0].tgid, workload.pid());
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
    ASSERT_TRUE(DrainUntil(*source_, recorder_, [&] {
      source_->SweepCounters(recorder_);
      return recorder_.ends.size() >= 2;
    }));
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

TEST_P(StreamTest, FileSentFromTheKernelIsAFiller) {
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    const StreamPair pair = ConnectedPair(AF_INET);
    const int file = memfd_create("file", 0);
    const std::string text = Message(0, 5000);
    char bytes[5000];
    if (write(file, text.data(), text.size()) != 5000 || write(pair.client, "head", 4) != 4) {
      return false;
    }
    off_t offset = 0;
    if (sendfile(pair.client, file, &offset, 5000) != 5000) return false;
    if (write(pair.client, "tail", 4) != 4) return false;
    size_t got = 0;
    while (got < 5008) {
      const ssize_t n = recv(pair.server, bytes, sizeof(bytes), 0);
      if (n <= 0) return false;
      got += n;
    }
    return true;
  });
  ASSERT_NO_FATAL_FAILURE(Run(workload, Options()));
  const ConnOpen* client = OpenOf(Side::kClient, Transport::kTcp);
  ASSERT_NE(client, nullptr);
  const auto events = recorder_.DataOf(client->id);
  ASSERT_GE(events.size(), 3);
  EXPECT_EQ(events.front().payload, "head");
  EXPECT_EQ(events.back().payload, "tail");
  EXPECT_EQ(events.back().position, 5004);
  uint64_t filled = 0;
  for (size_t i = 1; i + 1 < events.size(); ++i) {
    EXPECT_EQ(events[i].payload, "");
    filled += events[i].size;
  }
  EXPECT_EQ(filled, 5000);
  const ConnOpen* server = OpenOf(Side::kServer, Transport::kTcp);
  ASSERT_NE(server, nullptr);
  ASSERT_NE(EndOf(server->id), nullptr);
  EXPECT_EQ(EndOf(server->id)->received_bytes, 5008);
  EXPECT_EQ(recorder_.loss, KernelLoss());
}

TEST_P(StreamTest, PeekedBytesCountOnce) {
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    const StreamPair pair = ConnectedPair(AF_INET);
    char bytes[64];
    iovec part = {bytes, sizeof(bytes)};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    return write(pair.client, "hello", 5) == 5 &&
           recv(pair.server, bytes, sizeof(bytes), MSG_PEEK) == 5 &&
           recvmsg(pair.server, &message, MSG_PEEK) == 5 && recv(pair.server, bytes, 2, 0) == 2 &&
           recv(pair.server, bytes, 64, 0) == 3;
  });
  ASSERT_NO_FATAL_FAILURE(Run(workload, Options()));
  const ConnOpen* server = OpenOf(Side::kServer, Transport::kTcp);
  ASSERT_NE(server, nullptr);
  const auto events = recorder_.DataOf(server->id);
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_EQ(events[0].payload, "he");
  EXPECT_EQ(events[1].payload, "llo");
  EXPECT_EQ(events[1].position, 2);
}

TEST_P(StreamTest, OnlyTheHeadOfALargeCallIsTaken) {
  constexpr size_t kSize = 60'000;
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    const StreamPair pair = ConnectedPair(AF_INET);
    const std::string text = Message(0, kSize);
    std::vector<iovec> parts;  // more parts than the programs look at
    for (size_t i = 0; i < 30; ++i) {
      parts.push_back({const_cast<char*>(text.data()) + i * 2000, 2000});
    }
    std::string got(kSize, '\0');
    return writev(pair.client, parts.data(), 30) == ssize_t{kSize} &&
           recv(pair.server, got.data(), kSize, MSG_WAITALL) == ssize_t{kSize} && got == text;
  });
  KernelSourceOptions options = Options();
  options.payload_bytes = 3000;
  ASSERT_NO_FATAL_FAILURE(Run(workload, options));
  for (Side side : {Side::kClient, Side::kServer}) {
    const ConnOpen* open = OpenOf(side, Transport::kTcp);
    ASSERT_NE(open, nullptr);
    const auto events = recorder_.DataOf(open->id);
    ASSERT_THAT(events, SizeIs(1));
    EXPECT_EQ(events[0].size, kSize);
    EXPECT_EQ(events[0].payload, Message(0, kSize).substr(0, 3000));
  }
}

}  // namespace
}  // namespace kindling::agent
