#include "ui/cli/path_text.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

namespace kindling::ui {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr Style kPlain;

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

v1::PacketPath Packet() {
  return Parse<v1::PacketPath>(R"pb(
    protocol: "tcp"
    outcome: "dropped"
    tcp_flags: "SYN"
    hops {
      host: "node-a"
      network_namespace: "client"
      device: "eth0"
      place: "queued"
      source: "10.0.0.2:4000"
      destination: "10.96.0.1:80"
    }
    hops {
      host: "node-a"
      network_namespace: "router"
      device: "r-server"
      place: "queued"
      since_last_ms: 0.012
      source: "10.0.0.2:4000"
      destination: "10.1.0.5:8080"
      translated: true
    }
    hops {
      host: "node-b"
      network_namespace: "server"
      place: "DROPPED"
      since_last_ms: -3
      across_clocks: true
      source: "10.0.0.2:4000"
      destination: "10.1.0.5:8080"
      reason: "netfilter_drop"
      location: "netfilter input, nft_do_chain"
      tunnel: "vxlan 42: 192.168.0.1 -> 192.168.0.2"
    }
  )pb");
}

TEST(PathTextTest, OnePacketHopByHop) {
  EXPECT_EQ(
      PacketText(Packet(), 1, false, kPlain),
      "#1 tcp 10.0.0.2:4000 -> 10.96.0.1:80, SYN: dropped\n"
      "    client  eth0      queued\n"
      "    router  r-server  queued   +12us  10.0.0.2:4000 -> 10.96.0.1:80 becomes "
      "10.0.0.2:4000 -> 10.1.0.5:8080\n"
      "    server            DROPPED      ?  netfilter_drop in netfilter input, nft_do_chain, "
      "in vxlan 42: 192.168.0.1 -> 192.168.0.2\n");
}

TEST(PathTextTest, HostsAreNamedWhereThereAreSeveral) {
  EXPECT_THAT(PacketText(Packet(), 1, true, kPlain),
              HasSubstr("\n    node-b server            DROPPED"));
}

TEST(PathTextTest, RepliesAndWhatWasNotSeen) {
  v1::PacketPath packet = Packet();
  packet.set_reply(true);
  packet.set_partial(true);
  packet.set_bytes(1);
  packet.set_hops_left_out(3);
  const std::string text = PacketText(packet, 7, false, kPlain);
  EXPECT_THAT(text, HasSubstr("#7 reply, tcp 10.0.0.2:4000 -> 10.96.0.1:80, SYN, 1 byte: dropped"));
  EXPECT_THAT(text, HasSubstr("its beginning was not seen"));
  EXPECT_THAT(text, HasSubstr("(3 hops more)"));
  EXPECT_EQ(PacketText({}, 1, false, kPlain), "");
}

TEST(PathTextTest, NamesAreMadeSafe) {
  v1::PacketPath packet = Packet();
  packet.mutable_hops(0)->set_device("e\x1b[31m\n");
  packet.mutable_hops(1)->set_detail("\x1b[2J");
  packet.set_outcome("\x1b]0;x");
  EXPECT_THAT(PacketText(packet, 1, true, kPlain), Not(HasSubstr("\x1b")));
}

TEST(PathTextTest, TheSummary) {
  const auto summary = Parse<v1::PathSummary>(R"pb(
    packets: 12
    outcomes { key: "delivered" value: 10 }
    outcomes { key: "dropped" value: 2 }
    places { network_namespace: "client" device: "eth0" place: "queued" packets: 12 }
    places {
      network_namespace: "router"
      device: "r-client"
      place: "DROPPED"
      packets: 2
      p50_ms: 0.012
      p99_ms: 0.02
      max_ms: 0.02
      reason: "netfilter_drop"
      location: "netfilter forward, nft_do_chain"
    }
    notes: "host a: 3 hops found no room in the kernel's ring"
  )pb");
  EXPECT_EQ(PathSummaryText(summary, false, kPlain, 0),
            "WAY    WHERE   DEVICE    PLACE    PACKETS   P50   P99   MAX  WHY\n"
            "there  client  eth0      queued        12     -     -     -\n"
            "there  router  r-client  DROPPED        2  12us  20us  20us  netfilter_drop in "
            "netfilter forward, nft_do_chain\n"
            "12 packets: 10 delivered, 2 dropped\n"
            "dropped there: 2 packets at router r-client, netfilter_drop in netfilter forward, "
            "nft_do_chain\n"
            "note: host a: 3 hops found no room in the kernel's ring\n");
  EXPECT_THAT(PathTallyText(summary, kPlain), Not(HasSubstr("WAY")));
  EXPECT_EQ(PathTallyText({}, kPlain), "0 packets\n");
}

}  // namespace
}  // namespace kindling::ui
