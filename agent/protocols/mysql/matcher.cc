#include "agent/protocols/mysql/matcher.h"

#include <algorithm>
#include <utility>

#include "agent/protocols/codec_limits.h"
#include "agent/protocols/redact_message.h"
#include "base/byte_reader.h"
#include "model/sql_lexer.h"
#include "model/sql_template.h"

namespace kindling::agent::mysql {
namespace {

using model::Outcome;

constexpr uint32_t kDeprecateEof = 1U << 24;
constexpr size_t kMaxDatabaseBytes = 64;
// Statements of commands past these, and prepared ones past that size, are named but not kept.
constexpr size_t kMaxHeldStatements = 64;
constexpr size_t kMaxPreparedStatementBytes = 512;

bool GetsNoResponse(CommandCode code) {
  return code == CommandCode::kQuit || code == CommandCode::kStmtClose ||
         code == CommandCode::kStmtSendLongData;
}

bool StartsReplication(CommandCode code) {
  return code == CommandCode::kBinlogDump || code == CommandCode::kBinlogDumpGtid ||
         code == CommandCode::kTableDump;
}

std::string DatabaseName(std::string_view text) {
  std::string name(text.substr(0, kMaxDatabaseBytes));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, '?');
  return name;
}

// The database that "USE name" chooses; empty for other text.
std::string UsedDatabase(std::string_view sql) {
  model::SqlLexer lexer(sql);
  const std::string_view verb = lexer.Next().text;
  const bool is_use = verb.size() == 3 && (verb[0] | 0x20) == 'u' && (verb[1] | 0x20) == 's' &&
                      (verb[2] | 0x20) == 'e';
  if (!is_use) return "";
  const model::SqlToken name = lexer.Next();
  const bool is_name =
      name.kind == model::SqlTokenKind::kWord || name.kind == model::SqlTokenKind::kIdentifier;
  return is_name ? DatabaseName(name.text) : "";
}

constexpr uint32_t kEofBytes = 5;
constexpr uint32_t kMinLoginBytes = 32;
constexpr uint32_t kMaxLoginBytes = 64 << 10;
constexpr uint8_t kMaxLoginPackets = 16;

// Whether a command has a length and a text that it may have.
bool IsPlausibleCommand(const Packet& packet) {
  const auto code = static_cast<CommandCode>(packet.first());
  switch (code) {
    case CommandCode::kQuery:
    case CommandCode::kStmtPrepare: {
      if (packet.length < 2) return false;
      if (packet.head.size() < 2) return true;
      const auto c = static_cast<uint8_t>(packet.head[1]);
      return c >= 0x20 || (c >= '\t' && c <= '\r') || c == 0;
    }
    case CommandCode::kQuit:
    case CommandCode::kStatistics:
    case CommandCode::kPing:
    case CommandCode::kResetConnection:
      return packet.length == 1;
    case CommandCode::kInitDb:
      return packet.length <= 1024;
    case CommandCode::kStmtExecute:
      return packet.length >= 10;
    case CommandCode::kStmtClose:
    case CommandCode::kStmtReset:
      return packet.length == 5;
    case CommandCode::kStmtSendLongData:
      return packet.length >= 7;
    case CommandCode::kStmtFetch:
      return packet.length == 9;
    case CommandCode::kSetOption:
      return packet.length == 3;
    default:
      return !CommandName(code).empty();
  }
}

// The text of a QUERY. MySQL 8 may put attributes before it: their number, which must be none to be
// understood, and a 1.
std::string_view QueryText(std::span<const std::byte> payload) {
  std::string_view text = base::AsText(payload.subspan(1));
  if (text.starts_with(std::string_view("\0\1", 2))) text.remove_prefix(2);
  return text;
}

bool IsEof(const Packet& packet) { return packet.length == kEofBytes && packet.first() == 0xfe; }

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
  if (is_clients_turn_) return true;
  switch (phase_) {
    case Phase::kUnknown:
    case Phase::kGreeted:
      return packet.sequence == 1 && packet.length >= kMinLoginBytes &&
             packet.length <= kMaxLoginBytes;
    case Phase::kLoggingIn:
      return packet.sequence < kMaxLoginPackets && packet.length <= kMaxLoginBytes;
    case Phase::kCommands:
      return false;
  }
  return false;
}

