#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "agent/capture/events.h"
#include "agent/identity/process_facts.h"
#include "agent/identity/workload_name.h"

namespace kindling::agent {

// The processes in scope and their names.
//
// Threads: the capture thread only.
// Limits:  Options::max_processes; at the bound those that exited go first, then any. A process
// that
//          exited stays for Options::linger_ns, for its last bytes come after it; so does one that
//          was gone before it could be read, from when it was last asked for. After OnEventsLost()
//          all are read again, kChecksPerSweep in each sweep, for an exit may be among the events.
class ProcessTable {
 public:
  struct Options {
    size_t max_processes = 65536;
    int64_t linger_ns = 30'000'000'000;
  };
  struct Process {
    ProcessFacts facts;
    WorkloadName workload;
    std::set<uint16_t> tcp_ports;  // it listens on
    std::set<uint16_t> udp_ports;
    std::set<std::string> unix_paths;
    int64_t exec_boot_ns = 0;    // 0: not seen
    int64_t exited_boot_ns = 0;  // 0: alive
    int64_t used_boot_ns = 0;
    // What its parent was when it forked, until it is read itself.
    bool inherited = false;
  };

  // `reader` must outlive this. `own_cgroup`: the agent's.
  ProcessTable(const Options& options, ProcessReader& reader, std::string own_cgroup);

  // The process, read when it is not known yet. Valid until the next call of a non-const method.
  const Process& Get(uint32_t tgid);
  bool Knows(uint32_t tgid) const { return processes_.contains(tgid); }

  // False for an exec that tells nothing new: launchers (setpriv, ip netns exec) run one another in
  // no time, and by when they can be read all of them are the last one.
  bool OnTask(const TaskEvent& event);
  void OnListen(const ListenEvent& event);
  // A process served a connection on this port although its listening socket was never seen.
  void OnServed(uint32_t tgid, model::Transport transport, uint16_t port,
                const std::string& unix_path);
  void OnEventsLost() { checks_left_ = processes_.size(); }
  void OnTick(int64_t boot_ns);

  // Grows whenever any process gets another name: what was derived from names is stale then.
  uint64_t names_version() const { return names_version_; }
  size_t size() const { return processes_.size(); }

 private:
  Process& Find(uint32_t tgid);
  void OnFork(const TaskEvent& event);
  void Rename(uint32_t tgid, Process& process, int depth);

  const Options options_;
  ProcessReader& reader_;
  const std::string own_cgroup_;
  absl::flat_hash_map<uint32_t, std::unique_ptr<Process>> processes_;
  uint64_t names_version_ = 0;
  static constexpr size_t kChecksPerSweep = 32;
  void CheckSome();

  int64_t now_ns_ = 0;  // of the last tick
  int64_t next_sweep_ns_ = 0;
  size_t checks_left_ = 0;
  uint32_t checked_tgid_ = 0;  // the last one
};

}  // namespace kindling::agent
