#include "agent/protocols/dns/message.h"

#include <arpa/inet.h>

#include <array>

#include "base/byte_reader.h"

namespace kindling::agent::dns {
namespace {

constexpr size_t kMaxNameBytes = 255;  // on the wire
constexpr size_t kQuestionTailBytes = 4;

char NameByte(std::byte byte) {
  const char c = static_cast<char>(byte);
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) return c;
  return std::string_view("-_*+@/:=~").find(c) != std::string_view::npos ? c : '?';
}

// Cursor over a whole message: compression pointers lead back into it.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  enum class Result : uint8_t { kOk, kCut, kInvalid };

  size_t remaining() const { return bytes_.size() - position_; }
  size_t position() const { return position_; }
  void MoveTo(size_t position) { position_ = position; }

  uint16_t U16() {
    base::ByteReader reader(bytes_.subspan(position_));
    const uint16_t value = reader.U16Be();
    position_ += reader.position();
    return value;
  }
  std::span<const std::byte> Take(size_t size) {
    const auto view = bytes_.subspan(position_, size);
    position_ += size;
    return view;
  }

  // Appends the name here to `name`, and moves past it.
  Result Name(std::string* name) {
    size_t at = position_;
    size_t end = 0;         // of the name where it stands; 0 until the first pointer
    size_t lowest = at;     // a pointer must lead to before this
    size_t wire_bytes = 0;  // of the name without compression
    bool first = true;
    for (;;) {
      if (at >= bytes_.size()) return Result::kCut;
      const auto length = static_cast<uint8_t>(bytes_[at]);
      if ((length & 0xc0) == 0xc0) {
        if (at + 1 >= bytes_.size()) return Result::kCut;
        const size_t target =
            static_cast<size_t>(length & 0x3f) << 8 | static_cast<uint8_t>(bytes_[at + 1]);
        if (end == 0) end = at + 2;
        if (target >= lowest || target < kHeaderBytes) return Result::kInvalid;
        at = lowest = target;
        continue;
      }
      if ((length & 0xc0) != 0) return Result::kInvalid;
      wire_bytes += length + size_t{1};
      if (wire_bytes > kMaxNameBytes) return Result::kInvalid;
      if (length == 0) {
        if (first) name->push_back('.');
        position_ = end == 0 ? at + 1 : end;
        return Result::kOk;
      }
      if (at + 1 + length > bytes_.size()) return Result::kCut;
      if (!first) name->push_back('.');
      for (size_t i = 0; i < length; ++i) name->push_back(NameByte(bytes_[at + 1 + i]));
      first = false;
      at += length + size_t{1};
    }
  }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

uint64_t HashQuestion(uint64_t seed, std::string_view name, uint16_t type, uint16_t klass) {
  uint64_t hash = seed ^ 0xcbf29ce484222325;  // FNV-1a
  const auto mix = [&hash](uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3; };
  for (const char c : name) mix(static_cast<uint8_t>(c));
  mix(static_cast<uint8_t>(type >> 8));
  mix(static_cast<uint8_t>(type));
  mix(static_cast<uint8_t>(klass >> 8));
  mix(static_cast<uint8_t>(klass));
  return hash;
}

// The answer's text; empty if it has none or is damaged.
std::string AnswerText(uint16_t type, std::span<const std::byte> message, size_t at, size_t size) {
  std::array<char, INET6_ADDRSTRLEN> address{};
  const std::byte* data = message.data() + at;
  Cursor cursor(message);
  cursor.MoveTo(at);
  std::string text;
  switch (type) {
    case kA:
      if (size != 4) return "";
      return inet_ntop(AF_INET, data, address.data(), address.size());
    case kAaaa:
      if (size != 16) return "";
      return inet_ntop(AF_INET6, data, address.data(), address.size());
    case kMx:
      if (size < 3) return "";
      text = std::to_string(cursor.U16()) + " ";
      break;
    case kSrv:
      if (size < 7) return "";
      text = std::to_string(cursor.U16()) + " ";
      text += std::to_string(cursor.U16()) + " ";
      text += std::to_string(cursor.U16()) + " ";
      break;
    case kTxt:
      return std::to_string(size) + " bytes";
    case kNs:
    case kCname:
    case kPtr:
    case kDname:
      break;
    default:
      return "";
  }
  return cursor.Name(&text) == Cursor::Result::kOk ? text : "";
}

void ReadAnswers(int count, std::span<const std::byte> bytes, Cursor& cursor, Message* message) {
  std::string owner;
  for (int i = 0; i < count && i < kMaxAnswers; ++i) {
    owner.clear();
    if (cursor.Name(&owner) != Cursor::Result::kOk || cursor.remaining() < 10) return;
    const uint16_t type = cursor.U16();
    cursor.Take(6);  // class, time to live
    const size_t size = cursor.U16();
    if (cursor.remaining() < size) return;
    std::string text = AnswerText(type, bytes, cursor.position(), size);
    cursor.Take(size);
    if (!text.empty()) message->answers.push_back({.type = type, .text = std::move(text)});
  }
}

}  // namespace

