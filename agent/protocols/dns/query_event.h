#pragma once

#include <cstdint>
#include <string_view>

namespace kindling::agent::dns {

// glibc's default, and that of most resolvers: one that has waited this long has given up.
inline constexpr int64_t kQueryTimeoutNs = 5'000'000'000;

enum class QueryStage : uint8_t {
  kSent,
  kOverdue,     // has waited kQueryTimeoutNs; a late response may still come
  kAnswered,    // over: by a response
  kUnanswered,  // over: without one
  kUnknown,     // over: what the capture lost may have held its response
};

// A step in the life of one query message. Each is told once as sent and once as over, between them
// as overdue if it became so.
// Lifetime: valid only during the call.
struct QueryEvent {
  QueryStage stage = QueryStage::kSent;
  std::string_view name;       // of the first question, whole, as in Message
  std::string_view operation;  // "A", "SRV", ...; "NOTIFY" and "UPDATE"
  int64_t sent_ns = 0;         // since boot, as at_ns
  int64_t at_ns = 0;           // of this step
  // The same id and question waited for a response on this socket when it was sent.
  bool is_repeated = false;
  bool is_overdue = false;    // of what is over: was told so
  bool is_truncated = false;  // of kAnswered: the response did not fit
  uint8_t rcode = 0;          // of kAnswered
};

}  // namespace kindling::agent::dns
