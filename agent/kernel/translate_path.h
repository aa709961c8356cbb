#pragma once

#include <array>
#include <cstdint>

#include "agent/capture/events.h"
#include "agent/kernel/path_source.h"
#include "bpf/wire/path.h"

namespace kindling::agent {

KernelHop ToKernelHop(const kd_path_hop& wire);

// As IPv6 has it, ::ffff:a.b.c.d for IPv4.
std::array<uint8_t, 16> ToMapped(const IpAddress& address);

}  // namespace kindling::agent
