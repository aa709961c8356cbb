#include "agent/protocols/testing/codec_conformance.h"

#include <algorithm>
#include <random>
#include <set>
#include <utility>

#include "agent/protocols/testing/heap_meter.h"
#include "base/byte_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kindling::agent {
namespace {

using SeqPair = std::pair<uint32_t, uint32_t>;

// Numbers the bytes of both flows and the turns, and feeds pieces of turns.
class Feeder {
 public:
  Feeder(ProtocolCodec* codec, RecordSink* sink) : codec_(codec), sink_(sink) {}

  // A piece of the present turn, then `unseen` bytes that were not captured.
  void Piece(Flow flow, std::string_view bytes, uint32_t unseen = 0) {
    uint32_t& seq = seq_[static_cast<size_t>(flow)];
    const Segment segment{.bytes = base::AsBytes(bytes),
                          .unseen_bytes = unseen,
                          .boot_ns = now_ns(),
                          .tcp_seq = seq,
                          .tid = 100 + static_cast<uint32_t>(flow)};
    seq += static_cast<uint32_t>(bytes.size()) + unseen;
    // A copy on the heap, freed at once: a sanitizer sees whoever keeps the view or reads past it.
    const std::vector<std::byte> copy(segment.bytes.begin(), segment.bytes.end());
    Segment lent = segment;
    lent.bytes = copy;
    codec_->Feed(flow, lent, *sink_);
  }
  void NextTurn() { ++turn_; }
  void Whole(const Turn& turn) {
    Piece(turn.flow, turn.bytes);
    NextTurn();
  }
  void All(const std::vector<Turn>& turns) {
    for (const Turn& turn : turns) Whole(turn);
  }
  // As if `bytes` had passed in a turn of their own, without feeding them.
  void Advance(Flow flow, size_t bytes) {
    seq_[static_cast<size_t>(flow)] += static_cast<uint32_t>(bytes);
    NextTurn();
  }
  void Close() { codec_->OnClose(now_ns(), *sink_); }
  uint32_t seq(Flow flow) const { return seq_[static_cast<size_t>(flow)]; }

 private:
  int64_t now_ns() const {
    return CodecConformance::kFirstTurnNs + turn_ * CodecConformance::kTurnNs;
  }

