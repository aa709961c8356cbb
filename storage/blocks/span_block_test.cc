#include "storage/blocks/span_block.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <string>
#include <tuple>
#include <vector>

#include "base/testing/status_matchers.h"
#include "storage/testing/random_batch.h"

namespace kindling::storage {
namespace {

using model::Span;

const ZstdDictionaries kNone;

// An order that tells all spans apart; blocks have one of their own.
auto Key(const Span& span) {
  return std::tuple(span.start_ns, span.id, span.trace_id, span.endpoint, span.request_bytes,
                    span.execution_unit, span.attributes);
}
std::vector<Span> Sorted(std::vector<Span> spans) {
  std::sort(spans.begin(), spans.end(),
            [](const Span& a, const Span& b) { return Key(a) < Key(b); });
  return spans;
}

std::vector<Span> RandomSpans(uint64_t seed, size_t count) {
  RandomRecords records(seed);
  std::vector<Span> spans;
  while (spans.size() < count) spans.push_back(records.LinkedSpan(spans));
  return spans;
}

void ExpectRoundTrip(const std::vector<Span>& spans, size_t unit_rows = kSpanUnitRows) {
  const SealedBlock block = EncodeSpanBlock(spans, kNone, unit_rows);
  EXPECT_EQ(block.rows, spans.size());
  auto opened = SpanBlock::Open(block.body, kNone);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const auto decoded = opened->Decode();
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  // Not EXPECT_EQ: it would print megabytes.
  EXPECT_TRUE(Sorted(*decoded) == Sorted(spans));
  const auto summary = SpanSummary::Parse(block.summary);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->rows(), spans.size());
}

std::vector<Span> Found(const SealedBlock& block, const SpanSearch& search,
                        int64_t lowest_rank = INT64_MIN, const std::vector<bool>& wanted_ends = {},
                        SpanUnits units = SpanUnits::All()) {
  std::vector<Span> found;
  auto opened = SpanBlock::Open(block.body, kNone);
  EXPECT_TRUE(opened.ok()) << opened.status();
  const auto visit = [&](const Span& span) {
    found.push_back(span);
    return lowest_rank;
  };
  const auto word = opened->Search(search, lowest_rank, visit, wanted_ends, units);
  EXPECT_EQ(word.value(), lowest_rank);
  return found;
}

bool Meets(const Span& span, const SpanSearch& search) {
  const int64_t duration = RankOf(span, SpanSearch::Order::kSlowest);
  const auto any_of = [](const std::vector<std::string>& texts, const std::string& text) {
    return texts.empty() || std::find(texts.begin(), texts.end(), text) != texts.end();
  };
  return span.start_ns >= search.start_ns && span.start_ns < search.end_ns &&
         RankOf(span, search.order) <= search.highest_rank && duration >= search.min_duration_ns &&
         duration <= search.max_duration_ns &&
         (!search.only_errors || model::IsError(span.outcome)) &&
         (!search.only_slow || span.slow) && any_of(search.endpoints, span.endpoint) &&
         any_of(search.status_codes, span.status_code) &&
         std::all_of(search.attributes.begin(), search.attributes.end(),
                     [&](const auto& pair) {
                       return std::find(span.attributes.begin(), span.attributes.end(), pair) !=
                              span.attributes.end();
                     }) &&
         (search.ends == nullptr || search.ends({.side = span.side,
                                                 .protocol = span.protocol,
                                                 .transport = span.transport,
                                                 .client = span.client,
                                                 .server = span.server}));
}

bool MayMatch(const SpanSummary& summary, const SpanSearch& search) {
  EndsAnswers answers(search);
  return summary.MayMatch(search, answers);
}
std::vector<bool> WantedEnds(const SpanSummary& summary, const SpanSearch& search) {
  EndsAnswers answers(search);
  return summary.WantedEnds(search, answers);
}
int64_t HighestRank(const SpanSummary& summary, const SpanSearch& search) {
  EndsAnswers answers(search);
  return summary.HighestRank(search, answers);
}

TEST(SpanBlockTest, GivesBackRandomSpans) {
  for (const size_t count : {1, 2, 3, 17, 300}) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      SCOPED_TRACE(testing::Message() << count << " spans of seed " << seed);
      ExpectRoundTrip(RandomSpans(seed, count));
      ExpectRoundTrip(RandomSpans(seed, count), 7);
    }
  }
}

