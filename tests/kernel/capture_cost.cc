// capture_cost: what capture costs on this machine, as one JSON object a line: BPF time per
// captured call and user time per drained event, for each data path and payload; wall time of a
// call that is not captured; wall and BPF time of a short connection, both ends watched; BPF time
// of a dropped packet.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "agent/capture/event_sinks.h"
#include "agent/kernel/kernel_source.h"
#include "base/unique_fd.h"
#include "tests/kernel/socket_calls.h"
#include "tests/kernel/workload.h"

namespace kindling::agent {
namespace {

constexpr int kExchanges = 20'000;
constexpr int kBatch = 2'000;

class Counter final : public NoSink {
 public:
  void OnData(const DataEvent& event) override {
    ++events;
    bytes += event.bytes.size();
  }
  void OnKernelLoss(const KernelLoss& event) override { lost = event.data_ring_events; }
  uint64_t events = 0, bytes = 0, lost = 0;
};

int64_t NowNs(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Exchanges of `size` bytes each way over one TCP connection, in batches that the test drains
// between.
bool Exchange(const Workload::Gate& gate, size_t size) {
  gate.Wait();
  const StreamPair pair = ConnectedPair(AF_INET);
  const std::string text(size, 'x');
  std::string bytes(size, '\0');
  for (int i = 0; i < kExchanges; ++i) {
    if (i % kBatch == 0 && i > 0) gate.Wait();
    if (send(pair.client, text.data(), size, 0) != static_cast<ssize_t>(size)) return false;
    if (recv(pair.server, bytes.data(), size, MSG_WAITALL) != static_cast<ssize_t>(size)) {
      return false;
    }
  }
  return true;
}

void MeasureCaptured(const std::string& hook, size_t size, bool with_payload) {
  Workload workload([&](const Workload::Gate& gate) { return Exchange(gate, size); });
  workload.AwaitReady();
  KernelSourceOptions options;
  options.hook = hook;
  options.payload_bytes = with_payload ? 1024 : 0;
  options.scope.network_namespaces = {workload.NetnsPath()};
  auto source = KernelSource::Open(options);
  Counter counter;
  if (!source.ok() || !(*source)->Start(counter).ok()) {
    std::printf("{\"hook\": \"%s\", \"error\": \"%s\"}\n", hook.c_str(),
                source.status().ToString().c_str());
    return;
  }
  int64_t drain_ns = 0;
  base::UniqueFd stats(bpf_enable_stats(BPF_STATS_RUN_TIME));
  const auto drain = [&] {
    const int64_t before = NowNs(CLOCK_THREAD_CPUTIME_ID);
    (*source)->Drain(counter);
    drain_ns += NowNs(CLOCK_THREAD_CPUTIME_ID) - before;
  };
  for (int batch = 0; batch < kExchanges / kBatch; ++batch) {
    workload.Go();
    if (batch + 1 < kExchanges / kBatch) {
      workload.AwaitReady();
    } else {
      while (!workload.Ended()) usleep(1000);
    }
    drain();
  }
  for (int i = 0; i < 2; ++i) drain();
  uint64_t run_time_ns = 0;
  for (const ProgramCost& cost : (*source)->program_costs()) {
    if (cost.program == "kd_sys_exit" || cost.program.starts_with("kd_sock_")) {
      run_time_ns += cost.run_time_ns;
    }
  }
  std::printf(
      "{\"hook\": \"%s\", \"bytes_per_call\": %zu, \"payload\": %s, \"events\": %lu, \"lost\": "
      "%lu, "
      "\"bpf_ns_per_call\": %.1f, \"drain_ns_per_event\": %.1f, \"bpf_mb\": %.1f}\n",
      hook.c_str(), size, with_payload ? "true" : "false", counter.events, counter.lost,
      static_cast<double>(run_time_ns) / (2.0 * kExchanges),
      static_cast<double>(drain_ns) / static_cast<double>(std::max<uint64_t>(counter.events, 1)),
      static_cast<double>((*source)->bpf_memory_bytes()) / 1e6);
}

double GetppidNs() {
  constexpr int kCalls = 100'000;
  const int64_t before = NowNs(CLOCK_MONOTONIC);
  for (int i = 0; i < kCalls; ++i) syscall(SYS_getppid);
  return static_cast<double>(NowNs(CLOCK_MONOTONIC) - before) / kCalls;
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// getppid() here, outside the scope: interleaved with and without the programs, and without twice
// (A/A).
void MeasureForeign(const std::string& hook) {
  constexpr int kPairs = 31;
  Workload workload([](const Workload::Gate& gate) {
    gate.Wait();
    return true;
  });
  workload.AwaitReady();
  std::vector<double> without, with, again;
  for (int i = 0; i < kPairs; ++i) {
    without.push_back(GetppidNs());
    {
      KernelSourceOptions options;
      options.hook = hook;
      options.scope.network_namespaces = {workload.NetnsPath()};
      auto source = KernelSource::Open(options);
      Counter counter;
      if (!source.ok() || !(*source)->Start(counter).ok()) return;
      with.push_back(GetppidNs());
    }
    again.push_back(GetppidNs());
  }
  workload.Go();
  std::printf(
      "{\"hook\": \"%s\", \"getppid_ns_without\": %.1f, \"getppid_ns_with\": %.1f, "
      "\"getppid_ns_without_again\": %.1f, \"pairs\": %d}\n",
      hook.c_str(), Median(without), Median(with), Median(again), kPairs);
}

// Connections that carry nothing, to a listener in the same process: both ends are opened, watched
// and closed. Interleaved with and without the programs, and without twice (A/A).
void MeasureShort(const std::string& hook) {
  constexpr int kPairs = 15;
  constexpr int kConnections = 2'000;
  auto* ns_each = static_cast<double*>(
      mmap(nullptr, sizeof(double), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  Workload workload([&](const Workload::Gate& gate) {
    const int listener = Listen(AF_INET);
    gate.Wait();
    for (int round = 0; round < 3 * kPairs; ++round) {
      const int64_t before = NowNs(CLOCK_MONOTONIC);
      for (int i = 0; i < kConnections; ++i) {
        const int client = Connect(AF_INET, listener);
        const int server = accept(listener, nullptr, nullptr);
        // By a reset: no port waits for a minute to be used again.
        const linger hard{.l_onoff = 1, .l_linger = 0};
        setsockopt(client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        close(client);
        close(server);
      }
      *ns_each = static_cast<double>(NowNs(CLOCK_MONOTONIC) - before) / kConnections;
      gate.Wait();
    }
    return true;
  });
  workload.AwaitReady();
  const auto round = [&] {
    workload.Go();
    workload.AwaitReady();
    return *ns_each;
  };
  std::vector<double> without, with, again, bpf;
  for (int i = 0; i < kPairs; ++i) {
    without.push_back(round());
    {
      KernelSourceOptions options;
      options.hook = hook;
      options.control_ring_bytes = 4 << 20;
      options.scope.network_namespaces = {workload.NetnsPath()};
      auto source = KernelSource::Open(options);
      Counter counter;
      if (!source.ok() || !(*source)->Start(counter).ok()) return;
      // The clock of the statistics is itself not free: every other time.
      base::UniqueFd stats(i % 2 == 0 ? -1 : bpf_enable_stats(BPF_STATS_RUN_TIME));
      const double each = round();
      if (i % 2 == 0) {
        with.push_back(each);
      } else {
        double run_time_ns = 0;
        for (const ProgramCost& cost : (*source)->program_costs()) {
          if (cost.program != "kd_sys_exit") run_time_ns += static_cast<double>(cost.run_time_ns);
        }
        bpf.push_back(run_time_ns / kConnections);
      }
    }
    again.push_back(round());
  }
  workload.Go();
  std::printf(
      "{\"hook\": \"%s\", \"connection_ns_without\": %.0f, \"connection_ns_with\": %.0f, "
      "\"connection_ns_without_again\": %.0f, \"bpf_ns_per_connection\": %.0f, \"pairs\": %d}\n",
      hook.c_str(), Median(without), Median(with), Median(again), Median(bpf), kPairs);
}

// Datagrams to ports that nobody listens on: to one port, to another one each, and where the scope
// is another namespace. How often the program ran is how many packets were dropped.
void MeasureDrops(bool one_port, bool in_scope) {
  constexpr int kDatagrams = 20'000;
  Workload workload([&](const Workload::Gate& gate) {
    gate.Wait();
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 0; i < kDatagrams; ++i) {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      to.sin_port = htons(static_cast<uint16_t>(10'000 + (one_port ? 0 : i)));
      sendto(fd, "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
    }
    return true;
  });
  Workload stranger([](const Workload::Gate& gate) {
    gate.Wait();
    return true;
  });
  workload.AwaitReady();
  stranger.AwaitReady();
  KernelSourceOptions options;
  options.scope.network_namespaces = {(in_scope ? workload : stranger).NetnsPath()};
  auto source = KernelSource::Open(options);
  Counter counter;
  if (!source.ok() || !(*source)->Start(counter).ok()) return;
  base::UniqueFd stats(bpf_enable_stats(BPF_STATS_RUN_TIME));
  workload.Go();
  while (!workload.Ended()) usleep(1000);
  stranger.Go();
  const std::vector<ProgramCost> costs = (*source)->program_costs();
  const int64_t before = NowNs(CLOCK_THREAD_CPUTIME_ID);
  (*source)->SampleDrops(counter);
  const int64_t read_ns = NowNs(CLOCK_THREAD_CPUTIME_ID) - before;
  for (const ProgramCost& cost : costs) {
    if (cost.program != "kd_kfree_skb") continue;
    std::printf(
        "{\"drops\": %lu, \"one_port\": %s, \"in_scope\": %s, \"bpf_ns_per_drop\": %.1f, "
        "\"read_us\": %.0f}\n",
        cost.runs, one_port ? "true" : "false", in_scope ? "true" : "false",
        static_cast<double>(cost.run_time_ns) /
            static_cast<double>(std::max<uint64_t>(cost.runs, 1)),
        static_cast<double>(read_ns) / 1e3);
  }
}

void MeasureAll() {
  MeasureDrops(/*one_port=*/true, /*in_scope=*/true);
  MeasureDrops(/*one_port=*/false, /*in_scope=*/true);
  MeasureDrops(/*one_port=*/true, /*in_scope=*/false);
  for (const char* hook : {"socket_tracepoints", "sys_exit"}) {
    for (size_t size : {size_t{20}, size_t{200}, size_t{1000}}) {
      for (bool with_payload : {false, true}) MeasureCaptured(hook, size, with_payload);
    }
    MeasureForeign(hook);
    MeasureShort(hook);
  }
}

}  // namespace
}  // namespace kindling::agent

int main() {
  kindling::agent::MeasureAll();
  return 0;
}
