#include "agent/capture/conn_table.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/byte_reader.h"

namespace kindling::agent {
namespace {

// A protocol of one call per message: "Q..." is a request, "A..." its answer.
class CallCodec final : public ProtocolCodec {
 public:
  void Feed(Flow flow, const Segment& segment, RecordSink& sink) override {
    if (base::AsText(segment.bytes).starts_with("QUIET")) quiet_ = true;
    if (flow == Flow::kRequest) {
      open_ = true;
      record_.request_start_ns = segment.boot_ns;
    } else if (open_) {
      open_ = false;
      if (base::AsText(segment.bytes) == "BAD") return sink.OnUnparsed(segment.bytes.size(), 1);
      record_.endpoint = base::AsText(segment.bytes);
      sink.OnRecord(record_);
    }
  }
  void OnGap(Flow, uint64_t, RecordSink&) override { open_ = false; }
  void OnTick(int64_t boot_ns, int64_t no_response_ns, RecordSink& sink) override {
    if (open_ && boot_ns - record_.request_start_ns > no_response_ns) OnClose(boot_ns, sink);
  }
  void OnClose(int64_t, RecordSink& sink) override {
    if (!open_) return;
    open_ = false;
    record_.outcome = model::Outcome::kNoResponse;
    sink.OnRecord(record_);
  }
  Appetite appetite() const override { return quiet_ ? Appetite::kNothing : Appetite::kFull; }
  bool has_open_request() const override { return open_; }

 private:
  Record record_;
  bool open_ = false;
  bool quiet_ = false;
};

const ProtocolEntry kCallProtocol = {
    .protocol = model::Protocol::kRedis,
    .detect = nullptr,
    .make_codec = [](model::Transport) -> std::unique_ptr<ProtocolCodec> {
      return std::make_unique<CallCodec>();
    }};

}  // namespace

// The registry of this test.
Detection DetectProtocol(std::span<const std::byte> head, model::Transport) {
  const std::string_view text = base::AsText(head);
  if (text.starts_with("Q")) return {Match::kRequest, &kCallProtocol};
  if (text.starts_with("A")) return {Match::kResponse, &kCallProtocol};
  return {text.size() < 2 ? Match::kNeedMore : Match::kNo, nullptr};
}

namespace {

class ConnTableTest : public testing::Test, public ConversationSink {
 protected:
  void OnRequest(Conversation& conversation, const Record& record) override {
    requests.push_back(
        std::string(model::Name(conversation.side())) + " " +
        (record.outcome == model::Outcome::kNoResponse ? "unanswered" : record.endpoint));
    task = conversation.open().tgid;
  }
  void OnBytes(Conversation&, uint64_t sent, uint64_t received) override {
    bytes_sent += sent;
    bytes_received += received;
  }
  void OnLost(Conversation&, uint64_t count) override { lost += count; }
  void OnUnparsed(Conversation&, uint64_t, uint64_t count) override { unparsed += count; }
  void OnClosed(Conversation&, int64_t) override { ++closed; }

  void Open(ConnId id, model::Transport transport = model::Transport::kTcp,
            model::Side side = model::Side::kUnknown) {
    ConnOpen open{.id = id, .boot_ns = 1, .transport = transport, .side = side};
    if (transport == model::Transport::kTcp) open.remote = {.bytes = {10, 0, 0, 9}, .size = 4};
    table.Open(open);
  }
  // Moves `text` over the connection; a dropped one only advances position and turn.
  void Move(ConnId id, Direction direction, std::string_view text, bool dropped = false) {
    Stream& stream = streams[id];
    if (stream.turn == 0 || stream.last != direction) ++stream.turn;
    stream.last = direction;
    uint64_t& position = direction == Direction::kSent ? stream.sent : stream.received;
    const DataEvent event{.id = id,
                          .boot_ns = ++now_ns,
                          .direction = direction,
                          .position = position,
                          .size = static_cast<uint32_t>(text.size()),
                          .bytes = base::AsBytes(text),
                          .turn = stream.turn,
                          .tgid = 42};
    position += text.size();
    if (!dropped) table.OnData(event);
  }
  void Close(ConnId id) {
    const Stream& stream = streams[id];
    table.OnCounters({.id = id,
                      .boot_ns = ++now_ns,
                      .sent_bytes = stream.sent,
                      .received_bytes = stream.received,
                      .turns = stream.turn,
                      .closed = true});
    table.OnTick(now_ns);
  }

