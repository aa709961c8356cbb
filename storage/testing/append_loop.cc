// append_loop DIRECTORY THREADS: appends batches to a store until it is killed. Prints "THREAD
// SEQUENCE" for every batch once it is durable. Continues where the store left off.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"
#include "storage/rocks_store.h"

namespace {

// Far more than can be written before the kill.
constexpr uint64_t kManyBatches = 1'000'000;
constexpr uint64_t kEpoch = 7;

void AppendForever(kindling::storage::Store& store, int thread) {
  const std::string agent = absl::StrFormat("agent-%d", thread);
  const auto durable = store.DurableSequences(agent);
  if (!durable.ok()) std::abort();
  uint64_t sequence = durable->empty() ? 0 : durable->front().sequence;
  while (++sequence < kManyBatches) {
    kindling::model::Batch batch;
    batch.id = {.agent_id = agent, .boot_epoch = kEpoch, .sequence = sequence};
    batch.tenant = "default";
    batch.cluster = "test";
    kindling::model::Loss row;
    row.time_ns = 1'700'000'000'000'000'000 + static_cast<int64_t>(sequence);
    row.host = agent;
    row.requests = sequence;
    batch.losses.push_back(row);
    if (!store.Append({batch}).ok()) std::abort();
    // One write, so that a line is whole or not there.
    std::printf("%s\n", absl::StrFormat("%d %d", thread, sequence).c_str());
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return EXIT_FAILURE;
  auto store = kindling::storage::OpenRocksStore({.directory = argv[1]});
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", std::string(store.status().message()).c_str());
    return EXIT_FAILURE;
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < std::atoi(argv[2]); ++i) {
    threads.emplace_back([&store, i] { AppendForever(**store, i); });
  }
  for (std::thread& thread : threads) thread.join();
  return EXIT_SUCCESS;
}
