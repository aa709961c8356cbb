#include "agent/export/sender.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "agent/export/fake_controller.h"
#include "base/read_file.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "kindling/v1/ingest.grpc.pb.h"

namespace kindling::agent {
namespace {

using Sequences = FakeController::Sequences;

constexpr int64_t kNow = 1'700'000'000'000'000'000;
constexpr absl::Duration kPatience = absl::Seconds(20);

class SenderTest : public ::testing::Test {
 protected:
  SenderTest() : spool_(*Spool::Open({.directory = dir_.path()}, kNow)) {}

  void Append(uint64_t epoch, uint64_t sequence, SpoolLane lane = SpoolLane::kAggregates) {
    v1::Batch batch;
    batch.set_boot_epoch(epoch);
    batch.set_sequence(sequence);
    ASSERT_OK(spool_->Append(
        {.lane = lane, .epoch = epoch, .sequence = sequence, .time_ns = kNow, .requests = 1},
        batch.SerializeAsString()));
    if (sender_ != nullptr) sender_->Wake();
  }

  void StartSender(
      const std::string& address,
      const std::function<void(SenderOptions&)>& adjust = [](SenderOptions&) {}) {
    SenderOptions options;
    options.controller.address = address;
    options.agent_id = "agent-a";
    options.boot_epoch = 100;
    options.host = "host-a";
    options.scope = "1 network namespace";
    options.first_retry = absl::Milliseconds(20);
    options.last_retry = absl::Milliseconds(200);
    options.held_id_grace = absl::Milliseconds(100);
    adjust(options);
    absl::StatusOr<std::unique_ptr<Sender>> sender =
        Sender::Create(options, spool_.get(), &base::SystemClock(),
                       [] { return HealthSample{.rung = 2, .rss_bytes = 3, .connections = 4}; });
    ASSERT_OK(sender);
    sender_ = *std::move(sender);
    sender_->Start();
  }

  template <typename Ready>
  bool AwaitState(Ready ready) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (!ready(sender_->state())) {
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return true;
  }
  bool AwaitEmptySpool() {
    return AwaitState([&](const SenderState&) { return spool_->unacknowledged() == 0; });
  }

