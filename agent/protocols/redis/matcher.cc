#include "agent/protocols/redis/matcher.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <utility>

#include "agent/protocols/codec_limits.h"
#include "agent/protocols/redact_message.h"

namespace kindling::agent::redis {
namespace {

using model::Outcome;

constexpr std::string_view kOther = "(other)";
constexpr size_t kMaxSubcommandBytes = 20;

constexpr char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

constexpr bool IsNameByte(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool EqualsUpper(std::string_view text, std::string_view upper) {
  return text.size() == upper.size() && std::equal(text.begin(), text.end(), upper.begin(),
                                                   [](char a, char b) { return Upper(a) == b; });
}

// By byte: in upper case if it may stand in a name, else 0.
constexpr std::array<char, 256> MakeNameBytes() {
  std::array<char, 256> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char c = Upper(static_cast<char>(i));
    bytes[i] = IsNameByte(c) ? c : '\0';
  }
  return bytes;
}
constexpr std::array<char, 256> kNameBytes = MakeNameBytes();

// Appends `word` in upper case to `to`, which has room; nothing if it is no name.
uint8_t AppendName(std::string_view word, char* to) {
  for (size_t i = 0; i < word.size(); ++i) {
    const char c = kNameBytes[static_cast<uint8_t>(word[i])];
    if (c == '\0') return 0;
    to[i] = c;
  }
  return static_cast<uint8_t>(word.size());
}

// Whether `upper` is what AppendName() makes of the command's name.
bool IsName(const Command& command, std::string_view upper) {
  const std::string_view name = command.words[0];
  if (!command.name_is_whole || name.size() != upper.size()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    if (kNameBytes[static_cast<uint8_t>(name[i])] != upper[i]) return false;
  }
  return true;
}

uint32_t SaturatedSum(uint32_t a, uint64_t b) {
  return static_cast<uint32_t>(std::min<uint64_t>(a + b, UINT32_MAX));
}

// Errors by which the server blames its own state.
bool IsServerError(std::string_view code) {
  static constexpr std::string_view kCodes[] = {
      "LOADING", "OOM", "CLUSTERDOWN", "MASTERDOWN", "MISCONF", "NOREPLICAS", "BUSY", "TRYAGAIN"};
  return std::find(std::begin(kCodes), std::end(kCodes), code) != std::end(kCodes);
}

std::string_view FirstWord(std::string_view text) {
  text = text.substr(0, text.find(' '));
  const bool is_code = !text.empty() && text.size() <= 32 &&
                       std::all_of(text.begin(), text.end(), [](char c) { return IsNameByte(c); });
  return is_code ? text : std::string_view("ERR");
}

// Refills `record` without giving back its memory.
void SetAttribute(Record& record, size_t index, std::string_view name, std::string_view value) {
  if (record.attributes.size() <= index) record.attributes.resize(index + 1);
  record.attributes[index].first = name;
  record.attributes[index].second.assign(value);
}

// The text of a record; `error` is the reply if that is an error, else null.
void FillText(Record& record, std::string_view endpoint, uint32_t arguments, bool is_blocking,
              const Reply* error) {
  record.endpoint.assign(endpoint);
  record.status_code.assign(error != nullptr ? FirstWord(error->error) : std::string_view());

  SetAttribute(record, 0, "db.system", "redis");
  SetAttribute(record, 1, "db.operation", endpoint);
  char statement[80];
  char* end = std::copy(endpoint.begin(), endpoint.end(), statement);
  if (arguments > 0) {
    *end++ = ' ';
    *end++ = '(';
    end = std::to_chars(end, statement + sizeof(statement), arguments).ptr;
    const std::string_view unit = arguments == 1 ? " arg)" : " args)";
    end = std::copy(unit.begin(), unit.end(), end);
  }
  SetAttribute(record, 2, "db.statement",
               {statement, static_cast<size_t>(end - static_cast<char*>(statement))});
  size_t count = 3;
  if (is_blocking) {
    SetAttribute(record, count++, "db.redis.blocking", "true");
  }
  if (error != nullptr) {
    SetAttribute(record, count++, "error.message",
                 RedactMessage(error->error, error->error_is_whole, kMaxAttributeBytes));
  }
  record.attributes.resize(count);
}

}  // namespace

// A record whose text is kept: the next one of the same command differs in times and sizes only.
struct Matcher::PreparedRecord {
  Record record;
  uint32_t arguments = 0;
  bool is_error = true;  // its text is of one request only

