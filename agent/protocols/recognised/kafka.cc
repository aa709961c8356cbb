#include "agent/protocols/recognised/kafka.h"

#include <string_view>

#include "base/byte_reader.h"

namespace kindling::agent {
namespace {

constexpr uint16_t kMaxApiKey = 80;
constexpr uint16_t kMaxVersion = 20;  // of any API
constexpr uint16_t kProduce = 0;
constexpr uint32_t kMaxRequestBytes = 1 << 20;
constexpr uint32_t kMaxProduceBytes = 16 << 20;
constexpr uint32_t kHeaderBytes = 10;  // key, version, correlation id, length of the client id
constexpr uint16_t kMaxClientIdBytes = 128;

bool IsClientIdChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-' || c == '/' || c == ':' || c == '#' || c == ' ';
}

}  // namespace

Match DetectKafka(std::span<const std::byte> head, model::Transport transport) {
  if (transport == model::Transport::kUdp) return Match::kNo;
  if (head.empty()) return Match::kNeedMore;
  if (head[0] != std::byte{0}) return Match::kNo;
  base::ByteReader in(head);
  const uint32_t size = in.U32Be();
  if (!in.ok()) return Match::kNeedMore;
  if (size <= kHeaderBytes || size > kMaxProduceBytes) return Match::kNo;
  const uint16_t key = in.U16Be();
  if (!in.ok()) return Match::kNeedMore;
  if (key > kMaxApiKey || (key != kProduce && size > kMaxRequestBytes)) return Match::kNo;
  const uint16_t version = in.U16Be();
  if (!in.ok()) return Match::kNeedMore;
  if (version > kMaxVersion) return Match::kNo;
  const uint32_t correlation = in.U32Be();
  if (!in.ok()) return Match::kNeedMore;
  if (correlation > 0x7fffffff) return Match::kNo;
  const uint16_t client_id_bytes = in.U16Be();
  if (!in.ok()) return Match::kNeedMore;
  if (client_id_bytes == 0 || client_id_bytes > kMaxClientIdBytes ||
      client_id_bytes > size - kHeaderBytes) {
    return Match::kNo;
  }
  const size_t seen = in.remaining() < client_id_bytes ? in.remaining() : client_id_bytes;
  for (const char c : in.Text(seen)) {
    if (!IsClientIdChar(c)) return Match::kNo;
  }
  return seen == client_id_bytes ? Match::kRequest : Match::kNeedMore;
}

}  // namespace kindling::agent
