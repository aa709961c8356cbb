/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
#pragma once

/* lib/ compiles for BPF and, in the tests, for the host. */
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
