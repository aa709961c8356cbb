#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "agent/protocols/codec.h"
#include "base/byte_reader.h"
#include "gtest/gtest.h"
#include "model/protocol.h"

namespace kindling::agent {
namespace {

using model::Protocol;
using model::Transport;
using std::string_literals::operator""s;

struct Sample {
  Protocol protocol;
  Transport transport;
  Match match;
  std::string bytes;
};

std::string ClientHello() {
  return "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s + std::string(32, '\x5a') + "\x20" +
         std::string(32, '\x77') + "\x00\x3e\x13\x02"s;
}

// First bytes as real clients and servers send them.
std::vector<Sample> Samples() {
  constexpr Transport kTcp = Transport::kTcp;
  constexpr Transport kUdp = Transport::kUdp;
  const std::string server_hello = "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"s +
                                   std::string(32, '\x01') + "\x20" + std::string(32, '\x77') +
                                   "\x13\x02\x00"s;
  return {
      {Protocol::kHttp, kTcp, Match::kRequest, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {Protocol::kHttp, kTcp, Match::kRequest, "PROPFIND /dav/ HTTP/1.0\r\n\r\n"},
      {Protocol::kHttp, kTcp, Match::kResponse, "HTTP/1.1 200 OK\r\n\r\n"},
      {Protocol::kHttp2, kTcp, Match::kRequest, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {Protocol::kHttp2, kTcp, Match::kResponse,
       "\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00"
       "\x00\x05\x00\xff\xff\xff"s},
      {Protocol::kHttp2, kTcp, Match::kResponse,
       "\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x00"s},
      {Protocol::kTls, kTcp, Match::kRequest, ClientHello()},
      {Protocol::kTls, kTcp, Match::kResponse, server_hello},
      {Protocol::kPostgresql, kTcp, Match::kRequest, "\x00\x00\x00\x08\x04\xd2\x16\x2f"s},
      {Protocol::kPostgresql, kTcp, Match::kRequest,
       "\x00\x00\x00\x25\x00\x03\x00\x00user\0shop\0database\0shop\0\0"s},
      {Protocol::kPostgresql, kTcp, Match::kRequest, "Q\x00\x00\x00\x0dSELECT 1\0"s},
      {Protocol::kPostgresql, kTcp, Match::kRequest,
       "P\x00\x00\x00\x19s1\0select $1::int4\0\0\0B\0\0\0\x0c"s},
      {Protocol::kPostgresql, kTcp, Match::kResponse, "R\x00\x00\x00\x0c\x00\x00\x00\x05salt"s},
      {Protocol::kPostgresql, kTcp, Match::kResponse,
       "C\x00\x00\x00\x0a"
       "BEGIN\0Z\x00\x00\x00\x05T"s},
      {Protocol::kKafka, kTcp, Match::kRequest,
       "\x00\x00\x00\x23\x00\x12\x00\x03\x00\x00\x00\x01\x00\x0b"
       "consumer-1x\x00\x05sarama\x06"
       "1.2.3\x00"s},
      {Protocol::kKafka, kTcp, Match::kRequest,
       "\x00\x00\x00\x40\x00\x00\x00\x09\x00\x00\x00\x07\x00\x07rdkafka\x00\x00"s},
      // Nobody else's.
      {Protocol::kRedis, kTcp, Match::kRequest, "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"},
      {Protocol::kRedis, kTcp, Match::kRequest, "PING\r\n"},
      {Protocol::kRedis, kTcp, Match::kResponse, "+OK\r\n"},
      {Protocol::kRedis, kTcp, Match::kResponse, "$5\r\nhello\r\n"},
      {Protocol::kMysql, kTcp, Match::kResponse,
       "\x59\x00\x00\x00\x0a"
       "5.5.5-10.11.6-MariaDB\x00\x20\x00\x00\x00saltsalt\x00\xfe\xf7\x2d\x02\x00\xff\x81\x15"s +
           std::string(10, '\0') + "saltsaltsalt\0mysql_native_password\0"s},
      {Protocol::kMysql, kTcp, Match::kRequest, "\x09\x00\x00\x00\x03SELECT 1"s},
      {Protocol::kMysql, kTcp, Match::kResponse, "\x07\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00"s},
      {Protocol::kDns, kUdp, Match::kRequest,
       "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04shop\x04test\x00\x00\x01\x00\x01"s},
      {Protocol::kDns, kTcp, Match::kRequest,
       "\x00\x1b\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04shop\x04test\x00\x00\x01\x00"
       "\x01"s},
  };
}

bool IsMatch(Match match) { return match == Match::kRequest || match == Match::kResponse; }

const ProtocolEntry* EntryOf(Protocol protocol) {
  for (const ProtocolEntry& entry : ProtocolRegistry()) {
    if (entry.protocol == protocol) return &entry;
  }
  return nullptr;
}

TEST(RegistryTest, EveryProtocolHasOneRow) {
  for (const ProtocolEntry& entry : ProtocolRegistry()) {
    EXPECT_NE(entry.protocol, Protocol::kUnknown);
    EXPECT_EQ(EntryOf(entry.protocol), &entry) << Name(entry.protocol);
    EXPECT_NE(entry.detect, nullptr);
  }
}

TEST(RegistryTest, SamplesAreClaimedByTheirOwnDetectorOnly) {
  const std::vector<Sample> samples = Samples();
  for (size_t i = 0; i < samples.size(); ++i) {
    const Sample& sample = samples[i];
    SCOPED_TRACE(::testing::Message() << "sample " << i << " of " << Name(sample.protocol));
    for (const ProtocolEntry& entry : ProtocolRegistry()) {
      const Match match = entry.detect(base::AsBytes(sample.bytes), sample.transport);
      if (entry.protocol == sample.protocol) continue;
      EXPECT_FALSE(IsMatch(match)) << "claimed by " << Name(entry.protocol);
    }
  }
}

// A protocol that is not registered yet must still not be taken for another.
TEST(RegistryTest, SamplesAreDetected) {
  const std::vector<Sample> samples = Samples();
  for (size_t i = 0; i < samples.size(); ++i) {
    const Sample& sample = samples[i];
    SCOPED_TRACE(::testing::Message() << "sample " << i << " of " << Name(sample.protocol));
    const ProtocolEntry* own = EntryOf(sample.protocol);
    const Detection got = DetectProtocol(base::AsBytes(sample.bytes), sample.transport);
    if (got.entry != nullptr) {
      EXPECT_EQ(got.entry->protocol, sample.protocol);
      EXPECT_EQ(got.match, sample.match);
    }
    if (own != nullptr && IsMatch(own->detect(base::AsBytes(sample.bytes), sample.transport))) {
      EXPECT_EQ(got.entry, own);
    }
    switch (sample.protocol) {
      case Protocol::kHttp:
      case Protocol::kHttp2:
      case Protocol::kTls:
      case Protocol::kPostgresql:
      case Protocol::kKafka:
        EXPECT_EQ(got.match, sample.match);
        break;
      default:  // some of the others' samples say too little
        break;
    }
  }
}

TEST(RegistryTest, PrefixesAreNeverTakenForAnother) {
  const std::vector<Sample> samples = Samples();
  for (size_t i = 0; i < samples.size(); ++i) {
    const Sample& sample = samples[i];
    const Match whole = DetectProtocol(base::AsBytes(sample.bytes), sample.transport).match;
    for (size_t size = 0; size < sample.bytes.size(); ++size) {
      const Detection got =
          DetectProtocol(base::AsBytes(sample.bytes).first(size), sample.transport);
      SCOPED_TRACE(::testing::Message() << "sample " << i << ", " << size << " bytes");
      if (got.entry != nullptr) {
        EXPECT_EQ(got.entry->protocol, sample.protocol);
      }
      if (IsMatch(whole)) {
        EXPECT_NE(got.match, Match::kNo);
      }
    }
  }
}

TEST(RegistryTest, RandomBytesAreClaimedByNone) {
  std::mt19937 random(20240601);
  for (int i = 0; i < 100000; ++i) {
    std::string bytes(1 + random() % 96, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    for (const Transport transport : {Transport::kTcp, Transport::kUdp, Transport::kUnix}) {
      const Detection got = DetectProtocol(base::AsBytes(bytes), transport);
      ASSERT_EQ(got.entry, nullptr)
          << Name(got.entry->protocol) << " claims " << ::testing::PrintToString(bytes);
    }
  }
}

TEST(RegistryTest, RandomTextIsClaimedByNone) {
  std::mt19937 random(20240602);
  for (int i = 0; i < 100000; ++i) {
    std::string text(1 + random() % 96, '\0');
    for (char& c : text) c = static_cast<char>(' ' + random() % 95);
    if (i % 3 == 0) text += "\r\n";
    const Detection got = DetectProtocol(base::AsBytes(text), Transport::kTcp);
    ASSERT_EQ(got.entry, nullptr) << Name(got.entry->protocol) << " claims " << text;
  }
}

}  // namespace
}  // namespace kindling::agent
