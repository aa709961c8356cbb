#include "model/drop_place.h"

#include <gtest/gtest.h>

#include <map>
#include <string_view>

namespace kindling::model {
namespace {

TEST(DropPlaceTest, ReasonsHaveTheirPlace) {
  const std::map<std::string_view, std::string_view> places = {
      {"netfilter_drop", "netfilter"},
      {"socket_rcvbuff", "receive_buffer"},
      {"proto_mem", "receive_buffer"},
      {"udp_csum", "checksum"},
      {"neigh_failed", "neighbour"},
      {"neigh_queuefull", "neighbour"},
      {"qdisc_drop", "queue_discipline"},
      {"fq_flow_limit", "queue_discipline"},
      {"no_socket", "no_socket"},
      {"tcp_listen_overflow", "listen_queue"},
      {"tcp_old_data", "tcp"},
      {"tcp_md5failure", "security"},
      {"tc_ingress", "packet_filter"},
      {"socket_filter", "packet_filter"},
      {"socket_close", "socket"},
      {"ip_outnoroutes", "routing"},
      {"ip_inhdr", "header"},
      {"full_ring", "device"},
      {"nomem", "memory"},
  };
  for (const auto& [reason, place] : places) EXPECT_EQ(DropPlaceOf(reason), place) << reason;
}

TEST(DropPlaceTest, WhatIsNotKnownIsOther) {
  for (const std::string_view reason :
       {"", "not_specified", "unknown", "a_reason_of_next_year", "tcp", "netfilter_drop_x"}) {
    EXPECT_EQ(DropPlaceOf(reason), "other") << reason;
  }
}

TEST(DropPlaceTest, WhatUdpSocketsCountThemselves) {
  EXPECT_TRUE(IsCountedByUdpSocket("socket_rcvbuff"));
  EXPECT_FALSE(IsCountedByUdpSocket("no_socket"));
  EXPECT_FALSE(IsCountedByUdpSocket("netfilter_drop"));
}

}  // namespace
}  // namespace kindling::model
