#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/protocols/codec.h"

namespace kindling::agent::http1 {

// A message head longer than this is not understood.
inline constexpr size_t kMaxHeadBytes = 32 << 10;

enum class Step : uint8_t {
  kFrame,     // whole; head->size bytes of the text belong to it
  kNeedMore,  // plausible so far; what could be read is filled in
  kInvalid,   // cannot be HTTP/1
};

// Start line and the headers that matter. All views point into the parsed text.
struct Head {
  std::string_view method;  // of a request
  std::string_view target;
  uint16_t status = 0;  // of a response
  bool has_first_line = false;
  bool expects_continue = false;
  bool chunked = false;
  bool has_transfer_coding = false;
  bool has_content_length = false;
  bool has_conflict = false;  // lengths that contradict each other or are no number
  uint64_t content_length = 0;
  size_t size = 0;  // with the empty line
  std::string_view host;
  std::string_view user_agent;
  std::string_view upgrade;
  std::string_view traceparent;
  std::string_view b3;  // "b3", else "x-b3-traceid"
  std::string_view sw8;
  std::string_view uber_trace_id;
};

// Parses the head of a message of `flow` from its first byte, in one pass, without allocating.
// Accepts bare LF, folded headers and any upper-case method; only HTTP/1.0 and 1.1.
Step ParseHead(Flow flow, std::string_view text, Head* head);

// Whether a message of `flow` certainly begins here; short text gives false. For finding the next
// boundary after a gap, where a wrong yes is worse than a late one.
bool StartsHead(Flow flow, std::string_view text);

// The method if it is a registered one, else "_OTHER".
std::string_view KnownMethod(std::string_view method);

}  // namespace kindling::agent::http1
