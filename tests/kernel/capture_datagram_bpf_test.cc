// UDP: connected and not, several messages in a call, and who the other side is.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/kernel/capture_fixture.h"

namespace kindling::agent {
namespace {

using model::Side;
using model::Transport;
using ::testing::SizeIs;

class DatagramTest : public CaptureTest {};

INSTANTIATE_TEST_SUITE_P(Hooks, DatagramTest, ::testing::ValuesIn(HooksHere()),
                         [](const auto& info) { return info.param; });

// A message with room for an address; `bytes` is what is sent or where to receive.
struct Datagram {
  Datagram(char* bytes, size_t size) : part{bytes, size} {}
  msghdr Header() {
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_name = &address;
    message.msg_namelen = sizeof(address);
    return message;
  }
  iovec part;
  sockaddr_storage address{};
};

// Receives one datagram and answers it, by the calls of kind `number`.
bool ServeOne(int fd, int number, std::string answer) {
  char bytes[2048];
  Datagram in(bytes, sizeof(bytes));
  msghdr header = in.Header();
  mmsghdr headers[1] = {{header, 0}};
  socklen_t length = sizeof(in.address);
  ssize_t got = 0;
  switch (number % 3) {
    case 0:
      got =
          recvfrom(fd, bytes, sizeof(bytes), 0, reinterpret_cast<sockaddr*>(&in.address), &length);
      break;
    case 1:
      got = recvmsg(fd, &header, 0);
      length = header.msg_namelen;
      break;
    default:
      if (recvmmsg(fd, headers, 1, 0, nullptr) != 1) return false;
      got = headers[0].msg_len;
      length = headers[0].msg_hdr.msg_namelen;
      break;
  }
  if (got <= 0) return false;
  Datagram out(answer.data(), answer.size());
  out.address = in.address;
  header = out.Header();
  header.msg_namelen = length;
  headers[0] = {header, 0};
  switch (number % 3) {
    case 0:
      return sendto(fd, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&out.address),
                    length) == static_cast<ssize_t>(answer.size());
    case 1:
      return sendmsg(fd, &header, 0) == static_cast<ssize_t>(answer.size());
    default:
      return sendmmsg(fd, headers, 1, 0) == 1;
  }
}

TEST_P(DatagramTest, EveryCallWithAnUnconnectedServer) {
  struct Facts {
    uint16_t client_port = 0, server_port = 0;
  };
  for (int family : {AF_INET, AF_INET6}) {
    SCOPED_TRACE(family);
    recorder_ = Recorder();
    auto* facts = Shared<Facts>();
    Workload workload([&](const Workload::Gate& gate) {
      gate.Wait();
      const int server = BoundUdp(family);
      const int client = ConnectedUdp(family, server);
      facts->client_port = PortOf(client);
      facts->server_port = PortOf(server);
      char bytes[2048];
      for (int i = 0; i < 6; ++i) {
        if (SendCalls()[i].call(client, Message(2 * i, 100)) != 100) return false;
        if (!ServeOne(server, i, Message(2 * i + 1, 200))) return false;
        if (ReceiveCalls()[i].call(client, bytes, sizeof(bytes)) != 200) return false;
      }
      return true;
    });
    ASSERT_NO_FATAL_FAILURE(Run(workload, Options()));
    ASSERT_THAT(recorder_.opens, SizeIs(2));
    const ConnOpen* client = OpenOf(Side::kClient, Transport::kUdp);
    const ConnOpen* server = OpenOf(Side::kServer, Transport::kUdp);
    ASSERT_NE(client, nullptr);
    ASSERT_NE(server, nullptr);
    EXPECT_EQ(client->local_port, facts->client_port);
    EXPECT_EQ(client->remote_port, facts->server_port);
    EXPECT_EQ(server->local_port, facts->server_port);
    EXPECT_EQ(server->remote_port, 0);
    EXPECT_EQ(server->remote.size, 0);
    ASSERT_THAT(recorder_.listens, SizeIs(1));
    EXPECT_EQ(recorder_.listens[0].transport, Transport::kUdp);
    EXPECT_EQ(recorder_.listens[0].port, facts->server_port);
    const std::string loopback = family == AF_INET ? "127.0.0.1" : "::1";
    const auto from_client = recorder_.DataOf(client->id);
    const auto from_server = recorder_.DataOf(server->id);
    ASSERT_THAT(from_client, SizeIs(12));
    ASSERT_THAT(from_server, SizeIs(12));
    for (int i = 0; i < 12; ++i) {
      SCOPED_TRACE(i);
      EXPECT_EQ(from_client[i].payload, Message(i, i % 2 == 0 ? 100 : 200));
      EXPECT_EQ(from_server[i].payload, Message(i, i % 2 == 0 ? 100 : 200));
      EXPECT_EQ(from_client[i].remote.size, 0);
      EXPECT_EQ(ToString(from_server[i].remote), loopback);
      EXPECT_EQ(from_server[i].remote_port, facts->client_port);
      EXPECT_EQ(from_server[i].position, i / 2 * (i % 2 == 0 ? 100 : 200));
    }
    // A sweep tells of sockets that are gone; the kernel frees them some time after the process.
    ASSERT_TRUE(DrainUntil(*source_, recorder_, [&] {
      source_->SweepCounters(recorder_);
      return recorder_.ends.size() == 2;
    }));
    ASSERT_NE(EndOf(server->id), nullptr);
    EXPECT_EQ(EndOf(server->id)->received_bytes, 600);
    EXPECT_EQ(EndOf(server->id)->sent_bytes, 1200);
    EXPECT_EQ(EndOf(server->id)->turns, 12);
    EXPECT_EQ(recorder_.loss, KernelLoss());
  }
}

// As a resolver asks for A and AAAA: the same array, on the stack, call after call.
TEST_P(DatagramTest, SeveralMessagesInACall) {
  constexpr int kRounds = 4, kMessages = 3;
  Workload workload([&](const Workload::Gate& gate) {
    gate.Wait();
    const int server = BoundUdp(AF_INET);
    const int client = ConnectedUdp(AF_INET, server);
    std::string texts[kMessages];
    iovec parts[kMessages];
    mmsghdr headers[kMessages];
    char bytes[kMessages + 2][512];
    iovec in_parts[kMessages + 2];
    mmsghdr in_headers[kMessages + 2];
    for (int round = 0; round < kRounds; ++round) {
      for (int i = 0; i < kMessages; ++i) {
        texts[i] = Message(round * kMessages + i, 40);  // all of the same length
        parts[i] = {texts[i].data(), texts[i].size()};
        headers[i] = {};
        headers[i].msg_hdr.msg_iov = &parts[i];
        headers[i].msg_hdr.msg_iovlen = 1;
      }
      if (sendmmsg(client, headers, kMessages, 0) != kMessages) return false;
      for (int i = 0; i < kMessages + 2; ++i) {
        in_parts[i] = {bytes[i], sizeof(bytes[i])};
        in_headers[i].msg_hdr = {};
        in_headers[i].msg_hdr.msg_iov = &in_parts[i];
        in_headers[i].msg_hdr.msg_iovlen = 1;  // msg_len keeps the round before's value
      }
      if (recvmmsg(server, in_headers, kMessages + 2, MSG_DONTWAIT, nullptr) != kMessages) {
        return false;
      }
    }
    return true;
  });
  ASSERT_NO_FATAL_FAILURE(Run(workload, Options()));
  ASSERT_THAT(recorder_.opens, SizeIs(2));
  for (const ConnOpen& open : recorder_.opens) {
    SCOPED_TRACE(Name(open.side));
    const auto events = recorder_.DataOf(open.id);
    ASSERT_THAT(events, SizeIs(kRounds * kMessages));
    for (int i = 0; i < kRounds * kMessages; ++i) {
      EXPECT_EQ(events[i].payload, Message(i, 40)) << i;
      EXPECT_EQ(events[i].position, i * 40);
      EXPECT_EQ(events[i].turn, 1);
    }
  }
}

}  // namespace
}  // namespace kindling::agent
