#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "agent/capture/events.h"
#include "agent/network/dns_search.h"
#include "agent/protocols/dns/query_event.h"
#include "model/protocol.h"

namespace kindling::agent {

// Who asks whom, as far as it can be told at this end.
struct DnsAsker {
  model::Side observer = model::Side::kUnknown;
  // At the client the process that asks; at the server the network namespace that it is in, for the
  // processes of a server may share its work.
  uint32_t owner = 0;
  IpAddress peer;     // at the client the server, at the server the client
  uint16_t port = 0;  // the server's
};

// What queries have to do with those before them: retries, TCP after an answer that did not fit,
// ways through a search list.
//
// A retry is a query for the name and type of one before it that has got no answer, of the same
// client to the same server: on the same socket with the same id, whenever it comes; otherwise if
// the one before has waited kLeastRetryNs or was given up just now, for threads of a process ask
// for the same names at the same time. Where only the address of a client is known, its processes
// are taken for one.
//
// Threads: capture thread only.
// Limits:  max_questions that wait and max_failed names that were not found; of what is beyond, and
//          of questions whose hashes collide, only what one socket tells is known.
class DnsLookups {
 public:
  struct Options {
    size_t max_questions = 50'000;
    size_t max_failed = 20'000;
  };
  // Time-outs are usually a second or more, of which a busy host may be late by some in sending.
  static constexpr int64_t kLeastRetryNs = 800'000'000;
  static constexpr int64_t kMostRetryNs = 10'000'000'000;
  // A resolver that goes on does so at once.
  static constexpr int64_t kGoesOnWithinNs = 1'000'000'000;

  explicit DnsLookups(const Options& options) : options_(options) {}

  struct Sent {
    bool is_retry = false;
    bool is_tcp_fallback = false;
  };
  Sent OnSent(const DnsAsker& asker, model::Transport transport, const dns::QueryEvent& event);
  // What the answer of a query that is over makes a waste of the queries before it.
  DnsSearch::Waste OnOver(const DnsAsker& asker, const dns::QueryEvent& event);
  // Forgets what can have no consequences any more. For every few seconds.
  void Expire();

  size_t questions() const { return questions_.size(); }
  size_t failed() const { return failed_; }

 private:
  // Queries of one asker for one name and type.
  struct Question {
    uint32_t open = 0;
    int64_t sent_ns = 0;      // of the newest
    int64_t given_up_ns = 0;  // 0: none, or that was before the newest
    int64_t truncated_ns =
        0;  // when an answer was that did not fit; 0: none, or it was asked again
  };

  const Options options_;
  absl::flat_hash_map<size_t, Question> questions_;  // by hash of asker and question
  absl::flat_hash_map<size_t, DnsSearch> searches_;  // by hash of asker and type
  size_t failed_ = 0;                                // in searches_
  int64_t now_ns_ = 0;                               // of the newest event
};

}  // namespace kindling::agent
