/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include "bpf/lib/inline.h"
#include "bpf/wire/drops.h"

/* Headers of packets that anybody may have made: what does not fit together is not read. */

#define KD_ETH_IPV4	0x0800
#define KD_ETH_IPV6	0x86dd
#define KD_IPV4_BYTES	20 /* without options */
#define KD_IPV6_BYTES	40 /* without extension headers */
#define KD_PORTS_BYTES	4
#define KD_PROTOCOL_TCP 6
#define KD_PROTOCOL_UDP 17
#define KD_FAMILY_IPV4	2 /* AF_INET, AF_INET6 */
#define KD_FAMILY_IPV6	10

#define KD_NOT_A_PACKET (-1)

static __always_inline int kd_has_ports(__u8 protocol)
{
	return protocol == KD_PROTOCOL_TCP || protocol == KD_PROTOCOL_UDP;
}

/*
 * Both: `header` are the first KD_IPV4_BYTES or KD_IPV6_BYTES of the packet. They return where its ports are, counted from
 * there, 0 where it has none, KD_NOT_A_PACKET where it is no such packet: then `key` is as it was.
 */
static __always_inline int kd_parse_ipv4(const __u8 *header, struct kd_drop_key *key)
{
	int header_bytes = (header[0] & 0x0f) * 4;

	if (header[0] >> 4 != 4 || header_bytes < KD_IPV4_BYTES)
		return KD_NOT_A_PACKET;
	key->family = KD_FAMILY_IPV4;
	key->protocol = header[9];
	__builtin_memcpy(key->source, header + 12, 4);
	__builtin_memcpy(key->destination, header + 16, 4);
	/* Of a fragmented datagram only the first piece has ports. */
	if (((header[6] & 0x1f) << 8 | header[7]) != 0)
		return 0;
	return kd_has_ports(key->protocol) ? header_bytes : 0;
}

/* With extension headers the protocol is the first one's. */
static __always_inline int kd_parse_ipv6(const __u8 *header, struct kd_drop_key *key)
{
	if (header[0] >> 4 != 6)
		return KD_NOT_A_PACKET;
	key->family = KD_FAMILY_IPV6;
	key->protocol = header[6];
	__builtin_memcpy(key->source, header + 8, 16);
	__builtin_memcpy(key->destination, header + 24, 16);
	return kd_has_ports(key->protocol) ? KD_IPV6_BYTES : 0;
}

static __always_inline void kd_parse_ports(const __u8 *ports, struct kd_drop_key *key)
{
	key->source_port = ports[0] << 8 | ports[1];
	key->destination_port = ports[2] << 8 | ports[3];
}
