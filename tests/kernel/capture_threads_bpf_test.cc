// Threads that use one socket at once: nothing is counted twice, skipped or taken for lost.
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/kernel/capture_fixture.h"
#include "tests/kernel/counting.h"

namespace kindling::agent {
namespace {

using model::Side;

class ThreadsTest : public CaptureTest {};

INSTANTIATE_TEST_SUITE_P(Hooks, ThreadsTest, ::testing::ValuesIn(HooksHere()),
                         [](const auto& info) { return info.param; });

// Emulated kernels are slow; the count only has to be large beside what a race needs.
constexpr int kRequests = 5'000;
constexpr int kInFlight = 32;
constexpr std::string_view kRequest = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view kResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Answers each request, until there are no more.
bool Serve(int fd, int requests) {
  size_t waiting = 0;
  std::vector<char> in(64 << 10);
  while (requests > 0) {
    const ssize_t got = recv(fd, in.data(), in.size(), 0);
    if (got <= 0) return false;
    waiting += static_cast<size_t>(got);
    std::string out;
    for (; waiting >= kRequest.size(); waiting -= kRequest.size(), --requests) out += kResponse;
    if (!out.empty() && send(fd, out.data(), out.size(), 0) != static_cast<ssize_t>(out.size())) {
      return false;
    }
  }
  return true;
}

// Two threads write in turn, a third reads, all on one connection.
bool ShareAConnection(int requests) {
  const StreamPair pair = ConnectedPair(AF_INET);
  std::atomic<bool> ok = true;
  std::mutex mutex;
  std::condition_variable changed;
  int sent = 0;
  int answered = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      for (int n = i; n < requests && ok; n += 2) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return !ok || (sent == n && sent - answered < kInFlight); });
        if (send(pair.client, kRequest.data(), kRequest.size(), 0) !=
            static_cast<ssize_t>(kRequest.size())) {
          ok = false;
        }
        ++sent;
        changed.notify_all();
      }
    });
  }
  threads.emplace_back([&] {
    std::vector<char> in(64 << 10);
    size_t waiting = 0;
    while (answered < requests && ok) {
      const ssize_t got = recv(pair.client, in.data(), in.size(), 0);
      const std::lock_guard lock(mutex);
      if (got <= 0) ok = false;
      waiting += static_cast<size_t>(std::max<ssize_t>(got, 0));
      for (; waiting >= kResponse.size(); waiting -= kResponse.size()) ++answered;
      changed.notify_all();
    }
  });
  const bool served = Serve(pair.server, requests);
  for (std::thread& thread : threads) thread.join();
  close(pair.client);
  close(pair.server);
  return served && ok;
}

TEST_P(ThreadsTest, EveryTurnHasOneDirectionAndNoneIsSkipped) {
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    return ShareAConnection(kRequests);
  });
  KernelSourceOptions options = Options();
  options.payload_bytes = 16;
  options.data_ring_bytes = 16 << 20;
  ASSERT_NO_FATAL_FAILURE(Run(workload, options));
  ASSERT_EQ(recorder_.loss, KernelLoss());
  for (const ConnCounters& end : recorder_.ends) {
    SCOPED_TRACE(end.id);
    std::map<uint32_t, Direction> turns;
    std::map<uint64_t, uint64_t> moved[2];  // position to size
    for (const RecordedData& event : recorder_.data) {
      if (event.id != end.id) continue;
      const auto [turn, is_new] = turns.emplace(event.turn, event.direction);
      ASSERT_EQ(turn->second, event.direction) << "turn " << event.turn << " has two directions";
      auto& stream = moved[event.direction == Direction::kSent ? 0 : 1];
      ASSERT_TRUE(stream.emplace(event.position, event.size).second) << "counted twice";
    }
    EXPECT_EQ(turns.size(), end.turns);
    EXPECT_EQ(turns.rbegin()->first, end.turns);
    for (int i = 0; i < 2; ++i) {
      uint64_t next = 0;
      for (const auto& [position, size] : moved[i]) {
        ASSERT_EQ(position, next);
        next += size;
      }
      EXPECT_EQ(next, i == 0 ? end.sent_bytes : end.received_bytes);
    }
  }
}

TEST_P(ThreadsTest, PipelinedRequestsOfTwoThreadsAreAllCounted) {
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    return ShareAConnection(kRequests);
  });
  workload.AwaitReady();
  KernelSourceOptions options = Options();
  options.data_ring_bytes = 16 << 20;
  options.scope.network_namespaces = {workload.NetnsPath()};
  auto source = KernelSource::Open(options);
  ASSERT_TRUE(source.ok()) << source.status();
  Counting counting(**source);
  ASSERT_TRUE((*source)->Start(counting.sink()).ok());
  workload.Go();
  ASSERT_TRUE(counting.DrainUntil([&] { return workload.Ended(); }));
  ASSERT_EQ(workload.exit_code(), 0);
  counting.Finish();
  for (const Side side : {Side::kClient, Side::kServer}) {
    SCOPED_TRACE(Name(side));
    EXPECT_EQ(counting.of(side).requests, kRequests);
    EXPECT_EQ(counting.of(side).lost, 0);
  }
}

}  // namespace
}  // namespace kindling::agent
