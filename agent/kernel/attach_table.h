#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kindling::agent {

// How the payload of system calls is seen. One is in use at a time.
enum class DataHook : uint8_t { kSocketTracepoints, kSysExit };
std::string_view Name(DataHook hook);

// What a row is needed for.
enum class AttachUse : uint8_t {
  kSocketTracepoints,  // only with DataHook::kSocketTracepoints
  kSysExit,            // only with DataHook::kSysExit
  kAlways,
  kPathTrace,  // only while a packet path is traced: a program of bpf/path.bpf.c
};

struct AttachRow {
  // As in the section name, and as named in the config's `disable`. A second program of the same
  // hook has a word after a colon.
  std::string_view hook;
  std::string_view program;  // in bpf/capture.bpf.c, or bpf/path.bpf.c
  AttachUse use;
  std::string_view btf_name;  // must be in the kernel's BTF; empty: see `tracefs_event`
  std::string_view tracefs_event;
  std::string_view gives;
  std::string_view lost_without;
  std::string_view minimum_kernel;
  std::string_view fallback;  // hook that gives the same; empty: none
  std::string_view cost;
};

// Every attach point the agent knows, in the order of attaching.
std::span<const AttachRow> AttachTable();

// True if `hook` is the name of a row.
bool IsAttachRow(std::string_view hook);

}  // namespace kindling::agent
