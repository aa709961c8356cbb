#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "kindling/v1/firewall.pb.h"

namespace kindling::agent {

// One message of NFNLGRP_NFTRACE (linux/netfilter/nf_tables.h, NFTA_TRACE_*).
struct TraceMessage {
  uint32_t packet_id = 0;
  v1::RuleStep step;  // without the rule's text
  uint32_t input_device = 0;
  uint32_t output_device = 0;
  std::string flow;    // empty: the message has no headers
  uint32_t bytes = 0;  // of the IP packet
  // Of the table that marks packets: tells of the packet, and is no step of it.
  bool is_mark = false;
  // No more of this packet comes from this hook, nor any later one.
  bool is_last = false;
};

// nullopt: it is none. REQUIRES: the message is as long as it says.
std::optional<TraceMessage> ParseTraceMessage(const nlmsghdr& message);

// "tcp 10.0.0.1:4000 > 10.0.0.2:80" of the headers of an IP packet; empty: they are of none.
std::string DescribePacket(std::span<const std::byte> network,
                           std::span<const std::byte> transport);

}  // namespace kindling::agent