TEST(SpanBlockTest, GivesBackAsManySpansAsABlockMayHave) {
  ExpectRoundTrip(RandomSpans(1, 2 * kSpanBlockRows));
}

TEST(SpanBlockTest, GivesBackExtremes) {
  std::vector<Span> spans(6);
  spans[1].start_ns = INT64_MIN;
  spans[1].request_duration_ns = INT64_MIN;
  spans[1].wait_duration_ns = INT64_MIN;
  spans[2].start_ns = INT64_MAX;
  spans[2].response_duration_ns = INT64_MAX;
  spans[2].wait_duration_ns = INT64_MAX;
  spans[2].request_bytes = UINT64_MAX;
  spans[2].request_tcp_seq = UINT32_MAX;
  spans[2].response_tcp_seq = 1;
  spans[2].id = UINT64_MAX;
  spans[2].parent_id = 1;
  spans[2].trace_id = {UINT64_MAX, UINT64_MAX};
  spans[2].blame.ns.fill(UINT64_MAX);
  spans[3].endpoint = std::string(64 << 10, 'e');
  spans[3].attributes = {{std::string(64 << 10, 'n'), std::string(64 << 10, '\0')}, {"", ""}};
  spans[4].attributes = {{"a", "1"}, {"a", "2"}, {"a", "1"}};
  spans[4].parent_id = spans[4].id = 7;  // its own parent
  spans[5].sample_weight = 0;
  spans[5].slow = true;
  spans[5].execution_unit = UINT64_MAX;
  ExpectRoundTrip(spans);
  ExpectRoundTrip(spans, 1);
  for (const Span& span : spans) ExpectRoundTrip({span});
}

TEST(SpanBlockTest, GivesBackMoreAttributeNamesThanColumns) {
  std::vector<Span> spans(300);
  for (size_t i = 0; i < spans.size(); ++i) {
    spans[i].id = i;
    for (size_t j = 0; j < 5; ++j) {
      spans[i].attributes.emplace_back("name-" + std::to_string(i + j),
                                       "value-" + std::to_string(i * j % 50));
    }
  }
  ExpectRoundTrip(spans);
}

TEST(SpanBlockTest, KeepsWeightsThatAreNoNumber) {
  Span span;
  span.sample_weight = std::bit_cast<float>(0x7fc12345);
  const SealedBlock block = EncodeSpanBlock({span}, kNone);
  const auto decoded = SpanBlock::Open(block.body, kNone)->Decode();
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(std::bit_cast<uint32_t>(decoded->front().sample_weight), 0x7fc12345);
}

TEST(SpanBlockTest, BlameThatAddsUpToTheDurationIsGivenBack) {
  RandomRecords records(3);
  std::vector<Span> spans;
  for (int i = 0; i < 200; ++i) {
    Span span = records.Span();
    span.request_duration_ns = 0;
    span.wait_duration_ns = static_cast<int64_t>(1000 + records.Below(1'000'000));
    span.response_duration_ns = 0;
    span.blame = {};
    span.blame[model::Cause::kCpu] = records.Below(1000);
    span.blame[model::Cause::kNetwork] =
        static_cast<uint64_t>(span.wait_duration_ns) - span.blame[model::Cause::kCpu];
    if (i == 7) span.blame[model::Cause::kLock] = 5;  // more than the duration
    spans.push_back(span);
  }
  ExpectRoundTrip(spans);
}

class SpanBlockUnitsTest : public testing::TestWithParam<size_t> {};
INSTANTIATE_TEST_SUITE_P(UnitRows, SpanBlockUnitsTest, testing::Values(20, kSpanUnitRows));

