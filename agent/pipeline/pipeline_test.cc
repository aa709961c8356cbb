#include "agent/pipeline/pipeline.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "agent/protocols/dns/message_builder.h"
#include "base/byte_reader.h"
#include "model/dns_metrics.h"
#include "model/drop_metrics.h"
#include "model/edge_labels.h"
#include "model/tcp_metrics.h"

namespace kindling::agent {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr uint32_t kCurl = 10, kNginx = 20, kWorker = 21;
const IpAddress kHostA{.bytes = {10, 0, 0, 1}, .size = 4};
const IpAddress kHostB{.bytes = {10, 0, 0, 2}, .size = 4};
const IpAddress kLoopback{.bytes = {127, 0, 0, 1}, .size = 4};

class FakeReader final : public ProcessReader {
 public:
  ProcessFacts Read(uint32_t tgid) override {
    const auto found = processes.find(tgid);
    return found == processes.end() ? ProcessFacts{} : found->second;
  }
  std::map<uint32_t, ProcessFacts> processes = {
      {kCurl, {.found = true, .parent_tgid = 1, .executable = "/usr/bin/curl"}},
      {kNginx, {.found = true, .parent_tgid = 1, .executable = "/usr/sbin/nginx"}},
      {kWorker, {.found = true, .parent_tgid = kNginx, .executable = "/usr/sbin/nginx"}},
  };
};

class PipelineTest : public testing::Test, public BatchSink {
 protected:
  PipelineTest() {
    pipeline.OnTick(kSecond, 1'000 * kSecond);
    pipeline.OnListen({.netns = 7, .local = {.size = 4}, .port = 80, .tgid = kNginx});
  }
  void OnBatch(model::Batch batch) override {
    for (auto& row : batch.edges) edges.push_back(std::move(row));
    for (auto& row : batch.losses) losses.push_back(std::move(row));
    for (auto& row : batch.addresses) addresses.push_back(std::move(row));
    for (auto& row : batch.processes) processes.push_back(std::move(row));
    for (const model::MetricPoint& point : batch.points) {
      const model::MetricSeries& series = batch.series[point.series];
      metrics[{series.name, model::EndsOf(series.labels)}] += point.value;
    }
  }
  static model::EdgeEnds EndsOf(model::Side observer, const std::string& client,
                                const std::string& server, uint16_t port) {
    model::EdgeEnds ends{.observer = observer};
    ends.client.workload = client;
    if (!client.empty()) {
      ends.client.workload_kind = "process";
      ends.client.host = "host-a";
      ends.client.address = "127.0.0.1";
    }
    ends.server = {.workload = server,
                   .workload_kind = server.empty() ? "" : "process",
                   .host = server.empty() ? "" : "host-a",
                   .address = "127.0.0.1",
                   .port = port};
    return ends;
  }
  void Finish() {
    pipeline.OnTick(now_ns, 1'000 * kSecond + now_ns - kSecond);
    aggregator.Flush();
  }
  const model::EdgeStats* Row(model::Side observer) {
    for (const auto& row : edges) {
      if (row.observer == observer && row.count > 0) return &row;
    }
    return nullptr;
  }

  ConnOpen Client(ConnId id, const IpAddress& local, const IpAddress& remote) {
    return {.id = id,
            .boot_ns = now_ns,
            .origin = ConnOrigin::kConnect,
            .transport = model::Transport::kTcp,
            .side = model::Side::kClient,
            .netns = 7,
            .local = local,
            .remote = remote,
            .local_port = 40000,
            .remote_port = 80,
            .tgid = kCurl,
            .tid = kCurl};
  }
  ConnOpen Server(ConnId id, const IpAddress& local, const IpAddress& remote) {
    return {.id = id,
            .boot_ns = now_ns,
            .origin = ConnOrigin::kAccept,
            .transport = model::Transport::kTcp,
            .side = model::Side::kServer,
            .netns = 7,
            .local = local,
            .remote = remote,
            .local_port = 80,
            .remote_port = 40000};
  }
  void Move(ConnId id, uint32_t tgid, Direction direction, std::string_view text) {
    auto& at = positions[{id, direction}];
    pipeline.OnData({.id = id,
                     .boot_ns = ++now_ns,
                     .direction = direction,
                     .position = at,
                     .size = static_cast<uint32_t>(text.size()),
                     .bytes = base::AsBytes(text),
                     .turn = ++turns[id],
                     .tgid = tgid,
                     .tid = tgid});
    at += text.size();
  }
  void Exchange(ConnId client, ConnId server) {
    constexpr std::string_view kRequest = "GET /products/17 HTTP/1.1\r\nHost: shop\r\n\r\n";
    constexpr std::string_view kResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    if (client != 0) Move(client, kCurl, Direction::kSent, kRequest);
    if (server != 0) Move(server, kWorker, Direction::kReceived, kRequest);
    if (server != 0) Move(server, kWorker, Direction::kSent, kResponse);
    if (client != 0) Move(client, kCurl, Direction::kReceived, kResponse);
  }

  std::vector<model::EdgeStats> edges;
  std::vector<model::Loss> losses;
  std::vector<model::AddressBinding> addresses;
  std::vector<model::ProcessEvent> processes;
  std::map<std::pair<std::string, model::EdgeEnds>, double> metrics;
  std::map<std::pair<ConnId, Direction>, uint64_t> positions;
  std::map<ConnId, uint32_t> turns;
  int64_t now_ns = 2 * kSecond;
  FakeReader reader;
  Aggregator aggregator{{.host = "host-a"}, this};
  Pipeline pipeline{{.host = "host-a"}, reader, aggregator, [](ConnId, bool) {}};
};

TEST_F(PipelineTest, BothEndsOnThisHostNameEachOther) {
  pipeline.OnConnOpen(Client(1, kLoopback, kLoopback));
  pipeline.OnConnOpen(Server(2, kLoopback, kLoopback));
  Exchange(1, 2);
  Exchange(1, 2);
  Finish();
  for (const model::Side side : {model::Side::kClient, model::Side::kServer}) {
    const model::EdgeStats* row = Row(side);
    ASSERT_NE(row, nullptr);
    EXPECT_EQ(row->count, 2u);
    EXPECT_EQ(row->client.workload, "curl");
    EXPECT_EQ(row->server.workload, "nginx:80");
    EXPECT_EQ(row->protocol, model::Protocol::kHttp);
    EXPECT_EQ(row->endpoint, "GET /products/*");
    EXPECT_EQ(row->status_code, "200");
    EXPECT_EQ(row->connections, 0u);  // they have a row of their own
  }
  EXPECT_TRUE(addresses.empty());  // loopback names nothing elsewhere
}

TEST_F(PipelineTest, TheTimeAConnectionTookToOpenIsCountedOnce) {
  ConnOpen open = Client(1, kHostA, kHostB);
  open.connect_duration_ns = 700;
  pipeline.OnConnOpen(open);
  Exchange(1, 0);
  Exchange(1, 0);
  open = Client(2, kHostA, kHostB);
  open.origin = ConnOrigin::kFound;  // neither opened nor timed
  pipeline.OnConnOpen(open);
  Exchange(2, 0);
  Finish();
  uint64_t connections = 0;
  uint64_t count = 0;
  uint64_t sum_ns = 0;
  for (const auto& row : edges) {
    connections += row.connections;
    count += row.connect_count;
    sum_ns += row.connect_sum_ns;
  }
  EXPECT_EQ(connections, 1u);
  EXPECT_EQ(count, 1u);
  EXPECT_EQ(sum_ns, 700u);
}

TEST_F(PipelineTest, ARemoteServerIsAnAddressAndTheNameItWasResolvedFrom) {
  ConnOpen dns{.id = 9,
               .boot_ns = now_ns,
               .transport = model::Transport::kUdp,
               .side = model::Side::kClient,
               .netns = 7,
               .local = kHostA,
               .remote = kHostB,
               .local_port = 5353,
               .remote_port = 53,
               .tgid = kCurl};
  pipeline.OnConnOpen(dns);
  const std::string question("\x04shop\x04test\x00\x00\x01\x00\x01", 15);
  const std::string query =
      std::string("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12) + question;
  const std::string answer =
      std::string("\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00", 12) + question +
      std::string("\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x02", 16);
  Move(9, kCurl, Direction::kSent, query);
  Move(9, kCurl, Direction::kReceived, answer);
  pipeline.OnConnOpen(Client(1, kHostA, kHostB));
  Exchange(1, 0);
  Finish();
  const model::EdgeStats* http = nullptr;
  for (const auto& row : edges) {
    if (row.protocol == model::Protocol::kHttp && row.count > 0) http = &row;
  }
  ASSERT_NE(http, nullptr);
  EXPECT_EQ(http->server.workload, "");
  EXPECT_EQ(http->server.address, "10.0.0.2");
  EXPECT_EQ(http->server.port, 80);
  EXPECT_EQ(http->server.dns_name, "shop.test");
  EXPECT_EQ(http->client.address, "10.0.0.1");
}

// curl in one namespace asks a service; a router gives it to nginx in another, as from itself.
class NatPipelineTest : public PipelineTest {
 protected:
  NatEvent Flow(NatEventKind kind) {
    const auto end = [](uint8_t number, uint16_t port) {
      return Endpoint{{.bytes = {10, 0, 0, number}, .size = 4}, port};
    };
    return {.kind = kind,
            .netns = 99,
            .transport = model::Transport::kTcp,
            .client = end(1, 40000),
            .asked = end(96, 80),
            .server = end(2, 8080),
            .seen_as = end(9, 1024)};
  }
  ConnOpen NatClient() { return Client(1, kHostA, {.bytes = {10, 0, 0, 96}, .size = 4}); }
  ConnOpen NatServer() {
    ConnOpen open = Server(2, kHostB, {.bytes = {10, 0, 0, 9}, .size = 4});
    open.netns = 8;
    open.local_port = 8080;
    open.remote_port = 1024;
    return open;
  }
  void ExpectTrueEnds(model::Side side, uint64_t requests) {
    uint64_t count = 0;
    for (const model::EdgeStats& row : edges) {
      if (row.observer != side || row.server.address != "10.0.0.2") continue;
      count += row.count;
      if (row.count == 0) continue;
      EXPECT_EQ(row.client.workload, "curl");
      EXPECT_EQ(row.client.address, "10.0.0.1");
      EXPECT_EQ(row.server.workload, "nginx:8080");
      EXPECT_EQ(row.server.port, 8080);
    }
    EXPECT_EQ(count, requests);
  }
  double NatConnections() {
    double sum = 0;
    for (const auto& [of, value] : metrics) {
      if (of.first == "nat_connections") sum += value;
    }
    return sum;
  }
};

TEST_F(NatPipelineTest, BothEndsAreTheTrueOnes) {
  pipeline.OnListen({.netns = 8, .local = {.size = 4}, .port = 8080, .tgid = kNginx});
  pipeline.OnNat(Flow(NatEventKind::kNew));
  pipeline.OnConnOpen(NatClient());
  pipeline.OnConnOpen(NatServer());
  Exchange(1, 2);
  pipeline.OnNat(Flow(NatEventKind::kEnded));  // what is known of a connection stays with it
  Exchange(1, 2);
  Finish();
  ExpectTrueEnds(model::Side::kClient, 2);
  ExpectTrueEnds(model::Side::kServer, 2);
  EXPECT_EQ(NatConnections(), 2);  // each end counts it
  for (const auto& [of, value] : metrics) {
    if (of.first.starts_with("tcp_")) {
      EXPECT_NE(of.second.server.address, "10.0.0.96") << of.first;
    }
  }
}

TEST_F(NatPipelineTest, AFlowThatIsToldLateCountsFromThenOn) {
  pipeline.OnConnOpen(NatClient());
  Exchange(1, 0);
  pipeline.OnNat(Flow(NatEventKind::kFound));  // as of a list after a loss
  Exchange(1, 0);
  Finish();
  uint64_t asked = 0;
  uint64_t true_server = 0;
  for (const model::EdgeStats& row : edges) {
    if (row.server.address == "10.0.0.96") asked += row.count;
    if (row.server.address == "10.0.0.2") true_server += row.count;
  }
  EXPECT_EQ(asked, 1u);
  EXPECT_EQ(true_server, 1u);
  EXPECT_EQ(NatConnections(), 1);
}

TEST_F(NatPipelineTest, LostEventsAreALoss) {
  pipeline.OnNat({.kind = NatEventKind::kLost, .lost = 5});
  Finish();
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].stage, model::LossStage::kKernelRing);
  EXPECT_EQ(losses[0].events, 5u);
}

TEST_F(PipelineTest, AConnectionOutlivesTheProcessThatNamedIt) {
  pipeline.OnConnOpen(Client(1, kHostA, kHostB));
  Exchange(1, 0);
  pipeline.OnTask({.boot_ns = now_ns, .kind = TaskEventKind::kExit, .tgid = kCurl});
  reader.processes.erase(kCurl);
  now_ns += 40 * kSecond;
  Finish();
  edges.clear();
  pipeline.OnListen({.netns = 7, .local = {.size = 4}, .port = 70, .tgid = kNginx});  // renames it
  Exchange(1, 0);
  Finish();
  ASSERT_NE(Row(model::Side::kClient), nullptr);
  EXPECT_EQ(Row(model::Side::kClient)->client.workload, "curl");
}

TEST_F(PipelineTest, AConnectionThatIsOpenOverAnExecTakesTheNewName) {
  pipeline.OnConnOpen(Client(1, kHostA, kHostB));
  Exchange(1, 0);
  Finish();
  edges.clear();
  reader.processes[kCurl].executable = "/usr/bin/wget";
  pipeline.OnTask({.boot_ns = now_ns, .kind = TaskEventKind::kExec, .tgid = kCurl});
  Exchange(1, 0);
  Finish();
  ASSERT_NE(Row(model::Side::kClient), nullptr);
  EXPECT_EQ(Row(model::Side::kClient)->client.workload, "wget");
}

TEST_F(PipelineTest, ClientsDatagramSocketsDoNotCrowdOutServers) {
  for (uint32_t i = 0; i < 20'000; ++i) {
    pipeline.OnConnOpen({.id = 100 + i,
                         .boot_ns = now_ns,
                         .transport = model::Transport::kUdp,
                         .side = model::Side::kClient,
                         .netns = 9,
                         .local = {.size = 4},
                         .local_port = static_cast<uint16_t>(40'000 + i),
                         .tgid = kCurl});
  }
  pipeline.OnListen({.netns = 7, .local = {.size = 4}, .port = 8080, .tgid = kNginx});
  ConnOpen client = Client(1, kLoopback, kLoopback);
  client.remote_port = 8080;
  pipeline.OnConnOpen(client);
  Exchange(1, 0);
  Finish();
  ASSERT_NE(Row(model::Side::kClient), nullptr);
  EXPECT_EQ(Row(model::Side::kClient)->server.workload, "nginx:80");
}

TEST_F(PipelineTest, AServersAddressIsBoundToItsWorkloadOnce) {
  pipeline.OnConnOpen(Server(2, kHostA, kHostB));
  Exchange(0, 2);
  pipeline.OnConnOpen(Server(3, kHostA, kHostB));
  Exchange(0, 3);
  Finish();
  ASSERT_EQ(addresses.size(), 1u);
  EXPECT_EQ(addresses[0].address, "10.0.0.1");
  EXPECT_EQ(addresses[0].port, 80);
  EXPECT_EQ(addresses[0].workload, "nginx:80");
  EXPECT_EQ(addresses[0].host, "host-a");
  EXPECT_EQ(Row(model::Side::kServer)->client.address, "10.0.0.2");
}

TEST_F(PipelineTest, UnknownProtocolsAreCountedByBytes) {
  pipeline.OnConnOpen(Client(1, kHostA, kHostB));
  for (int i = 0; i < 4; ++i) Move(1, kCurl, Direction::kSent, "\x01\x02\x03\x04\x05\x06\x07\x08");
  pipeline.OnConnCounters(
      {.id = 1, .boot_ns = ++now_ns, .sent_bytes = 32, .turns = 4, .closed = true});
  Finish();
  uint64_t bytes = 0;
  for (const auto& row : edges) bytes += row.sent_bytes;
  EXPECT_EQ(bytes, 32u);
  EXPECT_EQ(Row(model::Side::kClient), nullptr);
}

TEST_F(PipelineTest, LossesReachTheBatch) {
  pipeline.OnConnOpen(Client(1, kHostA, kHostB));
  Exchange(1, 0);
  // Two more exchanges of which nothing arrived.
  pipeline.OnKernelLoss({.data_ring_events = 4, .data_ring_bytes = 200});
  pipeline.OnConnCounters({.id = 1,
                           .boot_ns = ++now_ns,
                           .sent_bytes = positions[{1, Direction::kSent}] + 100,
                           .received_bytes = positions[{1, Direction::kReceived}] + 100,
                           .turns = 6,
                           .closed = true});
  Finish();
  uint64_t lost = 0;
  for (const auto& row : edges) lost += row.lost;
  EXPECT_EQ(lost, 2u);
  ASSERT_EQ(losses.size(), 1u);
  EXPECT_EQ(losses[0].stage, model::LossStage::kKernelRing);
  EXPECT_EQ(losses[0].events, 4u);
  EXPECT_EQ(losses[0].bytes, 200u);
}

TEST_F(PipelineTest, ProcessesStartExitAndCrash) {
  pipeline.OnTask({.boot_ns = now_ns, .kind = TaskEventKind::kExec, .tgid = kCurl, .comm = "curl"});
  pipeline.OnTask(
      {.boot_ns = now_ns, .kind = TaskEventKind::kExit, .tgid = kCurl, .wait_status = 7 << 8});
  pipeline.OnTask(
      {.boot_ns = now_ns, .kind = TaskEventKind::kExit, .tgid = kWorker, .wait_status = 11});
  pipeline.OnTask(
      {.boot_ns = now_ns, .kind = TaskEventKind::kExit, .tgid = kNginx, .wait_status = 15});
  pipeline.OnTask({.boot_ns = now_ns, .kind = TaskEventKind::kOomKill, .tgid = 999});  // a stranger
  Finish();
  ASSERT_EQ(processes.size(), 4u);
  EXPECT_EQ(processes[0].kind, model::ProcessEventKind::kStart);
  EXPECT_EQ(processes[0].host, "host-a");
  EXPECT_EQ(processes[1].kind, model::ProcessEventKind::kExit);
  EXPECT_EQ(processes[1].code, 7);
  EXPECT_EQ(processes[2].kind, model::ProcessEventKind::kCrash);
  EXPECT_EQ(processes[2].code, 11);
  EXPECT_EQ(processes[2].workload, "nginx:80");
  EXPECT_EQ(processes[3].kind, model::ProcessEventKind::kExit);
  EXPECT_EQ(processes[3].code, 128 + 15);
}

TEST_F(PipelineTest, AFailedConnectIsCountedWithItsServer) {
  pipeline.OnConnectFailure({.boot_ns = now_ns,
                             .netns = 7,
                             .local = kHostA,
                             .remote = kHostB,
                             .remote_port = 81,
                             .tgid = kCurl,
                             .error = 111,
                             .duration_ns = 1000});
  Finish();
  ASSERT_EQ(edges.size(), 1u);
  EXPECT_EQ(edges[0].connect_failures, 1u);
  EXPECT_EQ(edges[0].client.workload, "curl");
  EXPECT_EQ(edges[0].server.port, 81);
}

TEST_F(PipelineTest, TcpBelongsToTheEdge) {
  const model::EdgeEnds of_client = EndsOf(model::Side::kClient, "curl", "nginx:80", 80);
  const model::EdgeEnds of_server = EndsOf(model::Side::kServer, "curl", "nginx:80", 80);
  pipeline.OnConnOpen(Client(1, kLoopback, kLoopback));
  pipeline.OnConnOpen(Server(2, kLoopback, kLoopback));
  pipeline.OnTcp({.id = 3, .sent_bytes = 99, .ended = true});  // nobody knows it
  // The server was accepted and is not used yet: whoever listens stands for it.
  pipeline.OnTcp({.id = 2, .received_bytes = 10});
  Exchange(1, 2);
  pipeline.OnTcp({.id = 2, .received_bytes = 50, .ended = true});
  pipeline.OnTcp({.id = 1, .sent_bytes = 50, .retransmits = 1, .ended = true});
  Finish();
  EXPECT_EQ((metrics[{model::tcp::kConnects, of_client}]), 1);
  EXPECT_EQ((metrics[{model::tcp::kSentBytes, of_client}]), 50);
  EXPECT_EQ((metrics[{model::tcp::kRetransmits, of_client}]), 1);
  EXPECT_EQ((metrics[{model::tcp::kAccepts, of_server}]), 1);
  EXPECT_EQ((metrics[{model::tcp::kReceivedBytes, of_server}]), 50);
  EXPECT_EQ((metrics[{model::tcp::kEnds, of_server}]), 1);
}

TEST_F(PipelineTest, DnsIsCountedAtBothEndsAndAcrossSockets) {
  const auto open = [this](ConnId id, model::Side side, model::Transport transport) {
    const bool is_client = side == model::Side::kClient;
    ConnOpen event =
        is_client ? Client(id, kLoopback, kLoopback) : Server(id, kLoopback, kLoopback);
    event.transport = transport;
    event.tgid = is_client ? kCurl : kNginx + static_cast<uint32_t>(id);  // a process for each
    (is_client ? event.remote_port : event.local_port) = 53;
    (is_client ? event.local_port : event.remote_port) = static_cast<uint16_t>(40000 + id / 2);
    reader.processes[event.tgid].found = true;
    reader.processes[event.tgid].executable = is_client ? "/usr/bin/curl" : "/usr/sbin/dnsd";
    pipeline.OnConnOpen(event);
  };
  const std::string query = dns::Query(1, "db.test", 1);
  open(1, model::Side::kClient, model::Transport::kUdp);
  open(2, model::Side::kServer, model::Transport::kUdp);
  Move(1, kCurl, Direction::kSent, query);
  Move(2, kNginx, Direction::kReceived, query);
  now_ns += 5 * kSecond;
  pipeline.OnTick(now_ns, 1'000 * kSecond + now_ns - kSecond);
  // Again from a new socket, and over TCP for the answer does not fit.
  open(3, model::Side::kClient, model::Transport::kUdp);
  open(4, model::Side::kServer, model::Transport::kUdp);
  Move(3, kCurl, Direction::kSent, query);
  Move(4, kNginx, Direction::kReceived, query);
  const std::string cut = dns::MessageBuilder(1, 0x8380).Question("db.test", 1).Datagram();
  Move(4, kNginx, Direction::kSent, cut);
  Move(3, kCurl, Direction::kReceived, cut);
  open(5, model::Side::kClient, model::Transport::kTcp);
  open(6, model::Side::kServer, model::Transport::kTcp);
  Move(5, kCurl, Direction::kSent, dns::Framed(query));
  Move(6, kNginx, Direction::kReceived, dns::Framed(query));
  Finish();
  for (const model::Side observer : {model::Side::kClient, model::Side::kServer}) {
    double queries = 0;
    std::map<std::string, double> rest;
    for (const auto& [key, value] : metrics) {
      if (key.second.observer != observer || !key.first.starts_with("dns_")) continue;
      EXPECT_EQ(key.second.server.port, 53);
      const model::Party& own =
          observer == model::Side::kClient ? key.second.client : key.second.server;
      EXPECT_EQ(own.workload_kind, "process");
      (key.first == model::dns::kQueries ? queries : rest[key.first]) += value;
    }
    EXPECT_EQ(queries, 2) << "one timed out, one was answered, one waits";
    EXPECT_EQ(rest[model::dns::kRetries], 1);
    EXPECT_EQ(rest[model::dns::kTruncated], 1);
    EXPECT_EQ(rest[model::dns::kTcpFallbacks], 1);
  }
}

TEST_F(PipelineTest, AListenerThatAcceptsNothingIsKnownByItsAddress) {
  pipeline.OnListener({.id = 9, .netns = 7, .local = kHostA, .port = 80, .tgid = kNginx});
  pipeline.OnListener({.id = 9, .netns = 7, .local = kHostA, .port = 80, .tgid = kNginx});
  Finish();
  ASSERT_EQ(addresses.size(), 1u);
  EXPECT_EQ(addresses[0].address, "10.0.0.1");
  EXPECT_EQ(addresses[0].port, 80);
  EXPECT_EQ(addresses[0].workload, "nginx:80");
}

TEST_F(PipelineTest, AFailedConnectIsTcpsToo) {
  pipeline.OnConnectFailure({.local = kLoopback,
                             .remote = kLoopback,
                             .remote_port = 81,
                             .tgid = kCurl,
                             .error = 111,
                             .duration_ns = 5,
                             .resets_received = 1});
  pipeline.OnListener(
      {.id = 9, .netns = 7, .local = kLoopback, .port = 80, .tgid = kNginx, .drops = 4});
  Finish();
  const model::EdgeEnds ends = EndsOf(model::Side::kClient, "curl", "", 81);
  EXPECT_EQ((metrics[{model::tcp::kConnects, ends}]), 1);
  EXPECT_EQ((metrics[{model::tcp::kResetsReceived, ends}]), 1);
  const model::EdgeEnds listener = EndsOf(model::Side::kServer, "", "nginx:80", 80);
  EXPECT_EQ((metrics[{model::tcp::kListenDrops, listener}]), 4);
}

TEST_F(PipelineTest, DropsBelongToTheEdgeAlsoWhenItIsOver) {
  const model::EdgeEnds of_server = EndsOf(model::Side::kServer, "curl", "nginx:80", 80);
  pipeline.OnConnOpen(Client(1, kLoopback, kLoopback));
  const ConnOpen server = Server(2, kLoopback, kLoopback);
  pipeline.OnConnOpen(server);
  Exchange(1, 2);
  DropSample drop{.netns = server.netns,
                  .reason = "tcp_csum",
                  .protocol = 6,
                  .source = server.remote,
                  .destination = server.local,
                  .source_port = server.remote_port,
                  .destination_port = server.local_port,
                  .packets = 2};
  pipeline.OnDrop(drop);
  pipeline.OnConnCounters({.id = 2, .boot_ns = now_ns, .closed = true});
  pipeline.OnConnCounters({.id = 1, .boot_ns = now_ns, .closed = true});
  pipeline.OnDrop(drop);
  Finish();
  EXPECT_EQ((metrics[{model::drops::kPackets, of_server}]), 4);
}

}  // namespace
}  // namespace kindling::agent
