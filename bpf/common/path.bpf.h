/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#define KD_HEADERS_READ(to, bytes, address) \
	bpf_probe_read_kernel(to, bytes, (const void *)(address))
#define KD_HEADERS_FUNCTION __noinline
#include "bpf/lib/path_headers.h"
#include "bpf/maps/path.h"

/* Which packets are followed, and what is told of one of them at one place. */

/* Set before loading. */
const volatile __u8 kd_path_scope_host; /* every network namespace */
const volatile __u8 kd_path_any_from; /* no address of that end is known */
const volatile __u8 kd_path_any_to;
const volatile __u8 kd_path_protocol; /* 0: any */
const volatile __u16 kd_path_port; /* of the end `to`; 0: any */
const volatile __u32 kd_path_packets_per_s; /* followed at most */

#define KD_MAX_CPUS 256 /* a power of two; CPUs beyond it share counters */
struct kd_path_loss kd_path_losses[KD_MAX_CPUS];

__u64 kd_path_last; /* the packet followed last */
__u64 kd_path_second_began_ns;
__u32 kd_path_in_second;

#define kd_path_count(field)  \
	__sync_fetch_and_add( \
		&kd_path_losses[bpf_get_smp_processor_id() & (KD_MAX_CPUS - 1)].field, 1)

#define NS_PER_S 1000000000ULL
/* A packet that came in longer ago is not what makes a socket ready. */
#define KD_ARRIVING_NS 10000000ULL

/* One packet at one place: what the hooks take from the kernel's structures, all of it numbers. */
struct kd_sight {
	__u64 skb;
	__u64 at; /* the network header */
	__u64 device; /* address of its name; 0: none */
	__u64 detail; /* address of a name; 0: none */
	__u64 location;
	__u64 conntrack; /* as the buffer has it, with the direction in the low bits; 0: none */
	__u32 left; /* bytes from there on that may be read */
	__u32 netns;
	__u32 interface;
	__u32 received_by;
	__u32 mark;
	__u32 reason;
	__u32 tgid;
	__u8 place;
	__u8 flags;
	__u8 pad[2];
};

/* ---- which packets ---- */

static __always_inline int kd_path_in_scope(__u32 netns)
{
	return kd_path_scope_host || bpf_map_lookup_elem(&kd_path_netns, &netns);
}

static __always_inline __u8 kd_end_of(const __u8 *address)
{
	const __u8 *ends = bpf_map_lookup_elem(&kd_path_addresses, address);

	return ends ? *ends : 0;
}

/* 0: not of the flow asked for, else 1, or 2 for a reply. */
__noinline int kd_matches(const struct kd_tuple *tuple)
{
	const __u8 *learnt;
	struct kd_tuple key; /* before 6.2 only the stack and maps hold keys */
	__u8 source, destination, any;

	if (!tuple)
		return 0;
	key = *tuple;
	learnt = bpf_map_lookup_elem(&kd_path_tuples, &key);
	if (learnt)
		return 1 + (*learnt != 0);
	if (kd_path_protocol && tuple->protocol != kd_path_protocol)
		return 0;
	any = (kd_path_any_from ? KD_PATH_FROM : 0) | (kd_path_any_to ? KD_PATH_TO : 0);
	source = kd_end_of(key.source) | any;
	destination = kd_end_of(key.destination) | any;
	if (source & KD_PATH_FROM && destination & KD_PATH_TO &&
	    (!kd_path_port || tuple->destination_port == kd_path_port))
		return 1;
	if (source & KD_PATH_TO && destination & KD_PATH_FROM &&
	    (!kd_path_port || tuple->source_port == kd_path_port))
		return 2;
	return 0;
}

__noinline int kd_learn(const struct kd_tuple *tuple, __u8 reply)
{
	struct kd_tuple there, back = {};
	__u8 other = !reply;

	if (!tuple)
		return 0;
	there = *tuple;
	__builtin_memcpy(back.source, tuple->destination, 16);
	__builtin_memcpy(back.destination, tuple->source, 16);
	back.source_port = tuple->destination_port;
	back.destination_port = tuple->source_port;
	back.protocol = tuple->protocol;
	bpf_map_update_elem(&kd_path_tuples, &there, &reply, BPF_ANY);
	bpf_map_update_elem(&kd_path_tuples, &back, &other, BPF_ANY);
	return 0;
}

static __always_inline void kd_conntrack_address(__u8 *to, const union nf_inet_addr *from,
						 __u16 family)
{
	union nf_inet_addr address = {};

	bpf_probe_read_kernel(&address, sizeof(address), from);
	if (family == AF_INET)
		kd_map_ipv4(to, (const __u8 *)&address);
	else
		__builtin_memcpy(to, &address, 16);
}

