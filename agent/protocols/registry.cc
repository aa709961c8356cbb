#include <array>
#include <span>

#include "agent/protocols/codec.h"
#include "agent/protocols/dns/codec.h"
#include "agent/protocols/http1/codec.h"
#include "agent/protocols/mysql/codec.h"
#include "agent/protocols/recognised/http2.h"
#include "agent/protocols/recognised/kafka.h"
#include "agent/protocols/recognised/postgresql.h"
#include "agent/protocols/recognised/tls.h"
#include "agent/protocols/redis/codec.h"

namespace kindling::agent {
namespace {

using model::Protocol;

// Most specific first: protocols with a magic, then those with text, then those whose binary
// headers are only plausible. No codec: recognised and named, not parsed.
constexpr std::array<ProtocolEntry, 8> kRegistry = {{
    {Protocol::kHttp2, DetectHttp2, nullptr},
    {Protocol::kTls, DetectTls, nullptr},
    {Protocol::kRedis, redis::Detect, redis::MakeCodec},
    {Protocol::kHttp, http1::Detect, http1::MakeCodec},
    {Protocol::kMysql, mysql::Detect, mysql::MakeCodec},
    {Protocol::kPostgresql, DetectPostgresql, nullptr},
    {Protocol::kKafka, DetectKafka, nullptr},
    {Protocol::kDns, dns::Detect, dns::MakeCodec},
}};

}  // namespace

std::span<const ProtocolEntry> ProtocolRegistry() { return kRegistry; }

Detection DetectProtocol(std::span<const std::byte> head, model::Transport transport) {
  bool may_match = false;
  for (const ProtocolEntry& entry : kRegistry) {
    const Match match = entry.detect(head, transport);
    if (match == Match::kNeedMore) may_match = true;
    if (match == Match::kRequest || match == Match::kResponse) {
      // A more specific one may still turn out to be it: a wrong answer is worse than a late one.
      if (may_match) break;
      return {.match = match, .entry = &entry};
    }
  }
  return {.match = may_match ? Match::kNeedMore : Match::kNo};
}

}  // namespace kindling::agent
