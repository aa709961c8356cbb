// Losses are counted exactly, payload can be turned off, and what cannot work says why.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "tests/kernel/capture_fixture.h"
#include "tests/kernel/counting.h"

namespace kindling::agent {
namespace {

using model::Side;
using model::Transport;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class LossTest : public CaptureTest {};

INSTANTIATE_TEST_SUITE_P(Hooks, LossTest, ::testing::ValuesIn(HooksHere()),
                         [](const auto& info) { return info.param; });

constexpr int kCalls = 500;
constexpr size_t kBytes = 100;

bool SendMany(int client, int server) {
  char bytes[kBytes];
  for (int i = 0; i < kCalls; ++i) {
    const std::string text = Message(i, kBytes);
    if (send(client, text.data(), kBytes, 0) != ssize_t{kBytes}) return false;
    if (recv(server, bytes, kBytes, MSG_WAITALL) != ssize_t{kBytes}) return false;
  }
  return true;
}

TEST_P(LossTest, EveryDroppedCallIsCounted) {
  auto* is_sent = Shared<volatile bool>();
  Workload workload([&](const Workload::Gate& gate) {
    gate.Wait();
    const StreamPair pair = ConnectedPair(AF_INET);
    if (!SendMany(pair.client, pair.server)) return false;
    *is_sent = true;
    gate.Wait();
    return true;
  });
  workload.AwaitReady();
  KernelSourceOptions options = Options();
  options.data_ring_bytes = 4096;
  options.scope.network_namespaces = {workload.NetnsPath()};
  auto source = KernelSource::Open(options);
  ASSERT_TRUE(source.ok()) << source.status();
  ASSERT_TRUE((*source)->Start(recorder_).ok());
  workload.Go();
  workload.AwaitReady();  // nothing is drained until all is sent
  ASSERT_TRUE(*is_sent);
  (*source)->Drain(recorder_);
  const size_t delivered = recorder_.data.size();
  EXPECT_GT(delivered, 0);
  EXPECT_LT(delivered, 2 * kCalls);
  EXPECT_EQ(delivered + recorder_.loss.data_ring_events, 2 * kCalls);
  EXPECT_EQ(delivered * kBytes + recorder_.loss.data_ring_bytes, 2 * kCalls * kBytes);
  EXPECT_EQ(recorder_.loss.control_ring_events, 0);
  // The sockets' own counters did not pass through the ring.
  (*source)->SweepCounters(recorder_);
  ASSERT_THAT(recorder_.counters, SizeIs(2));
  for (const ConnCounters& counters : recorder_.counters) {
    EXPECT_EQ(counters.sent_bytes + counters.received_bytes, kCalls * kBytes);
    EXPECT_EQ(counters.turns, 1);
  }
  workload.Go();
  ASSERT_TRUE(DrainUntil(**source, recorder_, [&] { return workload.Ended(); }));
}

TEST_P(LossTest, LostAnnouncementIsRepeatedWithTheNextCall) {
  constexpr int kPairs = 40;  // 80 announcements: more than a page holds
  Workload workload([&](const Workload::Gate& gate) {
    gate.Wait();
    const int listener = Listen(AF_INET);
    std::vector<std::pair<int, int>> pairs;
    for (int i = 0; i < kPairs; ++i) {
      const int client = Connect(AF_INET, listener);
      pairs.emplace_back(client, accept(listener, nullptr, nullptr));
    }
    char bytes[8];
    for (auto [client, server] : pairs) {
      gate.Wait();  // the ring is drained meanwhile
      if (send(client, "x", 1, 0) != 1 || recv(server, bytes, 8, 0) != 1) return false;
    }
    return true;
  });
  workload.AwaitReady();
  KernelSourceOptions options = Options();
  options.control_ring_bytes = 4096;
  options.scope.network_namespaces = {workload.NetnsPath()};
  auto source = KernelSource::Open(options);
  ASSERT_TRUE(source.ok()) << source.status();
  ASSERT_TRUE((*source)->Start(recorder_).ok());
  workload.Go();
  workload.AwaitReady();
  (*source)->Drain(recorder_);
  EXPECT_LT(recorder_.opens.size(), 80);
  EXPECT_GT(recorder_.loss.control_ring_events, 0);
  for (int i = 0; i < kPairs; ++i) {
    (*source)->Drain(recorder_);
    workload.Go();
    if (i + 1 < kPairs) workload.AwaitReady();
  }
  ASSERT_TRUE(DrainUntil(**source, recorder_, [&] { return workload.Ended(); }));
  for (int i = 0; i < 3; ++i) (*source)->Drain(recorder_);
  ASSERT_EQ(workload.exit_code(), 0);
  EXPECT_THAT(recorder_.opens, SizeIs(80));
  EXPECT_THAT(recorder_.data, SizeIs(80));
}

constexpr std::string_view kRequest = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

bool Exchange(int client, int server) {
  char bytes[128];
  const auto move = [&](int from, int to, std::string_view text) {
    const auto size = static_cast<ssize_t>(text.size());
    return send(from, text.data(), text.size(), 0) == size &&
           recv(to, bytes, text.size(), MSG_WAITALL) == size;
  };
  return move(client, server, kRequest) && move(server, client, kResponse);
}

// Connections that nobody was told of, and that are not used again, are found by the sweep; what
// they said in the meantime is lost, and estimated.
TEST_P(LossTest, LostAnnouncementsAreMadeUpForAndWhatWasSaidIsEstimated) {
  constexpr int kPairs = 30, kBefore = 7, kAfter = 5;
  Workload workload([&](const Workload::Gate& gate) {
    gate.Wait();
    const int listener = Listen(AF_INET);
    std::vector<std::pair<int, int>> pairs;
    for (int i = 0; i < kPairs; ++i) {
      const int client = Connect(AF_INET, listener);
      pairs.emplace_back(client, accept(listener, nullptr, nullptr));
    }
    for (const int exchanges : {kBefore, kAfter}) {
      for (const auto& [client, server] : pairs) {
        for (int i = 0; i < exchanges; ++i) {
          if (!Exchange(client, server)) return false;
        }
      }
      gate.Wait();
    }
    return true;
  });
  workload.AwaitReady();
  KernelSourceOptions options = Options();
  options.control_ring_bytes = 4096;
  options.scope.network_namespaces = {workload.NetnsPath()};
  auto source = KernelSource::Open(options);
  ASSERT_TRUE(source.ok()) << source.status();
  Counting counting(**source);
  ASSERT_TRUE((*source)->Start(counting.sink()).ok());
  workload.Go();
  workload.AwaitReady();
  for (int i = 0; i < 8; ++i) {  // a page holds some of them at a time
    counting.Drain();
    (*source)->SweepCounters(counting.sink());
  }
  EXPECT_EQ(counting.connections(), 2 * kPairs);
  workload.Go();
  workload.AwaitReady();
  counting.Finish();
  for (const Side side : {Side::kClient, Side::kServer}) {
    SCOPED_TRACE(Name(side));
    const Counting::Counts counts = counting.of(side);
    EXPECT_GE(counts.requests, kPairs * kAfter);
    EXPECT_GT(counts.lost, 0);
    EXPECT_EQ(counts.requests + counts.lost, kPairs * (kBefore + kAfter));
  }
  workload.Go();
  ASSERT_TRUE(DrainUntil(**source, recorder_, [&] { return workload.Ended(); }));
}

TEST_P(LossTest, ALostSenderOfADatagramIsCounted) {
  constexpr int kDatagrams = 200;
  Workload workload([&](const Workload::Gate& gate) {
    gate.Wait();
    const int server = BoundUdp(AF_INET);
    const int client = ConnectedUdp(AF_INET, server);
    char bytes[kBytes];
    sockaddr_storage from{};
    for (int i = 0; i < kDatagrams; ++i) {
      if (send(client, Message(i, kBytes).data(), kBytes, 0) != ssize_t{kBytes}) return false;
      socklen_t length = sizeof(from);
      if (recvfrom(server, bytes, kBytes, 0, reinterpret_cast<sockaddr*>(&from), &length) !=
          ssize_t{kBytes}) {
        return false;
      }
    }
    gate.Wait();
    return true;
  });
  workload.AwaitReady();
  KernelSourceOptions options = Options();
  options.data_ring_bytes = 4096;
  options.scope.network_namespaces = {workload.NetnsPath()};
  auto source = KernelSource::Open(options);
  ASSERT_TRUE(source.ok()) << source.status();
  ASSERT_TRUE((*source)->Start(recorder_).ok());
  workload.Go();
  workload.AwaitReady();
  (*source)->Finish(recorder_);
  const size_t missing = 2 * kDatagrams - recorder_.data.size();
  EXPECT_GT(missing, 0);
  EXPECT_EQ(recorder_.loss.data_ring_bytes, missing * kBytes);
  if (GetParam() == "socket_tracepoints") {  // there the sender has a record of its own
    EXPECT_GT(recorder_.loss.data_ring_events, missing);
  } else {
    EXPECT_EQ(recorder_.loss.data_ring_events, missing);
  }
  workload.Go();
  ASSERT_TRUE(DrainUntil(**source, recorder_, [&] { return workload.Ended(); }));
}

TEST_P(LossTest, PayloadCanBeTurnedOff) {
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    const StreamPair pair = ConnectedPair(AF_INET);
    char bytes[64];
    if (send(pair.client, "first", 5, 0) != 5) return false;
    if (recv(pair.server, bytes, 64, 0) != 5) return false;
    gate.Wait();
    if (send(pair.client, "second", 6, 0) != 6) return false;
    if (recv(pair.server, bytes, 64, 0) != 6) return false;
    gate.Wait();
    return send(pair.client, "third", 5, 0) == 5 && recv(pair.server, bytes, 64, 0) == 5;
  });
  workload.AwaitReady();
  KernelSourceOptions options = Options();
  options.scope.network_namespaces = {workload.NetnsPath()};
  auto source = KernelSource::Open(options);
  ASSERT_TRUE(source.ok()) << source.status();
  ASSERT_TRUE((*source)->Start(recorder_).ok());
  workload.Go();
  workload.AwaitReady();
  (*source)->Drain(recorder_);
  const ConnOpen* client = OpenOf(Side::kClient, Transport::kTcp);
  ASSERT_NE(client, nullptr);
  (*source)->SetPayload(client->id, false);
  workload.Go();
  workload.AwaitReady();
  (*source)->SetPayload(client->id, true);
  workload.Go();
  ASSERT_TRUE(DrainUntil(**source, recorder_, [&] { return workload.Ended(); }));
  (*source)->Drain(recorder_);
  const auto events = recorder_.DataOf(OpenOf(Side::kClient, Transport::kTcp)->id);
  ASSERT_THAT(events, SizeIs(3));
  EXPECT_EQ(events[0].payload, "first");
  EXPECT_EQ(events[1].payload, "");
  EXPECT_EQ(events[1].size, 6);
  EXPECT_EQ(events[2].payload, "third");
  EXPECT_EQ(events[2].position, 11);
  const auto others = recorder_.DataOf(OpenOf(Side::kServer, Transport::kTcp)->id);
  ASSERT_THAT(others, SizeIs(3));
  EXPECT_EQ(others[1].payload, "second");
}

