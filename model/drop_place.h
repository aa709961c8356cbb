#pragma once

#include <string_view>

namespace kindling::model {

// The part of the kernel that drops packets for a reason, as `enum skb_drop_reason` names them
// without its prefix and in small letters: "netfilter" for "netfilter_drop". "other" for a reason
// that is not known here, or is none.
std::string_view DropPlaceOf(std::string_view reason);

// Whether a UDP socket counts what it drops for this reason (udp_receive_drops).
bool IsCountedByUdpSocket(std::string_view reason);

}  // namespace kindling::model
