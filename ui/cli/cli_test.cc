#include "ui/cli/cli.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "base/read_file.h"
#include "base/testing/fake_clock.h"
#include "base/testing/temp_dir.h"
#include "base/unique_fd.h"
#include "ui/cli/testing/fake_query_service.h"

namespace kindling::ui {
namespace {

using ::google::protobuf::TextFormat;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kNow = 1'700'000'000 * kSecond;  // 2023-11-14 22:13:20 UTC

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

constexpr char kEdges[] = R"pb(
  edges {
    client: "wrk"
    server: "nginx:80"
    protocol: "http"
    transport: "tcp"
    request_count: 60000
    error_count: 12
    p50_ms: 1.25
    p95_ms: 4.5
    p99_ms: 21
    bytes_sent: 6000000
    bytes_received: 120000000
    connections: 16
    slow_count: 3
    observer: "server"
    server_address: "10.7.0.2:80"
    server_kind: "process"
    client_kind: "process"
    server_view { request_count: 60000 error_count: 12 p95_ms: 4.5 }
  }
  edges {
    client: "nginx:80"
    server: "shop:8080"
    protocol: "http"
    transport: "tcp"
    request_count: 60000
    error_count: 12
    p50_ms: 0.9
    p95_ms: 4.1
    p99_ms: 20
    observer: "both"
    server_address: "10.7.0.3:8080"
    client_view { request_count: 60000 p95_ms: 4.2 }
    server_view { request_count: 59987 p95_ms: 4.1 }
    lost: 13
    notes: "client counted 60000 requests, server 59987"
  }
  edges {
    client: "shop:8080"
    server: "mariadbd:3306"
    protocol: "mysql"
    transport: "unix"
    request_count: 30000
    p50_ms: 0.31
    p95_ms: 0.8
    p99_ms: 2.2
    observer: "both"
    server_address: "/run/mysqld/mysqld.sock"
  }
  edges {
    client: "shop:8080"
    server: "redis-server:6379"
    protocol: "redis"
    transport: "tcp"
    request_count: 120000
    p50_ms: 0.04
    p95_ms: 0.09
    p99_ms: 0.3
    observer: "both"
  }
  edges {
    client: "shop:8080"
    server: "a-metrics-collector-with-a-very-long-name.example.internal"
    protocol: "unknown"
    transport: "tcp"
    connections: 2
    bytes_sent: 900
    observer: "client"
  }
  completeness {
    captured: 270000
    lost: 13
    fraction: 0.99995
    by_stage { stage: "kernel_ring" host: "host-a" requests: 5 }
    by_stage { stage: "kernel_ring" host: "host-b" requests: 8 }
  }
)pb";

constexpr char kSpan[] = R"pb(
  id: "0192f3a1b2c3d4e5"
  trace_id: "00000000000000000000000000000000"
  parent_id: "0000000000000000"
  client: "nginx:80"
  server: "shop:8080"
  side: "server"
  protocol: "http"
  transport: "tcp"
  endpoint: "GET /products/*"
  status_code: "503"
  outcome: "server_error"
  slow: true
  start_ns: 1699999990123456789
  duration_ms: 620
  request_ms: 2
  wait_ms: 600
  response_ms: 18
  connect_ms: 0.2
  request_bytes: 312
  response_bytes: 20480
  host: "host-b"
  pid: 4711
  request_tid: 4712
  response_tid: 4713
  client_address: "10.7.0.2:41234"
  server_address: "10.7.0.3:8080"
  request_tcp_seq: 123456
  response_tcp_seq: 654321
  sample_weight: 1
  attributes { key: "http.method" value: "GET" }
  attributes { key: "http.url" value: "/products/7?page=*" }
)pb";

// Keys of a fake keyboard.
class FakeTerminal final : public Terminal {
 public:
  explicit FakeTerminal(std::string keys) : keys_(std::move(keys)) {}
  std::optional<char> ReadKey(absl::Duration) override {
    if (next_ == keys_.size()) return 'q';
    return keys_[next_++];
  }
  int rows() const override { return 8; }
  int columns() const override { return 80; }

 private:
  const std::string keys_;
  size_t next_ = 0;
};

class CliTest : public ::testing::Test {
 protected:
  struct Result {
    int code;
    std::string out;
    std::string err;
  };

  CliTest() : clock_(kSecond, kNow) { service_.edges = Parse<v1::ListEdgesResponse>(kEdges); }