// Every search gives exactly the rows that meet it, of a unit in order; summary and filter never
// rule out a block that has one.
TEST_P(SpanBlockUnitsTest, SearchesGiveWhatAScanWouldGive) {
  const std::vector<Span> spans = RandomSpans(5, 400);
  const SealedBlock block = EncodeSpanBlock(spans, kNone, GetParam());
  const auto summary = SpanSummary::Parse(block.summary);
  ASSERT_TRUE(summary.ok()) << summary.status();
  RandomRecords random(6);
  int hits = 0;
  for (int i = 0; i < 400; ++i) {
    const Span& like = spans[random.Below(spans.size())];
    SpanSearch search;
    search.order = random.Below(2) == 0 ? SpanSearch::Order::kNewest : SpanSearch::Order::kSlowest;
    if (random.Below(3) == 0) search.start_ns = like.start_ns;
    if (random.Below(3) == 0) search.end_ns = like.start_ns + 1'000'000'000'000;
    if (random.Below(4) == 0) search.highest_rank = RankOf(like, search.order);
    if (random.Below(4) == 0) {
      search.min_duration_ns = RankOf(like, SpanSearch::Order::kSlowest);
    }
    if (random.Below(4) == 0) {
      search.max_duration_ns = RankOf(like, SpanSearch::Order::kSlowest);
    }
    search.only_errors = random.Below(5) == 0;
    search.only_slow = random.Below(5) == 0;
    if (random.Below(4) == 0) search.endpoints = {like.endpoint, "another"};
    if (random.Below(4) == 0) search.status_codes = {like.status_code};
    if (random.Below(4) == 0 && !like.attributes.empty()) {
      search.attributes = {like.attributes[random.Below(like.attributes.size())]};
    }
    if (random.Below(4) == 0) {
      search.ends = [&](const SpanEnds& ends) {
        return ends.client.workload == like.client.workload;
      };
    }
    std::vector<Span> expected;
    for (const Span& span : spans) {
      if (Meets(span, search)) expected.push_back(span);
    }
    const std::vector<Span> found = Found(block, search);
    EXPECT_TRUE(Sorted(Found(block, search, INT64_MIN, WantedEnds(*summary, search),
                             SpanFilterMatchingUnits(block.filter, search))) == Sorted(expected));
    EXPECT_TRUE(Sorted(found) == Sorted(expected)) << found.size() << " " << expected.size();
    for (size_t j = 1; j < found.size() && GetParam() > spans.size(); ++j) {
      EXPECT_GE(RankOf(found[j - 1], search.order), RankOf(found[j], search.order));
    }
    if (expected.empty()) continue;
    ++hits;
    EXPECT_TRUE(MayMatch(*summary, search));
    EXPECT_FALSE(SpanFilterMatchingUnits(block.filter, search).empty());
    for (const Span& span : found) {
      EXPECT_GE(HighestRank(*summary, search), RankOf(span, search.order));
    }
  }
  EXPECT_GT(hits, 60);
}

TEST(SpanBlockTest, VisitorStopsTheSearch) {
  const SealedBlock block = EncodeSpanBlock(RandomSpans(7, 100), kNone);
  auto opened = SpanBlock::Open(block.body, kNone);
  ASSERT_TRUE(opened.ok());
  int visits = 0;
  int64_t tenth = 0;
  EXPECT_EQ(opened
                ->Search({}, INT64_MIN,
                         [&](const Span& span) {
                           if (++visits == 10) tenth = span.start_ns;
                           return visits == 10 ? INT64_MAX : INT64_MIN;
                         })
                .value(),
            INT64_MAX);
  EXPECT_EQ(visits, 10);
  visits = 0;
  const auto count = [&](const Span&) {
    ++visits;
    return tenth;
  };
  EXPECT_EQ(opened->Search({}, tenth, count).value(), tenth);
  EXPECT_EQ(visits, 10);
  EXPECT_EQ(opened->Search({}, INT64_MAX, count).value(), INT64_MAX);
  EXPECT_EQ(visits, 10);
}

