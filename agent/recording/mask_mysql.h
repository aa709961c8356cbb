#pragma once

#include <string>

namespace kindling::agent {

// Payloads of MySQL packets as far as they came, with their values replaced by others of the same
// length.

// The command with its statement, whose literals and comments go, or with ids of statements.
void MaskMysqlCommand(std::string& payload);
// SQL keeps its tokens: numbers become ones, of strings only quotes and backslashes stay.
void MaskSql(std::string& sql);
void MaskMysqlGreeting(std::string& payload);
// The name of the database stays, the user's and the password go.
void MaskMysqlLogin(std::string& payload);
void MaskMysqlOk(std::string& payload);
// The number and the SQL state stay.
void MaskMysqlError(std::string& payload);
void MaskMysqlDefinition(std::string& payload);
// Only the first byte stays: a marker, or a length.
void MaskMysqlRow(std::string& payload);

}  // namespace kindling::agent
