#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "base/testing/fake_clock.h"
#include "ui/cli/cli.h"
#include "ui/cli/session.h"
#include "ui/cli/testing/fake_query_service.h"

namespace kindling::ui {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kNow = 1'700'000'000 * kSecond;  // 2023-11-14 22:13:20 UTC

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

class QueryCommandsTest : public ::testing::Test {
 protected:
  struct Result {
    int code;
    std::string out;
    std::string err;
  };

  Result Run(std::vector<std::string> args) {
    std::ostringstream out, err;
    Environment environment{
        .out = out,
        .err = err,
        .clock = clock_,
        .variables = {{"LANG", "C.UTF-8"}, {"KINDLING_CONTROLLER", service_.address()}},
        .zone = absl::UTCTimeZone(),
        .columns = 100};
    const ExitCode code = RunCli(args, environment);
    return {static_cast<int>(code), out.str(), err.str()};
  }

  base::FakeClock clock_{kSecond, kNow};
  FakeQueryService service_;
};

TEST_F(QueryCommandsTest, ATraceIsATree) {
  service_.trace = Parse<v1::GetTraceResponse>(R"pb(
    spans {
      id: "000000000000000a"
      client: "curl"
      server: "shop:80"
      endpoint: "GET /"
      status_code: "500"
      outcome: "server_error"
      side: "server"
      start_ns: 1699999990000000000
      duration_ms: 100
    }
    spans {
      id: "000000000000000b"
      parent_id: "000000000000000a"
      client: "shop:80"
      server: "db:3306"
      endpoint: "SELECT"
      outcome: "ok"
      side: "client"
      start_ns: 1699999990010000000
      duration_ms: 50
      slow: true
    }
    spans {
      id: "000000000000000c"
      parent_id: "000000000000000b"
      client: "shop:80"
      server: "db:3306"
      endpoint: "SELECT"
      outcome: "ok"
      side: "server"
      start_ns: 1699999990011000000
      duration_ms: 48
    }
    spans {
      id: "000000000000000d"
      parent_id: "00000000000000ff"
      client: "x"
      server: "y"
      endpoint: "PING"
      outcome: "ok"
      side: "client"
      start_ns: 1699999990020000000
      duration_ms: 1
    }
    completeness { fraction: 1 }
  )pb");
  const Result result = Run({"get", "trace", "000000000000000b"});
  EXPECT_EQ(result.out,
            "4 spans, the first at 2023-11-14 22:13:10.000000 UTC\n"
            "START   TOOK  REQUEST                        STATUS   SIDE    SPAN\n"
            "  0ms  100ms  curl > shop:80  GET /          500      server  000000000000000a\n"
            " 10ms   50ms  └ shop:80 > db:3306  SELECT    ok slow  client  000000000000000b\n"
            " 11ms   48ms    └ shop:80 > db:3306  SELECT  ok       server  000000000000000c\n"
            " 20ms    1ms  x > y  PING                    ok       client  000000000000000d\n"
            "complete\n");
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(service_.questions(), ElementsAre("GetTraceRequest id: \"000000000000000b\""));
  EXPECT_EQ(Run({"get", "trace", "xyz"}).code, 2);
  EXPECT_THAT(Run({"get", "trace", "000000000000000b", "-o", "json"}).out,
              HasSubstr("\"endpoint\": \"SELECT\""));
}

TEST_F(QueryCommandsTest, ParentsInACircleAreShown) {
  service_.trace = Parse<v1::GetTraceResponse>(R"pb(
    spans { id: "1" parent_id: "2" client: "a" server: "b" start_ns: 1 }
    spans { id: "2" parent_id: "1" client: "b" server: "a" start_ns: 2 }
    completeness { fraction: 1 }
  )pb");
  const Result result = Run({"get", "trace", "000000000000000b"});
  EXPECT_THAT(result.out, HasSubstr("a > b"));
  EXPECT_THAT(result.out, HasSubstr("b > a"));
}

TEST_F(QueryCommandsTest, Endpoints) {
  service_.endpoints = Parse<v1::ListEndpointsResponse>(R"pb(
    endpoints {
      service: "shop:80"
      protocol: "http"
      endpoint: "GET /"
      request_count: 100
      error_count: 2
      p50_ms: 1
      p95_ms: 2
      p99_ms: 3
      total_ms: 1500
    }
    total: 7
    completeness { fraction: 1 }
  )pb");
  const Result result = Run({"get", "endpoints", "--by", "time", "--limit", "1", "--since", "all"});
  EXPECT_EQ(result.out,
            "SERVICE  PROTOCOL  ENDPOINT  REQUESTS  ERRORS  P50  P95  P99  TOTAL\n"
            "shop:80  http      GET /          100       2  1ms  2ms  3ms   1.5s\n"
            "1 of 7 endpoints shown; raise --limit for more\ncomplete\n");
  EXPECT_THAT(service_.questions(),
              ElementsAre("ListEndpointsRequest time { } order: ORDER_TOTAL_TIME limit: 1"));
  EXPECT_EQ(Run({"get", "endpoints", "--by", "colour"}).code, 2);
}

TEST_F(QueryCommandsTest, Drops) {
  service_.drops = Parse<v1::ListDropsResponse>(R"pb(
    drops {
      server: "dns:53"
      observer: "server"
      host: "b"
      place: "receive_buffer"
      reason: "receive_queue"
      transport: "udp"
      packets: 3
      last_ns: 1700000000000000000
    }
    drops {
      client: "curl"
      server: "shop:80"
      observer: "server"
      host: "b"
      place: "netfilter"
      reason: "netfilter_drop"
      transport: "tcp"
      direction: "in"
      packets: 12
      bytes: 2048
      server_address: "10.0.0.2:80"
      last_ns: 1700000000000000000
    }
    drops {
      observer: "unknown"
      host: "router"
      place: "other"
      reason: "not_specified"
      transport: "arp"
      direction: "out"
      packets: 1
    }
    completeness { fraction: 1 captured: 16 }
  )pb");
  Result result = Run({"get", "drops", "--since", "all", "-f", "server=shop:80"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out,
              ::testing::ContainsRegex(
                  "\\(any\\) +dns:53 +server +b +receive_buffer +receive_queue +3 +- "));
  EXPECT_THAT(result.out, ::testing::ContainsRegex(
                              "curl +shop:80 +server +b +netfilter +netfilter_drop +12 +2.0KB "));
  EXPECT_THAT(result.out,
              ::testing::ContainsRegex("\n- +- +- +router +other +not_specified +1 +- "));
  EXPECT_THAT(service_.questions(),
              ElementsAre("ListDropsRequest time { } filter: \"server=shop:80\""));
  result = Run({"get", "drops", "-o", "wide"});
  EXPECT_THAT(result.out, ::testing::ContainsRegex(" tcp +in +10.0.0.2:80\n"));
  result = Run({"get", "drops", "-o", "json"});
  EXPECT_THAT(result.out, HasSubstr("\"reason\": \"netfilter_drop\""));
  service_.drops = Parse<v1::ListDropsResponse>("completeness { fraction: 0.5 lost_other: 1 }");
  result = Run({"get", "drops"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.out, HasSubstr("no dropped packets"));
}

TEST_F(QueryCommandsTest, Dns) {
  service_.dns = Parse<v1::ListDnsResponse>(R"pb(
    edges {
      client: "shop"
      server: "dnsmasq:53"
      observer: "client"
      name: "db.test"
      queries: 42
      results { key: "NOERROR" value: 30 }
      results { key: "NXDOMAIN" value: 5 }
      results { key: "timeout" value: 6 }
      results { key: "unknown" value: 1 }
      types { key: "A" value: 22 }
      types { key: "AAAA" value: 20 }
      latency_p50_ms: 1
      latency_p99_ms: 250
      retries: 7
      late_answers: 8
      truncated: 9
      tcp_fallbacks: 10
      search_waste: 11
      server_address: "10.0.0.2:53"
    }
    edges {
      client: "cron"
      server: "dnsmasq:53"
      observer: "server"
      queries: 1
      results { key: "NOERROR" value: 1 }
    }
    completeness { fraction: 1 captured: 43 }
  )pb");
  Result result = Run({"get", "dns", "--since", "all", "-f", "server=dnsmasq:53"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, ::testing::ContainsRegex("shop +dnsmasq:53 +client +42  5 NXDOMAIN, 6 "
                                                   "timeout +1ms/250ms +7 +11 +9"));
  EXPECT_THAT(result.out, ::testing::ContainsRegex("cron +dnsmasq:53 +server +1  0 +- +- +- +-"));
  EXPECT_THAT(result.out, ::testing::Not(HasSubstr("db.test")));
  result = Run({"get", "dns", "--by-name", "--name", "db.test", "--since", "all"});
  EXPECT_THAT(result.out, ::testing::ContainsRegex("client +db.test +42  5 NXDOMAIN"));
  EXPECT_THAT(service_.questions(),
              ElementsAre("ListDnsRequest time { } filter: \"server=dnsmasq:53\"",
                          "ListDnsRequest time { } by_name: true name: \"db.test\""));
  result = Run({"get", "dns", "-o", "wide"});
  EXPECT_THAT(result.out, ::testing::ContainsRegex(" 9 +10 +8  22 A, 20 AAAA +30 NOERROR, 5 "
                                                   "NXDOMAIN, 6 timeout, 1 unknown +10.0.0.2:53"));
  result = Run({"get", "dns", "-o", "json"});
  EXPECT_THAT(result.out, HasSubstr("\"NXDOMAIN\": 5"));
  service_.dns = Parse<v1::ListDnsResponse>("completeness { fraction: 0.5 lost: 1 }");
  result = Run({"get", "dns"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.out, HasSubstr("no DNS queries"));
}

TEST_F(QueryCommandsTest, Tcp) {
  service_.tcp = Parse<v1::ListTcpResponse>(R"pb(
    edges {
      client: "curl"
      server: "shop:80"
      observer: "client"
      connects: 90
      connect_failures { key: "ETIMEDOUT" value: 2 }
      connect_failures { key: "ECONNREFUSED" value: 3 }
      connect_p50_ms: 1
      connect_p99_ms: 2
      rtt_p50_ms: 3
      rtt_p99_ms: 4
      retransmits { key: "fast" value: 5 }
      retransmits { key: "syn" value: 4 }
      retransmit_percent: 2.5
      sent_segments: 200
      bytes_sent: 1000
      bytes_received: 2000
      resets_received: 1
      busy_seconds: 10
      receiver_limited_seconds: 8
      sender_limited_seconds: 0.1
      ends { key: "closed" value: 90 }
      server_address: "10.0.0.2:80"
    }
    edges {
      server: "shop:80"
      observer: "server"
      resets_sent { key: "invalid_syn" value: 1 }
      listen_drops: 7
      accept_queue: 2
      accept_queue_max: 1
    }
    completeness { fraction: 1 captured: 95 }
  )pb");
  Result result = Run({"get", "tcp", "--since", "all", "-f", "server=shop:80"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("3 ECONNREFUSED"));
  EXPECT_THAT(result.out, HasSubstr(" 1ms/2ms  3ms/4ms "));
  EXPECT_THAT(result.out, HasSubstr("receiver 80%\n"));  // the sender's 1 % is not worth a word
  EXPECT_THAT(result.out,
              ::testing::ContainsRegex("curl +shop:80 +client +90 .* 9 2.5% +0/1 +- +1.0KB/2.0KB"));
  EXPECT_THAT(result.out, ::testing::ContainsRegex("\\(listener\\) +shop:80 +server +- .* 7 "));
  EXPECT_THAT(service_.questions(),
              ElementsAre("ListTcpRequest time { } filter: \"server=shop:80\""));
  result = Run({"get", "tcp", "-o", "wide"});
  EXPECT_THAT(result.out, HasSubstr("5 fast, 4 syn"));
  EXPECT_THAT(result.out, HasSubstr("90 closed"));
  EXPECT_THAT(result.out, HasSubstr("2/1"));
  EXPECT_THAT(result.out, HasSubstr("1 invalid_syn"));
  EXPECT_THAT(result.out, HasSubstr("3 ECONNREFUSED, 2 ETIMEDOUT"));
  result = Run({"get", "tcp", "-o", "json"});
  EXPECT_THAT(result.out, HasSubstr("\"ECONNREFUSED\": 3"));
  service_.tcp = Parse<v1::ListTcpResponse>("completeness { fraction: 0.5 lost_other: 1 }");
  result = Run({"get", "tcp"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.out, HasSubstr("no TCP connections"));
}

TEST_F(QueryCommandsTest, Nat) {
  service_.nat = Parse<v1::ListNatResponse>(R"pb(
    edges {
      client: "curl"
      server: "shop:8080"
      observer: "client"
      kind: "dnat"
      asked_address: "10.96.0.1:80"
      server_address: "10.2.0.7:8080"
      client_address: "10.1.0.5"
      transport: "tcp"
      connections: 12
    }
    edges {
      client: "10.1.0.5"
      server: "10.3.0.1:53"
      observer: "unknown"
      kind: "snat"
      server_address: "10.3.0.1:53"
      seen_as_address: "192.0.2.1"
      connections: 1
    }
    completeness { fraction: 1 captured: 13 }
  )pb");
  Result result = Run({"get", "nat", "--since", "all", "-f", "server=shop:8080"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(service_.questions(),
              ElementsAre("ListNatRequest time { } filter: \"server=shop:8080\""));
  EXPECT_THAT(result.out,
              ::testing::ContainsRegex(
                  "curl +shop:8080 +client +dnat +10.96.0.1:80 +10.2.0.7:8080 +- +12\n"));
  EXPECT_THAT(result.out,
              ::testing::ContainsRegex("10.1.0.5 +10.3.0.1:53 +\\(on the way\\) +snat +- "
                                       "+10.3.0.1:53 +192.0.2.1 +1\n"));
  EXPECT_THAT(Run({"get", "nat", "-o", "wide"}).out,
              ::testing::ContainsRegex("- +12  10.1.0.5 +tcp\n"));
  service_.nat = Parse<v1::ListNatResponse>("completeness { fraction: 1 }");
  EXPECT_THAT(Run({"get", "nat"}).out, HasSubstr("no connections through NAT"));
}

TEST_F(QueryCommandsTest, Interfaces) {
  service_.interfaces = Parse<v1::ListInterfacesResponse>(R"pb(
    interfaces {
      host: "node-1"
      netns: "shop"
      device: "eth0"
      up: true
      seconds: 10
      received_bytes: 20000
      sent_bytes: 1000
      receive_drops: 3
      send_errors: 2
      qdiscs {
        name: "tbf 8001: root"
        drops: 7
        overlimits: 9
        backlog_bytes: 2000
        backlog_packets: 2
      }
      qdiscs { name: "fq_codel 0: parent 8001:1" drops: 6 }
    }
    interfaces { host: "node-1" netns: "shop" device: "eth1" }
    namespaces {
      host: "node-1"
      netns: "shop"
      conntrack_entries: 95
      conntrack_max: 100
      conntrack_drops { key: "drop" value: 4 }
      protocol_drops { key: "Udp.RcvbufErrors" value: 5 }
      protocol_drops { key: "Udp.NoPorts" value: 0 }
      sockets { key: "tcp" value: 30 }
      sockets { key: "tcp_time_wait" value: 99 }
      local_ports: 28232
      local_ports_used: 12
      local_ports_address: "10.0.0.1"
    }
    hosts {
      host: "node-1"
      tcp_memory_bytes: 1000000
      tcp_memory_max_bytes: 2000000
      softirq_squeezes: 8
      unread { key: "sockets" value: 1 }
    }
    completeness { fraction: 1 captured: 95 }
  )pb");
  Result result = Run({"get", "interfaces", "--since", "all", "-f", "host=node-1"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(service_.questions(),
              ElementsAre("ListInterfacesRequest time { } filter: \"host=node-1\""));
  EXPECT_THAT(result.out, ::testing::ContainsRegex(
                              "node-1 +shop +eth0 +up +2.0KB/s +100B/s +0/2 +3/0 +7 +2.0KB\n"));
  EXPECT_THAT(result.out, ::testing::ContainsRegex("eth1 +down +- +- +- +- +- +-\n"));
  EXPECT_THAT(result.out, ::testing::ContainsRegex("node-1 +\\(host\\) .* 1.0MB/2.0MB +8 +- +-\n"));
  EXPECT_THAT(result.out, ::testing::ContainsRegex("node-1 +shop +95/100 +12/28232 +30 .* 5 "
                                                   "Udp.RcvbufErrors,"));
  result = Run({"get", "interfaces", "-o", "wide"});
  EXPECT_THAT(result.out, HasSubstr("tbf 8001: root, 7 dropped, 9 overlimits; fq_codel 0: parent "
                                    "8001:1, 6 dropped\n"));
  EXPECT_THAT(result.out, HasSubstr("5 Udp.RcvbufErrors, 4 conntrack.drop "));
  EXPECT_THAT(result.out, HasSubstr("1 sockets"));
  EXPECT_THAT(result.out, HasSubstr("10.0.0.1"));
  result = Run({"get", "interfaces", "-o", "json"});
  EXPECT_THAT(result.out, HasSubstr("\"Udp.RcvbufErrors\": 5"));
  service_.interfaces = Parse<v1::ListInterfacesResponse>("completeness { fraction: 1 }");
  EXPECT_THAT(Run({"get", "interfaces"}).out, HasSubstr("no interfaces"));
}

TEST_F(QueryCommandsTest, ValuesOfFieldsAndLabels) {
  service_.values = Parse<v1::ListLabelValuesResponse>(R"pb(
    values { value: "200" count: 12 }
    values { value: "500" count: 3 }
    total: 2
    completeness { fraction: 1 }
  )pb");
  EXPECT_EQ(Run({"get", "values", "status", "--since", "all", "-f", "slow"}).out,
            "VALUE  REQUESTS\n200          12\n500           3\ncomplete\n");
  EXPECT_THAT(Run({"get", "labels", "--since", "all"}).out, HasSubstr("SERIES\n"));
  Run({"get", "labels", "host", "m{a!=\"1\"}", "--since", "all"});
  EXPECT_THAT(service_.questions(),
              ElementsAre("ListLabelValuesRequest time { } field: \"status\" filter: \"slow\"",
                          "ListLabelValuesRequest time { } label: \"__name__\"",
                          "ListLabelValuesRequest time { } label: \"host\" matchers { name: "
                          "\"__name__\" operator: OPERATOR_EQUAL value: \"m\" } matchers { name: "
                          "\"a\" operator: OPERATOR_NOT_EQUAL value: \"1\" }"));
  EXPECT_EQ(Run({"get", "labels", "host", "m{"}).code, 2);
}

TEST_F(QueryCommandsTest, FieldsAreCompleted) {
  EXPECT_EQ(Run({"__complete", "get", "values", "s"}).out, "service\nstatus\n");
}

TEST_F(QueryCommandsTest, Series) {
  service_.series = Parse<v1::ListSeriesResponse>(R"pb(
    series {
      name: "load"
      kind: "gauge"
      labels { key: "host" value: "a\"b" }
      labels { key: "cpu" value: "1" }
    }
    total: 1
    completeness { fraction: 1 }
  )pb");
  EXPECT_EQ(Run({"get", "series", "load"}).out,
            "SERIES                     KIND\n"
            "load{cpu=\"1\",host=\"a\\\"b\"}  gauge\ncomplete\n");
}

TEST_F(QueryCommandsTest, AMetricOverTime) {
  service_.range = {
      Parse<v1::QueryRangeResponse>(R"pb(
        series {
          series { name: "load" kind: "gauge" }
          step_ns: 60000000000
          windows { time_ns: 1699999980000000000 count: 4 sum: 10 least: 1 most: 4 last: 3 }
        }
      )pb"),
      Parse<v1::QueryRangeResponse>(R"pb(
        series {
          series { name: "retransmits" kind: "delta" }
          step_ns: 60000000000
          windows { time_ns: 1699999980000000000 count: 6 sum: 90 }
        }
      )pb"),
      Parse<v1::QueryRangeResponse>("end { completeness { fraction: 1 } }")};
  const Result result = Run({"get", "metric", "load", "--step", "1m"});
  EXPECT_EQ(result.out,
            "load\nTIME          MEAN  LEAST  MOST  LAST\n22:13:00.000   2.5      1     4     3\n"
            "\nretransmits\nTIME          SUM  PER SECOND\n22:13:00.000   90         1.5\n"
            "complete\n");
  EXPECT_EQ(result.code, 0);
  const Result limited = Run({"get", "metric", "load", "--limit", "1"});
  EXPECT_THAT(limited.out, HasSubstr("1 of 2 series shown"));
  EXPECT_THAT(Run({"get", "metric", "load", "-o", "json"}).out, HasSubstr("\"stepNs\""));
  EXPECT_EQ(Run({"get", "metric", "load", "--step", "1"}).code, 2);
  EXPECT_EQ(Run({"get", "metric"}).code, 2);
  service_.range.clear();
  service_.FailWith({grpc::StatusCode::INVALID_ARGUMENT, "matchers: too many"});
  EXPECT_EQ(Run({"get", "metric", "load"}).code, 2);
}

}  // namespace
}  // namespace kindling::ui