TEST_P(SpanBlockUnitsTest, FindsByIds) {
  const std::vector<Span> spans = RandomSpans(8, 500);
  const SealedBlock block = EncodeSpanBlock(spans, kNone, GetParam());
  auto opened = SpanBlock::Open(block.body, kNone);
  ASSERT_TRUE(opened.ok());
  const auto summary = SpanSummary::Parse(block.summary);
  ASSERT_TRUE(summary.ok());
  for (size_t i = 0; i < spans.size(); i += 50) {
    const Span& wanted = spans[i];
    const auto having = [&](auto has) {
      std::vector<Span> rows;
      std::copy_if(spans.begin(), spans.end(), std::back_inserter(rows), has);
      return Sorted(rows);
    };
    EXPECT_TRUE(summary->MayHoldSpan(wanted.id));
    EXPECT_TRUE(Sorted(opened->FindSpans({wanted.id}).value()) ==
                having([&](const Span& span) { return span.id == wanted.id; }));
    if (wanted.trace_id != model::TraceId{}) {
      EXPECT_FALSE(summary->units().OfTrace(wanted.trace_id).empty());
    }
    const SpanUnits of_trace =
        wanted.trace_id == model::TraceId{}
            ? SpanUnits::All()
            : SpanFilterTraceUnits(block.filter, wanted.trace_id,
                                   summary->units().OfTrace(wanted.trace_id));
    EXPECT_TRUE(Sorted(opened->FindTraces({wanted.trace_id}, of_trace).value()) ==
                having([&](const Span& span) { return span.trace_id == wanted.trace_id; }));
    for (const model::SpanId parent : {wanted.id, wanted.parent_id}) {
      if (parent == 0) continue;
      EXPECT_TRUE(
          Sorted(opened
                     ->FindChildren({parent}, INT64_MIN, INT64_MAX,
                                    SpanFilterChildUnits(block.filter, {parent}, SpanUnits::All()))
                     .value()) == having([&](const Span& span) {
            return span.parent_id == parent && span.start_ns != INT64_MAX;
          }));
    }
    EXPECT_TRUE(
        Sorted(opened->FindAliases({wanted.alias_trace_id}).value()) ==
        having([&](const Span& span) { return span.alias_trace_id == wanted.alias_trace_id; }));
  }
  EXPECT_TRUE(opened->FindSpans({}).value().empty());
}

TEST(SpanBlockTest, SummaryRulesOut) {
  std::vector<Span> spans(20);
  for (int i = 0; i < 20; ++i) {
    spans[i].start_ns = 1000 + i;
    spans[i].wait_duration_ns = 50;
    spans[i].id = 500 + i;
    spans[i].trace_id = {500, 1};
    spans[i].endpoint = "GET /";
    spans[i].client.workload = i < 10 ? "a" : "b";
    spans[i].attributes = {{"k", "v"}};
  }
  spans[3].wait_duration_ns = 99;
  const SealedBlock block = EncodeSpanBlock(spans, kNone);
  EXPECT_EQ(block.first_ns, 1000);
  EXPECT_EQ(block.last_ns, 1019);
  const SpanSummary summary = SpanSummary::Parse(block.summary).value();
  EXPECT_TRUE(MayMatch(summary, {}));
  EXPECT_FALSE(MayMatch(summary, {.start_ns = 1020}));
  EXPECT_FALSE(MayMatch(summary, {.end_ns = 1000}));
  EXPECT_FALSE(MayMatch(summary, {.highest_rank = 999}));
  EXPECT_FALSE(MayMatch(summary, {.min_duration_ns = 100}));
  EXPECT_FALSE(MayMatch(summary, {.max_duration_ns = 49}));
  EXPECT_FALSE(MayMatch(summary, {.only_errors = true}));
  EXPECT_FALSE(MayMatch(summary, {.only_slow = true}));
  EXPECT_FALSE(MayMatch(summary, {.endpoints = {"POST /"}}));
  EXPECT_TRUE(MayMatch(summary, {.endpoints = {"POST /", "GET /"}}));
  const auto is = [](std::string workload) {
    return [workload](const SpanEnds& ends) { return ends.client.workload == workload; };
  };
  EXPECT_TRUE(MayMatch(summary, {.ends = is("a")}));
  EXPECT_FALSE(MayMatch(summary, {.ends = is("c")}));
  EXPECT_FALSE(MayMatch(summary, {.min_duration_ns = 51, .ends = is("b")}));
  EXPECT_EQ(HighestRank(summary, {.order = SpanSearch::Order::kSlowest}), 99);
  EXPECT_EQ(HighestRank(summary, {.order = SpanSearch::Order::kSlowest, .ends = is("b")}), 50);
  EXPECT_EQ(HighestRank(summary, {}), 1019);
  EXPECT_FALSE(summary.MayHoldSpan(499));
  EXPECT_FALSE(summary.MayHoldSpan(520));
  EXPECT_TRUE(summary.units().OfTrace({501, 1}).empty());
  EXPECT_FALSE(summary.units().OfTrace({500, 2}).empty());
  EXPECT_TRUE(SpanFilterTraceUnits(block.filter, {500, 2}, SpanUnits::All()).empty());
  EXPECT_TRUE(SpanFilterTraceUnits(block.filter, {500, 1}, SpanUnits::None()).empty());
  EXPECT_TRUE(SpanFilterMatchingUnits(block.filter, {.attributes = {{"k", "w"}}}).empty());
  EXPECT_TRUE(SpanFilterMatchingUnits(block.filter, {.attributes = {{"k", "v"}}}).Has(0));
  EXPECT_FALSE(SpanFilterMatchingUnits("no filter", {.attributes = {{"k", "w"}}}).empty());
}

