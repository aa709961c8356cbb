#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kindling::agent::dns {

// Record types that are read (RFC 1035, 3596, 2782); others have a name at most.
enum Type : uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kPtr = 12,
  kMx = 15,
  kTxt = 16,
  kAaaa = 28,
  kSrv = 33,
  kDname = 39,
  kOpt = 41,
};

enum Opcode : uint8_t { kQuery = 0, kNotify = 4, kUpdate = 5 };

struct Answer {
  uint16_t type = 0;
  std::string text;  // an address, a name, "10 mail.test", "0 5 8080 host.test", "12 bytes" of TXT
};

// What is of interest in one message. Names are in lower case, without the final dot ("." is the
// root), with "?" for every byte that is not usual in a name.
struct Message {
  uint16_t id = 0;
  bool is_response = false;
  bool is_cut_by_server = false;  // the TC bit: the answer did not fit
  uint8_t opcode = 0;
  uint8_t rcode = 0;
  bool has_question = false;
  std::string name;  // of the first question
  uint16_t type = 0;
  uint64_t question_hash = 0;  // of all questions; 0 if there is none
  std::vector<Answer> answers;
};

enum class Parse : uint8_t {
  kMessage,  // header and questions were read, and of the answers what is there
  kCut,  // the bytes end before the questions do; `id` and the flags are set if 4 bytes are there
  kInvalid,  // not a DNS message
};

inline constexpr size_t kHeaderBytes = 12;
inline constexpr int kMaxQuestions = 16;
inline constexpr int kMaxAnswers = 64;

// Reads one message. `bytes` may be only its beginning.
//
// Failure: on any input ends, reading each byte a bounded number of times: compression pointers
//          must point backwards, names and counts are bounded. Damaged answers are left out.
Parse ParseMessage(std::span<const std::byte> bytes, Message* message);

// "A", "AAAA", ..., "OTHER".
std::string_view TypeName(uint16_t type);
// "NOERROR", "NXDOMAIN", ...; "RCODE11" for one without a name.
std::string RcodeName(uint8_t rcode);

}  // namespace kindling::agent::dns