  bool holds(std::string_view endpoint, uint32_t argument_count) const {
    return !is_error && arguments == argument_count && record.endpoint == endpoint;
  }
};

// They are for all connections, so that no command allocates: records are made on one thread, and a
// sink does not call back into a codec.
Matcher::PreparedRecord& Matcher::Prepared(std::string_view endpoint, uint32_t arguments) {
  static constexpr size_t kRecords = 32;
  thread_local std::array<PreparedRecord, kRecords> records;
  const size_t hash = static_cast<uint8_t>(endpoint.front()) * 7u +
                      static_cast<uint8_t>(endpoint.back()) + endpoint.size() * 5 + arguments;
  return records[hash % kRecords];
}

Matcher::Matcher() : open_(kMaxOpenRequests) {}

Matcher::Open Matcher::Describe(const Command& command, const Extent& extent) {
  Open open;
  open.start_ns = extent.start_ns;
  open.end_ns = extent.end_ns;
  open.tcp_seq = extent.tcp_seq;
  open.tid = extent.tid;
  open.bytes = SaturatedSum(0, command.bytes);
  open.arguments = command.arguments;
  if (!open_.empty() && IsName(command, open_.back().endpoint())) {
    // One of a pipeline of its like: what the name means need not be looked up again.
    const Open& before = open_.back();
    if (before.kind != CommandKind::kContainer && before.kind != CommandKind::kClient) {
      open.kind = before.kind;
      open.name_size = before.name_size;
      open.name = before.name;
      return open;
    }
  }
  if (command.name_is_whole) open.name_size = AppendName(command.words[0], open.name.data());
  if (open.name_size == 0) {
    open.name_size = kOther.size();
    std::copy(kOther.begin(), kOther.end(), open.name.begin());
    return open;
  }
  open.kind = KindOf(open.endpoint());
  if (open.kind == CommandKind::kContainer || open.kind == CommandKind::kClient) {
    const std::string_view sub = command.words[1];
    if (!sub.empty() && sub.size() <= kMaxSubcommandBytes &&
        open.name_size + 1 + sub.size() <= open.name.size()) {
      const uint8_t added = AppendName(sub, open.name.data() + open.name_size + 1);
      if (added != 0) {
        open.name[open.name_size] = ' ';
        open.name_size = static_cast<uint8_t>(open.name_size + 1 + added);
      }
    }
  }
  return open;
}

bool Matcher::AwaitsReply(const Command& command, const Open& open) {
  if (open.kind == CommandKind::kReset) replies_off_ = false;
  if (open.kind == CommandKind::kClient && EqualsUpper(command.words[1], "REPLY")) {
    if (EqualsUpper(command.words[2], "ON")) {
      replies_off_ = skip_next_ = false;
      return true;
    }
    if (EqualsUpper(command.words[2], "OFF")) {
      replies_off_ = true;
      return false;
    }
    if (EqualsUpper(command.words[2], "SKIP")) {
      if (!replies_off_) skip_next_ = true;
      return false;
    }
  }
  if (skip_next_) {
    skip_next_ = false;
    return false;
  }
  return !replies_off_;
}

bool Matcher::OnRequestSegment(int64_t boot_ns, uint64_t bytes, RecordSink& sink) {
  const bool is_new_turn = in_response_;
  in_response_ = false;
  if (is_new_turn && replies_lost_) EndLostReplies(sink);
  if (!commands_lost_) return true;
  if (is_new_turn && replied_since_ && open_.empty() && overflow_ == 0) {
    commands_lost_ = false;
    return true;
  }
  if (!open_.empty() && open_.back().is_cut && !replied_since_) {
    open_.back().end_ns = boot_ns;
    open_.back().bytes = SaturatedSum(open_.back().bytes, bytes);
  } else {
    sink.OnUnparsed(bytes, 0);  // their replies tell how many commands they held
  }
  return false;
}

bool Matcher::OnResponseSegment(int64_t boot_ns, uint64_t bytes, RecordSink& sink) {
  in_response_ = true;
  replied_since_ = true;
  takes_runs_ = sink.takes_runs();
  last_reply_ns_ = boot_ns;
  if (!replies_lost_) return true;
  cut_extent_.end_ns = boot_ns;
  if (cut_reply_.bytes != 0) {
    cut_reply_.bytes += bytes;
  } else {
    sink.OnUnparsed(bytes, 0);
  }
  return false;
}

void Matcher::OnCommand(const Command& command, const Extent& extent, RecordSink& sink) {
  const Open open = Describe(command, extent);
  if (!command.words_are_whole && (open.kind == CommandKind::kClient || !command.name_is_whole)) {
    // It may have turned replies off, or subscribed.
    sink.OnUnparsed(command.bytes, 0);
    OnCommandsLost(Loss::kUnseen, {}, extent, sink);
    return;
  }
  if (!AwaitsReply(command, open)) {
    Emit(open, nullptr, extent, Outcome::kOk, sink);
    return;
  }
  if (overflow_ > 0 || !open_.Push(open)) {
    ++overflow_;
    sink.OnUnparsed(command.bytes, 1);
  }
}

void Matcher::OnCommandsLost(Loss loss, const Command& partial, const Extent& extent,
                             RecordSink& sink) {
  if (replies_lost_ && in_response_) EndLostReplies(sink);  // the client went on
  // The reply to the cut command is the next after those that are awaited already.
  if (!commands_lost_ && partial.name_is_whole && loss == Loss::kUnseen && overflow_ == 0) {
    Open open = Describe(partial, extent);
    open.is_cut = true;
    if (open.kind != CommandKind::kClient && AwaitsReply(partial, open)) open_.Push(open);
  }
  commands_lost_ = true;
  replied_since_ = false;
  commands_loss_ = loss;
}

void Matcher::OnRepliesLost(Loss loss, const Reply& partial, const Extent& extent) {
  if (!replies_lost_) {
    const bool answers_front = loss == Loss::kUnseen && !open_.empty() && partial.type != '>' &&
                               !subscribed_ && confirmations_ == 0;
    cut_reply_ = Reply{.type = partial.type, .bytes = answers_front ? partial.bytes : 0};
    cut_reply_.has_error = partial.has_error;
    cut_extent_ = extent;
  }
  replies_lost_ = true;
  replied_since_ = true;
  in_response_ = true;
  replies_loss_ = loss;
  confirmations_ = 0;
}

// The server has answered everything, unseen: that it does so before the client goes on is what
// being in step means.
void Matcher::EndLostReplies(RecordSink& sink) {
  replies_lost_ = false;
  if (cut_reply_.bytes != 0 && !open_.empty()) {
    Complete(cut_reply_, cut_extent_, sink);
  }
  uint64_t unanswered = 0;  // those in overflow_ were counted when they came
  for (size_t i = 0; i < open_.size(); ++i) {
    if (open_[i].is_reported) continue;
    ++unanswered;
    if (replies_loss_ == Loss::kGap) sink.OnDropped(open_[i].start_ns);
  }
  if (unanswered > 0 && replies_loss_ == Loss::kUnseen) sink.OnUnparsed(0, unanswered);
  open_.Clear();
  overflow_ = 0;
  cut_reply_ = Reply();
}

void Matcher::OnReplicationStream(uint64_t bytes, const Extent& extent, RecordSink& sink) {
  Complete(Reply{.type = '$', .bytes = bytes}, extent, sink);
}

bool Matcher::IsPush(const Reply& reply, const Extent& extent, RecordSink& sink) {
  const bool is_resp3 = reply.type == '>';
  if (!is_resp3 && (reply.type != '*' || reply.elements < 3 || reply.elements > 4)) return false;
  const CommandKind front = open_.empty() ? CommandKind::kPlain : open_.front().kind;
  const bool is_message =
      reply.word == "message" || reply.word == "pmessage" || reply.word == "smessage";
  if (is_message) return is_resp3 || subscribed_ || open_.empty();
  const bool subscribes =
      reply.word == "subscribe" || reply.word == "psubscribe" || reply.word == "ssubscribe";
  const bool unsubscribes =
      reply.word == "unsubscribe" || reply.word == "punsubscribe" || reply.word == "sunsubscribe";
  if (!subscribes && !unsubscribes) return is_resp3;

  const bool answers_front =
      front == (subscribes ? CommandKind::kSubscribe : CommandKind::kUnsubscribe);
  if (!is_resp3 && confirmations_ == 0 && !answers_front && !subscribed_ && !open_.empty()) {
    return false;  // an array that happens to begin with such a word
  }
  if (!is_resp3) subscribed_ = reply.third > 0;
  if (confirmations_ > 0) {
    --confirmations_;
  } else if (answers_front) {
    confirmations_ = open_.front().arguments > 0 ? open_.front().arguments - 1 : 0;
    Complete(reply, extent, sink);
  }
  return true;
}

void Matcher::OnReply(const Reply& reply, const Extent& extent, RecordSink& sink) {
  if (!reply.word_is_whole && (reply.type == '>' || subscribed_ || confirmations_ > 0)) {
    // A push or not, that cannot be told.
    sink.OnUnparsed(reply.bytes, 0);
    OnRepliesLost(Loss::kUnseen, {}, {});
    return;
  }
  if (IsPush(reply, extent, sink)) return;
  if (!open_.empty()) {
    Complete(reply, extent, sink);
  } else if (overflow_ > 0) {
    --overflow_;  // reported when it came
  } else {
    // It answers a command that was not seen.
    sink.OnUnparsed(reply.bytes, commands_lost_ && commands_loss_ == Loss::kUnseen ? 1 : 0);
  }
}

void Matcher::Complete(const Reply& reply, const Extent& extent, RecordSink& sink) {
  const Open& open = open_.front();
  if (open.kind == CommandKind::kTakesOver && !reply.has_error) taken_over_ = true;
  if (open.kind == CommandKind::kReset) subscribed_ = false;
  if (open.is_reported) return open_.Pop();
  const bool is_error = reply.has_error &&
                        (reply.type == '-' || reply.type == '!' || open.kind == CommandKind::kExec);
  Outcome outcome = Outcome::kOk;
  if (is_error) {
    outcome = IsServerError(FirstWord(reply.error)) ? Outcome::kServerError : Outcome::kClientError;
  }
  if (is_error || !JoinRun(open, reply, extent)) Emit(open, &reply, extent, outcome, sink);
  open_.Pop();
}

void Matcher::Emit(const Open& open, const Reply* reply, const Extent& extent, Outcome outcome,
                   RecordSink& sink) {
  std::string_view endpoint = open.endpoint();
  const bool is_error = model::IsError(outcome) && reply != nullptr;
  // Names that Redis does not know are whatever a client chose to send.
  if (is_error && reply->error.starts_with("ERR unknown command")) endpoint = kOther;
  if (is_error && reply->error.starts_with("ERR unknown subcommand")) {
    endpoint = endpoint.substr(0, endpoint.find(' '));
  }
  EndRun(sink);
  PreparedRecord& prepared = Prepared(endpoint, open.arguments);
  Record& record = prepared.record;
  if (is_error || !prepared.holds(endpoint, open.arguments)) {
    FillText(record, endpoint, open.arguments, open.kind == CommandKind::kBlocking,
             is_error ? reply : nullptr);
    prepared.arguments = open.arguments;
    prepared.is_error = is_error;
  }
  record.request_start_ns = open.start_ns;
  record.request_end_ns = open.end_ns;
  record.request_bytes = open.bytes;
  record.request_tcp_seq = open.tcp_seq;
  record.request_tid = open.tid;
  record.response_start_ns = reply == nullptr ? 0 : extent.start_ns;
  record.response_end_ns = reply == nullptr ? 0 : extent.end_ns;
  record.response_bytes = reply == nullptr ? 0 : reply->bytes;
  record.response_tcp_seq = reply == nullptr ? 0 : extent.tcp_seq;
  record.response_tid = reply == nullptr ? 0 : extent.tid;
  record.outcome = outcome;
  if (takes_runs_ && outcome == Outcome::kOk && reply != nullptr) {
    run_ = &prepared;
  } else {
    sink.OnRecord(record);
  }
}

bool Matcher::JoinRun(const Open& open, const Reply& reply, const Extent& extent) {
  if (run_ == nullptr || !run_->holds(open.endpoint(), open.arguments)) return false;
  Record& record = run_->record;
  if (record.request_start_ns != open.start_ns || record.request_end_ns != open.end_ns ||
      record.request_tid != open.tid || record.response_start_ns != extent.start_ns ||
      record.response_end_ns != extent.end_ns || record.response_tid != extent.tid ||
      record.more == UINT32_MAX) {
    return false;
  }
  ++record.more;
  record.more_request_bytes += open.bytes;
  record.more_response_bytes += reply.bytes;
  return true;
}

void Matcher::EndRun(RecordSink& sink) {
  if (run_ == nullptr) return;
  Record& record = std::exchange(run_, nullptr)->record;
  sink.OnRecord(record);
  record.more = 0;
  record.more_request_bytes = record.more_response_bytes = 0;
}

void Matcher::EndSegment(RecordSink& sink) {
  EndRun(sink);
  takes_runs_ = false;
}

void Matcher::OnTick(int64_t boot_ns, int64_t no_response_ns, RecordSink& sink) {
  if (replies_lost_ && boot_ns - last_reply_ns_ >= kQuietNs) EndLostReplies(sink);
  for (size_t i = 0; i < open_.size(); ++i) {
    Open& open = open_[i];
    if (boot_ns - open.end_ns < no_response_ns) break;
    // A cut command was perhaps not sent to its end; a blocking one waits because it was told to.
    if (open.is_reported || open.kind == CommandKind::kBlocking) continue;
    open.is_reported = true;
    if (!open.is_cut) Emit(open, nullptr, {}, Outcome::kNoResponse, sink);
  }
}

void Matcher::OnClose(RecordSink& sink) {
  if (replies_lost_) EndLostReplies(sink);
  for (size_t i = 0; i < open_.size(); ++i) {
    if (open_[i].is_reported || open_[i].is_cut) continue;
    Emit(open_[i], nullptr, {}, Outcome::kNoResponse, sink);
  }
  open_.Clear();
  overflow_ = 0;
}

}  // namespace kindling::agent::redis
