#include "agent/protocols/dns/codec.h"

#include <algorithm>

#include "agent/protocols/dns/matcher.h"
#include "agent/protocols/dns/message.h"
#include "agent/protocols/stream_buffer.h"
#include "base/byte_reader.h"

namespace kindling::agent::dns {
namespace {

bool IsOf(Flow flow, const Message& message) {
  return message.is_response == (flow == Flow::kResponse);
}

// What datagrams and streams have in common.
class Codec : public ProtocolCodec {
 public:
  void OnTick(int64_t boot_ns, int64_t no_response_ns, RecordSink& sink) override {
    matcher_.OnTick(boot_ns, no_response_ns, sink);
  }
  void OnClose(int64_t boot_ns, RecordSink& sink) override { matcher_.OnClose(boot_ns, sink); }
  bool has_open_request() const override { return matcher_.has_open_request(); }

 protected:
  // Takes a message of this flow of which as much was parsed as was captured.
  void OnMessage(Flow flow, Parse parse, const Message& message, const Extent& extent,
                 RecordSink& sink) {
    if (parse == Parse::kMessage && flow == Flow::kRequest) {
      matcher_.OnQuery(message, extent, sink);
    } else if (parse == Parse::kMessage) {
      matcher_.OnResponse(message, extent, sink);
    } else {
      if (flow == Flow::kResponse) matcher_.OnResponsesLost(/*is_counted=*/false);
      sink.OnUnparsed(extent.bytes, flow == Flow::kRequest ? 1 : 0);
    }
  }

  Matcher matcher_;
};

class DatagramCodec : public Codec {
 public:
  void Feed(Flow flow, const Segment& segment, RecordSink& sink) override {
    const Extent extent{.start_ns = segment.boot_ns,
                        .end_ns = segment.boot_ns,
                        .bytes = segment.bytes.size() + segment.unseen_bytes,
                        .tid = segment.tid};
    Message message;
    const Parse parse = ParseMessage(segment.bytes, &message);
    // Only the capture cuts: a datagram that ends too early of its own is no message.
    const bool may_be_cut = segment.unseen_bytes > 0 && segment.bytes.size() >= kHeaderBytes;
    if (parse == Parse::kInvalid || (parse == Parse::kCut && !may_be_cut) || !IsOf(flow, message)) {
      sink.OnUnparsed(extent.bytes, 0);
      return;
    }
    OnMessage(flow, parse, message, extent, sink);
  }

  void OnGap(Flow flow, uint64_t /*lost_bytes*/, RecordSink& /*sink*/) override {
    if (flow == Flow::kResponse) matcher_.OnResponsesLost(/*is_counted=*/true);
  }
};

class StreamCodec : public Codec {
 public:
  void Feed(Flow flow, const Segment& segment, RecordSink& sink) override {
    StreamBuffer& buffer = buffers_[static_cast<size_t>(flow)];
    bool& lost = lost_[static_cast<size_t>(flow)];
    const size_t pending = buffer.size();
    buffer.Append(segment);
    if (lost && !buffer.empty()) lost = !FindMessage(flow, pending, buffer, sink);
    while (!lost && !buffer.skipping() && !buffer.empty()) {
      if (!TakeMessage(flow, segment, buffer, sink)) break;
    }
    const StreamBuffer::Ending ending = buffer.EndSegment();
    if (!ending.broken()) return;
    lost = true;
    if (ending.dropped_bytes > 0) sink.OnUnparsed(ending.dropped_bytes, 0);
    if (flow == Flow::kResponse) matcher_.OnResponsesLost(/*is_counted=*/false);
  }

  void OnGap(Flow flow, uint64_t lost_bytes, RecordSink& sink) override {
    uint64_t dropped_bytes = 0;
    if (buffers_[static_cast<size_t>(flow)].Lose(lost_bytes, &dropped_bytes)) return;
    lost_[static_cast<size_t>(flow)] = true;
    if (dropped_bytes > 0) sink.OnUnparsed(dropped_bytes, 0);
    if (flow == Flow::kResponse) matcher_.OnResponsesLost(/*is_counted=*/true);
  }

 private:
  static constexpr size_t kPrefixBytes = 2;
  static constexpr size_t kMaxStreamBytes = kPrefixBytes + 65535;

  // Bytes were lost or not understood: a message is believed to begin only where everything about
  // it is right, at the beginning of a segment or of what `pending` bytes before it left open.
  // False if there is none.
  static bool FindMessage(Flow flow, size_t pending, StreamBuffer& buffer, RecordSink& sink) {
    const Match wanted = flow == Flow::kRequest ? Match::kRequest : Match::kResponse;
    Match match = Detect(buffer.bytes(), model::Transport::kTcp);
    if (match != wanted && match != Match::kNeedMore && pending > 0) {
      sink.OnUnparsed(pending, 0);
      buffer.Consume(pending);
      match = Detect(buffer.bytes(), model::Transport::kTcp);
    }
    if (match == wanted) return true;
    if (match != Match::kNeedMore) {
      sink.OnUnparsed(buffer.size(), 0);
      buffer.Consume(buffer.size());
    }
    return false;
  }

  // False if more bytes are needed.
  bool TakeMessage(Flow flow, const Segment& segment, StreamBuffer& buffer, RecordSink& sink) {
    const std::span<const std::byte> bytes = buffer.bytes();
    if (bytes.size() < kPrefixBytes) return false;
    const size_t size = base::ByteReader(bytes).U16Be();
    std::span<const std::byte> body =
        bytes.subspan(kPrefixBytes, std::min(size, bytes.size() - kPrefixBytes));
    const bool is_whole = body.size() == size;
    const bool must_wait = !is_whole && !buffer.has_hole();
    if (must_wait) body = body.first(std::min(body.size(), kHeaderBytes));
    Message message;
    const Parse parse = ParseMessage(body, &message);
    if (size < kHeaderBytes || parse == Parse::kInvalid || (is_whole && parse == Parse::kCut) ||
        (body.size() >= 4 && !IsOf(flow, message))) {
      // Out of step. A message that begins a later segment is found again.
      sink.OnUnparsed(bytes.size(), 0);
      if (flow == Flow::kResponse) matcher_.OnResponsesLost(/*is_counted=*/false);
      buffer.Consume(bytes.size());
      lost_[static_cast<size_t>(flow)] = true;
      return false;
    }
    if (must_wait) return false;
    const ByteOrigin first = buffer.first();
    const Extent extent{.start_ns = first.boot_ns,
                        .end_ns = segment.boot_ns,
                        .bytes = kPrefixBytes + size,
                        .tcp_seq = first.tcp_seq,
                        .tid = first.tid};
    OnMessage(flow, parse, message, extent, sink);
    buffer.Skip(kPrefixBytes + size);
    return true;
  }

  StreamBuffer buffers_[2] = {StreamBuffer(kMaxStreamBytes), StreamBuffer(kMaxStreamBytes)};
  bool lost_[2] = {};  // by flow: where a message begins is not known
};

}  // namespace

std::unique_ptr<ProtocolCodec> MakeCodec(model::Transport transport) {
  if (transport == model::Transport::kUdp) return std::make_unique<DatagramCodec>();
  return std::make_unique<StreamCodec>();
}

}  // namespace kindling::agent::dns
