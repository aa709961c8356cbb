// kill -9 in the middle of appends: every batch that was acknowledged is there, once.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <map>
#include <string>

#include "absl/strings/str_format.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "storage/rocks_store.h"

namespace kindling::storage {
namespace {

constexpr int kThreads = 3;
constexpr int kRounds = 5;

// Runs append_loop until it has acknowledged `batches` batches, then kills it. Adds what was
// acknowledged, also while it was being killed, to `acked`.
void AppendAndKill(const std::string& directory, int batches, std::map<int, uint64_t>& acked) {
  int pipe_fds[2];
  ASSERT_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
  const std::string threads = absl::StrFormat("%d", kThreads);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    dup2(pipe_fds[1], STDOUT_FILENO);
    execl("storage/testing/append_loop", "append_loop", directory.c_str(), threads.c_str(),
          nullptr);
    _exit(127);
  }
  close(pipe_fds[1]);
  FILE* lines = fdopen(pipe_fds[0], "r");
  char line[64];
  int seen = 0;
  while (std::fgets(line, sizeof(line), lines) != nullptr) {
    int thread = 0;
    unsigned long long sequence = 0;
    ASSERT_EQ(std::sscanf(line, "%d %llu", &thread, &sequence), 2) << line;
    acked[thread] = std::max<uint64_t>(acked[thread], sequence);
    if (++seen == batches) {
      ASSERT_EQ(kill(child, SIGKILL), 0);
    }
  }
  std::fclose(lines);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  ASSERT_GE(seen, batches);
}

TEST(CrashTest, EveryAcknowledgedBatchIsThereOnce) {
  const base::TempDir dir;
  const std::string directory = dir.File("store");
  std::map<int, uint64_t> acked;
  for (int round = 0; round < kRounds; ++round) {
    AppendAndKill(directory, 40 + 37 * round, acked);
    if (HasFatalFailure()) return;

    auto store = OpenRocksStore({.directory = directory});
    ASSERT_OK(store);
    std::map<std::string, std::map<uint64_t, int>> times;  // agent -> sequence -> times stored
    ASSERT_OK((*store)->Scan({.tenant = "default", .cluster = "test", .losses = true},
                             [&](const model::Batch& block) {
                               for (const auto& row : block.losses) ++times[row.host][row.requests];
                               return true;
                             }));
    for (int thread = 0; thread < kThreads; ++thread) {
      const std::string agent = absl::StrFormat("agent-%d", thread);
      const auto durable = (*store)->DurableSequences(agent);
      ASSERT_OK(durable);
      ASSERT_EQ(durable->size(), 1);
      EXPECT_GE(durable->front().sequence, acked[thread]);
      // All up to the last one, and nothing twice.
      EXPECT_EQ(times[agent].size(), durable->front().sequence);
      for (const auto& [sequence, count] : times[agent]) {
        EXPECT_EQ(count, 1) << agent << " " << sequence;
        EXPECT_LE(sequence, durable->front().sequence);
      }
    }
  }
}

}  // namespace
}  // namespace kindling::storage
