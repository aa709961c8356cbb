#include "model/filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "model/record_fields.h"

namespace kindling::model {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Span SlowQuery() {
  Span span;
  span.side = Side::kClient;
  span.protocol = Protocol::kMysql;
  span.transport = Transport::kTcp;
  span.outcome = Outcome::kClientError;
  span.slow = true;
  span.client.host = "host-a";
  span.server.address = "10.0.0.7";
  span.endpoint = "SELECT * FROM products WHERE id = ?";
  span.status_code = "1064";
  span.request_duration_ns = 1'000'000;
  span.wait_duration_ns = 148'000'000;
  span.response_duration_ns = 1'000'000;
  span.request_bytes = 100;
  span.response_bytes = 65'536;
  span.pid = 4711;
  span.attributes = {{"db.name", "shop"}, {"rows", "250"}};
  return span;
}

bool MatchesQuery(const std::string& text) {
  const Span span = SlowQuery();
  const absl::StatusOr<Filter> filter = Filter::Parse(text, RecordKind::kSpan);
  EXPECT_OK(filter) << text;
  return filter.ok() &&
         filter->Matches(SpanFields(span, {"shop:8080", "mariadbd:3306", "host-a", "host-b"}));
}

std::string ErrorOf(const std::string& text, std::optional<RecordKind> kind = std::nullopt) {
  const absl::StatusOr<Filter> filter = Filter::Parse(text, kind);
  EXPECT_FALSE(filter.ok()) << text;
  EXPECT_TRUE(filter.ok() || absl::IsInvalidArgument(filter.status()));
  return std::string(filter.status().message());
}

TEST(Filter, WithoutSomeFieldsARecordMayMatch) {
  const Span span = SlowQuery();
  const auto may_match = [&](const std::string& text) {
    const absl::StatusOr<Filter> filter = Filter::Parse(text, RecordKind::kSpan);
    EXPECT_OK(filter) << text;
    return filter->MayMatch(SpanFields(span, {"shop:8080", "mariadbd:3306", "host-a", "host-b"}),
                            [](FilterField field) { return field != FilterField::kPid; });
  };
  EXPECT_TRUE(may_match(""));
  EXPECT_TRUE(may_match("pid=1"));
  EXPECT_TRUE(may_match("pid!=1"));
  EXPECT_TRUE(may_match("not pid=1"));
  EXPECT_TRUE(may_match("pid=1 protocol=mysql"));
  EXPECT_FALSE(may_match("pid=1 protocol=http"));
  EXPECT_TRUE(may_match("pid=1 or protocol=http"));
  EXPECT_FALSE(may_match("not (pid=1 or protocol=mysql)"));
  EXPECT_TRUE(may_match("not (pid=1 protocol=mysql)"));
}

TEST(Filter, EmptyMatchesEverything) {
  EXPECT_TRUE(MatchesQuery(""));
  EXPECT_TRUE(MatchesQuery("  \t\n"));
  EXPECT_TRUE(Filter().matches_all());
  EXPECT_FALSE(Filter::Parse("slow")->matches_all());
}

TEST(Filter, TextsAndChoices) {
  EXPECT_TRUE(MatchesQuery("protocol=mysql"));
  EXPECT_TRUE(MatchesQuery("protocol == \"mysql\""));
  EXPECT_FALSE(MatchesQuery("protocol!=mysql"));
  EXPECT_TRUE(MatchesQuery("client='shop:8080' server=mariadbd:3306"));
  EXPECT_FALSE(MatchesQuery("client=mariadbd:3306"));
  EXPECT_FALSE(MatchesQuery("client=SHOP:8080"));
  EXPECT_TRUE(MatchesQuery("side=client transport=tcp"));
  EXPECT_TRUE(MatchesQuery("address=10.0.0.7"));
  EXPECT_TRUE(MatchesQuery("endpoint=\"SELECT * FROM products WHERE id = ?\""));
}

TEST(Filter, EitherEnd) {
  EXPECT_TRUE(MatchesQuery("service=shop:8080"));
  EXPECT_TRUE(MatchesQuery("service=mariadbd:3306"));
  EXPECT_FALSE(MatchesQuery("service=nginx:80"));
  // != is false when either end is the one that is not wanted.
  EXPECT_FALSE(MatchesQuery("service!=shop:8080"));
  EXPECT_TRUE(MatchesQuery("service!=nginx:80"));
  EXPECT_TRUE(MatchesQuery("host=host-a host=host-b"));
}

TEST(Filter, StatusKnowsErrorsByKindAndByName) {
  EXPECT_TRUE(MatchesQuery("status=error"));
  EXPECT_TRUE(MatchesQuery("status=client_error"));
  EXPECT_TRUE(MatchesQuery("outcome=client_error"));
  EXPECT_TRUE(MatchesQuery("status!=ok"));
  EXPECT_FALSE(MatchesQuery("status=server_error"));
  EXPECT_FALSE(MatchesQuery("status=ok"));
}

TEST(Filter, NumbersAndUnits) {
  EXPECT_TRUE(MatchesQuery("latency>100ms"));
  EXPECT_TRUE(MatchesQuery("duration >= 0.15s"));
  EXPECT_FALSE(MatchesQuery("latency>150ms"));
  EXPECT_TRUE(MatchesQuery("latency<=150000us latency=150ms latency!=151ms"));
  EXPECT_TRUE(MatchesQuery("wait<149ms"));
  EXPECT_TRUE(MatchesQuery("received>=64KiB received<66KB sent=100"));
  EXPECT_TRUE(MatchesQuery("pid in (1, 4711)"));
  EXPECT_FALSE(MatchesQuery("pid not in (1, 4711)"));
}

TEST(Filter, TextThatIsANumber) {
  EXPECT_TRUE(MatchesQuery("code=1064"));
  EXPECT_TRUE(MatchesQuery("code>=1000 code<2000"));
  EXPECT_TRUE(MatchesQuery("attr.rows>99"));
  EXPECT_FALSE(MatchesQuery("attr.db.name>99"));
}

TEST(Filter, Attributes) {
  EXPECT_TRUE(MatchesQuery("attr.db.name=shop"));
  EXPECT_FALSE(MatchesQuery("attr.db.name=~^x"));
  EXPECT_FALSE(MatchesQuery("attr.DB.name=shop"));
}

TEST(Filter, MissingFields) {
  // On a connection's later requests there is no connect time.
  EXPECT_FALSE(MatchesQuery("connect<1s"));
  EXPECT_TRUE(MatchesQuery("not connect<1s"));
  EXPECT_TRUE(MatchesQuery("connect!=1s"));
  EXPECT_TRUE(MatchesQuery("attr.none!=x attr.none!~x attr.none=\"\""));
  EXPECT_FALSE(MatchesQuery("attr.none=~\"\""));
  EXPECT_FALSE(MatchesQuery("attr.rows=\"\""));
}

TEST(Filter, RegularExpressionsMatchAnywhere) {
  EXPECT_TRUE(MatchesQuery("endpoint=~products"));
  EXPECT_TRUE(MatchesQuery("endpoint=~\"^SELECT .* id = \\?$\""));
  EXPECT_FALSE(MatchesQuery("endpoint=~^products"));
  EXPECT_TRUE(MatchesQuery("endpoint!~^products"));
  EXPECT_TRUE(MatchesQuery("attr.rows=~'^\\d+$'"));
}

TEST(Filter, BooleanLogic) {
  EXPECT_TRUE(MatchesQuery("slow"));
  EXPECT_TRUE(MatchesQuery("slow=true"));
  EXPECT_FALSE(MatchesQuery("!slow"));
  EXPECT_TRUE(MatchesQuery("protocol=http or slow"));
  EXPECT_TRUE(MatchesQuery("protocol=http OR slow AND pid=4711"));
  EXPECT_FALSE(MatchesQuery("(protocol=http or slow) pid=1"));
  EXPECT_TRUE(MatchesQuery("protocol=mysql or protocol=http pid=1"));
  EXPECT_TRUE(MatchesQuery("not not slow not (pid=1 or pid=2)"));
  EXPECT_TRUE(MatchesQuery("slow not pid=1"));
  EXPECT_TRUE(MatchesQuery("protocol in(http,mysql)"));
  EXPECT_TRUE(MatchesQuery("protocol not in (http, 'redis')"));
}

TEST(Filter, BareValuesMayHoldOperators) {
  Span span;
  span.endpoint = "/a?b=c>d";
  const SpanFields fields(span, {});
  EXPECT_TRUE(Filter::Parse("endpoint=/a?b=c>d")->Matches(fields));
  EXPECT_FALSE(Filter::Parse("endpoint=/a")->Matches(fields));
}

TEST(Filter, ErrorsNameTheColumnAndWhatWasExpected) {
  EXPECT_EQ(ErrorOf("servce=x"), "column 1: unknown field \"servce\"; did you mean \"service\"?");
  EXPECT_EQ(ErrorOf("slow mysql"),
            "column 6: \"mysql\" is no field; did you mean \"protocol=mysql\"?");
  EXPECT_EQ(ErrorOf("service"),
            "column 8: expected an operator after \"service\" (= != =~ !~ in), "
            "found the end of the filter");
  EXPECT_EQ(ErrorOf("service="), "column 9: expected a value, found the end of the filter");
  EXPECT_EQ(ErrorOf("service>x"),
            "column 8: service cannot be compared by >: it takes = != =~ !~ in");
  EXPECT_EQ(ErrorOf("protocol=mysqll"),
            "column 10: expected protocol to be one of http, redis, mysql, dns, tls, http2, "
            "postgresql, kafka, mysql_compressed, unknown, found \"mysqll\"");
  EXPECT_EQ(ErrorOf("latency>100"),
            "column 9: expected a duration with its unit (ns us ms s m h), such as 100ms, "
            "found \"100\"");
  EXPECT_EQ(ErrorOf("sent>1XB"),
            "column 6: expected a size (B KB MB GB, KiB MiB GiB), such as 64KB, found \"1XB\"");
  EXPECT_EQ(ErrorOf("pid=abc"), "column 5: expected a number, found \"abc\"");
  EXPECT_EQ(ErrorOf("pid=1e999"), "column 5: expected a number, found \"1e999\"");
  EXPECT_EQ(ErrorOf("(slow"), "column 1: this ( is never closed");
  EXPECT_EQ(ErrorOf("slow)"), "column 5: this ) closes nothing");
  EXPECT_EQ(ErrorOf("slow or"),
            "column 8: expected a condition, such as protocol=http, found the end of the filter");
  EXPECT_EQ(ErrorOf("service=\"x"), "column 9: the quote that opens here is never closed");
  EXPECT_EQ(ErrorOf("protocol in http"), "column 13: expected ( after \"in\", found \"http\"");
  EXPECT_EQ(ErrorOf("protocol in (http redis)"),
            "column 19: expected a comma or ), found \"redis\"");
  EXPECT_EQ(ErrorOf("protocol in ()"), "column 14: expected a value, found \")\"");
  EXPECT_THAT(ErrorOf("endpoint=~\"(\""), HasSubstr("column 11: not a regular expression (RE2)"));
  EXPECT_THAT(ErrorOf("zebra=1"), HasSubstr("unknown field \"zebra\"; fields are service, "));
  EXPECT_THAT(ErrorOf("attr.=1"), HasSubstr("unknown field"));
  EXPECT_THAT(ErrorOf("~"), HasSubstr("column 1: "));
  EXPECT_THAT(ErrorOf("service=x, slow"), HasSubstr("column 10: expected a condition"));
}

TEST(Filter, ColumnsCountCharactersNotBytes) {
  EXPECT_THAT(ErrorOf("service=\"\xc3\xa4\xe2\x82\xac\" zz"), HasSubstr("column 14: "));
}

TEST(Filter, FieldsThatTheRecordsDoNotHave) {
  EXPECT_THAT(ErrorOf("slow pid=1", RecordKind::kEdge),
              HasSubstr("column 6: edges do not have the field pid; they have service, client"));
  EXPECT_THAT(ErrorOf("protocol=http", RecordKind::kProcess),
              HasSubstr("processes do not have the field protocol"));
  EXPECT_OK(Filter::Parse("event=crash code=11", RecordKind::kProcess));
}

TEST(Filter, HostileFiltersAreBounded) {
  EXPECT_THAT(ErrorOf(std::string(40, '(') + "slow" + std::string(40, ')')),
              HasSubstr("nested deeper than 32 levels"));
  EXPECT_THAT(ErrorOf(std::string(4000, '!') + "slow"), HasSubstr("nested deeper"));
  EXPECT_THAT(ErrorOf(std::string(9000, ' ')), HasSubstr("longer than 8192 bytes"));
  std::string many;
  for (int i = 0; i < 300; ++i) many += "slow ";
  EXPECT_THAT(ErrorOf(many), HasSubstr("more than 256 conditions"));
  std::string values = "pid in (1";
  for (int i = 0; i < 300; ++i) values += ",1";
  EXPECT_THAT(ErrorOf(values + ")"), HasSubstr("more than 256 values"));
  std::string patterns;
  for (int i = 0; i < 9; ++i) patterns += "service=~x ";
  EXPECT_THAT(ErrorOf(patterns), HasSubstr("more than 8 regular expressions"));
  EXPECT_THAT(ErrorOf("service=~" + std::string(513, 'x')), HasSubstr("longer than 512 bytes"));
  EXPECT_THAT(ErrorOf("service=~\"((x{100}){100}){100}\""), HasSubstr("not a regular expression"));
  EXPECT_THAT(ErrorOf("service=\xff"), HasSubstr("not valid UTF-8"));
  EXPECT_LT(ErrorOf("protocol=" + std::string(4000, 'x')).size(), 250u);
}

TEST(Filter, NormalFormParsesToTheSame) {
  for (const char* text :
       {"", "slow", "slow or pid=1", "not (slow or pid=1) code>=5", "protocol not in (http, redis)",
        "endpoint=~\"a\\\\\\\"b\"", "attr.x='it\\'s' or duration>1h or node=h"}) {
    const absl::StatusOr<Filter> filter = Filter::Parse(text);
    ASSERT_OK(filter) << text;
    const absl::StatusOr<Filter> again = Filter::Parse(filter->ToString());
    ASSERT_OK(again) << filter->ToString();
    EXPECT_EQ(again->ToString(), filter->ToString());
  }
  EXPECT_EQ(Filter::Parse("not (slow or pid=1) duration>1h")->ToString(),
            "not (slow=\"true\" or pid=\"1\") latency>\"1h\"");
  EXPECT_EQ(Filter::Parse("protocol not in (http,'redis')")->ToString(),
            "protocol not in (\"http\", \"redis\")");
}

TEST(Filter, EdgesStandForManyRequests) {
  EdgeStats edge;
  edge.observer = Side::kServer;
  edge.count = 3;
  edge.slow_count = 1;
  edge.sent_bytes = 300;
  edge.latency.Record(1'000'000);
  edge.latency.Record(200'000'000);
  const EdgeFields fields(edge, {"a", "b", "", ""});
  EXPECT_TRUE(Filter::Parse("latency>100ms")->Matches(fields));
  EXPECT_TRUE(Filter::Parse("latency<2ms")->Matches(fields));
  EXPECT_FALSE(Filter::Parse("latency>1s")->Matches(fields));
  EXPECT_TRUE(Filter::Parse("slow slow=false sent=300 side=server")->Matches(fields));
  EXPECT_FALSE(Filter::Parse("status=ok")->Matches(fields));
}

TEST(Filter, Processes) {
  ProcessEvent event;
  event.kind = ProcessEventKind::kCrash;
  event.code = 11;
  event.workload = "shop:8080";
  event.executable = "/usr/bin/python3";
  event.pid = 12;
  const ProcessFields fields(event);
  EXPECT_TRUE(Filter::Parse("event=crash code=11 pid=12 service=shop:8080")->Matches(fields));
  EXPECT_TRUE(Filter::Parse("executable=~python command=\"\"")->Matches(fields));
  EXPECT_FALSE(Filter::Parse("event in (start, exit)")->Matches(fields));
}

TEST(Filter, NamesByObserverFallBackToTheAddress) {
  Party client, server;
  client.workload = "shop:8080";
  client.host = "host-a";
  server.address = "93.184.216.34";
  EXPECT_EQ(NamesByObserver(client, server).server, "93.184.216.34");
  server.dns_name = "api.example.com";
  const EndNames names = NamesByObserver(client, server);
  EXPECT_EQ(names.client, "shop:8080");
  EXPECT_EQ(names.server, "api.example.com");
  EXPECT_EQ(names.server_host, "");
}

TEST(FilterCompletion, FieldsAndChoices) {
  EXPECT_THAT(CompleteFilter("").words, Contains("service"));
  EXPECT_THAT(CompleteFilter("pro").words, ElementsAre("protocol"));
  EXPECT_EQ(CompleteFilter("slow pro").offset, 5u);
  EXPECT_THAT(CompleteFilter("protocol=").words, Contains("http"));
  EXPECT_EQ(CompleteFilter("protocol=").offset, 9u);
  EXPECT_THAT(CompleteFilter("slow protocol!=my").words, ElementsAre("mysql", "mysql_compressed"));
  EXPECT_THAT(CompleteFilter("protocol in (http, re").words, ElementsAre("redis"));
  EXPECT_THAT(CompleteFilter("protocol in (http) pi").words, ElementsAre("pid"));
  EXPECT_THAT(CompleteFilter("service=").words, IsEmpty());
  EXPECT_THAT(CompleteFilter("", RecordKind::kEdge).words, Not(Contains("pid")));
  EXPECT_THAT(CompleteFilter("service=\"x").words, IsEmpty());
}

FilterNeeds NeedsOf(const std::string& text) {
  const auto filter = Filter::Parse(text, RecordKind::kSpan);
  EXPECT_OK(filter);
  return filter.ok() ? filter->Needs() : FilterNeeds();
}

TEST(FilterTest, WhatEveryMatchHasIsKnown) {
  const FilterNeeds needs = NeedsOf(
      "endpoint in (\"GET /\", \"GET /x\") code=\"500\" (attr.user=bob slow) status=error "
      "latency>=100ms latency<2s");
  EXPECT_EQ(needs.endpoints, (std::vector<std::string>{"GET /", "GET /x"}));
  EXPECT_EQ(needs.codes, std::vector<std::string>{"500"});
  EXPECT_EQ(needs.attributes, (std::vector<std::pair<std::string, std::string>>{{"user", "bob"}}));
  EXPECT_TRUE(needs.is_error);
  EXPECT_TRUE(needs.is_slow);
  EXPECT_EQ(needs.least_latency_ns, 1e8);
  EXPECT_EQ(needs.most_latency_ns, 2e9);
  EXPECT_FALSE(needs.asks_ends);
}

TEST(FilterTest, WhatAMatchMayLackIsNoNeed) {
  for (const char* text :
       {"", "endpoint=a or slow", "not slow", "slow=false", "endpoint!=a", "endpoint=~a",
        "endpoint=\"\"", "not (latency>1s)", "latency>1s or latency<1ms", "status=ok",
        "attr.user in (a, b)", "attr.size>5", "status in (error, ok)"}) {
    const FilterNeeds needs = NeedsOf(text);
    EXPECT_TRUE(needs.endpoints.empty()) << text;
    EXPECT_TRUE(needs.codes.empty()) << text;
    EXPECT_TRUE(needs.attributes.empty()) << text;
    EXPECT_FALSE(needs.is_error) << text;
    EXPECT_FALSE(needs.is_slow) << text;
    EXPECT_LT(needs.least_latency_ns, 0) << text;
    EXPECT_GT(needs.most_latency_ns, 1e18) << text;
  }
}

TEST(FilterTest, QuestionsForEndsAreKnownWhereverTheyStand) {
  EXPECT_TRUE(NeedsOf("slow (status=error or not service=cart)").asks_ends);
  EXPECT_TRUE(NeedsOf("protocol=http").asks_ends);
  EXPECT_FALSE(NeedsOf("slow latency>1s").asks_ends);
}

}  // namespace
}  // namespace kindling::model
