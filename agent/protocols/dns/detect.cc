#include <algorithm>
#include <string>

#include "agent/protocols/dns/codec.h"
#include "agent/protocols/dns/message.h"
#include "base/byte_reader.h"

namespace kindling::agent::dns {
namespace {

constexpr uint16_t kMaxStreamMessageBytes = 4096;  // a query; larger ones are let go

bool IsUsualName(const Message& message) { return message.name.find('?') == std::string::npos; }

bool IsUsualType(const Message& message) {
  return message.type != 0 && (message.type <= 260 || message.type >= 32768);
}

// `may_be_cut`: the message may be longer than `bytes`.
Match DetectMessage(std::span<const std::byte> bytes, bool may_be_cut) {
  if (bytes.size() < kHeaderBytes) return Match::kNeedMore;
  base::ByteReader header(bytes);
  header.Skip(2);
  const uint16_t flags = header.U16Be();
  const uint16_t questions = header.U16Be();
  const uint16_t answers = header.U16Be();
  const uint16_t authorities = header.U16Be();
  const uint16_t additionals = header.U16Be();
  if (questions != 1 || answers > 512 || authorities > 128 || additionals > 256) return Match::kNo;
  Message message;
  switch (ParseMessage(bytes, &message)) {
    case Parse::kInvalid:
      return Match::kNo;
    case Parse::kCut:
      return may_be_cut ? Match::kNeedMore : Match::kNo;
    case Parse::kMessage:
      break;
  }
  if (message.opcode != kQuery || !IsUsualName(message) || !IsUsualType(message)) {
    return Match::kNo;
  }
  // Where the question ends; it is not compressed: nothing comes before it.
  const size_t name_bytes = message.name == "." ? 1 : message.name.size() + 2;
  const size_t question_end = kHeaderBytes + name_bytes + 4;
  if (question_end > bytes.size()) return Match::kNo;
  base::ByteReader tail(bytes.subspan(question_end - 2));
  const uint16_t klass = tail.U16Be() & 0x7fff;
  if (klass != 1 && klass != 3 && klass != 255) return Match::kNo;
  const size_t records = answers + authorities + additionals;
  // A record takes 11 bytes at least.
  if (tail.remaining() < records * 11 && !may_be_cut) return Match::kNo;
  if (tail.remaining() != 0 && records == 0) return Match::kNo;
  if (message.is_response) return Match::kResponse;
  // Of a query only the RD, AD and CD bits may be set, and the rest is EDNS or a signature.
  if ((flags & ~0x0130) != 0 || answers != 0 || authorities != 0 || additionals > 2) {
    return Match::kNo;
  }
  if (additionals > 0 && tail.remaining() > 0 && tail.U8() != 0) return Match::kNo;
  return Match::kRequest;
}

}  // namespace

Match Detect(std::span<const std::byte> head, model::Transport transport) {
  if (transport == model::Transport::kUdp) {
    return DetectMessage(head, /*may_be_cut=*/true);
  }
  if (head.size() < 2) return Match::kNeedMore;
  const uint16_t size = base::ByteReader(head).U16Be();
  if (size < kHeaderBytes + 5 || size > kMaxStreamMessageBytes) return Match::kNo;
  const std::span<const std::byte> body = head.subspan(2);
  return DetectMessage(body.first(std::min<size_t>(size, body.size())), body.size() < size);
}

}  // namespace kindling::agent::dns
