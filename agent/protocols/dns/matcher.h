#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/protocols/dns/message.h"
#include "agent/protocols/dns/query_event.h"
#include "agent/protocols/record.h"

namespace kindling::agent::dns {

// When and where a message was on the wire.
struct Extent {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  uint64_t bytes = 0;
  uint32_t tcp_seq = 0;
  uint32_t tid = 0;
};

// Pairs the queries of one peer with their responses, by id and question, in any order.
//
// Every query message is one request, a repeated one too, as in a server's query log. A response
// answers the newest query of its id and question: who repeats a query has given up the one before,
// which stays open and is answered by a further response or reported as unanswered. Beside the
// records the steps of each query are told, RecordSink::OnDnsQuery.
//
// Threads: the capture thread only.
// Limits:  kMaxOpenRequests queries wait. For a further one the oldest is given up if it is
// overdue;
//          otherwise the further one is reported as unparsed, and its response too.
class Matcher {
 public:
  // `message` was read to the end of its questions.
  void OnQuery(const Message& message, const Extent& extent, RecordSink& sink);
  void OnResponse(const Message& message, const Extent& extent, RecordSink& sink);

  // Responses were lost: queries that are open now may have been answered, so they will not be
  // reported as unanswered. `is_counted`: the caller accounts for what is lost; those that have got
  // no response by the next query, or by the end, are told to RecordSink::OnDropped.
  void OnResponsesLost(bool is_counted);

  void OnTick(int64_t boot_ns, int64_t no_response_ns, RecordSink& sink);
  void OnClose(int64_t boot_ns, RecordSink& sink);

  bool has_open_request() const { return !open_.empty(); }

 private:
  enum class Doubt : uint8_t {
    kNone,
    kUncounted,  // perhaps answered, unseen
    kCounted,    // so, and it is to be told as dropped
  };
  struct Query {
    Extent extent;
    uint64_t question_hash = 0;
    std::string name;
    uint16_t id = 0;
    uint16_t type = 0;
    uint8_t opcode = 0;
    Doubt doubt = Doubt::kNone;
    bool is_repeated = false;
    bool is_overdue = false;
  };

  static void Tell(QueryStage stage, const Query& query, int64_t at_ns, RecordSink& sink,
                   const Message* response = nullptr);
  static void TellIfOverdue(Query& query, int64_t boot_ns, RecordSink& sink);
  static void GiveUp(const Query& query, int64_t boot_ns, RecordSink& sink);
  void DropDoubtful(int64_t boot_ns, RecordSink& sink);
  static void Emit(const Query& query, const Message* response, const Extent& extent,
                   RecordSink& sink);

  std::vector<Query> open_;  // oldest first
};

}  // namespace kindling::agent::dns