static __always_inline void kd_conntrack_tuple(struct kd_tuple *to,
					       const struct nf_conntrack_tuple *from)
{
	__u16 family = BPF_CORE_READ(from, src.l3num);

	kd_conntrack_address(to->source, &from->src.u3, family);
	kd_conntrack_address(to->destination, &from->dst.u3, family);
	to->protocol = BPF_CORE_READ(from, dst.protonum);
	if (to->protocol != KD_PROTO_TCP && to->protocol != KD_PROTO_UDP)
		return;
	to->source_port = bpf_ntohs(BPF_CORE_READ(from, src.u.all));
	to->destination_port = bpf_ntohs(BPF_CORE_READ(from, dst.u.all));
}

/*
 * Where addresses are translated, conntrack has both forms of a connection. With direction 0: whether its
 * two true ends are those of the flow, as kd_matches() says it of the packet. Else: learns both forms of a
 * packet that goes in that direction.
 */
__noinline int kd_conntrack(__u64 conntrack, int direction)
{
	const struct nf_conn *conn = (const struct nf_conn *)(conntrack & ~NFCT_INFOMASK);
	int is_answer = (conntrack & NFCT_INFOMASK) >= IP_CT_IS_REPLY, original_is_reply;
	struct kd_tuple original = {}, answer = {};

	if (!conn || !bpf_core_type_exists(struct nf_conn))
		return 0;
	kd_conntrack_tuple(&original, &conn->tuplehash[0].tuple);
	kd_conntrack_tuple(&answer, &conn->tuplehash[1].tuple);
	if (!direction) {
		__builtin_memcpy(original.destination, answer.source, 16);
		original.destination_port = answer.source_port;
		direction = kd_matches(&original);
		return direction && is_answer ? 3 - direction : direction;
	}
	original_is_reply = (direction == 2) != is_answer;
	kd_learn(&original, original_is_reply);
	kd_learn(&answer, !original_is_reply);
	return direction;
}

/* Whether one more packet may be followed. Two processors that ask at once may both be told so. */
static __always_inline int kd_within_rate(__u64 now)
{
	if (now - kd_path_second_began_ns >= NS_PER_S) {
		kd_path_second_began_ns = now;
		kd_path_in_second = 0;
	}
	return __sync_fetch_and_add(&kd_path_in_second, 1) < kd_path_packets_per_s;
}

static __always_inline int kd_is_same_tuple(const struct kd_tuple *a, const struct kd_tuple *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2] && x[3] == y[3] && x[4] == y[4];
}

/*
 * Whether the buffer holds the packet that it held. Addresses and ports may have been translated, and on
 * the way in several segments joined to one.
 */
static __always_inline int kd_is_same_packet(const struct kd_followed *before,
					     const struct kd_packet *packet,
					     const struct kd_sight *sight)
{
	if (before->sequence != packet->sequence || before->ip_id != packet->ip_id)
		return 0;
	if (before->payload_bytes != packet->payload_bytes && before->place != KD_PATH_GRO)
		return 0;
	/* Sent once more from where it began: IPv6 has no id that differs. */
	return sight->place != KD_PATH_QUEUED || !(sight->flags & KD_PATH_OF_SOCKET) ||
	       before->first_netns != sight->netns || before->first_interface != sight->interface;
}

/* ---- one hop ---- */

static __always_inline void kd_tell(const struct kd_sight *sight, const struct kd_packet *packet,
				    const struct kd_followed *followed, __u64 now, __u8 flags)
{
	struct kd_path_hop *hop = bpf_ringbuf_reserve(&kd_path_ring, sizeof(*hop), 0);

	if (!hop) {
		kd_path_count(hops);
		return;
	}
	hop->boot_ns = now;
	hop->packet = followed->packet;
	hop->location = sight->location;
	hop->tuple = packet->tuple;
	hop->outer = packet->outer;
	hop->netns = sight->netns;
	hop->interface = sight->interface;
	hop->received_by = sight->received_by;
	hop->sequence = packet->sequence;
	hop->payload_bytes = packet->payload_bytes;
	hop->vni = packet->vni;
	hop->mark = sight->mark;
	hop->reason = sight->reason;
	hop->tgid = sight->tgid;
	hop->cpu = bpf_get_smp_processor_id();
	hop->ip_id = packet->ip_id;
	hop->place = sight->place;
	hop->flags = flags;
	hop->tcp_flags = packet->tcp_flags;
	__builtin_memset(hop->pad, 0, sizeof(hop->pad));
	__builtin_memset(hop->device, 0, sizeof(hop->device));
	__builtin_memset(hop->detail, 0, sizeof(hop->detail));
	if (sight->device)
		bpf_probe_read_kernel_str(hop->device, sizeof(hop->device), (void *)sight->device);
	if (sight->detail)
		bpf_probe_read_kernel_str(hop->detail, sizeof(hop->detail), (void *)sight->detail);
	else if (sight->tgid)
		bpf_get_current_comm(hop->detail, sizeof(hop->detail));
	bpf_ringbuf_submit(hop, BPF_RB_NO_WAKEUP);
}

