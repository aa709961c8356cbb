#include "agent/protocols/mysql/matcher.h"

#include <utility>

#include "agent/protocols/codec_limits.h"
#include "agent/protocols/redact_message.h"
#include "base/byte_reader.h"

namespace kindling::agent::mysql {
namespace {

using model::Outcome;

// Statements of commands past these are named but not kept.
constexpr size_t kMaxHeldStatements = 64;

}  // namespace

Matcher::Matcher() : open_(kMaxOpenRequests) {}

bool Matcher::OnRequestSegment(int64_t boot_ns, uint64_t bytes, bool is_rest, RecordSink& sink) {
  const bool is_new_turn = in_response_;
  in_response_ = false;
  if (is_new_turn && responses_lost_) EndLostResponses(sink);
  if (is_rest && last_is_open_ && !open_.empty()) open_.back().end_ns = boot_ns;
  if (!commands_lost_) return true;
  if (is_new_turn && replied_since_ && open_.empty() && overflow_ == 0) {
    commands_lost_ = false;
    return true;
  }
  sink.OnUnparsed(bytes, 0);
  return false;
}

bool Matcher::OnResponseSegment(int64_t boot_ns, uint64_t bytes, RecordSink& sink) {
  const bool is_new_turn = !in_response_;
  in_response_ = true;
  replied_since_ = true;
  last_response_ns_ = boot_ns;
  if (responses_lost_) {
    if (keeps_front_) {
      response_bytes_ += bytes;
      response_end_ns_ = boot_ns;
    } else {
      sink.OnUnparsed(bytes, 0);
    }
    return false;
  }
  if (commands_lost_ && open_.empty() && overflow_ == 0) {
    // It answers a command that was not seen.
    sink.OnUnparsed(bytes, is_new_turn && commands_loss_ == Loss::kUnseen ? 1 : 0);
    return false;
  }
  return true;
}

bool Matcher::AcceptsClientPacket(const Packet& packet) const {
  if (packet.sequence == 0) return packet.head.empty() || IsPlausibleCommand(packet);
  return is_clients_turn_ || handshake_.AcceptsClient(packet);
}

bool Matcher::AcceptsServerPacket(const Packet& packet) const {
  if (!open_.empty()) {
    return packet.sequence == next_sequence_ || (!response_.has_value() && packet.length == 5);
  }
  return overflow_ > 0 || handshake_.AcceptsServer(packet);
}

std::optional<Part> Matcher::PartOf(Flow flow, const Packet& packet) const {
  if (flow == Flow::kRequest) {
    if (packet.sequence == 0) return Part::kMysqlCommand;
    return handshake_.awaits_login() ? std::optional(Part::kMysqlLogin) : std::nullopt;
  }
  if (!open_.empty()) {
    if (response_.has_value()) return response_->PartOf(packet);
    return Response(open_[0].code, sends_eof_, false).PartOf(packet);
  }
  return overflow_ > 0 ? std::nullopt : handshake_.ServerPart(packet);
}

void Matcher::OnClientPacket(const Packet& packet, const ByteOrigin& first, int64_t end_ns,
                             RecordSink& sink) {
  last_is_open_ = false;
  if (packet.sequence == 0) {
    handshake_.OnCommand();
    OnCommand(packet, first, end_ns, sink);
  } else if (handshake_.awaits_login()) {
    handshake_.OnLogin(packet, first, end_ns);
    if (!handshake_.opaque_reason().empty()) return;
    sends_eof_ = handshake_.sends_eof();
    database_ = handshake_.database();
  } else {
    // A file, or more of the authentication; an empty packet ends a file.
    next_sequence_ = static_cast<uint8_t>(packet.sequence + 1);
    if (!open_.empty()) {
      open_.front().bytes += packet.bytes();
      open_.front().end_ns = end_ns;
    }
  }
}

void Matcher::OnServerPacket(const Packet& packet, const ByteOrigin& first, int64_t end_ns,
                             RecordSink& sink) {
  if (open_.empty()) {
    if (overflow_ > 0) {
      // Where one response ends and the next begins shows in the numbers.
      if (packet.sequence == 1) --overflow_;
      return;
    }
    if (!handshake_.is_over()) {
      OnHandshake(packet, first, end_ns, sink);
    } else if (IsEof(packet)) {
      sends_eof_ = true;  // after the definitions of a statement that was prepared
    } else {
      sink.OnUnparsed(packet.bytes(), 0);
    }
    return;
  }
  if (!response_.has_value()) {
    if (packet.sequence != next_sequence_ && IsEof(packet)) {
      sends_eof_ = true;
      return;
    }
    response_.emplace(open_.front().code, sends_eof_,
                      (handshake_.capabilities() & kOptionalMetadata) != 0);
    response_first_ = first;
    response_bytes_ = 0;
  } else if (is_clients_turn_) {
    response_first_ = first;  // what came before asked the client for more
  }
  is_clients_turn_ = false;
  response_bytes_ += packet.bytes();
  response_end_ns_ = end_ns;
  next_sequence_ = static_cast<uint8_t>(packet.sequence + 1);
  switch (response_->OnPacket(packet)) {
    case Response::Progress::kMore:
      return;
    case Response::Progress::kClient:
      is_clients_turn_ = true;
      return;
    case Response::Progress::kDone:
      if (response_->saw_eof()) sends_eof_ = true;
      return EndFront(sink);
    case Response::Progress::kInvalid:
      return OnResponsesLost(Loss::kUnseen, /*keeps_front=*/false);
  }
}

void Matcher::OnHandshake(const Packet& packet, const ByteOrigin& first, int64_t end_ns,
                          RecordSink& sink) {
  switch (handshake_.OnServerPacket(packet)) {
    case Handshake::Step::kMore:
    case Handshake::Step::kDone:
      return;
    case Handshake::Step::kRefused:
      return EmitLoginError(packet, first, end_ns, sink);
    case Handshake::Step::kInvalid:
      return sink.OnUnparsed(packet.bytes(), 0);
  }
}

void Matcher::OnCommand(const Packet& packet, const ByteOrigin& first, int64_t end_ns,
                        RecordSink& sink) {
  const auto code = static_cast<CommandCode>(packet.first());
  has_dropped_ = false;
  if (packet.head.empty()) {
    // A hole took it. It may be one that gets no response.
    OnCommandsLost(Loss::kUnseen, sink);
    return;
  }
  if (StartsReplication(code)) {
    is_replication_ = true;
    return;
  }
  if (GetsNoResponse(code)) {
    base::ByteReader reader(packet.head);
    reader.Skip(1);
    if (code == CommandCode::kStmtClose) prepared_.Remove(reader.U32Le());
    return;
  }
  if (overflow_ > 0 || open_.full()) {
    ++overflow_;
    sink.OnUnparsed(packet.bytes(), 1);
    return;
  }
  Command command = CommandOf(packet, first, end_ns);
  command.code = code;
  Describe(packet, open_.size() < kMaxHeldStatements, prepared_, command);
  if (open_.empty()) next_sequence_ = 1;
  open_.Push(std::move(command));
  last_is_open_ = true;
}

void Matcher::OnCommandsLost(Loss loss, RecordSink& sink) {
  if (responses_lost_ && in_response_) EndLostResponses(sink);  // the client went on
  last_is_open_ = false;
  commands_lost_ = true;
  replied_since_ = false;
  // What goes on with a command that was dropped holds no other.
  commands_loss_ = has_dropped_ ? Loss::kGap : loss;
}

void Matcher::OnResponsesLost(Loss loss, bool keeps_front) {
  responses_lost_ = true;
  replied_since_ = true;
  in_response_ = true;
  responses_loss_ = loss;
  // While it is the client's turn nothing of the answer proper was seen.
  keeps_front_ = keeps_front && loss == Loss::kUnseen && response_.has_value() &&
                 !is_clients_turn_ && !open_.empty();
}

// The server has answered everything, unseen: the client went on.
void Matcher::EndLostResponses(RecordSink& sink) {
  responses_lost_ = false;
  if (keeps_front_) {
    EndFront(sink);
  }
  keeps_front_ = false;
  response_.reset();
  is_clients_turn_ = false;
  uint64_t unanswered = 0;  // those in overflow_ were counted when they came
  for (size_t i = 0; i < open_.size(); ++i) {
    if (open_[i].is_reported) continue;
    ++unanswered;
    if (responses_loss_ == Loss::kGap) sink.OnDropped(open_[i].start_ns);
  }
  has_dropped_ = unanswered > 0 && responses_loss_ == Loss::kGap;
  if (unanswered > 0 && responses_loss_ == Loss::kUnseen) sink.OnUnparsed(0, unanswered);
  open_.Clear();
  overflow_ = 0;
  next_sequence_ = 1;
}

void Matcher::EndFront(RecordSink& sink) {
  const Command command = std::move(open_.front());
  open_.Pop();
  if (response_->error_code() == 0) {
    if (!command.database.empty()) database_ = command.database;
    if (command.code == CommandCode::kStmtPrepare && response_->statement_id() != 0) {
      prepared_.Add(response_->statement_id(), command.statement);
    }
    if (command.code == CommandCode::kResetConnection || command.code == CommandCode::kChangeUser) {
      prepared_.Clear();
      if (command.code == CommandCode::kChangeUser) database_.clear();
    }
  }
  if (!command.is_reported) Emit(command, /*is_answered=*/true, sink);
  response_.reset();
  next_sequence_ = 1;
}

// A login that succeeds is no request; one that fails is a fault that someone looks for.
void Matcher::EmitLoginError(const Packet& packet, const ByteOrigin& first, int64_t end_ns,
                             RecordSink& sink) {
  response_.emplace(CommandCode::kPing, false, false);
  if (response_->OnPacket(packet) != Response::Progress::kDone) {
    response_.reset();
    sink.OnUnparsed(packet.bytes(), 0);
    return;
  }
  response_first_ = first;
  response_end_ns_ = end_ns;
  response_bytes_ = packet.bytes();
  Command login = handshake_.RefusedLogin(first);
  login.statement = std::make_shared<const Statement>(Statement{.endpoint = "CONNECT"});
  Emit(login, /*is_answered=*/true, sink);
  response_.reset();
}

void Matcher::Emit(const Command& command, bool is_answered, RecordSink& sink) {
  Record record;
  record.request_start_ns = command.start_ns;
  record.request_end_ns = command.end_ns;
  record.request_bytes = command.bytes;
  record.request_tcp_seq = command.tcp_seq;
  record.request_tid = command.tid;
  record.endpoint = command.statement->endpoint;
  if (command.code == CommandCode::kStmtPrepare || command.code == CommandCode::kStmtFetch) {
    const std::string verb(CommandName(command.code));
    if (record.endpoint != verb) record.endpoint = verb + " " + record.endpoint;
  }
  record.outcome = Outcome::kNoResponse;
  record.attributes.emplace_back("db.system", "mysql");
  record.attributes.emplace_back("db.operation",
                                 record.endpoint.substr(0, record.endpoint.find(' ')));
  if (!database_.empty()) record.attributes.emplace_back("db.name", database_);
  if (!command.statement->statement.empty()) {
    record.attributes.emplace_back("db.statement", command.statement->statement);
  }
  if (is_answered) {
    record.response_start_ns = response_first_.boot_ns;
    record.response_end_ns = response_end_ns_;
    record.response_bytes = response_bytes_;
    record.response_tcp_seq = response_first_.tcp_seq;
    record.response_tid = response_first_.tid;
    const uint16_t code = response_->error_code();
    record.outcome = code == 0             ? Outcome::kOk
                     : IsServerError(code) ? Outcome::kServerError
                                           : Outcome::kClientError;
    if (code != 0) {
      record.status_code = std::to_string(code);
      record.attributes.emplace_back(
          "error.message", RedactMessage(response_->error_message(), response_->error_is_whole(),
                                         kMaxAttributeBytes));
    } else if (response_->has_rows() && !keeps_front_) {
      record.attributes.emplace_back("db.response.returned_rows",
                                     std::to_string(response_->rows()));
    }
  }
  sink.OnRecord(record);
}

void Matcher::OnTick(int64_t boot_ns, int64_t no_response_ns, RecordSink& sink) {
  if (responses_lost_ && boot_ns - last_response_ns_ >= kQuietNs) EndLostResponses(sink);
  for (size_t i = 0; i < open_.size(); ++i) {
    Command& command = open_[i];
    if (boot_ns - command.end_ns < no_response_ns) break;
    if (command.is_reported) continue;
    // One whose response is being read is not unanswered.
    if (i == 0 && response_.has_value() && boot_ns - last_response_ns_ < no_response_ns) break;
    command.is_reported = true;
    Emit(command, /*is_answered=*/false, sink);
  }
}

void Matcher::OnClose(RecordSink& sink) {
  if (responses_lost_) EndLostResponses(sink);
  for (size_t i = 0; i < open_.size(); ++i) {
    if (!open_[i].is_reported) Emit(open_[i], /*is_answered=*/false, sink);
  }
  open_.Clear();
  overflow_ = 0;
  response_.reset();
}

}  // namespace kindling::agent::mysql
