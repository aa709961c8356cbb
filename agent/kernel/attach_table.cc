#include "agent/kernel/attach_table.h"

#include <algorithm>

namespace kindling::agent {
namespace {

// The kernel's BTF names tracepoints btf_trace_<name> and iterator targets bpf_iter_<name>.
constexpr AttachRow kRows[] = {
    {.hook = "tp_btf/inet_sock_set_state",
     .program = "kd_inet_sock_set_state",
     .use = AttachUse::kAlways,
     .btf_name = "btf_trace_inet_sock_set_state",
     .gives = "TCP connect, accept, listen and failed connects, with times",
     .lost_without = "failed connects; connections are seen from their first data on",
     .minimum_kernel = "5.12",
     .cost = "per change of state of a TCP socket"},
    {.hook = "tp_btf/tcp_destroy_sock",
     .program = "kd_tcp_destroy_sock",
     .use = AttachUse::kAlways,
     .btf_name = "btf_trace_tcp_destroy_sock",
     .gives = "the end of a TCP connection with its last counters",
     .lost_without = "ends of TCP connections are seen by the next sweep only",
     .minimum_kernel = "5.12",
     .cost = "per TCP connection"},
    {.hook = "tp_btf/sched_process_fork",
     .program = "kd_process_fork",
     .use = AttachUse::kAlways,
     .btf_name = "btf_trace_sched_process_fork",
     .gives = "new processes; keeps a scope by pid complete",
     .lost_without = "children of the processes in scope are not followed",
     .minimum_kernel = "5.12",
     .cost = "per new process or thread"},
    {.hook = "tp_btf/sched_process_exec",
     .program = "kd_process_exec",
     .use = AttachUse::kAlways,
     .btf_name = "btf_trace_sched_process_exec",
     .gives = "started programs",
     .lost_without = "starts of programs",
     .minimum_kernel = "5.12",
     .cost = "per exec"},
    {.hook = "tp_btf/sched_process_exit",
     .program = "kd_process_exit",
     .use = AttachUse::kAlways,
     .btf_name = "btf_trace_sched_process_exit",
     .gives = "exits and crashes",
     .lost_without = "exits, crash signals",
     .minimum_kernel = "5.12",
     .cost = "per end of a thread"},
    {.hook = "tp/oom/mark_victim",
     .program = "kd_oom_kill",
     .use = AttachUse::kAlways,
     .tracefs_event = "oom/mark_victim",
     .gives = "kills for want of memory",
     .lost_without = "a kill for want of memory looks like any SIGKILL",
     .minimum_kernel = "5.12",
     .cost = "per such kill"},
    {.hook = "tp_btf/sock_send_length",
     .program = "kd_sock_send_length",
     .use = AttachUse::kSocketTracepoints,
     .btf_name = "btf_trace_sock_send_length",
     .gives = "bytes that calls sent over sockets",
     .lost_without = "what is sent, unless tp_btf/sys_exit is used",
     .minimum_kernel = "6.3 (6.5 for sendfile)",
     .fallback = "tp_btf/sys_exit",
     .cost = "per send on any socket; other system calls pay nothing"},
    {.hook = "tp_btf/sock_recv_length",
     .program = "kd_sock_recv_length",
     .use = AttachUse::kSocketTracepoints,
     .btf_name = "btf_trace_sock_recv_length",
     .gives = "bytes that calls received over sockets",
     .lost_without = "what is received, unless tp_btf/sys_exit is used",
     .minimum_kernel = "6.3",
     .fallback = "tp_btf/sys_exit",
     .cost = "per receive on any socket; other system calls pay nothing"},
    {.hook = "tp_btf/sys_exit",
     .program = "kd_sys_exit",
     .use = AttachUse::kSysExit,
     .btf_name = "btf_trace_sys_exit",
     .gives = "bytes that calls sent and received over sockets",
     .lost_without = "all payload on kernels without the socket tracepoints",
     .minimum_kernel = "5.12",
     .fallback = "tp_btf/sock_send_length",
     .cost = "every system call of the machine"},
    {.hook = "iter/task_file",
     .program = "kd_find_sockets",
     .use = AttachUse::kAlways,
     .btf_name = "bpf_iter_task_file",
     .gives = "connections and listeners that were there before the agent",
     .lost_without = "older connections are seen from their next data on, listeners not at all",
     .minimum_kernel = "5.12",
     .cost = "once, per open file"},
    {.hook = "iter/bpf_sk_storage_map",
     .program = "kd_sweep",
     .use = AttachUse::kSocketTracepoints,
     .btf_name = "bpf_iter_bpf_sk_storage_map",
     .gives = "counters of every connection; the end of UDP and unix sockets",
     .lost_without = "no estimate of lost records; ends of UDP and unix sockets",
     .minimum_kernel = "5.12",
     .cost = "per sweep and connection"},
    {.hook = "iter/bpf_map_elem",
     .program = "kd_sweep_by_address",
     .use = AttachUse::kSysExit,
     .btf_name = "bpf_iter_bpf_map_elem",
     .gives = "counters of every connection; the end of UDP and unix sockets",
     .lost_without = "no estimate of lost records; ends of UDP and unix sockets",
     .minimum_kernel = "5.12",
     .cost = "per sweep and connection"},
};

}  // namespace

std::string_view Name(DataHook hook) {
  return hook == DataHook::kSocketTracepoints ? "socket_tracepoints" : "sys_exit";
}

std::span<const AttachRow> AttachTable() { return kRows; }

bool IsAttachRow(std::string_view hook) {
  return std::ranges::any_of(kRows, [&](const AttachRow& row) { return row.hook == hook; });
}

}  // namespace kindling::agent
