// kill -9 of the whole export side in the middle of load: nothing that was accepted is lost,
// nothing is counted twice.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <string>

#include "agent/aggregate/aggregator.h"
#include "agent/export/exporter.h"
#include "agent/export/fake_controller.h"
#include "agent/export/sender.h"
#include "agent/export/spool.h"
#include "base/clock.h"
#include "base/testing/temp_dir.h"
#include "base/unique_fd.h"

namespace kindling::agent {
namespace {

constexpr uint64_t kRequestsPerWindow = 7;

struct Pipe {
  Pipe() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(pipe(ends), 0);
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
  base::UniqueFd out;
  base::UniqueFd in;
};

bool ReadWord(const base::UniqueFd& fd, uint64_t* word) {
  return read(fd.get(), word, sizeof(*word)) == sizeof(*word);
}
bool WriteWord(const base::UniqueFd& fd, uint64_t word) {
  return write(fd.get(), &word, sizeof(word)) == sizeof(word);
}

// One run of an agent: `windows` windows of requests; tells the number of each batch that is
// durable in the spool, and ends when the controller has acknowledged everything.
[[noreturn]] void RunAgent(const std::string& directory, uint64_t epoch, uint64_t windows,
                           uint64_t port, const base::UniqueFd& accepted) {
  const base::Clock& clock = base::SystemClock();
  auto spool = Spool::Open({.directory = directory, .segment_bytes = 4'000}, clock.WallNs());
  if (!spool.ok()) _exit(10);
  SenderOptions options;
  options.controller.address = "127.0.0.1:" + std::to_string(port);
  options.agent_id = "agent-a";
  options.boot_epoch = epoch;
  options.first_retry = absl::Milliseconds(10);
  auto sender = Sender::Create(options, spool->get(), &clock, [] { return HealthSample{}; });
  if (!sender.ok()) _exit(11);
  uint64_t written = 0;
  Exporter exporter({.boot_epoch = epoch}, spool->get(), &clock, {}, [&] {
    (*sender)->Wake();
    if (!WriteWord(accepted, ++written)) _exit(12);
  });
  Aggregator aggregator({.sampled_spans = 0}, &exporter);
  (*sender)->Start();
  exporter.Start();
  aggregator.OnTick(clock.BootNs(), clock.WallNs());
  EdgeContext context;
  context.edge = aggregator.Intern({.observer = model::Side::kServer});
  Record record;
  record.outcome = model::Outcome::kOk;
  for (uint64_t window = 0; window < windows; ++window) {
    for (uint64_t i = 0; i < kRequestsPerWindow; ++i) aggregator.OnRequest(context, record);
    aggregator.Flush();
  }
  exporter.Stop();
  _exit((*sender)->Stop(absl::Seconds(30)) ? 0 : 13);
}

TEST(KillAgentTest, NothingAcceptedIsLostAndNothingIsDoubled) {
  const base::TempDir dir;
  // The children are made before gRPC has threads; each waits for the controller's port.
  constexpr uint64_t kRuns = 3;
  Pipe start[kRuns];
  Pipe accepted[kRuns];
  pid_t children[kRuns];
  for (uint64_t run = 0; run < kRuns; ++run) {
    children[run] = fork();
    ASSERT_GE(children[run], 0);
    if (children[run] == 0) {
      uint64_t port = 0;
      if (!ReadWord(start[run].out, &port)) _exit(1);
      const bool last = run == kRuns - 1;
      RunAgent(dir.path(), 100 + run, last ? 50 : 1'000'000, port, accepted[run].in);
    }
    start[run].out.reset();
    accepted[run].in.reset();
  }

  std::map<uint64_t, uint64_t> requests;  // by epoch
  std::map<uint64_t, uint64_t> batches;
  FakeController controller;
  controller.on_batch = [&](const v1::Batch& batch) {
    for (const uint64_t count : batch.edges().count()) requests[batch.boot_epoch()] += count;
    ++batches[batch.boot_epoch()];
  };
  std::map<uint64_t, uint64_t> accepted_batches;
  for (uint64_t run = 0; run < kRuns; ++run) {
    ASSERT_TRUE(WriteWord(start[run].in, static_cast<uint64_t>(controller.port())));
    uint64_t count = 0;
    if (run < kRuns - 1) {
      while (count < 40 && ReadWord(accepted[run].out, &count)) {
      }
      ASSERT_EQ(kill(children[run], SIGKILL), 0);
    }
    while (ReadWord(accepted[run].out, &count)) {
    }
    accepted_batches[100 + run] = count;
    int status = 0;
    ASSERT_EQ(waitpid(children[run], &status, 0), children[run]);
    if (run == kRuns - 1) {
      ASSERT_TRUE(WIFEXITED(status));
      EXPECT_EQ(WEXITSTATUS(status), 0);
    }
  }
  controller.Kill();
  for (const auto& [epoch, count] : accepted_batches) {
    // The last batch of a killed run may be durable without having been told.
    EXPECT_GE(batches[epoch], count) << epoch;
    EXPECT_LE(batches[epoch], count + 1) << epoch;
    EXPECT_EQ(requests[epoch], batches[epoch] * kRequestsPerWindow) << epoch;
  }
  EXPECT_EQ(accepted_batches[102], 50u);
  EXPECT_EQ(batches[102], 50u);
}

}  // namespace
}  // namespace kindling::agent