  ProtocolCodec* codec_;
  RecordSink* sink_;
  int64_t turn_ = 0;
  uint32_t seq_[2] = {1'000'000, 2'000'000'000};
};

class NullSink : public RecordSink {
 public:
  void OnRecord(const Record&) override {}
  void OnUnparsed(uint64_t, uint64_t) override {}
};

std::set<SeqPair> PairsOf(const std::vector<Record>& records) {
  std::set<SeqPair> pairs;
  for (const Record& record : records) {
    if (record.response_tcp_seq != 0) {
      pairs.emplace(record.request_tcp_seq, record.response_tcp_seq);
    }
  }
  return pairs;
}

// DebugString of the records whose request begins at `seq` or later.
std::vector<std::string> From(uint32_t seq, const std::vector<Record>& records) {
  std::vector<std::string> all;
  for (const Record& record : records) {
    if (record.request_tcp_seq >= seq) all.push_back(DebugString(record));
  }
  return all;
}

::testing::AssertionResult PairsAreRight(const std::vector<Record>& got,
                                         const std::vector<Record>& reference) {
  const std::set<SeqPair> right = PairsOf(reference);
  for (const Record& record : got) {
    if (record.response_tcp_seq != 0 &&
        right.count({record.request_tcp_seq, record.response_tcp_seq}) == 0) {
      return ::testing::AssertionFailure() << "wrong pair: " << DebugString(record);
    }
  }
  return ::testing::AssertionSuccess();
}

size_t TotalBytes(const std::vector<Turn>& turns) {
  size_t total = 0;
  for (const Turn& turn : turns) total += turn.bytes.size();
  return total;
}

// Feeds `turns` with cuts after the given positions, ascending, in the concatenation of all turns.
void FeedCut(const std::vector<Turn>& turns, const std::vector<size_t>& cuts, Feeder& feeder) {
  size_t begin = 0;  // of this turn, in the concatenation
  auto cut = cuts.begin();
  for (const Turn& turn : turns) {
    const size_t end = begin + turn.bytes.size();
    size_t from = begin;
    for (; cut != cuts.end() && *cut < end; ++cut) {
      if (*cut > from) {
        feeder.Piece(turn.flow, std::string_view(turn.bytes).substr(from - begin, *cut - from));
        from = *cut;
      }
    }
    feeder.Piece(turn.flow, std::string_view(turn.bytes).substr(from - begin));
    feeder.NextTurn();
    begin = end;
  }
}

std::vector<std::string> Garbage() {
  std::mt19937 random(42);
  std::string noise;
  for (int i = 0; i < 300; ++i) noise.push_back(static_cast<char>(random()));
  return {noise, std::string(64, '\0'), std::string(64, '\xff'), noise.substr(0, 5)};
}

}  // namespace

void FeedTurns(const std::vector<Turn>& turns, ProtocolCodec& codec, RecordSink& sink) {
  Feeder(&codec, &sink).All(turns);
}

void CodecConformance::CheckAll() const {
  CheckSample();
  CheckTruncated();
  CheckSplit();
  CheckGarbage();
  CheckHoles();
  CheckGaps();
}

void CodecConformance::CheckSample() const {
  SCOPED_TRACE("sample");
  RecordCollector got;
  const std::unique_ptr<ProtocolCodec> codec = make_codec();
  Feeder feeder(codec.get(), &got);
  feeder.All(turns);
  feeder.Close();
  EXPECT_THAT(got.Summaries(), ::testing::ElementsAreArray(expected));
  EXPECT_EQ(got.unparsed_bytes, 0u);
  EXPECT_EQ(got.unparsed_requests, 0u);
  EXPECT_FALSE(codec->has_open_request());
}

void CodecConformance::CheckTruncated() const {
  SCOPED_TRACE("truncated");
  RecordCollector whole;
  FeedTurns(turns, *make_codec(), whole);
  const std::vector<std::string> reference = whole.Full();
  const size_t total = TotalBytes(turns);
  for (size_t length = 0; length <= total; ++length) {
    RecordCollector got;
    const std::unique_ptr<ProtocolCodec> codec = make_codec();
    Feeder feeder(codec.get(), &got);
    size_t left = length;
    for (const Turn& turn : turns) {
      const size_t take = std::min(left, turn.bytes.size());
      if (take == 0) break;
      feeder.Piece(turn.flow, std::string_view(turn.bytes).substr(0, take));
      feeder.NextTurn();
      left -= take;
    }
    const std::vector<std::string> full = got.Full();
    ASSERT_LE(full.size(), reference.size()) << "length " << length;
    ASSERT_TRUE(std::equal(full.begin(), full.end(), reference.begin()))
        << "length " << length << ": " << ::testing::PrintToString(full);
    feeder.Close();
    ASSERT_FALSE(codec->has_open_request()) << "length " << length;
  }
}

void CodecConformance::CheckSplit() const {
  SCOPED_TRACE("split");
  const auto run = [this](const std::vector<size_t>& cuts) {
    RecordCollector got;
    const std::unique_ptr<ProtocolCodec> codec = make_codec();
    Feeder feeder(codec.get(), &got);
    FeedCut(turns, cuts, feeder);
    feeder.Close();
    std::vector<std::string> all = got.Full();
    all.push_back("unparsed " + std::to_string(got.unparsed_bytes));
    return all;
  };
  const std::vector<std::string> reference = run({});
  const size_t total = TotalBytes(turns);
  std::vector<size_t> every;
  for (size_t i = 1; i < total; ++i) {
    every.push_back(i);
    ASSERT_EQ(run({i}), reference) << "cut at " << i;
  }
  ASSERT_EQ(run(every), reference) << "cut at every byte";
  if (total > kMaxPairBytes) return;
  for (size_t i = 1; i < total; ++i) {
    for (size_t j = i + 1; j < total; ++j) {
      ASSERT_EQ(run({i, j}), reference) << "cut at " << i << " and " << j;
    }
  }
}

void CodecConformance::CheckGarbage(int settle) const {
  SCOPED_TRACE("garbage");
  for (const std::string& garbage : Garbage()) {
    for (const Flow flow : {Flow::kRequest, Flow::kResponse}) {
      for (size_t place = 0; place <= turns.size(); ++place) {
        RecordCollector got, reference;
        const std::unique_ptr<ProtocolCodec> codec = make_codec();
        const std::unique_ptr<ProtocolCodec> clean = make_codec();
        Feeder feeder(codec.get(), &got);
        Feeder clean_feeder(clean.get(), &reference);
        for (size_t i = 0; i <= turns.size(); ++i) {
          if (i == place) {
            feeder.Whole({flow, garbage});
            clean_feeder.Advance(flow, garbage.size());
          }
          if (i < turns.size()) {
            feeder.Whole(turns[i]);
            clean_feeder.Whole(turns[i]);
          }
        }
        if (clean->appetite() == Appetite::kNothing) continue;
        codec->OnGap(Flow::kRequest, 0, got);
        codec->OnGap(Flow::kResponse, 0, got);
        uint32_t last_copy = 0;
        for (int i = 0; i < settle; ++i) {
          last_copy = feeder.seq(Flow::kRequest);
          feeder.All(Again());
          clean_feeder.All(Again());
        }
        feeder.Close();
        clean_feeder.Close();
        SCOPED_TRACE(::testing::Message()
                     << "before turn " << place << " in flow " << static_cast<int>(flow) << ", "
                     << garbage.size() << " bytes");
        ASSERT_TRUE(PairsAreRight(got.records, reference.records));
        ASSERT_EQ(From(last_copy, got.records), From(last_copy, reference.records));
      }
    }
  }
}

void CodecConformance::CheckHostile(const std::vector<std::string>& hostile) const {
  SCOPED_TRACE("hostile");
  NullSink sink;
  const std::string filler(4096, 'A');
  for (size_t i = 0; i < hostile.size(); ++i) {
    for (const Flow flow : {Flow::kRequest, Flow::kResponse}) {
      for (const bool after_sample : {false, true}) {
        const int64_t before = HeapMeter::LiveBytes();
        HeapMeter::ResetPeak();
        const std::unique_ptr<ProtocolCodec> codec = make_codec();
        Feeder feeder(codec.get(), &sink);
        if (after_sample) feeder.All(turns);
        for (int repeat = 0; repeat < 2000; ++repeat) feeder.Whole({flow, hostile[i]});
        for (int repeat = 0; repeat < 256; ++repeat) feeder.Whole({flow, filler});
        EXPECT_LE(HeapMeter::PeakBytes() - before, kMaxHeapBytes)
            << "hostile message " << i << " in flow " << static_cast<int>(flow);
        feeder.Close();
        EXPECT_FALSE(codec->has_open_request());
      }
    }
  }
}

void CodecConformance::CheckHoles(int settle) const {
  SCOPED_TRACE("holes");
  RecordCollector reference;
  uint32_t last_copy = 0;
  {
    const std::unique_ptr<ProtocolCodec> codec = make_codec();
    Feeder feeder(codec.get(), &reference);
    feeder.All(turns);
    for (int i = 0; i < settle; ++i) {
      last_copy = feeder.seq(Flow::kRequest);
      feeder.All(Again());
    }
    if (codec->appetite() == Appetite::kNothing) return;
    feeder.Close();
  }
  for (size_t holed = 0; holed < turns.size(); ++holed) {
    const std::string_view bytes = turns[holed].bytes;
    const Flow flow = turns[holed].flow;
    for (size_t place = 0; place < bytes.size(); ++place) {
      const size_t rest = bytes.size() - place;
      for (const size_t length : std::set<size_t>{1, std::min<size_t>(7, rest), rest}) {
        RecordCollector got;
        const std::unique_ptr<ProtocolCodec> codec = make_codec();
        Feeder feeder(codec.get(), &got);
        for (size_t i = 0; i < turns.size(); ++i) {
          if (i != holed) {
            feeder.Whole(turns[i]);
            continue;
          }
          feeder.Piece(flow, bytes.substr(0, place), static_cast<uint32_t>(length));
          if (length < rest) feeder.Piece(flow, bytes.substr(place + length));
          feeder.NextTurn();
        }
        for (int i = 0; i < settle; ++i) feeder.All(Again());
        feeder.Close();
        SCOPED_TRACE(::testing::Message()
                     << length << " bytes unseen in turn " << holed << " after its byte " << place);
        ASSERT_TRUE(PairsAreRight(got.records, reference.records));
        ASSERT_EQ(From(last_copy, got.records), From(last_copy, reference.records));
      }
    }
  }
}

void CodecConformance::CheckGaps() const {
  SCOPED_TRACE("gaps");
  RecordCollector whole;
  const std::unique_ptr<ProtocolCodec> clean = make_codec();
  Feeder clean_feeder(clean.get(), &whole);
  clean_feeder.All(turns);
  if (clean->appetite() == Appetite::kNothing) return;
  clean_feeder.Close();
  for (size_t lost = 0; lost < turns.size(); ++lost) {
    if (turns[lost].flow != Flow::kResponse) continue;
    SCOPED_TRACE(::testing::Message() << "turn " << lost << " lost");
    RecordCollector got;
    const std::unique_ptr<ProtocolCodec> codec = make_codec();
    Feeder feeder(codec.get(), &got);
    for (size_t i = 0; i < turns.size(); ++i) {
      if (i == lost) {
        feeder.Advance(turns[i].flow, turns[i].bytes.size());
        codec->OnGap(turns[i].flow, turns[i].bytes.size(), got);
      } else {
        feeder.Whole(turns[i]);
      }
    }
    feeder.Close();
    ASSERT_EQ(got.records.size() + got.dropped.size() + got.unparsed_requests,
              whole.records.size());
    ASSERT_TRUE(PairsAreRight(got.records, whole.records));
    const auto unanswered = [](const RecordCollector& sink) {
      return std::count_if(sink.records.begin(), sink.records.end(), [](const Record& record) {
        return record.outcome == model::Outcome::kNoResponse;
      });
    };
    ASSERT_LE(unanswered(got), unanswered(whole));
  }
}

}  // namespace kindling::agent