  base::TempDir dir_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<Sender> sender_;
};

TEST_F(SenderTest, SendsTheSpoolAndTrimsItByAcknowledgements) {
  FakeController controller;
  for (uint64_t i = 1; i <= 40; ++i) Append(100, i);
  Append(99, 1, SpoolLane::kSpans);
  StartSender(controller.address());
  ASSERT_TRUE(AwaitEmptySpool());
  Append(100, 41);
  ASSERT_TRUE(controller.AwaitBatches(42));
  EXPECT_TRUE(sender_->Stop(kPatience));
  Sequences expected;
  for (uint64_t i = 1; i <= 40; ++i) expected.emplace_back(100, i);
  expected.emplace_back(99, 1);
  expected.emplace_back(100, 41);
  EXPECT_EQ(controller.Batches(), expected);
  ASSERT_EQ(controller.Hellos().size(), 1u);
  const v1::Hello hello = controller.Hellos()[0];
  EXPECT_EQ(hello.agent_id(), "agent-a");
  EXPECT_EQ(hello.boot_epoch(), 100u);
  EXPECT_EQ(hello.host(), "host-a");
  EXPECT_EQ(hello.scope(), "1 network namespace");
  EXPECT_EQ(hello.protocol_version(), 1u);
  EXPECT_GT(hello.sent_time_ns(), kNow);
  ASSERT_FALSE(controller.Healths().empty());
  EXPECT_EQ(controller.Healths()[0].rung(), 2u);
  EXPECT_EQ(controller.Healths()[0].connections(), 4u);
  EXPECT_EQ(sender_->state().batches_acknowledged, 42u);
}

TEST_F(SenderTest, KeepsToItsCredit) {
  FakeController controller;
  controller.credit = 3;
  controller.acknowledge = false;
  for (uint64_t i = 1; i <= 10; ++i) Append(100, i);
  StartSender(controller.address(),
              [](SenderOptions& o) { o.health_interval = absl::Milliseconds(1); });
  ASSERT_TRUE(controller.AwaitBatches(3));
  // Time passes, messages flow, and no fourth batch comes.
  const size_t healths = controller.Healths().size();
  ASSERT_TRUE(
      AwaitState([&](const SenderState&) { return controller.Healths().size() > healths + 20; }));
  EXPECT_EQ(controller.Batches().size(), 3u);
  EXPECT_FALSE(sender_->Stop(absl::Milliseconds(10)));
  EXPECT_EQ(spool_->unacknowledged(), 10u);
}

TEST_F(SenderTest, ReconnectsAndSendsOnlyWhatIsNotDurable) {
  auto controller = std::make_unique<FakeController>();
  const int port = controller->port();
  controller->acknowledge = false;
  for (uint64_t i = 1; i <= 5; ++i) Append(100, i);
  Append(70, 9);  // of an older run
  StartSender(controller->address());
  ASSERT_TRUE(controller->AwaitBatches(6));
  controller.reset();
  ASSERT_TRUE(AwaitState([](const SenderState& s) { return !s.connected; }));
  EXPECT_EQ(spool_->unacknowledged(), 6u);
  FakeController again(port);
  again.SetDurable(100, 3);  // made durable, but the acknowledgement was lost
  ASSERT_TRUE(AwaitEmptySpool());
  EXPECT_EQ(again.Batches(), (Sequences{{100, 4}, {100, 5}, {70, 9}}));
  EXPECT_TRUE(sender_->Stop(kPatience));
}

TEST_F(SenderTest, AnotherStoreGetsTheWholeSpool) {
  auto controller = std::make_unique<FakeController>();
  const int port = controller->port();
  for (uint64_t i = 1; i <= 3; ++i) Append(100, i);
  StartSender(controller->address());
  ASSERT_TRUE(AwaitEmptySpool());
  controller.reset();
  ASSERT_TRUE(AwaitState([](const SenderState& s) { return !s.connected; }));
  Append(100, 4);
  FakeController other(port);
  other.store_id = "store-2";
  ASSERT_TRUE(other.AwaitBatches(4));
  EXPECT_EQ(other.Batches(), (Sequences{{100, 1}, {100, 2}, {100, 3}, {100, 4}}));
  ASSERT_TRUE(AwaitEmptySpool());
  EXPECT_EQ(sender_->state().store_id, "store-2");
}

TEST_F(SenderTest, AVersionMismatchIsFatal) {
  FakeController controller;
  controller.refusal = {grpc::StatusCode::FAILED_PRECONDITION, "upgrade the agent"};
  Append(100, 1);
  StartSender(controller.address());
  ASSERT_TRUE(AwaitState([](const SenderState& s) { return !s.fatal.ok(); }));
  EXPECT_EQ(sender_->state().fatal.message(), "upgrade the agent");
  EXPECT_FALSE(sender_->Stop(kPatience));
  EXPECT_EQ(spool_->unacknowledged(), 1u);
}

TEST_F(SenderTest, AControllerOfAnotherVersionIsFatalToo) {
  FakeController controller;
  controller.protocol_version = 50;
  Append(100, 1);
  StartSender(controller.address());
  ASSERT_TRUE(AwaitState([](const SenderState& s) { return !s.fatal.ok(); }));
  EXPECT_EQ(sender_->state().fatal.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(controller.Batches().empty());
}

TEST_F(SenderTest, AnIdHeldByAnotherAgentIsFatalAfterAWhile) {
  FakeController controller;
  controller.refusal = {grpc::StatusCode::ALREADY_EXISTS, "agent-a is held by host-b"};
  StartSender(controller.address());
  ASSERT_TRUE(AwaitState([](const SenderState& s) { return !s.fatal.ok(); }));
  EXPECT_EQ(sender_->state().fatal.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(sender_->state().fatal.message(), "agent-a is held by host-b");
  EXPECT_GE(controller.Hellos().size(), 2u);
}

TEST_F(SenderTest, AMalformedBatchIsGivenUpAndTheOthersArrive) {
  FakeController controller;
  controller.malformed = {100, 2};
  for (uint64_t i = 1; i <= 4; ++i) Append(100, i);
  StartSender(controller.address());
  ASSERT_TRUE(AwaitEmptySpool());
  const Sequences batches = controller.Batches();
  EXPECT_EQ(std::count(batches.begin(), batches.end(), std::make_pair(100ul, 2ul)), 3);
  EXPECT_EQ(std::count(batches.begin(), batches.end(), std::make_pair(100ul, 4ul)), 1);
  EXPECT_EQ(spool_->dropped()[static_cast<size_t>(Spool::DropCause::kRefused)].batches, 1u);
}

TEST_F(SenderTest, ASilentControllerIsGivenUp) {
  FakeController controller;
  controller.acknowledge = false;
  Append(100, 1);
  StartSender(controller.address(),
              [](SenderOptions& o) { o.answer_timeout = absl::Milliseconds(200); });
  ASSERT_TRUE(controller.AwaitHellos(3));
  EXPECT_EQ(spool_->unacknowledged(), 1u);
  EXPECT_FALSE(sender_->Stop(absl::ZeroDuration()));
}

TEST_F(SenderTest, StopWaitsForTheControllerButNotForever) {
  Append(100, 1);
  StartSender("127.0.0.1:1", [](SenderOptions& o) { o.last_retry = absl::Seconds(30); });
  ASSERT_TRUE(AwaitState([](const SenderState& s) { return !s.last_error.ok(); }));
  EXPECT_EQ(sender_->state().last_error.code(), absl::StatusCode::kUnavailable);
  const absl::Time begin = absl::Now();
  EXPECT_FALSE(sender_->Stop(absl::Milliseconds(300)));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
  EXPECT_EQ(spool_->unacknowledged(), 1u);
}

TEST_F(SenderTest, SpeaksTlsWithAControllerOfItsAuthority) {
  const std::string key = dir_.File("key.pem");
  const std::string certificate = dir_.File("certificate.pem");
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 "
      "-subj /CN=controller -addext subjectAltName=IP:127.0.0.1 -keyout " +
      key + " -out " + certificate + " 2>/dev/null";
  ASSERT_EQ(std::system(command.c_str()), 0);
  grpc::SslServerCredentialsOptions ssl;
  ssl.pem_key_cert_pairs.push_back(
      {*base::ReadFile(key, 1 << 16), *base::ReadFile(certificate, 1 << 16)});
  FakeController controller(0, grpc::SslServerCredentials(ssl));
  Append(100, 1);
  // Clear text, as loopback allows, is not what this controller speaks.
  StartSender(controller.address());
  ASSERT_TRUE(AwaitState([](const SenderState& s) { return !s.last_error.ok(); }));
  EXPECT_FALSE(sender_->Stop(absl::ZeroDuration()));
  StartSender(controller.address(), [&](SenderOptions& o) { o.controller.ca_file = certificate; });
  ASSERT_TRUE(AwaitEmptySpool());
  EXPECT_EQ(controller.Batches(), (Sequences{{100, 1}}));
}

TEST_F(SenderTest, ClearTextBeyondLoopbackMustBeAskedFor) {
  SenderOptions options;
  options.controller.address = "10.0.0.7:7420";
  const auto refused = Sender::Create(options, spool_.get(), &base::SystemClock(), nullptr);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(refused.status().message()).find("controller.ca_file"), std::string::npos);
  options.controller.ca_file = dir_.File("no-such.pem");
  EXPECT_EQ(Sender::Create(options, spool_.get(), &base::SystemClock(), nullptr).status().code(),
            absl::StatusCode::kNotFound);
  options.controller.ca_file = "";
  options.controller.insecure = true;
  EXPECT_OK(Sender::Create(options, spool_.get(), &base::SystemClock(), nullptr));
  for (const char* address : {"localhost:1", "127.0.0.1:1", "[::1]:1"}) {
    EXPECT_OK(Sender::Create({.controller = {.address = address}}, spool_.get(),
                             &base::SystemClock(), nullptr));
  }
}

}  // namespace
}  // namespace kindling::agent
