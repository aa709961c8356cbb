#include "controller/ingest/ingest_service.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/testing/status_matchers.h"
#include "controller/testing/fake_agent.h"
#include "controller/testing/memory_store.h"

namespace kindling::controller {
namespace {

// Takes what it is given when it is let.
class SlowStore final : public MemoryStore {
 public:
  absl::Status Append(const std::vector<BatchPtr>& batches) override {
    absl::MutexLock lock(&mu_);
    ++waiting_;
    mu_.Await(absl::Condition(
        +[](int* turns) { return *turns > 0; }, &turns_));
    --turns_;
    --waiting_;
    stored_ += batches.size();
    return absl::OkStatus();
  }

  // Lets one group in once it is there; the batches that are stored.
  size_t StoreGroup() {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(
        +[](int* waiting) { return *waiting > 0; }, &waiting_));
    ++turns_;
    mu_.Await(absl::Condition(
        +[](int* turns) { return *turns == 0; }, &turns_));
    return stored_;
  }

 private:
  absl::Mutex mu_;
  int turns_ = 0;
  int waiting_ = 0;
  size_t stored_ = 0;
};

// Some tens of kilobytes in memory.
v1::Batch BatchOf(uint64_t sequence, int64_t now_ns) {
  BatchBuilder batch(7, sequence, now_ns);
  const uint32_t client = batch.Party("front", "host", "10.0.0.1", 0);
  const uint32_t server = batch.Party("shop", "host", "10.0.0.2", 80);
  for (int i = 0; i < 50; ++i) batch.Edge(2, client, server, 1);
  return batch.batch();
}

TEST(IngestServiceTest, AgentsOfASlowStoreWaitAndLoseNothing) {
  constexpr int kAgents = 40;
  constexpr uint64_t kBatches = 15;
  constexpr size_t kPause = 200'000;
  constexpr size_t kMost = 1'000'000;  // less than a batch of each agent takes
  SlowStore store;
  Committer committer(store, {.max_pending_bytes = kMost,
                              .pause_bytes = kPause,
                              .max_group_bytes = 100'000,
                              .gather = absl::ZeroDuration()});
  AgentRegistry registry;
  const Access access("");
  const base::Clock& clock = base::SystemClock();
  IngestService service(store, committer, registry, access, clock);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(service.service());
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);

  const int64_t now_ns = clock.WallNs();
  std::vector<std::thread> agents;
  std::vector<absl::Status> results(kAgents);
  for (int i = 0; i < kAgents; ++i) {
    agents.emplace_back([&, i] {
      const std::string id = absl::StrFormat("agent-%d", i);
      FakeAgent agent(absl::StrFormat("127.0.0.1:%d", port));
      results[i] = agent.Connect(FakeAgent::HelloOf(id, 7)).status();
      for (uint64_t sequence = 1; results[i].ok() && sequence <= kBatches; ++sequence) {
        if (!agent.Send(BatchOf(sequence, now_ns))) break;
      }
      if (results[i].ok()) results[i] = agent.AwaitAck(7, kBatches);
      if (results[i].ok()) results[i] = agent.Close();
    });
  }
  size_t stored = 0;
  while (stored < kAgents * kBatches) {
    stored = store.StoreGroup();
    EXPECT_LE(committer.counters().pending_bytes, kMost);
  }
  for (std::thread& agent : agents) agent.join();
  for (const absl::Status& result : results) EXPECT_OK(result);
  EXPECT_EQ(committer.counters().refused, 0);
  EXPECT_EQ(stored, kAgents * kBatches);
  server->Shutdown();
}

}  // namespace
}  // namespace kindling::controller