TEST_P(LossTest, RowsCanBeDisabled) {
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    const StreamPair pair = ConnectedPair(AF_INET);
    char bytes[64];
    return send(pair.client, "hello", 5, 0) == 5 && recv(pair.server, bytes, 64, 0) == 5;
  });
  KernelSourceOptions options = Options();
  options.disable = {"tp_btf/inet_sock_set_state", "iter/task_file"};
  ASSERT_NO_FATAL_FAILURE(Run(workload, options));
  ASSERT_THAT(source_->missing(), SizeIs(2));
  EXPECT_EQ(source_->missing()[0].why, "disabled by config");
  // Still seen, from the first data on.
  ASSERT_THAT(recorder_.opens, SizeIs(2));
  EXPECT_EQ(recorder_.opens[0].origin, ConnOrigin::kFirstData);
  EXPECT_THAT(recorder_.data, SizeIs(2));
}

TEST_P(LossTest, MemoryAndCostAreReported) {
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    return true;
  });
  ASSERT_NO_FATAL_FAILURE(Run(workload, Options()));
  EXPECT_GT(source_->bpf_memory_bytes(), 4 << 20);
  EXPECT_LT(source_->bpf_memory_bytes(), 60 << 20);
  EXPECT_GE(source_->program_costs().size(), 8);
  EXPECT_GT(recorder_.ticks, 3);
  EXPECT_GT(recorder_.tick_boot_ns, 0);
}

TEST(OpenTest, WhatCannotWorkSaysWhy) {
  KernelSourceOptions options;
  EXPECT_THAT(std::string(KernelSource::Open(options).status().message()), HasSubstr("no scope"));
  options.scope.pids = {1u << 30};
  EXPECT_THAT(std::string(KernelSource::Open(options).status().message()),
              HasSubstr("no process 1073741824"));
  options.scope.pids = {static_cast<uint32_t>(getpid())};
  options.hook = "kprobe";
  EXPECT_THAT(std::string(KernelSource::Open(options).status().message()),
              HasSubstr("must be auto"));
  options.hook = "auto";
  options.disable = {"tp_btf/no_such"};
  EXPECT_THAT(std::string(KernelSource::Open(options).status().message()),
              HasSubstr("no hook is named"));
  options.disable = {"tp_btf/sys_exit", "tp_btf/sock_send_length"};
  EXPECT_THAT(std::string(KernelSource::Open(options).status().message()),
              HasSubstr("kindling-agent doctor"));
  options.disable = {};
  options.data_ring_bytes = 5000;
  EXPECT_THAT(std::string(KernelSource::Open(options).status().message()),
              HasSubstr("power of two"));
}

}  // namespace
}  // namespace kindling::agent
