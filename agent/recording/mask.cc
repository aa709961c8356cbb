#include "agent/recording/mask.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/protocols/http1/codec.h"
#include "agent/protocols/mysql/codec.h"
#include "agent/protocols/redis/codec.h"
#include "agent/recording/mask_http.h"
#include "agent/recording/mask_mysql.h"
#include "agent/recording/mask_redis.h"
#include "base/byte_reader.h"

namespace kindling::agent {
namespace {

using model::Protocol;

constexpr std::byte kFill{'?'};
// Of a flow whose protocol is not known yet but may be one of those with binary headers.
constexpr size_t kHeaderBytes = 14;
// By so many bytes every protocol that is not parsed is recognised.
constexpr size_t kMaxRecognisedBytes = 64;
// As a Conversation.
constexpr size_t kMaxUndecidedBytes = 8192;
constexpr size_t kMaxUndecidedPieces = 8;

size_t Index(Direction direction) { return direction == Direction::kSent ? 0 : 1; }

Flow Opposite(Flow flow) { return flow == Flow::kRequest ? Flow::kResponse : Flow::kRequest; }

bool IsFollowed(Protocol protocol) {
  return protocol == Protocol::kHttp || protocol == Protocol::kRedis ||
         protocol == Protocol::kMysql;
}

std::unique_ptr<ProtocolCodec> MakeCodec(Protocol protocol, PartObserver& observer) {
  switch (protocol) {
    case Protocol::kHttp:
      return http1::MakeObservedCodec(observer);
    case Protocol::kRedis:
      return redis::MakeObservedCodec(observer);
    case Protocol::kMysql:
      return mysql::MakeObservedCodec(observer);
    default:
      return nullptr;
  }
}

// Which way bytes go that may begin a conversation of `protocol`.
Flow GuessFlow(Protocol protocol, std::string_view text, Flow otherwise) {
  constexpr size_t kMysqlHeaderBytes = 4;
  if (protocol == Protocol::kHttp) {
    return text.starts_with("HT") ? Flow::kResponse : Flow::kRequest;
  }
  if (protocol == Protocol::kMysql && text.size() > kMysqlHeaderBytes) {
    const char first = text[kMysqlHeaderBytes];
    return first == '\x0a' || first == '\xff' ? Flow::kResponse : Flow::kRequest;
  }
  return otherwise;
}

// Of bytes that may be the beginning of a protocol that is not followed, how many stay.
size_t KeptHeaderBytes(Protocol protocol, std::string_view text) {
  if (protocol != Protocol::kDns) return std::min(text.size(), kHeaderBytes);
  // Length, id, flags of a query or its response, one question: any two bytes begin so.
  const auto at = [text](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  const bool is_plausible =
      (at(4) & 0x78) == 0 && (at(5) & 0x40) == 0 && at(6) == 0 && (text.size() < 8 || at(7) == 1);
  return is_plausible ? text.size() : 0;
}

template <typename Pieces>
std::string Joined(const Pieces& pieces, Direction direction) {
  std::string joined;
  for (const auto& piece : pieces) {
    if (piece.direction == direction) joined += piece.bytes;
  }
  return joined;
}

void MaskPart(Flow flow, Part part, std::string& text) {
  switch (part) {
    case Part::kStructure:
      return;
    case Part::kHttpHead:
      return MaskHttpHead(flow, text);
    case Part::kHttpChunkLine:
      return MaskHttpChunkLine(text);
    case Part::kHttpTrailer:
      return MaskHttpTrailer(text);
    case Part::kRedisName:
      return MaskRedisName(text);
    case Part::kRedisSimple:
      return MaskRedisSimple(text);
    case Part::kRedisError:
      return MaskRedisError(text);
    case Part::kRedisNumber:
      return MaskRedisNumber(text);
    case Part::kRedisPush:
      return MaskRedisPush(text);
    case Part::kMysqlGreeting:
      return MaskMysqlGreeting(text);
    case Part::kMysqlLogin:
      return MaskMysqlLogin(text);
    case Part::kMysqlCommand:
      return MaskMysqlCommand(text);
    case Part::kMysqlOk:
      return MaskMysqlOk(text);
    case Part::kMysqlError:
      return MaskMysqlError(text);
    case Part::kMysqlDefinition:
      return MaskMysqlDefinition(text);
    case Part::kMysqlRow:
      return MaskMysqlRow(text);
  }
}

}  // namespace

void PayloadMasker::OnPart(Flow flow, Part part, std::string_view text, size_t after) {
  if (text.empty() || after >= masked_.size()) return;
  std::string masked(text);
  MaskPart(flow, part, masked);
  const size_t end = masked_.size() - after;
  const size_t size = std::min(masked.size(), end);
  const std::span<const std::byte> tail =
      base::AsBytes(std::string_view(masked).substr(masked.size() - size));
  std::copy(tail.begin(), tail.end(), masked_.begin() + static_cast<ptrdiff_t>(end - size));
}

PayloadMasker::Conn& PayloadMasker::Enter(ConnId id) {
  if (conns_.size() >= kMaxConns && !conns_.contains(id)) {
    std::vector<uint64_t> ages;
    ages.reserve(conns_.size());
    for (const auto& [known, conn] : conns_) ages.push_back(conn.last_used);
    const auto middle = ages.begin() + static_cast<ptrdiff_t>(ages.size() / 2);
    std::nth_element(ages.begin(), middle, ages.end());
    absl::erase_if(conns_,
                   [age = *middle](const auto& each) { return each.second.last_used < age; });
  }
  Conn& conn = conns_[id];
  conn.last_used = ++events_;
  return conn;
}

void PayloadMasker::Begin(Conn& conn, Protocol protocol, Flow sent_flow) {
  conn.protocol = protocol;
  conn.sent_flow = sent_flow;
  conn.codec = MakeCodec(protocol, *this);
}

void PayloadMasker::Read(Conn& conn, Flow flow, std::string_view bytes, uint32_t unseen_bytes) {
  conn.codec->Feed(flow, {.bytes = base::AsBytes(bytes), .unseen_bytes = unseen_bytes}, *this);
}

void PayloadMasker::ReadAgain(Conn& conn, std::span<const Piece> pieces) {
  const std::span<std::byte> masked = std::exchange(masked_, {});
  for (const Piece& piece : pieces) {
    const bool is_sent = piece.direction == Direction::kSent;
    Read(conn, is_sent ? conn.sent_flow : Opposite(conn.sent_flow), piece.bytes,
         piece.unseen_bytes);
  }
  masked_ = masked;
}

void PayloadMasker::Follow(Conn& conn, const DataEvent& event, Protocol protocol, Flow flow,
                           const LossAccount::Gap& gap) {
  const Flow sent_flow = event.direction == Direction::kSent ? flow : Opposite(flow);
  const std::vector<Piece> undecided = std::exchange(conn.undecided, {});
  if (conn.codec == nullptr || conn.protocol != protocol || conn.sent_flow != sent_flow) {
    Begin(conn, protocol, sent_flow);
    ReadAgain(conn, undecided);
  }
  if (gap.other_turn) conn.codec->OnGap(Opposite(flow), 0, *this);
  if (gap.bytes > 0) conn.codec->OnGap(flow, gap.bytes, *this);
  if (gap.already_seen >= event.size) return;
  const std::string_view fresh =
      std::string_view(raw_).substr(std::min<size_t>(gap.already_seen, raw_.size()));
  Read(conn, flow, fresh, static_cast<uint32_t>(event.size - gap.already_seen - fresh.size()));
}

void PayloadMasker::Guess(Conn& conn, const DataEvent& event, Flow flow) {
  if (raw_.empty()) return;
  const std::string before = Joined(conn.undecided, event.direction);
  const std::string joined = before + raw_;
  const auto unseen_bytes = static_cast<uint32_t>(event.size - raw_.size());
  const auto entries = ProtocolRegistry();
  const auto entry = std::find_if(entries.begin(), entries.end(), [&](const ProtocolEntry& each) {
    return each.detect(base::AsBytes(std::string_view(joined)), model::Transport::kTcp) !=
           Match::kNo;
  });
  const bool is_beginning = entry != entries.end();
  if ((!is_beginning && conn.codec == nullptr) || joined.size() > kMaxUndecidedBytes ||
      conn.undecided.size() >= kMaxUndecidedPieces) {
    conn.codec.reset();
    conn.undecided = {};
    return;
  }
  if (!is_beginning) {  // the other side has begun
    Read(conn, event.direction == Direction::kSent ? conn.sent_flow : Opposite(conn.sent_flow),
         raw_, unseen_bytes);
  } else if (IsFollowed(entry->protocol)) {
    const Flow guess = GuessFlow(entry->protocol, joined, flow);
    const Flow sent_flow = event.direction == Direction::kSent ? guess : Opposite(guess);
    if (conn.codec == nullptr || conn.protocol != entry->protocol || conn.sent_flow != sent_flow) {
      Begin(conn, entry->protocol, sent_flow);
      ReadAgain(conn, conn.undecided);
    }
    Read(conn, guess, raw_, unseen_bytes);
  } else {
    conn.codec.reset();
    const size_t kept = KeptHeaderBytes(entry->protocol, joined);
    for (size_t i = before.size(); i < kept; ++i) {
      masked_[i - before.size()] = static_cast<std::byte>(joined[i]);
    }
  }
  conn.undecided.push_back({event.direction, raw_, unseen_bytes});
}

void PayloadMasker::KeepRecognised(Conn& conn, const DataEvent& event, Protocol protocol) {
  if (conn.is_recognised) return;
  const std::string undecided = Joined(conn.undecided, event.direction);
  std::string text = undecided.substr(0, kHeaderBytes);
  text.resize(undecided.size(), static_cast<char>(kFill));
  const size_t begin = text.size();
  text.resize(begin + raw_.size(), 'x');
  for (size_t kept = 0; kept <= std::min(kMaxRecognisedBytes, raw_.size()); ++kept) {
    if (kept > 0) text[begin + kept - 1] = raw_[kept - 1];
    const Detection detection =
        DetectProtocol(base::AsBytes(std::string_view(text)), model::Transport::kTcp);
    if (detection.entry == nullptr || detection.entry->protocol != protocol) continue;
    const std::span<const std::byte> shown = base::AsBytes(std::string_view(text).substr(begin));
    std::copy(shown.begin(), shown.end(), masked_.begin());
    conn.is_recognised = true;
    conn.undecided = {};
    return;
  }
}

void PayloadMasker::Mask(const DataEvent& event, Protocol protocol, Flow flow,
                         std::span<std::byte> bytes) {
  if (protocol == Protocol::kDns) return;
  raw_.assign(base::AsText(bytes));
  std::fill(bytes.begin(), bytes.end(), kFill);
  if (event.remote.size != 0) return;  // datagrams: each stands for itself
  Conn& conn = Enter(event.id);
  if (!std::exchange(conn.is_seen[Index(event.direction)], true)) {
    const bool is_sent = event.direction == Direction::kSent;
    conn.account.AdvanceTo({.sent_bytes = is_sent ? event.position : 0,
                            .received_bytes = is_sent ? 0 : event.position});
  }
  const LossAccount::Gap gap = conn.account.OnEvent(event);
  masked_ = bytes;
  // A conversation that turns to TLS or compression gets another name with the event that says so.
  const bool is_followed = conn.codec != nullptr && conn.undecided.empty();
  if (is_followed && protocol != Protocol::kUnknown && !IsFollowed(protocol)) {
    protocol = conn.protocol;
  }
  if (IsFollowed(protocol)) {
    Follow(conn, event, protocol, flow, gap);
  } else if (protocol == Protocol::kUnknown) {
    Guess(conn, event, flow);
  } else {
    KeepRecognised(conn, event, protocol);
  }
  masked_ = {};
}

}  // namespace kindling::agent
