#include "agent/protocols/dns/matcher.h"

#include <algorithm>
#include <utility>

#include "agent/protocols/codec_limits.h"
#include "agent/protocols/dns/name_template.h"
#include "agent/protocols/dns/resolution.h"

namespace kindling::agent::dns {
namespace {

using model::Outcome;

Outcome OutcomeOf(uint8_t rcode) {
  switch (rcode) {
    case 0:
      return Outcome::kOk;
    case 2:  // SERVFAIL
    case 4:  // NOTIMP
    case 5:  // REFUSED
      return Outcome::kServerError;
    default:
      return Outcome::kClientError;
  }
}

std::string Operation(uint8_t opcode, uint16_t type) {
  switch (opcode) {
    case kNotify:
      return "NOTIFY";
    case kUpdate:
      return "UPDATE";
    default:
      return std::string(TypeName(type));
  }
}

// Appends `item` to a list, unless it would grow too long.
void AppendTo(std::string& list, std::string_view separator, std::string_view item) {
  if (list.size() + separator.size() + item.size() > kMaxAttributeBytes) return;
  if (!list.empty()) list += separator;
  list += item;
}

}  // namespace

void Matcher::OnQuery(const Message& message, const Extent& extent, RecordSink& sink) {
  DropDoubtful(extent.start_ns, sink);
  if (open_.size() >= kMaxOpenRequests && open_.front().is_overdue) {
    GiveUp(open_.front(), extent.start_ns, sink);
    open_.erase(open_.begin());
  }
  if (open_.size() >= kMaxOpenRequests) {
    sink.OnUnparsed(extent.bytes, 1);
    return;
  }
  const bool is_repeated = std::ranges::any_of(open_, [&message](const Query& query) {
    return query.id == message.id && query.question_hash == message.question_hash;
  });
  open_.push_back(Query{.extent = extent,
                        .question_hash = message.question_hash,
                        .name = message.name,
                        .id = message.id,
                        .type = message.type,
                        .opcode = message.opcode,
                        .is_repeated = is_repeated});
  Tell(QueryStage::kSent, open_.back(), extent.start_ns, sink);
}

void Matcher::OnResponse(const Message& message, const Extent& extent, RecordSink& sink) {
  // A server that could not read the question answers without it.
  const auto found = std::find_if(open_.rbegin(), open_.rend(), [&message](const Query& query) {
    return query.id == message.id &&
           (!message.has_question || query.question_hash == message.question_hash);
  });
  if (found == open_.rend()) {
    sink.OnUnparsed(extent.bytes, 0);
    return;
  }
  Query query = std::move(*found);
  open_.erase(std::next(found).base());
  TellIfOverdue(query, extent.end_ns, sink);
  Tell(QueryStage::kAnswered, query, extent.end_ns, sink, &message);
  Emit(query, &message, extent, sink);
  if (open_.empty()) open_.shrink_to_fit();
}

void Matcher::OnResponsesLost(bool is_counted) {
  for (Query& query : open_) {
    if (query.doubt == Doubt::kNone) {
      query.doubt = is_counted ? Doubt::kCounted : Doubt::kUncounted;
    }
  }
}

void Matcher::Tell(QueryStage stage, const Query& query, int64_t at_ns, RecordSink& sink,
                   const Message* response) {
  const std::string operation = Operation(query.opcode, query.type);
  sink.OnDnsQuery({.stage = stage,
                   .name = query.name,
                   .operation = operation,
                   .sent_ns = query.extent.start_ns,
                   .at_ns = at_ns,
                   .is_repeated = query.is_repeated,
                   .is_overdue = query.is_overdue,
                   .is_truncated = response != nullptr && response->is_cut_by_server,
                   .rcode = response != nullptr ? response->rcode : uint8_t{0}});
}

// One that may have been answered unseen is not known to be overdue.
void Matcher::TellIfOverdue(Query& query, int64_t boot_ns, RecordSink& sink) {
  if (query.is_overdue || query.doubt != Doubt::kNone ||
      boot_ns - query.extent.start_ns < kQueryTimeoutNs) {
    return;
  }
  Tell(QueryStage::kOverdue, query, boot_ns, sink);
  query.is_overdue = true;
}

void Matcher::GiveUp(const Query& query, int64_t boot_ns, RecordSink& sink) {
  Tell(query.doubt == Doubt::kNone ? QueryStage::kUnanswered : QueryStage::kUnknown, query, boot_ns,
       sink);
  switch (query.doubt) {
    case Doubt::kNone:
      return Emit(query, nullptr, {}, sink);
    case Doubt::kUncounted:
      return sink.OnUnparsed(query.extent.bytes, 1);
    case Doubt::kCounted:
      return sink.OnDropped(query.extent.start_ns);
  }
}

// The client goes on after responses were lost: told now, a dropped query still falls into the
// exchange that it belongs to.
void Matcher::DropDoubtful(int64_t boot_ns, RecordSink& sink) {
  std::erase_if(open_, [boot_ns, &sink](const Query& query) {
    if (query.doubt != Doubt::kCounted) return false;
    GiveUp(query, boot_ns, sink);
    return true;
  });
}

void Matcher::OnTick(int64_t boot_ns, int64_t no_response_ns, RecordSink& sink) {
  for (Query& query : open_) TellIfOverdue(query, boot_ns, sink);
  const auto keep =
      std::find_if(open_.begin(), open_.end(), [boot_ns, no_response_ns](const Query& query) {
        return boot_ns - query.extent.end_ns < no_response_ns;
      });
  for (auto query = open_.begin(); query != keep; ++query) GiveUp(*query, boot_ns, sink);
  open_.erase(open_.begin(), keep);
}

void Matcher::OnClose(int64_t boot_ns, RecordSink& sink) {
  for (const Query& query : open_) GiveUp(query, boot_ns, sink);
  open_.clear();
}

void Matcher::Emit(const Query& query, const Message* response, const Extent& extent,
                   RecordSink& sink) {
  Record record;
  record.request_start_ns = query.extent.start_ns;
  record.request_end_ns = query.extent.end_ns;
  record.request_bytes = query.extent.bytes;
  record.request_tcp_seq = query.extent.tcp_seq;
  record.request_tid = query.extent.tid;
  const std::string operation = Operation(query.opcode, query.type);
  record.endpoint = operation + " " + TemplatedName(query.name);
  record.outcome = Outcome::kNoResponse;
  record.attributes.emplace_back(kQuestionNameAttribute, query.name.substr(0, kMaxAttributeBytes));
  record.attributes.emplace_back("dns.question.type", operation);
  if (response != nullptr) {
    record.response_start_ns = extent.start_ns;
    record.response_end_ns = extent.end_ns;
    record.response_bytes = extent.bytes;
    record.response_tcp_seq = extent.tcp_seq;
    record.response_tid = extent.tid;
    record.outcome = OutcomeOf(response->rcode);
    record.status_code = RcodeName(response->rcode);
    std::string addresses;
    std::string others;
    for (const Answer& answer : response->answers) {
      if (answer.type == kA || answer.type == kAaaa) {
        AppendTo(addresses, ",", answer.text);
      } else {
        AppendTo(others, ", ", std::string(TypeName(answer.type)) + " " + answer.text);
      }
    }
    if (!addresses.empty()) record.attributes.emplace_back(kAnswersAttribute, std::move(addresses));
    if (!others.empty()) record.attributes.emplace_back("dns.records", std::move(others));
    if (response->is_cut_by_server) record.attributes.emplace_back("dns.truncated", "true");
  }
  sink.OnRecord(record);
}

}  // namespace kindling::agent::dns
