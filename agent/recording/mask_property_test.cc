// The masked bytes of a conversation give the records that its bytes give.

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/capture/conversation.h"
#include "agent/capture/loss_account.h"
#include "agent/protocols/dns/message_builder.h"
#include "agent/protocols/mysql/capture_file.h"
#include "agent/protocols/testing/codec_conformance.h"
#include "agent/protocols/testing/turns_file.h"
#include "agent/recording/mask.h"
#include "base/byte_reader.h"

namespace kindling::agent {
namespace {

using namespace std::string_literals;

constexpr Flow kRequest = Flow::kRequest;
constexpr Flow kResponse = Flow::kResponse;

// What a conversation gives, but for the attributes, which may hold values.
class Outcomes : public ConversationSink {
 public:
  void OnRequest(Conversation& /*conversation*/, const Record& r) override {
    lines.push_back(r.endpoint + " -> " + r.status_code + " outcome " +
                    std::to_string(static_cast<int>(r.outcome)) + " bytes " +
                    std::to_string(r.request_bytes) + " " + std::to_string(r.response_bytes) +
                    " times " + std::to_string(r.request_start_ns) + " " +
                    std::to_string(r.request_end_ns) + " " + std::to_string(r.response_start_ns) +
                    " " + std::to_string(r.response_end_ns));
  }
  void OnBytes(Conversation& /*conversation*/, uint64_t /*sent*/, uint64_t /*received*/) override {}
  void OnLost(Conversation& /*conversation*/, uint64_t requests) override {
    lines.push_back("lost " + std::to_string(requests));
  }
  void OnUnparsed(Conversation& /*conversation*/, uint64_t bytes, uint64_t requests) override {
    lines.push_back("unparsed " + std::to_string(bytes) + " " + std::to_string(requests));
  }
  void OnClosed(Conversation& /*conversation*/, int64_t /*boot_ns*/) override {}

