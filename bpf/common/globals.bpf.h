/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include "bpf/wire/counters.h"

#define KD_MAX_CPUS 256 /* a power of two; CPUs beyond it share counters */

/* Set before loading. */
const volatile __u8 kd_by_address; /* state in kd_conns_by_address, not in socket storage */
const volatile __u8 kd_scope_host; /* everything */
const volatile __u8 kd_scope_by_netns; /* kd_scope_netns has entries */
const volatile __u8 kd_scope_by_tgid; /* kd_scope_tgids has entries */
const volatile __u32 kd_scope_cgroup_count;
const volatile __u32 kd_self_tgid; /* never captured */
const volatile __u8 kd_sees_synacks; /* tcp_retransmit_synack is in use */
const volatile __u8 kd_sees_resets; /* tcp_send_reset is in use */
const volatile __u8 kd_has_reset_reasons; /* it has the argument (6.10) */
const volatile __u8 kd_finds_sockets; /* iter/task_file is in use */
const volatile __u8 kd_has_drop_reasons; /* kfree_skb has the argument (5.17) */
const volatile __u32 kd_purge_reason; /* of what is left at a socket that closes */
const volatile __u8 kd_has_drop_sockets; /* it has the receiving socket too (6.11) */
const volatile __u8 kd_has_retransmit_errors; /* tcp_retransmit_skb tells of failures (6.16) */

/* Set from user space at any time. */
__u32 kd_payload_bytes; /* of each call, at most KD_PAYLOAD_MAX; 0: no data events at all */

struct kd_loss kd_losses[KD_MAX_CPUS];
__u64 kd_next_conn = 1;

static __always_inline struct kd_loss *kd_loss_here(void)
{
	return &kd_losses[bpf_get_smp_processor_id() & (KD_MAX_CPUS - 1)];
}

#define kd_count(field, n) __sync_fetch_and_add(&kd_loss_here()->field, n)
