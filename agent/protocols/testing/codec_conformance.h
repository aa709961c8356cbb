#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/protocols/codec.h"
#include "agent/protocols/testing/record_collector.h"

namespace kindling::agent {

// The systematic tests that every stream protocol passes. A codec's test makes one
// CodecConformance per captured sample and calls each Check; they fail through GoogleTest.
//
//   const CodecConformance sample{
//       .make_codec = [] { return redis::MakeCodec(kTcp); },
//       .turns = {{Flow::kRequest, "*1\r\n$4\r\nPING\r\n"}, {Flow::kResponse, "+PONG\r\n"}},
//       .expected = {"PING -> "}};
//   sample.CheckAll();
//
// Every turn is a system call of its own: its bytes share a time and a thread, turn i at
// kFirstTurnNs + i * kTurnNs, and a sequence number by its place in its flow. However a turn is
// cut, its pieces keep the time, so that records must be equal in every field.
struct Turn {
  Flow flow = Flow::kRequest;
  std::string bytes;
};

class CodecConformance {
 public:
  static constexpr int64_t kFirstTurnNs = 1'000'000;
  static constexpr int64_t kTurnNs = 1'000;
  // Heap that one connection may take whatever it is fed.
  static constexpr int64_t kMaxHeapBytes = 1 << 20;

  std::function<std::unique_ptr<ProtocolCodec>()> make_codec;
  std::vector<Turn> turns;
  // What may follow `turns` on the same connection, any number of times; empty: `turns` itself.
  // Set it where a connection begins with a handshake that does not come twice.
  std::vector<Turn> turns_again;
  // RecordCollector::Summaries() of the sample, end of connection included.
  std::vector<std::string> expected;

  void CheckAll() const;

  // The sample gives `expected`, and nothing is unparsed.
  void CheckSample() const;
  // Cut off after every byte: no crash, the records until then are the first of the whole's, and
  // none stays open after OnClose.
  void CheckTruncated() const;
  // Cut at every byte, and at every pair of bytes of samples up to kMaxPairBytes, and into single
  // bytes: equal records.
  void CheckSplit() const;
  // Garbage before the sample and between its turns: no crash, no response meets another's request;
  // and after OnGap on both flows the sample is understood again.
  void CheckGarbage(int settle = 2) const;
  // Each of `hostile` fed as either flow, alone and many times over: heap stays under
  // kMaxHeapBytes. Put messages here whose lengths and counts lie.
  void CheckHostile(const std::vector<std::string>& hostile) const;
  // Bytes moved but not captured, at every place and of several lengths, to the end of the turn and
  // within it: no crash, no response meets another's request, and the sample is understood again
  // when it comes once more, `settle` times at most.
  void CheckHoles(int settle = 2) const;

  // Each response turn in turn is lost, and the codec told of the gap: no request of the sample
  // goes missing, each is a record, dropped or unparsed, once, and none is reported as unanswered.
  void CheckGaps() const;

  static constexpr size_t kMaxPairBytes = 400;

 private:
  const std::vector<Turn>& Again() const { return turns_again.empty() ? turns : turns_again; }
};

// Feeds `turns` as they are, each as one segment.
void FeedTurns(const std::vector<Turn>& turns, ProtocolCodec& codec, RecordSink& sink);

}  // namespace kindling::agent
