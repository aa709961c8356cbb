#include "agent/protocols/http1/matcher.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "model/redact.h"
#include "model/url_template.h"

namespace kindling::agent::http1 {
namespace {

constexpr size_t kMaxPathBytes = 256;
constexpr size_t kMaxHostBytes = 128;
constexpr size_t kMaxUserAgentBytes = 128;
constexpr size_t kMaxTraceHeaderBytes = 256;
constexpr size_t kMaxUpgradeBytes = 64;
// After this long without a message a doubtful order is settled.
constexpr int64_t kQuietNs = 1'000'000'000;
// An idle connection keeps room for this many requests.
constexpr size_t kKeepOpenSlots = 8;

// Header values are text of any bytes; what leaves here is printable ASCII.
void AppendPrintable(std::string_view value, size_t max_bytes, std::string& out) {
  if (value.empty()) return;
  value = value.substr(0, max_bytes);
  const auto is_bad = [](char c) {
    return static_cast<unsigned char>(c - ' ') >= static_cast<unsigned char>(0x7f - ' ');
  };
  unsigned bad = 0;
  for (const char c : value) bad |= is_bad(c) ? 1u : 0u;
  const size_t begin = out.size();
  out += value;
  if (bad == 0) return;
  std::replace_if(out.begin() + static_cast<ptrdiff_t>(begin), out.end(), is_bad, '?');
}

// Writes a record's attributes over those of the last record, to use their memory again.
class Attributes {
 public:
  explicit Attributes(Record& record) : record_(record) {}
  ~Attributes() { record_.attributes.resize(count_); }

  void Add(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    if (count_ == record_.attributes.size()) record_.attributes.emplace_back();
    record_.attributes[count_].first = name;
    record_.attributes[count_].second.assign(value);
    ++count_;
  }

