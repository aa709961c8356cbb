#include "agent/protocols/recognised/http2.h"

#include <algorithm>
#include <string_view>

#include "base/byte_reader.h"

namespace kindling::agent {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr size_t kFrameHeaderBytes = 9;
constexpr uint8_t kSettings = 4;
constexpr uint8_t kWindowUpdate = 8;
constexpr uint32_t kSettingBytes = 6;
constexpr uint32_t kMaxSettings = 32;

// One setting of RFC 9113, 8441 or 9218 with a value it may have.
bool IsSetting(uint16_t id, uint32_t value) {
  switch (id) {
    case 1:  // header table size
    case 3:  // concurrent streams
    case 6:  // header list size
      return true;
    case 2:  // push
    case 8:  // extended CONNECT
    case 9:  // no priorities
      return value <= 1;
    case 4:  // initial window
      return value <= 0x7fffffff;
    case 5:  // frame size
      return value >= 16384 && value <= 16777215;
    default:
      return false;
  }
}

Match DetectSettings(std::span<const std::byte> head) {
  // Length and type: a small multiple of a setting's size, SETTINGS, no flags, stream 0.
  constexpr uint8_t kUnused = 0;
  for (size_t i = 0; i < std::min(head.size(), kFrameHeaderBytes); ++i) {
    const auto value = static_cast<uint8_t>(head[i]);
    if (i == 2 ? value % kSettingBytes != 0 || value > kMaxSettings * kSettingBytes
               : value != (i == 3 ? kSettings : kUnused)) {
      return Match::kNo;
    }
  }
  if (head.size() < kFrameHeaderBytes) return Match::kNeedMore;
  const uint32_t settings = static_cast<uint32_t>(head[2]) / kSettingBytes;
  base::ByteReader in(head.subspan(kFrameHeaderBytes));
  for (uint32_t i = 0; i < settings; ++i) {
    const uint16_t id = in.U16Be();
    const uint32_t value = in.U32Be();
    if (!in.ok()) return Match::kNeedMore;
    if (!IsSetting(id, value)) return Match::kNo;
  }
  if (settings > 0) return Match::kResponse;
  // An empty frame is nearly all zeros: what follows has to be a frame too.
  if (in.remaining() < kFrameHeaderBytes) return Match::kNeedMore;
  const uint32_t length = in.U16Be() << 8 | in.U8();
  const uint8_t type = in.U8();
  const uint8_t flags = in.U8();
  const uint32_t stream = in.U32Be();
  const bool is_acknowledgement = type == kSettings && length == 0 && flags == 1 && stream == 0;
  const bool is_window_update = type == kWindowUpdate && length == 4 && flags == 0;
  return is_acknowledgement || is_window_update ? Match::kResponse : Match::kNo;
}

}  // namespace

Match DetectHttp2(std::span<const std::byte> head, model::Transport transport) {
  if (transport == model::Transport::kUdp) return Match::kNo;
  const std::string_view text = base::AsText(head.first(std::min(head.size(), kPreface.size())));
  if (text == kPreface.substr(0, text.size())) {
    return text.size() == kPreface.size() ? Match::kRequest : Match::kNeedMore;
  }
  return DetectSettings(head);
}

}  // namespace kindling::agent