void ReadAll(const SealedBlock& block) {
  auto opened = SpanBlock::Open(block.body, kNone);
  if (opened.ok()) {
    (void)opened->Decode();
    (void)opened->Search({}, INT64_MIN, [](const Span&) { return INT64_MIN; });
  }
  (void)SpanSummary::Parse(block.summary);
  (void)SpanFilterMatchingUnits(block.filter, {.attributes = {{"k", "w"}}});
}

TEST(SpanBlockTest, EveryTruncationIsDataLoss) {
  const SealedBlock block = EncodeSpanBlock(RandomSpans(9, 40), kNone);
  for (size_t size = 0; size < block.body.size(); ++size) {
    const auto opened = SpanBlock::Open(std::string_view(block.body).substr(0, size), kNone);
    EXPECT_EQ(opened.status().code(), absl::StatusCode::kDataLoss);
  }
  for (size_t size = 0; size < block.summary.size(); ++size) {
    EXPECT_EQ(SpanSummary::Parse(block.summary.substr(0, size)).status().code(),
              absl::StatusCode::kDataLoss);
  }
}

TEST(SpanBlockTest, EveryFlippedBitIsDataLoss) {
  const SealedBlock block = EncodeSpanBlock(RandomSpans(10, 40), kNone);
  std::string body = block.body;
  for (size_t bit = 0; bit < body.size() * 8; ++bit) {
    body[bit / 8] = static_cast<char>(body[bit / 8] ^ 1 << bit % 8);
    auto opened = SpanBlock::Open(body, kNone);
    const absl::Status status = opened.ok() ? opened->Decode().status() : opened.status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << bit;
    body[bit / 8] = static_cast<char>(body[bit / 8] ^ 1 << bit % 8);
  }
  std::string summary = block.summary;
  for (size_t bit = 0; bit < summary.size() * 8; ++bit) {
    summary[bit / 8] = static_cast<char>(summary[bit / 8] ^ 1 << bit % 8);
    (void)SpanSummary::Parse(summary);
    summary[bit / 8] = static_cast<char>(summary[bit / 8] ^ 1 << bit % 8);
  }
  ReadAll(block);
}

TEST(SpanBlockTest, TrainedDictionaryMakesBlocksSmaller) {
  std::vector<Span> spans;
  for (int i = 0; i < 3000; ++i) {
    Span span;
    span.start_ns = i;
    span.endpoint =
        "SELECT price, stock FROM products_" + std::to_string(i % 300) + " WHERE id = ?";
    span.client.workload = "service-" + std::to_string(i % 100) + ":8080";
    spans.push_back(span);
  }
  const std::string trained = TrainZstdDictionary(SpanDictionarySamples(spans), 8 << 10);
  ZstdDictionaries dictionaries;
  ASSERT_TRUE(dictionaries.Add(1, trained).ok());
  dictionaries.Use(1);
  spans.resize(100);
  const SealedBlock with = EncodeSpanBlock(spans, dictionaries);
  EXPECT_LT(with.body.size(), EncodeSpanBlock(spans, kNone).body.size());
  EXPECT_TRUE(Sorted(SpanBlock::Open(with.body, dictionaries)->Decode().value()) == Sorted(spans));
  EXPECT_EQ(SpanBlock::Open(with.body, kNone).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace kindling::storage