  struct Stream {
    uint64_t sent = 0, received = 0;
    uint32_t turn = 0;
    Direction last = Direction::kSent;
  };
  std::map<ConnId, Stream> streams;
  std::vector<std::string> requests;
  std::vector<ConnId> payload_off;
  uint64_t bytes_sent = 0, bytes_received = 0, lost = 0, unparsed = 0;
  uint32_t task = 0;
  int closed = 0;
  int64_t now_ns = 100;
  ConnTable table{{.max_connections = 4, .max_peers_per_socket = 2, .no_response_ns = 1000},
                  *this,
                  [this](ConnId id, bool wanted) {
                    if (!wanted) payload_off.push_back(id);
                  }};
};

TEST_F(ConnTableTest, SideComesFromTheBytesWhenTheKernelDoesNotKnow) {
  Open(1);
  Move(1, Direction::kReceived, "Q1");
  Move(1, Direction::kSent, "A1");
  EXPECT_EQ(requests, std::vector<std::string>{"server A1"});
  EXPECT_EQ(task, 42u);
  Open(2);
  Move(2, Direction::kSent, "Q1");
  Move(2, Direction::kReceived, "A2");
  EXPECT_EQ(requests.back(), "client A2");
}

TEST_F(ConnTableTest, AContradictedSideIsNotThisProtocol) {
  Open(1, model::Transport::kTcp, model::Side::kClient);
  Move(1, Direction::kReceived, "Q1");
  Move(1, Direction::kSent, "A1");
  EXPECT_TRUE(requests.empty());
}

TEST_F(ConnTableTest, LossIsCountedFromTheKernelsCounters) {
  Open(1, model::Transport::kTcp, model::Side::kClient);
  for (int i = 0; i < 10; ++i) {
    Move(1, Direction::kSent, "Q1", /*dropped=*/i == 3);
    Move(1, Direction::kReceived, "A1", /*dropped=*/i == 6);
  }
  EXPECT_EQ(lost, 0u);
  Close(1);
  EXPECT_EQ(requests.size(), 8u);
  EXPECT_EQ(lost, 2u);
  EXPECT_EQ(closed, 1);
  EXPECT_EQ(table.size(), 0u);
}

TEST_F(ConnTableTest, ARequestWhoseResponseIsLostAtTheEndIsLostAndNotUnansweredToo) {
  Open(1, model::Transport::kTcp, model::Side::kClient);
  Move(1, Direction::kSent, "Q1");
  Move(1, Direction::kReceived, "A1");
  Move(1, Direction::kSent, "Q1");
  Move(1, Direction::kReceived, "A2", /*dropped=*/true);
  Close(1);
  EXPECT_EQ(requests, std::vector<std::string>{"client A1"});
  EXPECT_EQ(lost, 1u);
}

TEST_F(ConnTableTest, RequestsBeforeTheProtocolIsRecognisedAreLost) {
  Open(1, model::Transport::kTcp, model::Side::kServer);
  Move(1, Direction::kReceived, "x", /*dropped=*/false);  // too short to tell
  Move(1, Direction::kSent, "y", /*dropped=*/true);
  Move(1, Direction::kReceived, "Q2");  // the gap shows: "x" is given up
  Move(1, Direction::kSent, "A2");
  Move(1, Direction::kReceived, "Q3");
  Move(1, Direction::kSent, "A3");
  Close(1);
  EXPECT_EQ(requests, (std::vector<std::string>{"server A2", "server A3"}));
  EXPECT_EQ(lost, 1u);
}

TEST_F(ConnTableTest, UnknownProtocolTurnsPayloadOffAndIsCountedByBytes) {
  Open(1);
  for (int i = 0; i < 6; ++i) Move(1, Direction::kSent, "xxxx");
  EXPECT_EQ(payload_off, std::vector<ConnId>{1});
  Move(1, Direction::kReceived, "yyyyyyyy", /*dropped=*/true);  // only the counters tell
  Close(1);
  EXPECT_EQ(bytes_sent, 24u);
  EXPECT_EQ(bytes_received, 8u);
  EXPECT_EQ(lost, 0u);
}

TEST_F(ConnTableTest, AConnectionThatEndsUndecidedIsCountedByBytes) {
  Open(1);
  Move(1, Direction::kSent, "xxxx");
  Move(1, Direction::kReceived, "yyyyyyyy");
  table.OnTick(now_ns + 5'000'000'000);
  EXPECT_EQ(bytes_sent, 0u);  // may still turn out to be parsed
  Close(1);
  EXPECT_EQ(bytes_sent, 4u);
  EXPECT_EQ(bytes_received, 8u);
}

// As sendfile() gives them: sizes without bytes.
TEST_F(ConnTableTest, AConnectionThatMovesFilesOnlyIsCountedWhileItLasts) {
  Open(1);
  const auto filler = [&](uint64_t position) {
    table.OnData({.id = 1,
                  .boot_ns = ++now_ns,
                  .direction = Direction::kSent,
                  .position = position,
                  .size = 1000,
                  .turn = 1});
  };
  for (int i = 0; i < 20; ++i) filler(static_cast<uint64_t>(i) * 1000);
  table.OnTick(now_ns + 5'000'000'000);
  EXPECT_EQ(bytes_sent, 20'000u);
  EXPECT_TRUE(payload_off.empty());  // it may speak yet
  streams[1] = {.sent = 20'000, .turn = 1, .last = Direction::kSent};
  Move(1, Direction::kReceived, "Q1");
  Move(1, Direction::kSent, "A1");
  EXPECT_EQ(requests, std::vector<std::string>{"server A1"});
  Close(1);
  EXPECT_EQ(bytes_sent, 20'000u);
}

TEST_F(ConnTableTest, ARequestThatWasNotUnderstoodIsNotLostOnceMore) {
  Open(1, model::Transport::kTcp, model::Side::kClient);
  for (int i = 0; i < 10; ++i) {
    Move(1, Direction::kSent, "Q1", /*dropped=*/i == 3);
    Move(1, Direction::kReceived, i == 6 ? "BAD" : "A1");
  }
  Close(1);
  EXPECT_EQ(requests.size(), 8u);
  EXPECT_EQ(unparsed, 1u);
  EXPECT_EQ(lost, 1u);
}

TEST_F(ConnTableTest, ARequestWhoseAnswerWasLostAtTheEndIsLostAndNotUnanswered) {
  Open(1, model::Transport::kTcp, model::Side::kClient);
  Move(1, Direction::kSent, "Q1");
  Move(1, Direction::kReceived, "A1");
  Move(1, Direction::kSent, "Q2");
  Move(1, Direction::kReceived, "A2", /*dropped=*/true);
  Close(1);
  EXPECT_EQ(requests, std::vector<std::string>{"client A1"});
  EXPECT_EQ(lost, 1u);
}

TEST_F(ConnTableTest, ACodecThatHasEnoughTurnsPayloadOff) {
  Open(1);
  Move(1, Direction::kSent, "QUIET");
  EXPECT_EQ(payload_off, std::vector<ConnId>{1});
  EXPECT_EQ(requests, std::vector<std::string>{"client unanswered"});
}

TEST_F(ConnTableTest, UnansweredRequestsEndByTimeAndByClose) {
  Open(1);
  Move(1, Direction::kSent, "Q1");
  table.OnTick(now_ns + 5'000'000'000);
  EXPECT_EQ(requests, std::vector<std::string>{"client unanswered"});
  Open(2);
  Move(2, Direction::kSent, "Q1");
  Close(2);
  EXPECT_EQ(requests.size(), 2u);
}

TEST_F(ConnTableTest, RefusesConnectionsBeyondItsCapAndCounts) {
  for (ConnId id = 1; id <= 6; ++id) Open(id);
  EXPECT_EQ(table.size(), 4u);
  EXPECT_EQ(table.stats().refused, 2u);
  EXPECT_EQ(payload_off, (std::vector<ConnId>{5, 6}));
  Move(6, Direction::kSent, "Q1");
  EXPECT_EQ(table.stats().unknown_events, 1u);
  EXPECT_EQ(table.stats().unknown_bytes, 2u);
}

TEST_F(ConnTableTest, DatagramsOfOneSocketAreSplitByPeer) {
  Open(1, model::Transport::kUdp);
  uint64_t sent = 0, received = 0;
  uint32_t turn = 0;
  const auto datagram = [&](Direction direction, uint16_t port, std::string_view text) {
    uint64_t& position = direction == Direction::kReceived ? received : sent;
    table.OnData({.id = 1,
                  .boot_ns = ++now_ns,
                  .direction = direction,
                  .position = position,
                  .size = 2,
                  .bytes = base::AsBytes(text),
                  .turn = ++turn,
                  .remote = {.bytes = {10, 0, 0, 1}, .size = 4},
                  .remote_port = port});
    position += 2;
  };
  datagram(Direction::kReceived, 1000, "Q1");
  datagram(Direction::kReceived, 2000, "Q2");
  datagram(Direction::kSent, 2000, "A2");
  datagram(Direction::kSent, 1000, "A1");
  EXPECT_EQ(requests, (std::vector<std::string>{"server A2", "server A1"}));
  datagram(Direction::kReceived, 3000, "Q3");
  EXPECT_EQ(table.stats().refused_peers, 1u);
  table.OnTick(now_ns + 60'000'000'000);
  EXPECT_EQ(closed, 2);
}

TEST_F(ConnTableTest, DatagramsOfAnUnknownProtocolAreCountedByBytesOfEachPeer) {
  Open(1, model::Transport::kUdp);
  const auto datagrams = [&](int count, uint64_t first, uint16_t port) {
    for (int i = 0; i < count; ++i) {
      table.OnData({.id = 1,
                    .boot_ns = ++now_ns,
                    .direction = Direction::kReceived,
                    .position = first + static_cast<uint64_t>(i) * 3,
                    .size = 3,
                    .bytes = base::AsBytes("xyz"),
                    .turn = 1,
                    .remote = {.bytes = {10, 0, 0, 1}, .size = 4},
                    .remote_port = port});
    }
  };
  datagrams(5, 0, 1000);
  datagrams(1, 15, 2000);  // too few to be given up
  table.OnTick(now_ns + 1);
  EXPECT_EQ(bytes_received, 15u);
  table.OnTick(now_ns + 60'000'000'000);  // the peers are idle
  EXPECT_EQ(bytes_received, 18u);
  EXPECT_EQ(closed, 2);
}

// Two processors may write their records in another order than that in which they counted them.
TEST_F(ConnTableTest, EventsThatComeAheadOfOthersWaitForThem) {
  Open(1, model::Transport::kTcp, model::Side::kClient);
  const auto event = [&](Direction direction, uint64_t position, uint32_t turn,
                         std::string_view text) {
    return DataEvent{.id = 1,
                     .boot_ns = ++now_ns,
                     .direction = direction,
                     .position = position,
                     .size = 2,
                     .bytes = base::AsBytes(text),
                     .turn = turn};
  };
  const DataEvent q1 = event(Direction::kSent, 0, 1, "Q1");
  const DataEvent a1 = event(Direction::kReceived, 0, 2, "A1");
  const DataEvent q2 = event(Direction::kSent, 2, 3, "Q2");
  const DataEvent a2 = event(Direction::kReceived, 2, 4, "A2");
  table.OnData(a1);  // a whole turn is not there yet
  EXPECT_TRUE(requests.empty());
  table.OnData(q1);
  EXPECT_EQ(requests, std::vector<std::string>{"client A1"});
  table.OnData(a2);
  // The counters know of all; they wait for what waits.
  table.OnCounters({.id = 1, .boot_ns = 50, .sent_bytes = 4, .received_bytes = 4, .turns = 4});
  table.OnTick(60);
  table.OnData(q2);
  EXPECT_EQ(requests, (std::vector<std::string>{"client A1", "client A2"}));
  table.OnTick(70);
  EXPECT_EQ(lost, 0u);
}

TEST_F(ConnTableTest, WhatIsMissingWhenATickSaysSoIsLost) {
  Open(1, model::Transport::kTcp, model::Side::kClient);
  Move(1, Direction::kSent, "Q1");
  Move(1, Direction::kReceived, "A1");
  Move(1, Direction::kSent, "Q2", /*dropped=*/true);
  Move(1, Direction::kReceived, "A2");
  Move(1, Direction::kSent, "Q3");
  Move(1, Direction::kReceived, "A3");
  EXPECT_EQ(requests.size(), 1u);
  table.OnTick(now_ns);
  EXPECT_EQ(requests, (std::vector<std::string>{"client A1", "client A3"}));
  Close(1);
  EXPECT_EQ(lost, 1u);
}

TEST_F(ConnTableTest, ABoundedNumberOfEventsWaits) {
  Open(1, model::Transport::kTcp, model::Side::kClient);
  Move(1, Direction::kSent, "Q1");
  Move(1, Direction::kReceived, "A1", /*dropped=*/true);
  for (int i = 0; i < 33; ++i) {
    Move(1, Direction::kSent, "Q2");
    Move(1, Direction::kReceived, "A2");
  }
  EXPECT_EQ(requests.size(), 33u);  // 65 were too many: no tick was waited for
}

TEST_F(ConnTableTest, ADatagramWhosePeerCouldNotBeHadIsNobodysAndLost) {
  Open(1, model::Transport::kUdp, model::Side::kServer);
  const auto datagram = [&](Direction direction, uint64_t position, uint32_t turn, uint16_t port,
                            std::string_view text) {
    table.OnData({.id = 1,
                  .boot_ns = ++now_ns,
                  .direction = direction,
                  .position = position,
                  .size = 2,
                  .bytes = base::AsBytes(text),
                  .turn = turn,
                  .remote = {.bytes = {10, 0, 0, 1}, .size = uint8_t(port == 0 ? 0 : 4)},
                  .remote_port = port,
                  .remote_unknown = port == 0});
  };
  datagram(Direction::kReceived, 0, 1, 1000, "Q1");
  datagram(Direction::kSent, 0, 2, 1000, "A1");
  datagram(Direction::kReceived, 2, 3, 0, "Q2");  // of another client
  datagram(Direction::kSent, 2, 4, 2000, "A2");
  datagram(Direction::kReceived, 4, 5, 1000, "Q3");
  datagram(Direction::kSent, 4, 6, 1000, "A3");
  EXPECT_EQ(requests, (std::vector<std::string>{"server A1", "server A3"}));
  EXPECT_EQ(table.stats().unknown_peers, 1u);
  EXPECT_EQ(table.stats().unknown_peer_bytes, 2u);
  table.OnCounters({.id = 1,
                    .boot_ns = ++now_ns,
                    .sent_bytes = 6,
                    .received_bytes = 6,
                    .turns = 6,
                    .closed = true});
  table.OnTick(now_ns);
  EXPECT_EQ(lost, 1u);
}

TEST_F(ConnTableTest, AnAnswerWhosePeerCouldNotBeHadIsOfTheOnlyOneAsked) {
  Open(1, model::Transport::kUdp, model::Side::kClient);
  const auto datagram = [&](Direction direction, uint64_t position, uint32_t turn, uint16_t port,
                            std::string_view text) {
    table.OnData({.id = 1,
                  .boot_ns = ++now_ns,
                  .direction = direction,
                  .position = position,
                  .size = 2,
                  .bytes = base::AsBytes(text),
                  .turn = turn,
                  .remote = {.bytes = {10, 0, 0, 1}, .size = uint8_t(port == 0 ? 0 : 4)},
                  .remote_port = port,
                  .remote_unknown = port == 0});
  };
  datagram(Direction::kSent, 0, 1, 1000, "Q1");
  datagram(Direction::kReceived, 0, 2, 0, "A1");
  EXPECT_EQ(requests, std::vector<std::string>{"client A1"});
  datagram(Direction::kSent, 2, 3, 2000, "Q2");
  datagram(Direction::kReceived, 2, 4, 0, "A2");  // of either
  EXPECT_EQ(requests.size(), 1u);
  EXPECT_EQ(table.stats().unknown_peers, 1u);
  table.OnCounters({.id = 1,
                    .boot_ns = ++now_ns,
                    .sent_bytes = 4,
                    .received_bytes = 4,
                    .turns = 4,
                    .closed = true});
  table.OnTick(now_ns);
  EXPECT_EQ(requests.back(), "client unanswered");
  EXPECT_EQ(lost, 0u);
}

TEST_F(ConnTableTest, ADatagramFromNobodyIsTheLastPeers) {
  Open(1, model::Transport::kUdp);
  table.OnData({.id = 1,
                .boot_ns = 1,
                .direction = Direction::kSent,
                .size = 2,
                .bytes = base::AsBytes("Q1"),
                .turn = 1,
                .remote = {.bytes = {10, 0, 0, 1}, .size = 4},
                .remote_port = 53});
  table.OnData({.id = 1,
                .boot_ns = 2,
                .direction = Direction::kReceived,
                .size = 2,
                .bytes = base::AsBytes("A1"),
                .turn = 2});
  EXPECT_EQ(requests, std::vector<std::string>{"client A1"});
}

}  // namespace
}  // namespace kindling::agent
