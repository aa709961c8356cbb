#include "agent/protocols/http1/codec.h"

#include <algorithm>

#include "agent/protocols/http1/framer.h"
#include "agent/protocols/http1/head.h"
#include "agent/protocols/http1/matcher.h"
#include "base/byte_reader.h"

namespace kindling::agent::http1 {
namespace {

// A request line longer than this is believed before its end was seen.
constexpr size_t kBelievedLineBytes = 256;

// So long after the last byte of a response whose end cannot be seen, it counts as over.
constexpr int64_t kEndUnseenQuietNs = 1'000'000'000;

class Codec : public ProtocolCodec, private MessageFramer::Listener {
 public:
  // `observer` may be null.
  explicit Codec(PartObserver* observer)
      : observer_(observer), requests_(Flow::kRequest, *this), responses_(Flow::kResponse, *this) {}

  void Feed(Flow flow, const Segment& segment, RecordSink& sink) override {
    if (matcher_.is_upgraded()) return;
    sink_ = &sink;
    (flow == Flow::kRequest ? requests_ : responses_).Feed(segment);
  }

  void OnGap(Flow flow, uint64_t lost_bytes, RecordSink& sink) override {
    if (matcher_.is_upgraded()) return;
    sink_ = &sink;
    (flow == Flow::kRequest ? requests_ : responses_).OnGap(lost_bytes);
  }

  void OnTick(int64_t boot_ns, int64_t no_response_ns, RecordSink& sink) override {
    sink_ = &sink;
    NoteRequestProgress();
    // A response whose end was lost or not captured is over when nothing more comes.
    const int64_t quiet_ns = std::min(no_response_ns, kEndUnseenQuietNs);
    if (responses_.is_broken() && boot_ns - responses_.last().boot_ns > quiet_ns) {
      responses_.EndOpenEnded();
    }
    matcher_.OnTick(boot_ns, no_response_ns, sink);
  }

  void OnClose(int64_t /*boot_ns*/, RecordSink& sink) override {
    sink_ = &sink;
    responses_.EndOpenEnded();
    NoteRequestProgress();
    if (matcher_.has_current()) {
      matcher_.OnResponseEnd(responses_.last(), responses_.message_bytes(), /*is_whole=*/false,
                             sink);
    }
    matcher_.OnClose(sink);
  }

  Appetite appetite() const override {
    return matcher_.is_upgraded() ? Appetite::kNothing : Appetite::kFull;
  }
  bool has_open_request() const override { return matcher_.has_open_request(); }

 private:
  Body OnHead(Flow flow, const Head& head, const ByteOrigin& first, bool is_cut) override {
    if (flow == Flow::kResponse) {
      NoteRequestProgress();
      return matcher_.OnResponseHead(head, first);
    }
    // A request behind a response without an end shows that the response is over, unless the
    // client does not wait for responses.
    if (!matcher_.is_pipelined()) {
      responses_.EndOpenEnded();
      // So it does with a response that nobody asked for, as far as is known.
      if (responses_.in_message() && !matcher_.has_current()) responses_.Resynchronise();
    }
    matcher_.OnRequestHead(head, first, is_cut, *sink_);
    // A client that was refused instead of being told to continue may keep its body.
    return head.expects_continue ? Body::kDoubtful : Body::kByHeaders;
  }

  void OnEnd(Flow flow, const ByteOrigin& last, uint64_t bytes) override {
    if (flow == Flow::kRequest) {
      matcher_.OnRequestProgress(last, bytes, /*is_end=*/true);
      return;
    }
    NoteRequestProgress();
    matcher_.OnResponseEnd(last, bytes, /*is_whole=*/true, *sink_);
  }

  void OnBreak(Flow flow, Missing missing) override {
    if (flow == Flow::kResponse) NoteRequestProgress();
    matcher_.OnBreak(flow, missing, responses_.last().boot_ns, *sink_);
  }

  void OnInvalid(Flow flow, uint64_t bytes) override {
    sink_->OnUnparsed(bytes, matcher_.OnInvalid(flow, *sink_));
  }

  bool WantsCutHead(Flow flow, const Head& head) override {
    if (matcher_.is_lost()) return false;
    if (flow == Flow::kRequest) return !matcher_.has_open_request();
    // Behind an interim response the real one is hidden.
    return !matcher_.is_pipelined() && head.status >= 200;
  }

  void OnPart(Flow flow, Part part, std::string_view text, size_t after) override {
    if (observer_ != nullptr) observer_->OnPart(flow, part, text, after);
  }

  // Of a request that is still being sent, how far it is.
  void NoteRequestProgress() {
    if (requests_.in_message()) {
      matcher_.OnRequestProgress(requests_.last(), requests_.message_bytes(), /*is_end=*/false);
    }
  }

  PartObserver* const observer_;
  RecordSink* sink_ = nullptr;  // of the call that is running
  Matcher matcher_;
  MessageFramer requests_;
  MessageFramer responses_;
};

}  // namespace

std::unique_ptr<ProtocolCodec> MakeCodec(model::Transport /*transport*/) {
  return std::make_unique<Codec>(nullptr);
}

std::unique_ptr<ProtocolCodec> MakeObservedCodec(PartObserver& observer) {
  return std::make_unique<Codec>(&observer);
}

Match Detect(std::span<const std::byte> bytes, model::Transport transport) {
  if (transport == model::Transport::kUdp) return Match::kNo;
  const std::string_view text = base::AsText(bytes);
  Head head;
  const Step response = ParseHead(Flow::kResponse, text, &head);
  if (head.has_first_line) return Match::kResponse;
  if (response == Step::kNeedMore) return Match::kNeedMore;
  const Step request = ParseHead(Flow::kRequest, text, &head);
  if (request == Step::kInvalid && !head.has_first_line) return Match::kNo;
  if (head.has_first_line) {
    return KnownMethod(head.method) == head.method ? Match::kRequest : Match::kNo;
  }
  // The line has not ended yet: a known method and the beginning of a target.
  const size_t method = text.find(' ');
  if (method != std::string_view::npos && KnownMethod(text.substr(0, method)) == "_OTHER") {
    return Match::kNo;
  }
  if (method != std::string_view::npos) {
    for (const char c : text.substr(method + 1)) {
      if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) return Match::kNo;
    }
  }
  const bool believed = text.size() > kBelievedLineBytes && StartsHead(Flow::kRequest, text);
  return believed ? Match::kRequest : Match::kNeedMore;
}

}  // namespace kindling::agent::http1
