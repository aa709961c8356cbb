#include "agent/packets/owner_tap.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>

#include "agent/aggregate/aggregator.h"
#include "agent/identity/process_facts.h"

namespace kindling::agent {
namespace {

constexpr uint32_t kCurl = 10, kNginx = 20, kNetns = 7;
constexpr uint16_t kPort = 80, kClientPort = 40000;
const IpAddress kHostA{.bytes = {10, 0, 0, 1}, .size = 4};
const IpAddress kHostB{.bytes = {10, 0, 0, 2}, .size = 4};

class FakeReader final : public ProcessReader {
 public:
  ProcessFacts Read(uint32_t tgid) override {
    if (tgid == kCurl) return {.found = true, .executable = "/usr/bin/curl"};
    return {.found = true,
            .executable = "/usr/sbin/nginx",
            .cgroup = "/docker/" + std::string(64, 'c')};
  }
};

class OwnerTapTest : public testing::Test, public BatchSink {
 protected:
  OwnerTapTest() { tap_.OnTick(1, 1); }
  void OnBatch(model::Batch) override {}

  static ConnOpen Client(ConnId id) {
    return {.id = id,
            .origin = ConnOrigin::kConnect,
            .transport = model::Transport::kTcp,
            .side = model::Side::kClient,
            .netns = kNetns,
            .local = kHostA,
            .remote = kHostB,
            .local_port = kClientPort,
            .remote_port = kPort,
            .tgid = kCurl};
  }
  static ConnOpen Server(ConnId id, uint32_t tgid) {
    ConnOpen open = Client(id);
    std::swap(open.local, open.remote);
    std::swap(open.local_port, open.remote_port);
    open.side = model::Side::kServer;
    open.origin = ConnOrigin::kAccept;
    open.tgid = tgid;
    return open;
  }
  static ListenEvent Listen() {
    return {.netns = kNetns, .local = {.size = 4}, .port = kPort, .tgid = kNginx};
  }
  // The ends of a packet from the client to the server.
  std::pair<std::string, std::string> Ends() const {
    const PacketOwners::Ends ends = owners_.Find(kNetns, {.transport = model::Transport::kTcp,
                                                          .source = kHostA,
                                                          .destination = kHostB,
                                                          .source_port = kClientPort,
                                                          .destination_port = kPort});
    return {ends.sender == nullptr ? "" : *ends.sender,
            ends.receiver == nullptr ? "" : *ends.receiver};
  }
  void Tick() {
    ++now_;
    tap_.OnTick(now_, now_);
  }
  void StartCapture() {
    use_.emplace(owners_);
    Tick();
  }
  void EndCapture() {
    use_.reset();
    Tick();
  }

  const std::string curl_ = "process curl pid 10 workload curl";
  const std::string nginx_ =
      "process nginx pid 20 workload nginx/cccccccccccc container cccccccccccc";

  FakeReader reader_;
  Aggregator aggregator_{AggregatorOptions{}, this};
  Pipeline pipeline_{{}, reader_, aggregator_, [](ConnId, bool) {}};
  PacketOwners owners_;
  OwnerTap tap_{pipeline_, pipeline_, owners_, "/"};
  std::optional<PacketOwners::Use> use_;
  int64_t now_ = 1;
};

TEST_F(OwnerTapTest, TellsNothingWhileNobodyCaptures) {
  tap_.OnConnOpen(Client(1));
  tap_.OnListen(Listen());
  EXPECT_EQ(owners_.size(), 0);
  EXPECT_EQ(pipeline_.connections(), 1) << "events go on";
}

TEST_F(OwnerTapTest, FirstTellsOfWhatThereIs) {
  tap_.OnListen(Listen());
  tap_.OnConnOpen(Client(1));
  tap_.OnConnOpen(Server(2, kNginx));
  StartCapture();
  EXPECT_EQ(Ends(), std::make_pair(curl_, nginx_));
  EndCapture();
  EXPECT_EQ(owners_.size(), 0);
  EXPECT_EQ(Ends(), std::make_pair(std::string(), std::string()));
}

TEST_F(OwnerTapTest, ThenOfWhatComes) {
  StartCapture();
  tap_.OnConnOpen(Client(1));
  EXPECT_EQ(Ends(), std::make_pair(curl_, std::string()));
  tap_.OnConnOpen(Server(2, kNginx));
  EXPECT_EQ(Ends(), std::make_pair(curl_, nginx_));
}

TEST_F(OwnerTapTest, AProcessThatIsKnownWithItsFirstData) {
  StartCapture();
  tap_.OnConnOpen(Server(2, 0));
  EXPECT_EQ(Ends().second, "");
  DataEvent data{.id = 2, .direction = Direction::kReceived, .size = 1, .turn = 1, .tgid = kNginx};
  tap_.OnData(data);
  EXPECT_EQ(Ends().second, nginx_);
}

TEST_F(OwnerTapTest, GoesAWhileAfterTheConnection) {
  StartCapture();
  tap_.OnConnOpen(Client(1));
  tap_.OnConnCounters({.id = 1, .boot_ns = now_, .closed = true});
  EXPECT_EQ(Ends().first, curl_);
  now_ += PacketOwners::kLingerNs + 1;
  Tick();
  EXPECT_EQ(Ends().first, "");
}

TEST_F(OwnerTapTest, ASecondCaptureFindsAllAgain) {
  tap_.OnConnOpen(Client(1));
  StartCapture();
  EndCapture();
  StartCapture();
  EXPECT_EQ(Ends().first, curl_);
}

}  // namespace
}  // namespace kindling::agent
