#include <string>

#include "agent/protocols/dns/codec.h"
#include "agent/protocols/dns/message_builder.h"
#include "base/byte_reader.h"
#include "gtest/gtest.h"
#include "model/protocol.h"

namespace kindling::agent {
namespace {

using dns::Framed;
using dns::MessageBuilder;
using model::Transport;

Match Udp(std::string_view text) { return dns::Detect(base::AsBytes(text), Transport::kUdp); }
Match Tcp(std::string_view text) { return dns::Detect(base::AsBytes(text), Transport::kTcp); }

TEST(DetectDnsTest, KnowsQueriesAndResponses) {
  const std::string query = dns::Query(1, "shop.test", 1);
  const std::string edns = MessageBuilder(1, 0x0120).Question("shop.test", 28).Edns().Datagram();
  const std::string response = dns::AddressResponse(1, "shop.test", 1, "\x0a\x01\x01\x01");
  const std::string error = dns::ErrorResponse(1, "nosuch.test", 1, 3);
  for (const std::string& message : {query, edns}) {
    EXPECT_EQ(Udp(message), Match::kRequest);
    EXPECT_EQ(Tcp(Framed(message)), Match::kRequest);
  }
  for (const std::string& message : {response, error}) {
    EXPECT_EQ(Udp(message), Match::kResponse);
    EXPECT_EQ(Tcp(Framed(message)), Match::kResponse);
  }
}

TEST(DetectDnsTest, AStreamMayNeedMore) {
  const std::string framed = Framed(dns::Query(1, "shop.test", 1));
  for (size_t length = 1; length < framed.size(); ++length) {
    EXPECT_EQ(Tcp(framed.substr(0, length)), Match::kNeedMore) << length;
    if (length > 2) {
      EXPECT_EQ(Udp(framed.substr(2, length - 2)), Match::kNeedMore) << length;
    }
  }
}

TEST(DetectDnsTest, LeavesOtherProtocolsAlone) {
  for (const std::string& other :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("*1\r\n$4\r\nPING\r\n"),
        std::string(64, '\0'), std::string(200, '\0'), std::string("\x16\x03\x01\x02\x00\x01\x00"),
        std::string(40, 'A'), dns::Query(1, "shop.test", 1) + "x",  // more than the message
        dns::Query(1, "sh op.test", 1), dns::Query(1, "shop.test", 20000)}) {
    EXPECT_NE(Udp(other), Match::kRequest) << other;
    EXPECT_NE(Udp(other), Match::kResponse) << other;
    EXPECT_NE(Tcp(other), Match::kRequest) << other;
    EXPECT_NE(Tcp(other), Match::kResponse) << other;
  }
}

}  // namespace
}  // namespace kindling::agent
