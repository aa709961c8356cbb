#include "agent/protocols/recognised/tls.h"

#include "base/byte_reader.h"

namespace kindling::agent {
namespace {

constexpr uint8_t kHandshakeRecord = 22;
constexpr uint8_t kClientHello = 1;
constexpr uint8_t kServerHello = 2;
constexpr uint32_t kMaxRecordBytes = 16384 + 2048;
// Version, random and session id length.
constexpr uint32_t kMinHelloBytes = 2 + 32 + 1;
constexpr uint32_t kMaxHelloBytes = 65536;
constexpr size_t kMaxSessionIdBytes = 32;

bool IsVersion(uint16_t version) { return version >= 0x0300 && version <= 0x0304; }

}  // namespace

Match DetectTls(std::span<const std::byte> head, model::Transport transport) {
  if (transport == model::Transport::kUdp || head.empty()) {
    return head.empty() ? Match::kNeedMore : Match::kNo;
  }
  base::ByteReader in(head);
  // Each field is checked as soon as it is there.
  if (in.U8() != kHandshakeRecord) return Match::kNo;
  if (in.remaining() >= 1 && static_cast<uint8_t>(head[1]) != 3) return Match::kNo;
  const uint16_t record_version = in.U16Be();
  if (!in.ok()) return Match::kNeedMore;
  if (!IsVersion(record_version)) return Match::kNo;
  const uint16_t record_bytes = in.U16Be();
  if (!in.ok()) return Match::kNeedMore;
  if (record_bytes < 4 || record_bytes > kMaxRecordBytes) return Match::kNo;
  const uint8_t type = in.U8();
  if (!in.ok()) return Match::kNeedMore;
  if (type != kClientHello && type != kServerHello) return Match::kNo;
  const std::span<const std::byte> length = in.Bytes(3);
  if (!in.ok()) return Match::kNeedMore;
  const uint32_t hello_bytes = static_cast<uint32_t>(length[0]) << 16 |
                               static_cast<uint32_t>(length[1]) << 8 |
                               static_cast<uint32_t>(length[2]);
  if (hello_bytes < kMinHelloBytes || hello_bytes > kMaxHelloBytes) return Match::kNo;
  const uint16_t version = in.U16Be();
  if (!in.ok()) return Match::kNeedMore;
  if (!IsVersion(version)) return Match::kNo;
  in.Skip(32);
  const uint8_t session_id_bytes = in.U8();
  if (!in.ok()) return Match::kNeedMore;
  if (session_id_bytes > kMaxSessionIdBytes) return Match::kNo;
  return type == kClientHello ? Match::kRequest : Match::kResponse;
}

}  // namespace kindling::agent
