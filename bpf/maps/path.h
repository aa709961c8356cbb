/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include "bpf/wire/path.h"

/* A packet that is followed, by the address of its socket buffer. */
struct kd_followed {
	__u64 packet;
	struct kd_tuple tuple; /* as last seen */
	/* By these a buffer that is used again for another packet is told from the one that was followed. */
	__u32 sequence;
	__u32 payload_bytes;
	__u32 first_netns;
	__u32 first_interface;
	__u32 netns; /* as last seen, as all that follows but the id */
	__u32 interface;
	__u16 ip_id;
	__u8 place;
	__u8 reply;
	__u8 passed_over; /* beyond the rate */
	__u8 pad[3];
};

/*
 * Written by every program that meets a packet of the flow; deleted at its end. The end of many is told by
 * no hook, so that the oldest give way.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct kd_followed);
} kd_path_followed SEC(".maps");

/* The packet that a processor has just put into the network stack, and that may come to a socket now. */
struct kd_arriving {
	__u64 skb; /* 0: none */
	__u64 boot_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kd_arriving);
} kd_path_arriving SEC(".maps");

/*
 * Tuples that packets of the flow were seen with, in both directions; the value says whether it is that of
 * replies. So packets are known again after a change of address, and the answers to those too.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct kd_tuple);
	__type(value, __u8);
} kd_path_tuples SEC(".maps");

/* Addresses of the two ends; the value is KD_PATH_FROM, KD_PATH_TO or both. Written before attaching. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, struct kd_path_address);
	__type(value, __u8);
} kd_path_addresses SEC(".maps");

/* Inode numbers of the network namespaces in scope. Written before attaching. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u8);
} kd_path_netns SEC(".maps");

/* Size is set before loading. A full ring drops the record and counts it in kd_path_loss. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} kd_path_ring SEC(".maps");