static __always_inline int kd_is_end(__u8 place)
{
	return place == KD_PATH_CONSUMED || place == KD_PATH_DROPPED;
}

/* What comes into the stack may be at a socket next, without a hook of its own; elsewhere it is not. */
static __always_inline void kd_note_arriving(const struct kd_sight *sight, int is_followed,
					     __u64 now)
{
	__u32 zero = 0;
	struct kd_arriving *arriving = bpf_map_lookup_elem(&kd_path_arriving, &zero);

	if (!arriving)
		return;
	if (sight->place == KD_PATH_RECEIVED && is_followed) {
		arriving->skb = sight->skb;
		arriving->boot_ns = now;
	} else if (sight->place == KD_PATH_RECEIVED || arriving->skb == sight->skb) {
		arriving->skb = 0;
	}
}

/* A packet that is not followed yet, perhaps in a buffer that was another's. */
__noinline int kd_begin(const struct kd_sight *sight, const struct kd_packet *packet, int direction)
{
	struct kd_followed followed = {};
	__u64 now = bpf_ktime_get_boot_ns(), skb;
	__u8 flags;

	if (!sight || !packet)
		return 0;
	skb = sight->skb;
	kd_note_arriving(sight, direction, now);
	if (!direction) {
		bpf_map_delete_elem(&kd_path_followed, &skb);
		return 0;
	}
	followed.packet = __sync_fetch_and_add(&kd_path_last, 1) + 1;
	followed.tuple = packet->tuple;
	followed.sequence = packet->sequence;
	followed.payload_bytes = packet->payload_bytes;
	followed.first_netns = followed.netns = sight->netns;
	followed.first_interface = followed.interface = sight->interface;
	followed.ip_id = packet->ip_id;
	followed.place = sight->place;
	followed.reply = direction == 2;
	if (!kd_within_rate(now)) {
		followed.passed_over = 1;
		kd_path_count(packets);
	} else {
		flags = sight->flags | packet->flags | KD_PATH_NEW |
			(followed.reply ? KD_PATH_REPLY : 0);
		kd_learn(&packet->tuple, followed.reply);
		kd_tell(sight, packet, &followed, now, flags);
	}
	if (!kd_is_end(sight->place))
		bpf_map_update_elem(&kd_path_followed, &skb, &followed, BPF_ANY);
	return 0;
}

__noinline int kd_see(struct kd_sight *sight)
{
	struct kd_packet packet = {};
	struct kd_bytes bytes = {};
	struct kd_followed *before;
	__u64 now = bpf_ktime_get_boot_ns();
	__u64 skb;
	__u8 flags;
	int direction;

	if (!sight)
		return 0;
	skb = sight->skb;
	before = bpf_map_lookup_elem(&kd_path_followed, &skb);
	if (!sight->netns && before)
		sight->netns = before->netns;
	if (!kd_path_in_scope(sight->netns))
		goto end;
	bytes.at = sight->at;
	bytes.left = sight->left;
	if (kd_read_packet(&bytes, &packet)) {
		/* With bytes there it is another packet that is not IP, in a buffer used again. */
		if (before && !before->passed_over && sight->left < KD_IP_HEADER)
			kd_path_count(unread);
		goto end;
	}
	flags = sight->flags | packet.flags;
	if (before && !kd_is_same_packet(before, &packet, sight))
		before = 0;
	if (before) {
		if (before->passed_over)
			goto end;
		if (!kd_is_same_tuple(&before->tuple, &packet.tuple)) {
			kd_learn(&packet.tuple, before->reply);
			before->tuple = packet.tuple;
		}
		before->payload_bytes = packet.payload_bytes;
		before->netns = sight->netns;
		before->interface = sight->interface;
		before->place = sight->place;
		kd_note_arriving(sight, 1, now);
		kd_tell(sight, &packet, before, now, flags | (before->reply ? KD_PATH_REPLY : 0));
		goto end;
	}
	/* No packet begins where it is done with, but it may be lost there. */
	if (sight->place == KD_PATH_CONSUMED || sight->place == KD_PATH_READ)
		return 0;
	direction = kd_matches(&packet.tuple);
	if (!direction && sight->conntrack)
		direction = kd_conntrack(sight->conntrack, 0);
	if (direction && sight->conntrack)
		kd_conntrack(sight->conntrack, direction);
	return kd_begin(sight, &packet, direction);
end:
	if (kd_is_end(sight->place))
		bpf_map_delete_elem(&kd_path_followed, &skb);
	return 0;
}