 private:
  Record& record_;
  size_t count_ = 0;
};

// One per thread, not per connection: ten thousand idle connections hold no record.
Record& ScratchRecord() {
  thread_local Record record;
  return record;
}

}  // namespace

std::string_view Matcher::Request::Text(TextField field) const {
  const size_t begin = field == 0 ? 0 : text_end[field - 1];
  return std::string_view(text).substr(begin, text_end[field] - begin);
}

Matcher::Request& Matcher::Push() {
  if (open_count_ == open_.size()) {
    std::rotate(open_.begin(), open_.begin() + static_cast<ptrdiff_t>(open_begin_), open_.end());
    open_begin_ = 0;
    open_.resize(std::max<size_t>(1, open_.size() * 2));
  }
  return At(open_count_++);
}

void Matcher::PopToCurrent() {
  Request& oldest = open_[open_begin_];
  static_cast<RequestFacts&>(current_) = oldest;
  current_.text.swap(oldest.text);
  open_begin_ = (open_begin_ + 1) % open_.size();
  --open_count_;
  if (current_.is_expired) --expired_;
  if (open_count_ == 0 && open_.size() > kKeepOpenSlots) {
    open_ = {};
    open_begin_ = 0;
  }
}

void Matcher::DropOpen() {
  open_count_ = 0;
  open_begin_ = 0;
  expired_ = 0;
  unheld_ = 0;
  if (open_.size() > kKeepOpenSlots) open_ = {};
}

void Matcher::Fill(const Head& head, Request& request) {
  const std::string_view method = KnownMethod(head.method);
  request.is_head = method == "HEAD";
  request.is_connect = method == "CONNECT";
  std::string& text = request.text;
  text.clear();
  const auto end = [&](TextField field) {
    request.text_end[field] = static_cast<uint16_t>(text.size());
  };
  text += method;
  if (!request.is_connect) {  // its target is an address
    text += ' ';
    model::AppendUrlTemplate(head.target, text);
  }
  end(kEndpoint);
  text += method;
  end(kMethod);
  if (!request.is_connect) model::AppendRedactedPath(head.target, kMaxPathBytes, text);
  end(kPath);
  AppendPrintable(head.host, kMaxHostBytes, text);
  end(kHost);
  AppendPrintable(head.user_agent, kMaxUserAgentBytes, text);
  end(kUserAgent);
  AppendPrintable(head.traceparent, kMaxTraceHeaderBytes, text);
  end(kTraceparent);
  AppendPrintable(head.b3, kMaxTraceHeaderBytes, text);
  end(kB3);
  AppendPrintable(head.sw8, kMaxTraceHeaderBytes, text);
  end(kSw8);
  AppendPrintable(head.uber_trace_id, kMaxTraceHeaderBytes, text);
  end(kUberTraceId);
}

void Matcher::OnRequestHead(const Head& head, const ByteOrigin& first, bool is_cut,
                            RecordSink& sink) {
  ++serial_;
  if (lost_) {
    if (first.boot_ns - last_head_ns_ > kQuietNs) settled_ = true;
    last_head_ns_ = first.boot_ns;
    if (!settled_) {
      ++must_see_;
      if (uncaptured_) {
        Request unseen;
        unseen.first = first;
        unseen.end_ns = first.boot_ns;
        unseen.bytes = head.size;
        Fill(head, unseen);
        EmitUnseen(unseen, 0, sink);
      } else {
        sink.OnDropped(first.boot_ns);
      }
      return;
    }
    lost_ = false;
    settled_ = false;
    uncaptured_ = false;
    must_see_ = 0;
  }
  last_head_ns_ = first.boot_ns;
  if (unheld_ > 0 || open_count_ >= kMaxPipelined) {
    ++unheld_;
    sink.OnUnparsed(head.size, 1);
    return;
  }
  Request& request = Push();
  request.first = first;
  request.end_ns = first.boot_ns;
  request.bytes = 0;
  request.serial = serial_;
  request.is_ended = false;
  request.is_doubtful = is_cut;
  request.is_expired = false;
  Fill(head, request);
  if (is_cut) {
    lost_ = true;
    settled_ = false;
    uncaptured_ = false;
    must_see_ = 0;
  }
}

void Matcher::OnRequestProgress(const ByteOrigin& last, uint64_t bytes, bool is_end) {
  Request* request = nullptr;
  if (open_count_ > 0 && At(open_count_ - 1).serial == serial_) {
    request = &At(open_count_ - 1);
  } else if (has_current_ && current_.serial == serial_) {
    request = &current_;
  }
  if (request == nullptr || request->is_ended) return;
  request->end_ns = last.boot_ns;
  request->bytes = bytes;
  request->is_ended = is_end;
}

void Matcher::NoteOrphan() {
  if (unheld_ > 0) {
    --unheld_;
    return;
  }
  if (!lost_) return;
  if (must_see_ > 0) --must_see_;
  if (must_see_ == 0) settled_ = true;
}

Body Matcher::OnResponseHead(const Head& head, const ByteOrigin& first) {
  has_current_ = false;
  last_head_ns_ = first.boot_ns;
  if (head.status < 200 && head.status != 101) return Body::kNone;  // interim
  bool is_head = false;
  bool is_connect = false;
  if (lost_ && !pipelined_) settled_ = true;
  const bool is_orphan = open_count_ == 0;
  if (!is_orphan) {
    PopToCurrent();
    if (open_count_ > expired_ && !lost_) pipelined_ = true;
    has_current_ = !current_.is_expired;
    is_head = current_.is_head;
    is_connect = current_.is_connect;
  } else {
    NoteOrphan();
  }
  response_.first = first;
  response_.status = head.status;
  response_.upgrade.clear();
  if (head.status == 101) {
    AppendPrintable(head.upgrade.empty() ? "unknown" : head.upgrade, kMaxUpgradeBytes,
                    response_.upgrade);
    upgraded_ = true;
    return Body::kStop;
  }
  if (is_connect && head.status < 300) {
    response_.upgrade = "tunnel";
    upgraded_ = true;
    return Body::kStop;
  }
  if (is_head || head.status == 204 || head.status == 304) return Body::kNone;
  return is_orphan ? Body::kDoubtful : Body::kByHeaders;
}

void Matcher::OnResponseEnd(const ByteOrigin& last, uint64_t bytes, bool is_whole,
                            RecordSink& sink) {
  if (!has_current_) return;
  has_current_ = false;
  Record& record = ScratchRecord();
  record.request_start_ns = current_.first.boot_ns;
  record.request_end_ns = current_.end_ns;
  record.response_start_ns = response_.first.boot_ns;
  record.response_end_ns = last.boot_ns;
  record.request_bytes = current_.bytes;
  record.response_bytes = bytes;
  record.request_tcp_seq = current_.first.tcp_seq;
  record.response_tcp_seq = response_.first.tcp_seq;
  record.request_tid = current_.first.tid;
  record.response_tid = response_.first.tid;
  record.outcome = response_.status >= 500   ? model::Outcome::kServerError
                   : response_.status >= 400 ? model::Outcome::kClientError
                                             : model::Outcome::kOk;
  record.endpoint.assign(current_.Text(kEndpoint));
  char status[8];
  const auto written = std::to_chars(status, status + sizeof(status), response_.status);
  const std::string_view status_text(status, static_cast<size_t>(written.ptr - status));
  record.status_code.assign(status_text);
  {
    Attributes attributes(record);
    attributes.Add("http.request.method", current_.Text(kMethod));
    attributes.Add("url.path", current_.Text(kPath));
    attributes.Add("http.response.status_code", status_text);
    attributes.Add("http.host", current_.Text(kHost));
    attributes.Add("user_agent.original", current_.Text(kUserAgent));
    attributes.Add("trace.traceparent", current_.Text(kTraceparent));
    attributes.Add("trace.b3", current_.Text(kB3));
    attributes.Add("trace.sw8", current_.Text(kSw8));
    attributes.Add("trace.uber_trace_id", current_.Text(kUberTraceId));
    attributes.Add("http.upgrade", response_.upgrade);
    if (!is_whole) attributes.Add("http.response.incomplete", "true");
  }
  sink.OnRecord(record);
}

void Matcher::EmitUnanswered(const Request& request, RecordSink& sink) {
  EmitRequest(request, model::Outcome::kNoResponse, 0, sink);
}

void Matcher::EmitUnseen(const Request& request, int64_t response_ns, RecordSink& sink) {
  EmitRequest(request, model::Outcome::kUnset, response_ns, sink);
}

void Matcher::EmitRequest(const Request& request, model::Outcome outcome, int64_t response_ns,
                          RecordSink& sink) {
  Record& record = ScratchRecord();
  record.request_start_ns = request.first.boot_ns;
  record.request_end_ns = request.end_ns;
  record.response_start_ns = response_ns;
  record.response_end_ns = response_ns;
  record.request_bytes = request.bytes;
  record.response_bytes = 0;
  record.request_tcp_seq = request.first.tcp_seq;
  record.response_tcp_seq = 0;
  record.request_tid = request.first.tid;
  record.response_tid = 0;
  record.outcome = outcome;
  record.endpoint.assign(request.Text(kEndpoint));
  record.status_code.clear();
  {
    Attributes attributes(record);
    attributes.Add("http.request.method", request.Text(kMethod));
    attributes.Add("url.path", request.Text(kPath));
    attributes.Add("http.host", request.Text(kHost));
    attributes.Add("user_agent.original", request.Text(kUserAgent));
    attributes.Add("trace.traceparent", request.Text(kTraceparent));
    attributes.Add("trace.b3", request.Text(kB3));
    attributes.Add("trace.sw8", request.Text(kSw8));
    attributes.Add("trace.uber_trace_id", request.Text(kUberTraceId));
  }
  sink.OnRecord(record);
}

void Matcher::OnBreak(Flow flow, Missing missing, int64_t boot_ns, RecordSink& sink) {
  if (flow == Flow::kRequest) {
    if (open_count_ > 0 && At(open_count_ - 1).serial == serial_) {
      At(open_count_ - 1).is_doubtful |= !At(open_count_ - 1).is_ended;
    }
    if (!lost_) must_see_ = 0;
    lost_ = true;
    settled_ = false;
    uncaptured_ = false;
    return;
  }
  const bool pipelined = is_pipelined();
  uncaptured_ = missing == Missing::kUncaptured && (!lost_ || uncaptured_);
  for (size_t i = 0; i < open_count_; ++i) {
    if (At(i).is_expired) continue;
    if (uncaptured_ && !At(i).is_doubtful) {
      EmitUnseen(At(i), boot_ns, sink);
    } else {
      sink.OnDropped(At(i).first.boot_ns);
    }
  }
  DropOpen();
  lost_ = true;
  must_see_ = 0;
  settled_ = !pipelined;
}

uint64_t Matcher::OnInvalid(Flow flow, RecordSink& sink) {
  uint64_t dropped = 0;
  if (flow == Flow::kResponse) {
    dropped = open_count_ - expired_ + (has_current_ ? 1 : 0);
    has_current_ = false;
  }
  OnBreak(flow, Missing::kLost, 0, sink);
  return dropped;
}

void Matcher::OnTick(int64_t boot_ns, int64_t no_response_ns, RecordSink& sink) {
  for (size_t i = 0; i < open_count_ && expired_ < open_count_; ++i) {
    Request& request = At(i);
    if (request.is_expired) continue;
    if (boot_ns - request.first.boot_ns <= no_response_ns) break;  // later ones are younger
    if (!request.is_doubtful) EmitUnanswered(request, sink);
    request.is_expired = true;
    ++expired_;
  }
}

void Matcher::OnClose(RecordSink& sink) {
  for (size_t i = 0; i < open_count_; ++i) {
    const Request& request = At(i);
    if (!request.is_expired && !request.is_doubtful) EmitUnanswered(request, sink);
  }
  DropOpen();
  has_current_ = false;
}

}  // namespace kindling::agent::http1
