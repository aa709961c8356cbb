/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

/*
 * Two rings, so that payload can never push out the state of connections and processes. Sizes are set
 * before loading. Records are submitted without waking anyone; user space drains on a timer. A full
 * ring drops the record and counts it in kd_loss.
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} kd_control_ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);
} kd_data_ring SEC(".maps");
