#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/protocols/http1/framer.h"
#include "agent/protocols/http1/head.h"
#include "agent/protocols/record.h"

namespace kindling::agent::http1 {

// Requests that one connection holds open; see kMaxOpenRequests for what happens past it.
inline constexpr size_t kMaxPipelined = 256;

// Joins responses with their requests: the n-th response answers the n-th request, 1xx apart.
//
// After bytes were lost that order is in doubt, and a wrong pair is worse than none:
// - A gap in the requests hides any number of them. Those that are open already keep their
//   responses; new ones are dropped until responses show that the hidden ones were answered.
// - A gap in the responses makes all open requests doubtful: they are dropped. Without pipelining
//   the next request is answered by the next response; with it, first a response has to pass.
//
// Requests dropped for lost bytes are not reported: the kernel's counters account for them. Where
// bytes of responses were only not captured (several responses in one read), those counters see no
// loss: the requests are reported with no status.
class Matcher {
 public:
  // `sink` is that of every call.
  void OnRequestHead(const Head& head, const ByteOrigin& first, bool is_cut, RecordSink& sink);
  // The request whose head came last: where it is now, and whether that is its end.
  void OnRequestProgress(const ByteOrigin& last, uint64_t bytes, bool is_end);

  Body OnResponseHead(const Head& head, const ByteOrigin& first);
  void OnResponseEnd(const ByteOrigin& last, uint64_t bytes, bool is_whole, RecordSink& sink);

  // `boot_ns`: of the segment that was cut off.
  void OnBreak(Flow flow, Missing missing, int64_t boot_ns, RecordSink& sink);
  // Drops everything because bytes of `flow` make no sense; returns how many requests that were.
  uint64_t OnInvalid(Flow flow, RecordSink& sink);

  void OnTick(int64_t boot_ns, int64_t no_response_ns, RecordSink& sink);
  // Reports what is still open, after the response being read was ended with OnResponseEnd.
  void OnClose(RecordSink& sink);

  bool has_open_request() const { return has_current_ || open_count_ > expired_; }
  bool has_current() const { return has_current_; }
  // Whether the client is known to send requests before it has the response to the last.
  bool is_pipelined() const { return pipelined_ || open_count_ > 1; }
  // Whether requests behind lost bytes are being dropped.
  bool is_lost() const { return lost_; }
  // Whether another protocol goes on from here.
  bool is_upgraded() const { return upgraded_; }

 private:
  // Text kept from a request's head, in one string that is used again for later requests.
  enum TextField : uint8_t {
    kEndpoint,
    kMethod,
    kPath,
    kHost,
    kUserAgent,
    kTraceparent,
    kB3,
    kSw8,
    kUberTraceId,
    kTextFields
  };
  struct RequestFacts {
    ByteOrigin first;
    int64_t end_ns = 0;
    uint64_t bytes = 0;
    uint64_t serial = 0;
    bool is_head = false;
    bool is_connect = false;
    bool is_ended = false;     // its last byte came by
    bool is_doubtful = false;  // parts were lost: without a response it is not reported
    bool is_expired = false;   // reported as unanswered; holds its place in the order
    uint16_t text_end[kTextFields] = {};
  };
  struct Request : RequestFacts {
    std::string text;

    std::string_view Text(TextField field) const;
  };
  struct Response {
    ByteOrigin first;
    uint16_t status = 0;
    std::string upgrade;
  };

  Request& At(size_t index) { return open_[(open_begin_ + index) % open_.size()]; }
  Request& Push();
  void PopToCurrent();
  void DropOpen();
  void NoteOrphan();
  static void Fill(const Head& head, Request& request);
  static void EmitUnanswered(const Request& request, RecordSink& sink);
  // Its response came, at response_ns (0: not known when), but was not captured.
  static void EmitUnseen(const Request& request, int64_t response_ns, RecordSink& sink);
  static void EmitRequest(const Request& request, model::Outcome outcome, int64_t response_ns,
                          RecordSink& sink);

  std::vector<Request> open_;  // ring of open_count_ from open_begin_
  size_t open_begin_ = 0;
  size_t open_count_ = 0;
  size_t expired_ = 0;   // of the open ones
  uint64_t unheld_ = 0;  // requests behind the open ones that were not kept
  uint64_t serial_ = 0;  // of the request whose head came last

  bool has_current_ = false;  // a final response is being read
  Request current_;
  Response response_;

  bool pipelined_ = false;
  bool lost_ = false;        // the order is in doubt
  bool settled_ = false;     // the next request may be trusted
  bool uncaptured_ = false;  // nothing but uncaptured responses put it in doubt
  uint64_t must_see_ = 0;    // responses to dropped requests that have to pass first
  int64_t last_head_ns_ = 0;
  bool upgraded_ = false;
};

}  // namespace kindling::agent::http1
