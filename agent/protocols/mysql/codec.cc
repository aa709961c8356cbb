#include "agent/protocols/mysql/codec.h"

#include <algorithm>
#include <optional>

#include "agent/protocols/codec_limits.h"
#include "agent/protocols/mysql/matcher.h"
#include "agent/protocols/mysql/packet.h"
#include "agent/protocols/stream_buffer.h"
#include "base/byte_reader.h"

namespace kindling::agent::mysql {
namespace {

// Threads: the capture thread only.
class Codec : public ProtocolCodec {
 public:
  // `observer` may be null.
  explicit Codec(PartObserver* observer) : observer_(observer) {}

  void Feed(Flow flow, const Segment& segment, RecordSink& sink) override {
    if (is_opaque()) return;
    FlowState& state = flows_[static_cast<size_t>(flow)];
    const uint64_t bytes = segment.bytes.size() + segment.unseen_bytes;
    const bool is_useful =
        flow == Flow::kRequest
            ? matcher_.OnRequestSegment(segment.boot_ns, bytes, state.buffer.skipping(), sink)
            : matcher_.OnResponseSegment(segment.boot_ns, bytes, sink);
    if (!is_useful) {
      state.Reset();
      return;
    }
    StreamBuffer& buffer = state.buffer;
    buffer.Append(segment);
    bool is_understood = true;
    while (is_understood && !buffer.skipping() && !buffer.empty()) {
      Packet packet;
      if (!PeekPacket(buffer, flow == Flow::kRequest ? kRequestHeadBytes : Response::kHeadBytes,
                      &packet)) {
        // A number that cannot come now is garbage, whatever its length says.
        if (packet.bytes() == kHeaderBytes || Accepts(flow, state, packet)) {
          Tell(flow, state, packet);
          break;
        }
      }
      if (packet.length > 0 && packet.head.empty() && buffer.has_hole()) break;
      is_understood = Accepts(flow, state, packet);
      if (!is_understood) break;
      Tell(flow, state, packet);
      const ByteOrigin first = buffer.first();
      const bool is_continued = state.continues;
      state.continues = packet.length == kMaxPayloadBytes;
      if (is_continued) {
        state.last_sequence = packet.sequence;
      } else {
        state.last_sequence = packet.sequence;
        TakePacket(flow, packet, first, segment.boot_ns, sink);
        is_understood = flow == Flow::kRequest ? matcher_.understands_commands()
                                               : matcher_.understands_responses();
      }
      buffer.Skip(packet.bytes());
      if (is_opaque()) return;
    }
    if (!is_understood) {
      sink.OnUnparsed(buffer.size(), 0);
      state.Reset();
      OnLost(flow, Matcher::Loss::kUnseen, /*keeps_front=*/false, sink);
      return;
    }
    const StreamBuffer::Ending ending = buffer.EndSegment();
    if (!ending.broken()) return;
    state.Reset();
    OnLost(flow, Matcher::Loss::kUnseen, /*keeps_front=*/true, sink);
  }

  void OnGap(Flow flow, uint64_t lost_bytes, RecordSink& sink) override {
    FlowState& state = flows_[static_cast<size_t>(flow)];
    if (is_opaque() || state.buffer.Lose(lost_bytes)) return;
    state.Reset();
    OnLost(flow, Matcher::Loss::kGap, /*keeps_front=*/false, sink);
  }

  void OnTick(int64_t boot_ns, int64_t no_response_ns, RecordSink& sink) override {
    matcher_.OnTick(boot_ns, no_response_ns, sink);
  }
  void OnClose(int64_t /*boot_ns*/, RecordSink& sink) override { matcher_.OnClose(sink); }

  Appetite appetite() const override { return is_opaque() ? Appetite::kNothing : Appetite::kFull; }
  std::string_view opaque_reason() const override { return matcher_.opaque_reason(); }
  bool has_open_request() const override { return matcher_.has_open_request(); }

 private:
  // Of a command: its code and as much text as goes into a record.
  static constexpr size_t kRequestHeadBytes = 1 + kMaxStatementBytes;

  struct FlowState {
    StreamBuffer buffer;
    bool continues = false;  // the next packet goes on with the payload of the last
    uint8_t last_sequence = 0;

    void Reset() {
      buffer.Clear();
      buffer.EndSegment();
      continues = false;
    }
  };

  // Tells the observer of the packet at the front, as far as it came.
  void Tell(Flow flow, const FlowState& state, const Packet& packet) const {
    if (observer_ == nullptr) return;
    const StreamBuffer& buffer = state.buffer;
    const size_t header = std::min(buffer.size(), kHeaderBytes);
    observer_->OnPart(flow, Part::kStructure, buffer.text().substr(0, header),
                      buffer.size() - header);
    if (packet.head.empty() || state.continues) return;
    const std::optional<Part> part = matcher_.PartOf(flow, packet);
    if (!part.has_value()) return;
    observer_->OnPart(flow, *part, base::AsText(packet.head),
                      buffer.size() - header - packet.head.size());
  }

  bool is_opaque() const { return !matcher_.opaque_reason().empty(); }

  bool Accepts(Flow flow, const FlowState& state, const Packet& packet) const {
    if (state.continues) {
      return packet.sequence == static_cast<uint8_t>(state.last_sequence + 1);
    }
    return flow == Flow::kRequest ? matcher_.AcceptsClientPacket(packet)
                                  : matcher_.AcceptsServerPacket(packet);
  }

  void TakePacket(Flow flow, const Packet& packet, const ByteOrigin& first, int64_t end_ns,
                  RecordSink& sink) {
    if (flow == Flow::kRequest) {
      matcher_.OnClientPacket(packet, first, end_ns, sink);
    } else {
      matcher_.OnServerPacket(packet, first, end_ns, sink);
    }
  }

  void OnLost(Flow flow, Matcher::Loss loss, bool keeps_front, RecordSink& sink) {
    if (flow == Flow::kRequest) {
      matcher_.OnCommandsLost(loss, sink);
    } else {
      matcher_.OnResponsesLost(loss, keeps_front);
    }
  }

  PartObserver* const observer_;
  FlowState flows_[2];
  Matcher matcher_;
};

}  // namespace

std::unique_ptr<ProtocolCodec> MakeCodec(model::Transport /*transport*/) {
  return std::make_unique<Codec>(nullptr);
}

std::unique_ptr<ProtocolCodec> MakeObservedCodec(PartObserver& observer) {
  return std::make_unique<Codec>(&observer);
}

}  // namespace kindling::agent::mysql
