#pragma once

#include <string>

namespace kindling::agent {

// Parts of Redis commands and replies with their values replaced by others of the same length.

// A name: letters, digits and the like; other bytes go.
void MaskRedisName(std::string& name);
// The text of "+OK": the answers that everybody gets stay.
void MaskRedisSimple(std::string& text);
// The text of an error as far as it came: its code stays, and what Redis itself says in the errors
// by which it is recognised.
void MaskRedisError(std::string& error);
// Zero stays zero and others stay others.
void MaskRedisNumber(std::string& digits);
// The first element of an aggregate as far as it came: the names of pub/sub messages stay.
void MaskRedisPush(std::string& word);

}  // namespace kindling::agent
