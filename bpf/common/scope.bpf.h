/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

#include "bpf/common/globals.bpf.h"
#include "bpf/maps/scope.h"

/* Is the network namespace in scope? Holds in any context. */
static __always_inline int kd_netns_in_scope(__u32 netns)
{
	if (kd_scope_host)
		return 1;
	return kd_scope_by_netns && bpf_map_lookup_elem(&kd_scope_netns, &netns);
}

/* Is the current process in scope by pid or cgroup? Only where the current task is the one that acts. */
static __always_inline int kd_current_in_scope(void)
{
	if (kd_scope_by_tgid) {
		__u32 tgid = bpf_get_current_pid_tgid() >> 32;

		if (bpf_map_lookup_elem(&kd_scope_tgids, &tgid))
			return 1;
	}
	for (__u32 i = 0; i < KD_SCOPE_CGROUPS; i++) {
		if (i >= kd_scope_cgroup_count)
			break;
		if (bpf_current_task_under_cgroup(&kd_scope_cgroups, i) == 1)
			return 1;
	}
	return 0;
}

static __always_inline int kd_current_is_self(void)
{
	return kd_self_tgid && (__u32)(bpf_get_current_pid_tgid() >> 32) == kd_self_tgid;
}