bool Matcher::AcceptsServerPacket(const Packet& packet) const {
  if (!open_.empty()) {
    return packet.sequence == next_sequence_ ||
           (!response_.has_value() && packet.length == kEofBytes);
  }
  if (overflow_ > 0) return true;
  switch (phase_) {
    case Phase::kUnknown:
      return packet.sequence == 0 && packet.length <= kMaxLoginBytes;
    case Phase::kGreeted:
    case Phase::kLoggingIn:
      return packet.sequence < kMaxLoginPackets && packet.length <= kMaxLoginBytes;
    case Phase::kCommands:
      return packet.length == kEofBytes;  // after the definitions of a prepared statement
  }
  return false;
}

std::optional<Part> Matcher::PartOf(Flow flow, const Packet& packet) const {
  const bool is_greeting = phase_ == Phase::kUnknown || phase_ == Phase::kGreeted;
  if (flow == Flow::kRequest) {
    if (packet.sequence == 0) return Part::kMysqlCommand;
    return is_greeting ? std::optional(Part::kMysqlLogin) : std::nullopt;
  }
  if (!open_.empty()) {
    if (response_.has_value()) return response_->PartOf(packet);
    return Response(open_[0].code, sends_eof_, false).PartOf(packet);
  }
  if (overflow_ > 0) return std::nullopt;
  if (packet.first() == 0xff) return Part::kMysqlError;
  if (is_greeting) return Part::kMysqlGreeting;
  if (phase_ == Phase::kLoggingIn) {
    return packet.first() == 0 ? Part::kMysqlOk : Part::kMysqlRow;
  }
  return IsEof(packet) ? std::optional(Part::kStructure) : std::nullopt;
}

