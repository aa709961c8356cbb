#pragma once

#include <cstdint>
#include <string>

#include "agent/protocols/mysql/packet.h"
#include "agent/protocols/mysql/wire.h"
#include "agent/protocols/part_observer.h"

namespace kindling::agent::mysql {

// Follows the packets of the response to one command to its end, without keeping them. Needs no
// capability flags: whether EOF packets and column definitions are sent shows in the packets.
class Response {
 public:
  // Of each packet the first so many bytes are looked at.
  static constexpr size_t kHeadBytes = 512;

  // `sends_eof`: the server is known to send EOF packets after definitions; `mysql_metadata`: the
  // flag for omitted definitions comes before the column count as in MySQL 8, not after it as in
  // MariaDB.
  Response(CommandCode command, bool sends_eof, bool mysql_metadata)
      : command_(command), sends_eof_(sends_eof), mysql_metadata_(mysql_metadata) {}

  enum class Progress : uint8_t {
    kMore,     // the response goes on
    kClient,   // the client has to send something before it goes on
    kDone,     // that was its last packet
    kInvalid,  // no such packet can come here
  };
  Progress OnPacket(const Packet& packet);
  // What the payload of a packet would be here, of which at least one byte is there.
  Part PartOf(const Packet& packet) const;

  // 0: no error.
  uint16_t error_code() const { return error_code_; }
  const std::string& error_message() const { return error_message_; }
  bool error_is_whole() const { return error_is_whole_; }
  // Rows of all result sets.
  uint64_t rows() const { return rows_; }
  bool has_rows() const { return has_rows_; }
  // Given by the server to a statement that was prepared.
  uint32_t statement_id() const { return statement_id_; }
  // An EOF packet came after definitions: the server sends them.
  bool saw_eof() const { return saw_eof_; }

 private:
  enum class State : uint8_t {
    kStart,          // before the first packet, or the first of a further result
    kColumns,        // in the column definitions, definitions_ to go
    kAfterColumns,   // before the EOF packet or the first row
    kRows,           // in the rows
    kParameterDefs,  // of a statement that was prepared: definitions_ to go, then its columns
    kColumnDefs,
    kLastEof,  // before the EOF packet after the last definition
    kFields,   // in the answer to FIELD_LIST
  };

  Progress Start(const Packet& packet);
  Progress StartPrepared(const Packet& packet);
  Progress StartResultSet(const Packet& packet);
  Progress Definition(const Packet& packet);
  Progress Row(const Packet& packet);
  Progress Error(const Packet& packet);
  Progress End(uint16_t status);
  Progress NextDefinitions();

  CommandCode command_;
  bool sends_eof_;
  bool mysql_metadata_;
  State state_ = State::kStart;
  uint64_t definitions_ = 0;
  uint32_t column_defs_ = 0;  // of a statement that was prepared
  uint64_t rows_ = 0;
  bool has_rows_ = false;
  bool saw_eof_ = false;
  bool error_is_whole_ = false;
  uint16_t error_code_ = 0;
  uint32_t statement_id_ = 0;
  std::string error_message_;
};

}  // namespace kindling::agent::mysql
