#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/protocols/codec.h"

namespace kindling::agent {

// What a run of bytes is to the codec that read it.
enum class Part : uint8_t {
  kStructure,  // lengths, types, markers: no value in it
  kHttpHead,
  kHttpChunkLine,
  kHttpTrailer,
  kRedisName,    // the command, its subcommand, or what else of it decides on its reply
  kRedisSimple,  // of "+OK": the text
  kRedisError,   // of "-ERR ...": the text
  kRedisNumber,
  kRedisPush,  // the first element of an aggregate: "message" and the like, or a value
  kMysqlGreeting,
  kMysqlLogin,
  kMysqlCommand,
  kMysqlOk,
  kMysqlError,
  kMysqlDefinition,
  kMysqlRow,  // of which the codec needs the first byte
};

// Is told by a codec what the bytes it is fed are to it, so that whoever changes bytes knows what
// to leave. Bytes that it is not told of are values, or were not understood.
class PartObserver {
 public:
  virtual ~PartObserver() = default;
  // `text` is the part from its first byte, as far as it came: it may begin in an earlier segment,
  // and is told again when it goes on. `after` captured bytes of the present segment follow it.
  virtual void OnPart(Flow flow, Part part, std::string_view text, size_t after) = 0;
};

}  // namespace kindling::agent
