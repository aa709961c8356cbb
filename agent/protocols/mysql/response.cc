#include "agent/protocols/mysql/response.h"

#include "base/byte_reader.h"

namespace kindling::agent::mysql {
namespace {

constexpr uint8_t kOk = 0x00;
constexpr uint8_t kMoreAuth = 0x01;
constexpr uint8_t kLocalInfile = 0xfb;
constexpr uint8_t kEof = 0xfe;
constexpr uint8_t kError = 0xff;

constexpr uint32_t kEofBytes = 5;
constexpr uint32_t kMinOkBytes = 7;
constexpr uint32_t kPreparedBytes = 12;
constexpr uint32_t kMaxPreparedBytes = 16;
constexpr uint64_t kMaxColumns = 65535;
constexpr uint32_t kMaxCountBytes = 4;

// A column definition begins with the catalogue, which is always "def".
bool IsDefinition(const Packet& packet) {
  return base::AsText(packet.head)
      .starts_with(
          "\x03"
          "def");
}

}  // namespace

Response::Progress Response::OnPacket(const Packet& packet) {
  if (packet.length == 0 || packet.head.empty()) {
    // An empty packet is a row of no column at most; one in a hole cannot be told.
    return Progress::kInvalid;
  }
  if (packet.first() == kError) return Error(packet);
  switch (state_) {
    case State::kStart:
      return Start(packet);
    case State::kColumns:
    case State::kParameterDefs:
    case State::kColumnDefs:
      return Definition(packet);
    case State::kAfterColumns:
      state_ = State::kRows;
      if (packet.first() == kEof && packet.length == kEofBytes) {
        saw_eof_ = true;
        const uint16_t status = EofStatus(packet.head).value_or(0);
        return (status & kCursorExists) != 0 ? Progress::kDone : Progress::kMore;
      }
      return Row(packet);
    case State::kRows:
      return Row(packet);
    case State::kLastEof:
      if (packet.first() != kEof || packet.length != kEofBytes) return Progress::kInvalid;
      saw_eof_ = true;
      return NextDefinitions();
    case State::kFields:
      if (packet.first() == kEof) return Progress::kDone;
      return IsDefinition(packet) ? Progress::kMore : Progress::kInvalid;
  }
  return Progress::kInvalid;
}

Part Response::PartOf(const Packet& packet) const {
  const bool is_eof = packet.first() == kEof && packet.length != kMaxPayloadBytes;
  if (packet.first() == kError) return Part::kMysqlError;
  if (is_eof && packet.length == kEofBytes) return Part::kStructure;
  switch (state_) {
    case State::kStart:
      break;
    case State::kAfterColumns:
    case State::kRows:
      return is_eof ? Part::kMysqlOk : Part::kMysqlRow;
    default:
      return Part::kMysqlDefinition;
  }
  switch (command_) {
    case CommandCode::kStatistics:
      return Part::kMysqlRow;
    case CommandCode::kFieldList:
      return Part::kMysqlDefinition;
    case CommandCode::kStmtPrepare:
      return packet.length <= kMaxPreparedBytes ? Part::kStructure : Part::kMysqlRow;
    case CommandCode::kStmtFetch:
      return is_eof ? Part::kMysqlOk : Part::kMysqlRow;
    case CommandCode::kChangeUser:
      return packet.first() == kOk ? Part::kMysqlOk : Part::kMysqlRow;
    default:
      break;
  }
  if (packet.first() == kOk || is_eof) return Part::kMysqlOk;
  // A count of columns is short; what is longer is none.
  return packet.first() == kLocalInfile || packet.length > kMaxCountBytes ? Part::kMysqlRow
                                                                          : Part::kStructure;
}

Response::Progress Response::Start(const Packet& packet) {
  switch (command_) {
    case CommandCode::kStatistics:
      return Progress::kDone;
    case CommandCode::kFieldList:
      state_ = State::kFields;
      return OnPacket(packet);
    case CommandCode::kStmtPrepare:
      return StartPrepared(packet);
    case CommandCode::kStmtFetch:
      state_ = State::kRows;
      has_rows_ = true;
      return Row(packet);
    case CommandCode::kChangeUser:
      if (packet.first() == kEof || packet.first() == kMoreAuth) return Progress::kClient;
      break;
    default:
      break;
  }
  switch (packet.first()) {
    case kOk:
      if (packet.length < kMinOkBytes) return Progress::kInvalid;
      return End(OkStatus(packet.head).value_or(0));
    case kEof:
      if (packet.length == kEofBytes) return End(EofStatus(packet.head).value_or(0));
      return packet.length < kMinOkBytes ? Progress::kInvalid
                                         : End(OkStatus(packet.head).value_or(0));
    case kLocalInfile:
      return command_ == CommandCode::kQuery ? Progress::kClient : Progress::kInvalid;
    default:
      return StartResultSet(packet);
  }
}

Response::Progress Response::StartPrepared(const Packet& packet) {
  base::ByteReader reader(packet.head);
  reader.Skip(1);
  statement_id_ = reader.U32Le();
  column_defs_ = reader.U16Le();
  definitions_ = reader.U16Le();
  if (packet.first() != kOk || packet.length < kPreparedBytes || !reader.ok()) {
    return Progress::kInvalid;
  }
  if (definitions_ > 0) {
    state_ = State::kParameterDefs;
    return Progress::kMore;
  }
  return NextDefinitions();
}

// A group of definitions of a prepared statement is over; so are the parameters'.
Response::Progress Response::NextDefinitions() {
  if (column_defs_ == 0) return Progress::kDone;
  definitions_ = column_defs_;
  column_defs_ = 0;
  state_ = State::kColumnDefs;
  return Progress::kMore;
}

Response::Progress Response::StartResultSet(const Packet& packet) {
  switch (command_) {
    case CommandCode::kQuery:
    case CommandCode::kStmtExecute:
    case CommandCode::kStmtBulkExecute:
      break;
    default:
      // PROCESS_INFO is the only other command with a result set.
      if (CommandName(command_) != "PROCESS_INFO") return Progress::kInvalid;
  }
  const std::optional<LengthEncoded> count = ParseLengthEncoded(packet.head);
  if (!count.has_value()) return Progress::kInvalid;
  uint64_t columns = count->value;
  bool has_definitions = true;
  if (packet.length == count->size + 1) {
    // One byte more: whether definitions follow, or are known from an earlier execution.
    if (packet.head.size() < packet.length) return Progress::kInvalid;
    if (mysql_metadata_) {
      has_definitions = packet.first() != 0;
      const auto after = ParseLengthEncoded(packet.head.subspan(1));
      if (!after.has_value()) return Progress::kInvalid;
      columns = after->value;
    } else {
      has_definitions = packet.head[count->size] != std::byte{0};
    }
  } else if (packet.length != count->size) {
    return Progress::kInvalid;
  }
  if (columns == 0 || columns > kMaxColumns) return Progress::kInvalid;
  has_rows_ = true;
  definitions_ = has_definitions ? columns : 0;
  state_ = has_definitions ? State::kColumns : State::kAfterColumns;
  return Progress::kMore;
}

Response::Progress Response::Definition(const Packet& packet) {
  // Between a prepared statement's parameters and its columns.
  if (state_ == State::kColumnDefs && packet.first() == kEof && packet.length == kEofBytes) {
    saw_eof_ = true;
    return Progress::kMore;
  }
  if (!IsDefinition(packet)) return Progress::kInvalid;
  if (--definitions_ > 0) return Progress::kMore;
  switch (state_) {
    case State::kColumns:
      state_ = State::kAfterColumns;
      return Progress::kMore;
    case State::kParameterDefs:
      if (column_defs_ == 0 && sends_eof_) {
        state_ = State::kLastEof;
        return Progress::kMore;
      }
      return NextDefinitions();
    default:
      if (!sends_eof_ && !saw_eof_) return Progress::kDone;
      state_ = State::kLastEof;
      return Progress::kMore;
  }
}

Response::Progress Response::Row(const Packet& packet) {
  // A row never begins with 0xfe: that would be a value of 16 MiB and more, which fills the packet.
  if (packet.first() != kEof || packet.length == kMaxPayloadBytes) {
    ++rows_;
    return Progress::kMore;
  }
  return End(packet.length == kEofBytes ? EofStatus(packet.head).value_or(0)
                                        : OkStatus(packet.head).value_or(0));
}

Response::Progress Response::Error(const Packet& packet) {
  const std::optional<ErrorPacket> error = ParseError(packet.head);
  if (!error.has_value()) return Progress::kInvalid;
  if (error->is_progress()) return Progress::kMore;
  error_code_ = error->code;
  error_message_ = std::string(error->message);
  error_is_whole_ = packet.is_whole();
  return Progress::kDone;
}

// A result is over; `status` says whether a further one follows.
Response::Progress Response::End(uint16_t status) {
  const bool may_follow = command_ == CommandCode::kQuery || command_ == CommandCode::kStmtExecute;
  if (!may_follow || (status & kMoreResults) == 0) return Progress::kDone;
  state_ = State::kStart;
  return Progress::kMore;
}

}  // namespace kindling::agent::mysql