void Matcher::OnClientPacket(const Packet& packet, const ByteOrigin& first, int64_t end_ns,
                             RecordSink& sink) {
  last_is_open_ = false;
  if (packet.sequence == 0) {
    if (phase_ != Phase::kCommands) phase_ = Phase::kCommands;
    OnCommand(packet, first, end_ns, sink);
  } else if (phase_ == Phase::kGreeted || phase_ == Phase::kUnknown) {
    OnLogin(packet, first, end_ns);
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
    if (phase_ == Phase::kUnknown || phase_ == Phase::kGreeted) {
      OnGreeting(packet, first, end_ns, sink);
    } else if (phase_ == Phase::kLoggingIn) {
      OnLoginAnswer(packet, first, end_ns, sink);
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
    response_.emplace(open_.front().code, sends_eof_, (capabilities_ & kOptionalMetadata) != 0);
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

void Matcher::OnGreeting(const Packet& packet, const ByteOrigin& first, int64_t end_ns,
                         RecordSink& sink) {
  if (packet.first() == 0xff) return EmitLoginError(packet, first, end_ns, sink);
  const std::optional<Greeting> greeting = ParseGreeting(packet.head);
  if (!greeting.has_value()) {
    sink.OnUnparsed(packet.bytes(), 0);
    return;
  }
  phase_ = Phase::kGreeted;
  server_capabilities_ = greeting->capabilities;
}

void Matcher::OnLogin(const Packet& packet, const ByteOrigin& first, int64_t end_ns) {
  const std::optional<Login> login = ParseLogin(packet.head);
  const bool was_greeted = phase_ == Phase::kGreeted;
  phase_ = Phase::kLoggingIn;
  login_ = Command{.start_ns = first.boot_ns,
                   .end_ns = end_ns,
                   .bytes = packet.bytes(),
                   .tcp_seq = first.tcp_seq,
                   .tid = first.tid};
  if (!login.has_value()) return;
  capabilities_ = login->capabilities & (was_greeted ? server_capabilities_ : 0xffffffff);
  if (login->asks_for_tls && packet.length == kMinLoginBytes) {
    opaque_reason_ = "tls";
    return;
  }
  sends_eof_ = (capabilities_ & kDeprecateEof) == 0;
  will_compress_ = (capabilities_ & (kCompress | kZstd)) != 0;
  database_ = DatabaseName(login->database);
}

void Matcher::OnLoginAnswer(const Packet& packet, const ByteOrigin& first, int64_t end_ns,
                            RecordSink& sink) {
  switch (packet.first()) {
    case 0x00:
      phase_ = Phase::kCommands;
      if (will_compress_) opaque_reason_ = "compressed";
      return;
    case 0xff:
      return EmitLoginError(packet, first, end_ns, sink);
    default:
      return;  // the authentication goes on
  }
}

void Matcher::OnCommand(const Packet& packet, const ByteOrigin& first, int64_t end_ns,
                        RecordSink& sink) {
  const auto code = static_cast<CommandCode>(packet.first());
  if (packet.head.empty()) {
    // A hole took it. It may be one that gets no response.
    OnCommandsLost(Loss::kUnseen, sink);
    return;
  }
  if (StartsReplication(code)) {
    opaque_reason_ = "replication";
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
  Command command{.start_ns = first.boot_ns,
                  .end_ns = end_ns,
                  .bytes = packet.bytes(),
                  .tcp_seq = first.tcp_seq,
                  .tid = first.tid,
                  .code = code};
  Describe(packet, command);
  if (open_.empty()) next_sequence_ = 1;
  open_.Push(std::move(command));
  last_is_open_ = true;
}

void Matcher::Describe(const Packet& packet, Command& command) {
  base::ByteReader reader(packet.head);
  reader.Skip(1);
  const std::string_view text = base::AsText(packet.head.subspan(1));
  const auto named = [](std::string endpoint) {
    return std::make_shared<const Statement>(Statement{.endpoint = std::move(endpoint)});
  };
  switch (command.code) {
    case CommandCode::kQuery: {
      const std::string_view sql = QueryText(packet.head);
      auto statement = std::make_shared<Statement>();
      statement->endpoint = model::SqlEndpoint(sql);
      if (open_.size() < kMaxHeldStatements) {
        statement->statement = model::SqlStatement(sql, kMaxStatementBytes);
      }
      command.statement = std::move(statement);
      command.database = UsedDatabase(sql);
      return;
    }
    case CommandCode::kStmtPrepare: {
      auto statement = std::make_shared<Statement>();
      statement->endpoint = model::SqlEndpoint(text);
      if (open_.size() < kMaxHeldStatements) {
        statement->statement = model::SqlStatement(text, kMaxPreparedStatementBytes);
      }
      prepared_.SetLast(statement);
      command.statement = std::move(statement);
      return;
    }
    case CommandCode::kStmtExecute:
    case CommandCode::kStmtBulkExecute:
    case CommandCode::kStmtFetch: {
      const uint32_t id = reader.U32Le();
      if (reader.ok()) command.statement = prepared_.Find(id);
      break;
    }
    case CommandCode::kInitDb:
      command.database = DatabaseName(text);
      break;
    default:
      break;
  }
  if (command.statement == nullptr) {
    command.statement = named(std::string(CommandName(command.code)));
  }
}

void Matcher::OnCommandsLost(Loss loss, RecordSink& sink) {
  if (responses_lost_ && in_response_) EndLostResponses(sink);  // the client went on
  last_is_open_ = false;
  commands_lost_ = true;
  replied_since_ = false;
  commands_loss_ = loss;
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
  uint64_t unanswered = 0;
  for (size_t i = 0; i < open_.size(); ++i) unanswered += open_[i].is_reported ? 0 : 1;
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
  Command login = login_;
  if (phase_ != Phase::kLoggingIn) {
    // Refused before the client said anything.
    login = Command{.start_ns = first.boot_ns, .end_ns = first.boot_ns, .tid = first.tid};
  }
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