Parse ParseMessage(std::span<const std::byte> bytes, Message* message) {
  if (bytes.size() < 4) return Parse::kCut;
  Cursor cursor(bytes);
  message->id = cursor.U16();
  const uint16_t flags = cursor.U16();
  message->is_response = (flags & 0x8000) != 0;
  message->opcode = static_cast<uint8_t>(flags >> 11 & 0xf);
  message->is_cut_by_server = (flags & 0x0200) != 0;
  message->rcode = static_cast<uint8_t>(flags & 0xf);
  if ((flags & 0x0040) != 0) return Parse::kInvalid;  // reserved, must be zero
  if (message->opcode != kQuery && message->opcode != kNotify && message->opcode != kUpdate) {
    return Parse::kInvalid;
  }
  if (bytes.size() < kHeaderBytes) return Parse::kCut;
  const int questions = cursor.U16();
  const int answers = cursor.U16();
  cursor.Take(4);  // authority and additional records are not read
  if (questions > kMaxQuestions || (questions == 0 && !message->is_response)) {
    return Parse::kInvalid;
  }
  std::string name;
  for (int i = 0; i < questions; ++i) {
    name.clear();
    switch (cursor.Name(&name)) {
      case Cursor::Result::kOk:
        break;
      case Cursor::Result::kCut:
        return Parse::kCut;
      case Cursor::Result::kInvalid:
        return Parse::kInvalid;
    }
    if (cursor.remaining() < kQuestionTailBytes) return Parse::kCut;
    const uint16_t type = cursor.U16();
    const uint16_t klass = cursor.U16();
    message->question_hash = HashQuestion(message->question_hash, name, type, klass);
    if (i == 0) {
      message->has_question = true;
      message->name = name;
      message->type = type;
    }
  }
  if (message->is_response && message->opcode == kQuery) {
    ReadAnswers(answers, bytes, cursor, message);
  }
  return Parse::kMessage;
}

std::string_view TypeName(uint16_t type) {
  struct Named {
    uint16_t type;
    std::string_view name;
  };
  static constexpr Named kNames[] = {
      {1, "A"},     {2, "NS"},     {5, "CNAME"},  {6, "SOA"},    {12, "PTR"},    {13, "HINFO"},
      {15, "MX"},   {16, "TXT"},   {28, "AAAA"},  {33, "SRV"},   {35, "NAPTR"},  {39, "DNAME"},
      {43, "DS"},   {44, "SSHFP"}, {46, "RRSIG"}, {47, "NSEC"},  {48, "DNSKEY"}, {52, "TLSA"},
      {64, "SVCB"}, {65, "HTTPS"}, {99, "SPF"},   {251, "IXFR"}, {252, "AXFR"},  {255, "ANY"},
      {256, "URI"}, {257, "CAA"}};
  for (const Named& named : kNames) {
    if (named.type == type) return named.name;
  }
  return "OTHER";
}

std::string RcodeName(uint8_t rcode) {
  static constexpr std::string_view kNames[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
                                                "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
                                                "NXRRSET", "NOTAUTH", "NOTZONE"};
  if (rcode < std::size(kNames)) return std::string(kNames[rcode]);
  return "RCODE" + std::to_string(rcode);
}

}  // namespace kindling::agent::dns