  std::vector<std::string> lines;
};

// One piece of a turn, of which the last `unseen` bytes were not captured.
struct Piece {
  Flow flow = Flow::kRequest;
  std::string bytes;
  uint32_t unseen = 0;
  int64_t boot_ns = 0;
  bool is_lost = false;
};

struct Played {
  std::vector<std::string> raw;
  std::vector<std::string> masked;
  std::string masked_bytes;
};

// Plays `pieces` to the client's conversation as they are, and masked to another.
Played Play(const std::vector<Piece>& pieces) {
  const ConnOpen open{.id = 1,
                      .origin = ConnOrigin::kConnect,
                      .transport = model::Transport::kTcp,
                      .side = model::Side::kClient};
  Outcomes raw_sink;
  Outcomes masked_sink;
  LossAccount raw_account(0, 0);
  LossAccount masked_account(0, 0);
  Conversation raw(open, raw_sink, raw_account);
  Conversation masked(open, masked_sink, masked_account);
  PayloadMasker masker;
  Played played;
  uint64_t positions[2] = {0, 0};
  uint64_t lost[2] = {0, 0};
  for (const Piece& piece : pieces) {
    const Direction direction =
        piece.flow == Flow::kRequest ? Direction::kSent : Direction::kReceived;
    uint64_t& flow_lost = lost[static_cast<size_t>(piece.flow)];
    if (piece.is_lost) {
      positions[static_cast<size_t>(piece.flow)] += piece.bytes.size();
      flow_lost += piece.bytes.size();
      continue;
    }
    if (flow_lost != 0) {
      raw.OnGap(direction, flow_lost);
      masked.OnGap(direction, flow_lost);
      flow_lost = 0;
    }
    std::string bytes = piece.bytes.substr(0, piece.bytes.size() - piece.unseen);
    Segment segment{.bytes = base::AsBytes(std::string_view(bytes)),
                    .unseen_bytes = piece.unseen,
                    .boot_ns = piece.boot_ns};
    raw.OnSegment(direction, segment);
    const DataEvent event{.id = 1,
                          .direction = direction,
                          .position = positions[static_cast<size_t>(piece.flow)],
                          .size = static_cast<uint32_t>(piece.bytes.size())};
    positions[static_cast<size_t>(piece.flow)] += piece.bytes.size();
    std::string copy = bytes;
    masker.Mask(event, raw.protocol(), raw.FlowOf(direction),
                {reinterpret_cast<std::byte*>(copy.data()), copy.size()});
    segment.bytes = base::AsBytes(std::string_view(copy));
    masked.OnSegment(direction, segment);
    played.masked_bytes += copy + "|";
  }
  raw.OnClose(1'000'000'000);
  masked.OnClose(1'000'000'000);
  raw_sink.lines.push_back("protocol " + std::to_string(static_cast<int>(raw.protocol())));
  masked_sink.lines.push_back("protocol " + std::to_string(static_cast<int>(masked.protocol())));
  played.raw = raw_sink.lines;
  played.masked = masked_sink.lines;
  return played;
}

struct Sample {
  std::string name;
  std::vector<Turn> turns;
  // None of these may be found in the masked bytes, however they are cut.
  std::vector<std::string> values;
  size_t min_records = 0;
  // Turns before this are needed whole for the protocol to be recognised.
  size_t first_cut_turn = 0;
};

// "GET k" as a client library sends it.
std::string Command(const std::vector<std::string>& words) {
  std::string text = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return text;
}

std::vector<Sample> Samples() {
  std::vector<Sample> samples = {
      {.name = "http",
       .turns = {{kRequest,
                  "POST /users/4711/cart?token=s3cr3t HTTP/1.1\r\nHost: shop\r\n"
                  "Authorization: Bearer s3cr3t\r\nX-Long: s3cr3t\r\n s3cr3t\r\n"
                  "Content-Length: 20\r\n\r\n{\"name\": \"s3cr3t\"}\r\n"},
                 {kResponse,
                  "HTTP/1.1 201 Created\r\nSet-Cookie: id=s3cr3t\r\nTransfer-Encoding: chunked\r\n"
                  "\r\n8;x=s3cr3t\r\ns3cr3t!!\r\n6\r\ns3cr3t\r\n0\r\nTrail: s3cr3t\r\n\r\n"},
                 {kRequest, "HEAD /a.jpg HTTP/1.1\r\n\r\n"},
                 {kResponse, "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"},
                 {kRequest, "DELETE /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"},
                 {kResponse,
                  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 x\r\n"
                  "Content-Length: 7\r\n\r\n"},
                 {kRequest, "GET /old HTTP/1.0\r\n\r\n"},
                 {kResponse, "HTTP/1.0 500 s3cr3t\r\n\r\nHTTP/1.1 200 s3cr3t\r\n\r\n"}},
       .values = {"s3cr3t", "4711"},
       .min_records = 6},
      {.name = "redis",
       .turns = {{kRequest, Command({"AUTH", "alice", "s3cr3t"})},
                 {kResponse, "-WRONGPASS invalid s3cr3t\r\n"},
                 {kRequest, Command({"SET", "s3cr3t", "*1\r\n$4\r\ns3cr3t"}) + "PING\r\n" +
                                Command({"config", "get", "s3cr3t"})},
                 {kResponse, "+OK\r\n+PONG\r\n*2\r\n$6\r\ns3cr3t\r\n$-1\r\n"},
                 {kRequest, Command({"nosuch", "s3cr3t"}) + Command({"INCR", "s3cr3t"})},
                 {kResponse, "-ERR unknown command 's3cr3t'\r\n:47110\r\n"},
                 {kRequest, Command({"CLIENT", "REPLY", "SKIP"}) + Command({"GET", "s3cr3t"})},
                 {kRequest, Command({"MULTI"}) + Command({"GET", "s3cr3t"}) + Command({"EXEC"})},
                 {kResponse, "+OK\r\n+QUEUED\r\n*2\r\n$6\r\ns3cr3t\r\n-OOM s3cr3t\r\n"},
                 {kRequest, Command({"SUBSCRIBE", "s3cr3t", "b"})},
                 {kResponse,
                  "*3\r\n$9\r\nsubscribe\r\n$6\r\ns3cr3t\r\n:1\r\n"
                  "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"
                  "*3\r\n$7\r\nmessage\r\n$1\r\nb\r\n$6\r\ns3cr3t\r\n"},
                 {kRequest, Command({"UNSUBSCRIBE"})},
                 {kResponse,
                  "*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:1\r\n"
                  "*3\r\n$11\r\nunsubscribe\r\n$6\r\ns3cr3t\r\n:0\r\n"}},
       .values = {"s3cr3t", "alice", "4711"},
       .min_records = 13},
      {.name = "dns",
       .turns = {{kRequest, dns::Framed(dns::Query(7, "shop.test", 1))},
                 {kResponse, dns::Framed(dns::AddressResponse(7, "shop.test", 1, "\1\2\3\4"s))}},
       .min_records = 2},
      {.name = "curl_nginx",
       .turns = ReadTurnsFile("agent/protocols/http1/testdata/curl_nginx.turns"),
       .values = {"curl/", "nginx/"},
       .min_records = 5},
  };
  for (const char* name : {"cli", "compressed", "denied", "deprecate_eof", "prepared", "progress",
                           "text", "tls", "toomany"}) {
    samples.push_back(
        {.name = name,
         .turns = mysql::ReadCapture(name),
         .values = {"mysql_native", "root", "pymysql", "hunter2", "2.50", "Duplicate entry",
                    "Access denied", "Rows matched", "copy to tmp"},
         .first_cut_turn = 1});
  }
  return samples;
}

std::vector<Piece> Whole(const Sample& sample) {
  std::vector<Piece> pieces;
  for (const Turn& turn : sample.turns) {
    pieces.push_back({.flow = turn.flow,
                      .bytes = turn.bytes,
                      .boot_ns = 1000 * static_cast<int64_t>(pieces.size() + 1)});
  }
  return pieces;
}

void CheckEqual(const Sample& sample, const std::vector<Piece>& pieces, const std::string& how) {
  const Played played = Play(pieces);
  ASSERT_EQ(played.masked, played.raw) << sample.name << " " << how << "\n" << played.masked_bytes;
  for (const std::string& value : sample.values) {
    ASSERT_EQ(played.masked_bytes.find(value), std::string::npos)
        << sample.name << " " << how << "\n"
        << played.masked_bytes;
  }
}

TEST(MaskPropertyTest, WholeTurns) {
  for (const Sample& sample : Samples()) {
    const std::vector<Piece> pieces = Whole(sample);
    CheckEqual(sample, pieces, "whole");
    EXPECT_GE(Play(pieces).raw.size(), sample.min_records) << sample.name;
  }
}

TEST(MaskPropertyTest, CutAtEveryByte) {
  for (const Sample& sample : Samples()) {
    const std::vector<Piece> whole = Whole(sample);
    for (size_t turn = 0; turn < whole.size(); ++turn) {
      for (size_t cut = 1; cut < whole[turn].bytes.size(); ++cut) {
        std::vector<Piece> pieces = whole;
        pieces[turn].bytes = whole[turn].bytes.substr(cut);
        Piece first = whole[turn];
        first.bytes.resize(cut);
        pieces.insert(pieces.begin() + static_cast<ptrdiff_t>(turn), first);
        CheckEqual(sample, pieces,
                   "turn " + std::to_string(turn) + " cut at " + std::to_string(cut));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(MaskPropertyTest, SingleBytes) {
  for (const Sample& sample : Samples()) {
    std::vector<Piece> pieces;
    for (const Piece& whole : Whole(sample)) {
      for (const char byte : whole.bytes) {
        pieces.push_back({.flow = whole.flow, .bytes = {byte}, .boot_ns = whole.boot_ns});
      }
    }
    CheckEqual(sample, pieces, "in single bytes");
  }
}

TEST(MaskPropertyTest, LostTurns) {
  for (const Sample& sample : Samples()) {
    const std::vector<Piece> whole = Whole(sample);
    for (size_t turn = 2; turn < whole.size(); ++turn) {
      std::vector<Piece> pieces = whole;
      pieces[turn].is_lost = true;
      for (const Piece& again : whole) {
        pieces.push_back(again);
        pieces.back().boot_ns += 1'000'000;
      }
      CheckEqual(sample, pieces, "turn " + std::to_string(turn) + " lost");
      if (HasFatalFailure()) return;
    }
  }
}

TEST(MaskPropertyTest, UncapturedEnds) {
  for (const Sample& sample : Samples()) {
    const std::vector<Piece> whole = Whole(sample);
    for (size_t turn = sample.first_cut_turn; turn < whole.size(); ++turn) {
      for (size_t unseen = 1; unseen <= whole[turn].bytes.size(); ++unseen) {
        std::vector<Piece> pieces = whole;
        pieces[turn].unseen = static_cast<uint32_t>(unseen);
        // And once more, so that the codec finds its place again.
        for (const Piece& again : whole) {
          pieces.push_back(again);
          pieces.back().boot_ns += 1'000'000;
        }
        CheckEqual(sample, pieces,
                   "turn " + std::to_string(turn) + " without " + std::to_string(unseen));
        if (HasFatalFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace kindling::agent