  // As typed on a terminal of 80 columns without colours.
  Result Run(std::vector<std::string> args) {
    std::ostringstream out, err;
    Environment environment{.out = out,
                            .err = err,
                            .clock = clock_,
                            .variables = variables_,
                            .zone = absl::UTCTimeZone(),
                            .out_is_terminal = is_terminal_,
                            .columns = columns_,
                            .open_terminal = open_terminal_};
    const ExitCode code = RunCli(args, environment);
    return {static_cast<int>(code), out.str(), err.str()};
  }

  // `actual` is what the file of this name holds. What differs is written beside the test's log.
  void ExpectGolden(const std::string& name, const std::string& actual) {
    std::ifstream file("ui/cli/testdata/" + name);
    const std::string expected((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(actual, expected) << name;
    if (const char* outputs = std::getenv("TEST_UNDECLARED_OUTPUTS_DIR");
        outputs != nullptr && actual != expected) {
      std::ofstream(std::string(outputs) + "/" + name) << actual;
    }
  }

  base::FakeClock clock_;
  FakeQueryService service_;
  std::map<std::string, std::string> variables_ = {{"LANG", "C.UTF-8"},
                                                   {"KINDLING_CONTROLLER", service_.address()}};
  bool is_terminal_ = false;
  int columns_ = 80;
  std::function<std::unique_ptr<Terminal>()> open_terminal_;
};

TEST_F(CliTest, GetEdges) {
  const Result table = Run({"get", "edges"});
  ExpectGolden("get_edges.txt", table.out);
  EXPECT_EQ(table.err, "");
  EXPECT_EQ(table.code, 3);
  ExpectGolden("get_edges_wide.txt", Run({"get", "edges", "-o", "wide"}).out);
  const Result json = Run({"get", "edges", "-o", "json"});
  ExpectGolden("get_edges.json", json.out);
  EXPECT_EQ(json.code, 3);
  ExpectGolden("get_edges.yaml", Run({"get", "edges", "-o", "yaml"}).out);
}

TEST_F(CliTest, JsonIsTheMessage) {
  v1::ListEdgesResponse parsed;
  ASSERT_TRUE(
      google::protobuf::util::JsonStringToMessage(Run({"get", "edges", "-ojson"}).out, &parsed)
          .ok());
  EXPECT_EQ(parsed.DebugString(), service_.edges.DebugString());
}

TEST_F(CliTest, GetEdgesByEndpoint) {
  service_.edges = Parse<v1::ListEdgesResponse>(R"pb(
    edges {
      client: "nginx:80"
      server: "shop:8080"
      protocol: "http"
      transport: "tcp"
      endpoint: "GET /products/*"
      status_code: "200"
      request_count: 5
      p50_ms: 1
      p95_ms: 2
      p99_ms: 3
    }
    completeness { captured: 5 fraction: 1 }
  )pb");
  const Result result = Run({"get", "edges", "--by-endpoint"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out,
            "CLIENT    SERVER     PROTOCOL  ENDPOINT      CODE  REQUESTS  ERRORS  P50  P95  P99\n"
            "nginx:80  shop:8080  http      GET /produc…  200          5       0  1ms  2ms  3ms\n"
            "complete\n");
}

TEST_F(CliTest, WhatIsAsked) {
  EXPECT_EQ(Run({"get", "edges", "--by-endpoint", "--since", "5m", "-f", "slow"}).code, 3);
  const v1::ListEdgesRequest request = service_.last_edges_request();
  EXPECT_EQ(request.time().start_ns(), kNow - 300 * kSecond);
  EXPECT_EQ(request.time().end_ns(), 0);
  EXPECT_EQ(request.filter(), "slow");
  EXPECT_TRUE(request.by_endpoint());

  Run({"map", "-f", "slow or pid=1", "-f", "", "-f", "protocol=http", "--from", "22:00", "--to",
       "22:10"});
  EXPECT_EQ(service_.last_edges_request().filter(), "(slow or pid=1) (protocol=http)");
  EXPECT_EQ(service_.last_edges_request().time().start_ns(), kNow - 800 * kSecond);
  EXPECT_EQ(service_.last_edges_request().time().end_ns(), kNow - 200 * kSecond);
}

TEST_F(CliTest, LimitCutsRowsAndSaysSo) {
  const Result result = Run({"get", "edges", "--limit", "2"});
  EXPECT_THAT(result.out, HasSubstr("2 of 5 edges shown; raise --limit for more\n"));
  EXPECT_THAT(result.out, Not(HasSubstr("redis")));
  EXPECT_THAT(Run({"get", "edges", "--limit", "2", "-o", "json"}).out, Not(HasSubstr("redis")));
}

TEST_F(CliTest, NothingFound) {
  service_.edges = Parse<v1::ListEdgesResponse>("completeness { fraction: 1 }");
  const Result result = Run({"get", "edges", "-f", "slow", "--since", "90m"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(
      result.out,
      "no edges in the last 1h30m match the filter; try a longer --since, or \"kindlingctl get "
      "agents\" for who is watching\ncomplete\n");
  EXPECT_THAT(Run({"map"}).out, HasSubstr("no edges in the last 15m; "));
}

TEST_F(CliTest, NotesMakeAnAnswerPartial) {
  service_.edges = Parse<v1::ListEdgesResponse>(
      "completeness { captured: 5 fraction: 1 notes: 'agent host-b is silent since 10:00' }");
  const Result result = Run({"map"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.out, HasSubstr("complete\nnote: agent host-b is silent since 10:00\n"));
}

TEST_F(CliTest, LossesThatAreNoRequests) {
  service_.edges = Parse<v1::ListEdgesResponse>(
      "completeness { captured: 5 fraction: 1 by_stage { stage: 'cap' events: 7 } }");
  EXPECT_THAT(Run({"map"}).out, HasSubstr("every request captured; lost otherwise: cap 7 events"));
}

TEST_F(CliTest, WhateverIsMissingIsExitCodeThree) {
  const auto answer = [this](const std::string& completeness) {
    service_.edges = Parse<v1::ListEdgesResponse>("completeness { " + completeness + " }");
    service_.processes = Parse<v1::ListProcessesResponse>("completeness { " + completeness + " }");
    const Result result = Run({"map"});
    EXPECT_EQ(Run({"get", "processes"}).code, result.code);
    EXPECT_EQ(Run({"map", "-o", "json"}).code, result.code);
    EXPECT_EQ(Run({"top", "--once"}).code, result.code);
    return std::to_string(result.code) + " " + result.out.substr(result.out.find('\n') + 1);
  };
  EXPECT_EQ(answer("captured: 5 fraction: 1"), "0 complete\n");
  EXPECT_EQ(answer("fraction: 1"), "0 complete\n");
  EXPECT_EQ(answer("captured: 90 lost_other: 10 fraction: 0.9 "
                   "by_stage { stage: 'damaged_block' events: 2 } "
                   "by_stage { stage: 'cap' host: 'a' events: 8 }"),
            "3 90.0 % captured, at least 10 records lost: cap 8 events, damaged_block 2 blocks\n");
  EXPECT_EQ(answer("captured: 80 lost: 13 lost_other: 7 fraction: 0.8 "
                   "by_stage { stage: 'edge' requests: 13 } "
                   "by_stage { stage: 'views_differ' events: 7 }"),
            "3 80.0 % captured, 13 requests and 7 other records lost: edge 13, views_differ 7 "
            "requests\n");
  EXPECT_EQ(answer("lost_other: 1 by_stage { stage: 'agent_silent' host: 'a' events: 1 }"),
            "3 nothing captured, at least 1 record lost: agent_silent 1 agent\n");
}

TEST_F(CliTest, GetServices) {
  service_.services = Parse<v1::ListServicesResponse>(R"pb(
    services {
      name: "shop:8080"
      kind: "process"
      hosts: "host-b"
      protocols: "http"
      request_count: 60000
      error_count: 12
      requests_per_second: 66.7
      p50_ms: 0.9
      p95_ms: 4.1
      p99_ms: 20
    }
    services { name: "api.example.com" kind: "external" protocols: "tls" protocols: "dns" }
    completeness { captured: 60000 fraction: 1 }
  )pb");
  const Result result = Run({"get", "services"});
  ExpectGolden("get_services.txt", result.out);
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(Run({"get", "services", "-o", "wide"}).out, HasSubstr("host-b"));
}

TEST_F(CliTest, GetSpansGoesThroughThePages) {
  v1::ListSpansResponse page;
  *page.add_spans() = Parse<v1::Span>(kSpan);
  page.mutable_completeness()->set_fraction(1);
  page.set_sampled(true);
  page.set_next_page_token("1");
  service_.span_pages = {page, page};
  service_.span_pages[1].mutable_spans(0)->set_start_ns(kNow - 90'000 * kSecond);
  service_.span_pages[1].mutable_spans(0)->set_outcome("ok");
  service_.span_pages[1].mutable_spans(0)->set_slow(false);
  service_.span_pages[1].clear_next_page_token();
  const Result result = Run({"get", "spans", "--order", "slowest", "--limit", "20000"});
  ExpectGolden("get_spans.txt", result.out);
  EXPECT_EQ(result.code, 0);
  ASSERT_EQ(service_.questions().size(), 2u);
  EXPECT_THAT(service_.questions()[0],
              AllOf(HasSubstr("page_size: 10000"), HasSubstr("order: ORDER_SLOWEST"),
                    Not(HasSubstr("page_token"))));
  EXPECT_THAT(service_.questions()[1], HasSubstr("page_token: \"1\""));
  EXPECT_THAT(Run({"get", "spans", "--limit", "1"}).out, HasSubstr("there are more"));
}

TEST_F(CliTest, DescribeSpan) {
  *service_.span.mutable_span() = Parse<v1::Span>(kSpan);
  const Result result = Run({"describe", "span", "0192f3a1b2c3d4e5"});
  ExpectGolden("describe_span.txt", result.out);
  EXPECT_EQ(result.code, 0);
  variables_["LANG"] = "C";
  ExpectGolden("describe_span_ascii.txt", Run({"describe", "span", "0192f3a1b2c3d4e5"}).out);
  EXPECT_THAT(Run({"describe", "span", "0192f3a1b2c3d4e5", "-o", "json"}).out,
              HasSubstr("\"startNs\": \"1699999990123456789\""));
  const Result wrong = Run({"describe", "span", "12"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("\"12\" is no span id: 16 hexadecimal digits"));
}

TEST_F(CliTest, DescribeSpanWithBlame) {
  *service_.span.mutable_span() = Parse<v1::Span>(kSpan);
  (*service_.span.mutable_span()->mutable_blame_ms())["disk"] = 155;
  (*service_.span.mutable_span()->mutable_blame_ms())["cpu"] = 465;
  EXPECT_THAT(
      Run({"describe", "span", "0192f3a1b2c3d4e5"}).out,
      HasSubstr("Where the time went\n  cpu         ████████████████████████········  75%"));
}

TEST_F(CliTest, GetAgents) {
  service_.agents = Parse<v1::ListAgentsResponse>(R"pb(
    agents {
      id: "host-a"
      host: "host-a"
      state: "connected"
      version: "0.1.0"
      kernel: "6.1.0-40"
      capture_hook: "sys_exit"
      scope: "1 network namespace"
      rung: "full payload"
      last_seen_ns: 1699999998000000000
      started_ns: 1699996400000000000
      clock_offset_ms: -0.25
      rss_mb: 41.2
      bpf_mb: 18
      cpu_seconds: 12.5
      connections: 321
      events: 1234567
      lost_events: 9
      last_sequence: 360
    }
    agents { id: "host-b" state: "silent" last_seen_ns: 1699999000000000000 replay: true }
  )pb");
  const Result result = Run({"get", "agents"});
  ExpectGolden("get_agents.txt", result.out);
  EXPECT_EQ(result.code, 0);
  ExpectGolden("get_agents_wide.txt", Run({"get", "agents", "-o", "wide"}).out);
  service_.agents.Clear();
  EXPECT_THAT(Run({"get", "agents"}).out, HasSubstr("no agent has connected"));
}

TEST_F(CliTest, GetProcesses) {
  service_.processes = Parse<v1::ListProcessesResponse>(R"pb(
    events {
      time_ns: 1699999999000000000
      kind: "crash"
      host: "host-b"
      workload: "shop:8080"
      executable: "/usr/bin/python3.11"
      command: "python3 shop.py --port 8080"
      pid: 4711
      parent_pid: 1
      code: 11
    }
    events {
      time_ns: 1699999998000000000
      kind: "exit"
      host: "host-b"
      workload: "worker"
      pid: 4700
      code: 2
      executable: "/usr/bin/worker"
    }
    completeness { fraction: 1 }
  )pb");
  ExpectGolden("get_processes.txt", Run({"get", "processes"}).out);
}

TEST_F(CliTest, Map) {
  const Result tree = Run({"map"});
  ExpectGolden("map.txt", tree.out);
  EXPECT_EQ(tree.code, 3);
  const Result dot = Run({"map", "-o", "dot"});
  ExpectGolden("map.dot", dot.out);
  EXPECT_EQ(dot.code, 3);
  ExpectGolden("map.mmd", Run({"map", "-o", "mermaid"}).out);
  EXPECT_EQ(Run({"map", "-o", "json"}).out, Run({"get", "edges", "-o", "json"}).out);
}

TEST_F(CliTest, MapWithCycles) {
  service_.edges = Parse<v1::ListEdgesResponse>(R"pb(
    edges { client: "a" server: "b" protocol: "http" request_count: 1 p95_ms: 1 }
    edges { client: "b" server: "a" protocol: "http" request_count: 1 p95_ms: 1 }
    edges { client: "b" server: "b" protocol: "redis" request_count: 1 p95_ms: 1 }
    edges { client: "x" server: "b" protocol: "dns" transport: "udp" request_count: 1 p95_ms: 1 }
    edges { client: "x" server: "b" protocol: "http" request_count: 1 p95_ms: 1 }
    completeness { captured: 5 fraction: 1 }
  )pb");
  EXPECT_EQ(Run({"map"}).out,
            "x\n"
            "├─ dns → b  1 request, p95 1ms\n"
            "└─ http → b  1 request, p95 1ms\n"
            "   ├─ http → a  1 request, p95 1ms\n"
            "   │  └─ http → b  1 request, p95 1ms  (see above)\n"
            "   └─ redis → b  1 request, p95 1ms  (see above)\n"
            "complete\n");
}

TEST_F(CliTest, MapOfRequestsWhoseTimesAreNotKnown) {
  service_.edges = Parse<v1::ListEdgesResponse>(R"pb(
    edges { client: "10.0.0.1" server: "web:80" protocol: "http" request_count: 5 }
    completeness { captured: 5 fraction: 1 }
  )pb");
  EXPECT_EQ(Run({"map"}).out, "10.0.0.1\n└─ http → web:80  5 requests\ncomplete\n");
}

// Names come from other people's processes.
TEST_F(CliTest, HostileNames) {
  service_.edges = Parse<v1::ListEdgesResponse>(R"pb(
    edges {
      client: "a\"]; evil -> x [label=\"\\"
      server: "b\n\033[2J<script>#{x}&`"
      protocol: "h\"t|p"
      transport: "tcp"
      request_count: 1
      p95_ms: 1
    }
    completeness { captured: 1 fraction: 1 notes: "*/ }\n digraph {{" }
  )pb");
  for (const char* format : {"table", "wide", "json", "yaml"}) {
    const Result result = Run({"get", "edges", "-o", format});
    EXPECT_THAT(result.out, Not(HasSubstr("\x1b"))) << format;
  }
  EXPECT_THAT(Run({"map"}).out, AllOf(Not(HasSubstr("\x1b")), HasSubstr("b\\n\\x1b[2J<script>")));
  ExpectGolden("hostile.dot", Run({"map", "-o", "dot"}).out);
  ExpectGolden("hostile.mmd", Run({"map", "-o", "mermaid"}).out);
  service_.FailWith(grpc::Status(grpc::StatusCode::INTERNAL, "bad\n\x1b[31mthing"));
  EXPECT_EQ(Run({"map"}).err, "kindlingctl: bad\\n\\x1b[31mthing\n");
}

TEST_F(CliTest, TopPrintsFrames) {
  const Result result = Run({"top", "--count", "2", "--interval", "1ms", "--limit", "3"});
  EXPECT_EQ(result.code, 3);
  ExpectGolden("top.txt", result.out);
  // Whole windows: 22:12:10 to 22:13:10.
  const int64_t end_ns = kNow - 10 * kSecond;
  EXPECT_EQ(service_.last_edges_request().time().end_ns(), end_ns);
  EXPECT_EQ(service_.last_edges_request().time().start_ns(), end_ns - 60 * kSecond);
}

TEST_F(CliTest, TopDividesByTheTimeThatWasWatched) {
  service_.edges = Parse<v1::ListEdgesResponse>(R"pb(
    edges { client: "curl" server: "web:80" protocol: "http" request_count: 200 bytes_sent: 4000 }
    completeness { captured: 200 fraction: 1 }
  )pb");
  EXPECT_THAT(Run({"top", "--once"}).out,
              AllOf(HasSubstr("over 1m: 1 edge, 3.3 requests/s"), HasSubstr(" 3.3 ")));
  const int64_t end_ns = kNow - 10 * kSecond;
  service_.edges.mutable_covered()->set_start_ns(end_ns - 20 * kSecond);
  service_.edges.mutable_covered()->set_end_ns(end_ns);
  EXPECT_THAT(Run({"top", "--once"}).out, AllOf(HasSubstr("over 20s: 1 edge, 10.0 requests/s"),
                                                HasSubstr(" 10.0 "), HasSubstr(" 200B")));
}

TEST_F(CliTest, TopSorts) {
  const auto first_server = [this](const char* key) {
    const std::string out = Run({"top", "--once", "--sort", key}).out;
    const size_t row = out.find('\n', out.find("CLIENT")) + 1;
    return out.substr(row, out.find('\n', row) - row);
  };
  EXPECT_THAT(first_server("rate"), HasSubstr("redis"));
  EXPECT_THAT(first_server("latency"), HasSubstr("nginx:80"));
  EXPECT_THAT(first_server("errors"), HasSubstr("nginx:80"));
  EXPECT_THAT(first_server("bytes"), HasSubstr("nginx:80"));
}

TEST_F(CliTest, TopLive) {
  is_terminal_ = true;
  open_terminal_ = [] { return std::make_unique<FakeTerminal>("lq"); };
  const Result result = Run({"top"});
  EXPECT_EQ(result.code, 3);
  EXPECT_EQ(service_.questions().size(), 2u);
  EXPECT_THAT(result.out, AllOf(StartsWith("\x1b[H"), HasSubstr(", by rate\x1b[K\r\n"),
                                HasSubstr(", by latency\x1b[K\r\n")));
  // Eight rows: three edges, and how many more there are.
  EXPECT_THAT(result.out, HasSubstr("and 2 more"));
}

TEST_F(CliTest, TopLiveSurvivesAnAbsentController) {
  open_terminal_ = [] { return std::make_unique<FakeTerminal>("q"); };
  const Result result = Run({"top", "--controller", "127.0.0.1:1"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, HasSubstr("no controller at 127.0.0.1:1"));
  service_.FailWith(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "column 1: no"));
  EXPECT_EQ(Run({"top"}).code, 2);
}

TEST_F(CliTest, Version) {
  service_.info = Parse<v1::GetServerInfoResponse>(
      "version: '0.1.0' store_id: 'c0ffee' cluster: 'demo' store_bytes: 1500000 "
      "oldest_record_ns: 1699990000000000000");
  const Result result = Run({"version"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "kindlingctl 0.1.0\ncontroller 0.1.0 at " + service_.address() +
                            "\ncluster demo, store c0ffee, 1.5MB, since 2023-11-14 19:26:40.000\n");
  EXPECT_EQ(Run({"version", "--client", "--controller", "127.0.0.1:1"}).out, "kindlingctl 0.1.0\n");
}

TEST_F(CliTest, ColorsOnlyOnATerminal) {
  EXPECT_THAT(Run({"get", "edges"}).out, Not(HasSubstr("\x1b[")));
  is_terminal_ = true;
  EXPECT_THAT(Run({"get", "edges"}).out, HasSubstr("\x1b[31m12\x1b[0m"));
  variables_["NO_COLOR"] = "1";
  EXPECT_THAT(Run({"get", "edges"}).out, Not(HasSubstr("\x1b[")));
  variables_.erase("NO_COLOR");
  variables_["TERM"] = "dumb";
  EXPECT_THAT(Run({"get", "edges"}).out, Not(HasSubstr("\x1b[")));
}

TEST_F(CliTest, NothingIsCutWhereThereIsNoTerminal) {
  columns_ = 0;
  EXPECT_THAT(Run({"get", "edges"}).out,
              HasSubstr("a-metrics-collector-with-a-very-long-name.example.internal"));
}

TEST_F(CliTest, UsageErrors) {
  const auto usage = [this](std::vector<std::string> args) {
    const Result result = Run(std::move(args));
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, StartsWith("kindlingctl: "));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1);
    return result.err;
  };
  EXPECT_EQ(usage({"gte"}),
            "kindlingctl: unknown command \"gte\"; did you mean \"get\"? (see "
            "\"kindlingctl help\")\n");
  EXPECT_EQ(usage({"get"}), "kindlingctl: get what? (see \"kindlingctl help get\")\n");
  EXPECT_THAT(usage({"get", "edgs"}), HasSubstr("cannot get \"edgs\"; did you mean \"edges\"?"));
  EXPECT_THAT(usage({"get", "edges", "x"}), HasSubstr("\"get edges\" has no use for \"x\""));
  EXPECT_THAT(usage({"describe", "span"}), HasSubstr("\"describe span\" needs ID"));
  EXPECT_THAT(usage({"get", "agents", "--since", "5m"}), HasSubstr("does not take --since"));
  EXPECT_THAT(usage({"get", "edges", "-o", "dot"}), HasSubstr("is one of table, wide, json, yaml"));
  EXPECT_THAT(usage({"get", "edges", "--limit", "0"}), HasSubstr("--limit: \"0\" is no number"));
  EXPECT_THAT(usage({"get", "edges", "--timeout", "5"}), HasSubstr("--timeout: \"5\""));
  EXPECT_THAT(usage({"get", "edges", "--zebra"}), HasSubstr("unknown option --zebra"));
  EXPECT_THAT(usage({"get", "edges", "-f", "\xff"}), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(usage({"completion", "tcsh"}), HasSubstr("bash, zsh or fish"));
  EXPECT_THAT(usage({"map", "--controller", "http://x"}), HasSubstr("is no address"));
  EXPECT_THAT(usage({"map", "--controller", "10.0.0.1"}), HasSubstr("is another machine"));
  EXPECT_EQ(Run({}).code, 2);
}

TEST_F(CliTest, HelpForEveryCommandHasExamples) {
  for (const char* command : {"map", "top", "get services", "get edges", "get spans", "get agents",
                              "get processes", "describe span", "version", "completion"}) {
    std::vector<std::string> args = {"help"};
    std::istringstream words(command);
    for (std::string word; words >> word;) args.push_back(word);
    const Result help = Run(args);
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.out, AllOf(StartsWith("Usage: kindlingctl " + std::string(command)),
                                HasSubstr("\nExamples:\n"), HasSubstr("-h, --help")));
    args.erase(args.begin());
    args.push_back("--help");
    EXPECT_EQ(Run(args).out, help.out);
    std::istringstream lines(help.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
  }
  EXPECT_THAT(Run({"help", "filter"}).out, HasSubstr("attr.NAME"));
  EXPECT_THAT(Run({"help"}).out, HasSubstr("Exit status: 0 answered"));
  EXPECT_THAT(Run({"help", "get"}).out, HasSubstr("get processes"));
}

TEST_F(CliTest, ErrorsOfTheControllerSayWhatToDo) {
  const auto fail = [this](grpc::StatusCode code, const std::string& message) {
    service_.FailWith(grpc::Status(code, message));
    const Result result = Run({"get", "edges"});
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.code, code == grpc::StatusCode::INVALID_ARGUMENT ? 2 : 1);
    return result.err;
  };
  EXPECT_EQ(fail(grpc::StatusCode::INVALID_ARGUMENT, "filter: column 3: expected a value"),
            "kindlingctl: filter: column 3: expected a value\n");
  EXPECT_THAT(
      fail(grpc::StatusCode::UNIMPLEMENTED, ""),
      AllOf(HasSubstr("does not know this question"), HasSubstr("\"kindlingctl version\"")));
  EXPECT_EQ(fail(grpc::StatusCode::NOT_FOUND, "no such span"), "kindlingctl: no such span\n");
  EXPECT_THAT(fail(grpc::StatusCode::INTERNAL, ""), HasSubstr("answered INTERNAL"));
}

TEST_F(CliTest, NobodyAnswers) {
  const Result refused = Run({"map", "--controller", "127.0.0.1:1"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.err,
            "kindlingctl: no controller at 127.0.0.1:1: connection refused; is "
            "kindling-controller running there? Name another with --controller or "
            "KINDLING_CONTROLLER\n");
}

// A certificate for 127.0.0.1 that signs itself, as PEM files.
struct Identity {
  explicit Identity(const std::string& name)
      : key_file(dir.File(name + ".key")), certificate_file(dir.File(name + ".pem")) {
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 "
        "-subj /CN=" +
        name + " -addext subjectAltName=IP:127.0.0.1 -keyout " + key_file + " -out " +
        certificate_file + " 2>/dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0);
  }
  std::shared_ptr<grpc::ServerCredentials> credentials() const {
    grpc::SslServerCredentialsOptions ssl;
    ssl.pem_key_cert_pairs.push_back(
        {*base::ReadFile(key_file, 1 << 16), *base::ReadFile(certificate_file, 1 << 16)});
    return grpc::SslServerCredentials(ssl);
  }

  base::TempDir dir;
  std::string key_file;
  std::string certificate_file;
};

TEST_F(CliTest, Tls) {
  const Identity identity("controller");
  FakeQueryService secure(identity.credentials());
  secure.edges = service_.edges;
  const auto ask = [&](std::vector<std::string> options) {
    std::vector<std::string> args = {"map", "--timeout", "5s"};
    args.insert(args.end(), options.begin(), options.end());
    return Run(args);
  };
  const auto fails_in_one_line = [](const Result& result, int code) {
    EXPECT_EQ(result.code, code);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    return result.err;
  };
  EXPECT_EQ(ask({"--controller", secure.address(), "--ca-file", identity.certificate_file}).out,
            ask({}).out);
  variables_["KINDLING_CA_FILE"] = identity.certificate_file;
  EXPECT_EQ(ask({"--controller", secure.address()}).code, 3);
  // TLS asked of a controller that does not speak it.
  EXPECT_EQ(fails_in_one_line(ask({"--controller", service_.address()}), 1),
            "kindlingctl: no controller at " + service_.address() +
                ": it does not speak TLS; leave --ca-file and KINDLING_CA_FILE out where the "
                "controller has no tls set\n");
  variables_.erase("KINDLING_CA_FILE");

  const Identity other("other");
  EXPECT_EQ(fails_in_one_line(
                ask({"--controller", secure.address(), "--ca-file", other.certificate_file}), 1),
            "kindlingctl: no controller at " + secure.address() +
                ": its certificate is not signed by the CA in --ca-file, or is for another name; "
                "give the file that the controller's certificate comes from\n");
  EXPECT_EQ(fails_in_one_line(ask({"--controller", secure.address()}), 1),
            "kindlingctl: no controller at " + secure.address() +
                ": something there does not speak gRPC in clear text, or broke off; where the "
                "controller has tls set give --ca-file; its port is 7420 by default\n");
  EXPECT_THAT(fails_in_one_line(ask({"--ca-file", "/no/such.pem"}), 1), HasSubstr("/no/such.pem"));
  EXPECT_EQ(
      fails_in_one_line(ask({"--controller", secure.address(), "--ca-file", identity.key_file}), 2),
      "kindlingctl: --ca-file: " + identity.key_file +
          " holds no PEM certificate (-----BEGIN CERTIFICATE-----)\n");
}

// A server on a free port that is no gRPC server.
class OtherServer {
 public:
  // Says `reply` to the first that connects; says nothing where it is empty.
  explicit OtherServer(std::string reply) : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    if (reply.empty()) return;
    thread_ = std::thread([this, reply = std::move(reply)] {
      while (true) {
        const base::UniqueFd peer(::accept(listener_.get(), nullptr, nullptr));
        if (!peer.valid()) return;
        char ignored[1024];
        if (::read(peer.get(), ignored, sizeof(ignored)) < 0) continue;
        if (::write(peer.get(), reply.data(), reply.size()) < 0) continue;
      }
    });
  }
  ~OtherServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  const std::string& address() const { return address_; }

 private:
  base::UniqueFd listener_;
  std::string address_;
  std::thread thread_;
};

TEST_F(CliTest, SomethingElseAnswers) {
  const OtherServer web("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  const Result result = Run({"map", "--controller", web.address(), "--timeout", "5s"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.err, HasSubstr("something there does not speak gRPC in clear text"));

  const OtherServer silent("");
  const Result timeout = Run({"map", "--controller", silent.address(), "--timeout", "300ms"});
  EXPECT_EQ(timeout.code, 1);
  EXPECT_THAT(timeout.err, HasSubstr("no answer from " + silent.address() + " within 300ms"));
}

TEST_F(CliTest, Completion) {
  const auto complete = [this](std::vector<std::string> words) {
    words.insert(words.begin(), "__complete");
    std::istringstream lines(Run(words).out);
    std::vector<std::string> found;
    for (std::string line; std::getline(lines, line);) found.push_back(line);
    return found;
  };
  EXPECT_THAT(complete({"g"}), ElementsAre("get"));
  EXPECT_THAT(complete({"get", ""}),
              ElementsAre("services", "edges", "tcp", "dns", "drops", "connections", "nat",
                          "interfaces", "spans", "trace", "endpoints", "values", "labels", "series",
                          "metric", "agents", "processes"));
  EXPECT_THAT(complete({"--utc", "-o", "json", "get", "e"}), ElementsAre("edges", "endpoints"));
  EXPECT_THAT(complete({"help", "f"}), ElementsAre("filter"));
  EXPECT_THAT(complete({"map", "-o", "m"}), ElementsAre("mermaid"));
  EXPECT_THAT(complete({"map", "--output="}),
              ElementsAre("--output=table", "--output=dot", "--output=mermaid", "--output=json",
                          "--output=yaml"));
  EXPECT_THAT(complete({"get", "agents", "--s"}), ElementsAre());
  EXPECT_THAT(complete({"get", "edges", "--s"}), ElementsAre("--since"));
  EXPECT_THAT(complete({"get", "edges", "-f", "slow proto"}), ElementsAre("slow protocol"));
  EXPECT_THAT(complete({"get", "edges", "-f", "protocol=my"}),
              ElementsAre("protocol=mysql", "protocol=mysql_compressed"));
  EXPECT_THAT(complete({"get", "edges", "--filter=pi"}), ElementsAre());
  EXPECT_THAT(complete({"get", "spans", "--filter=pi"}), ElementsAre("--filter=pid"));
  EXPECT_THAT(complete({"completion", "z"}), ElementsAre("zsh"));
}

}  // namespace
}  // namespace kindling::ui
