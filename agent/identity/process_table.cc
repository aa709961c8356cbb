#include "agent/identity/process_table.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace kindling::agent {
namespace {

constexpr int64_t kSweepIntervalNs = 5'000'000'000;
// How far up a listening socket may have been inherited from: master, supervisor, worker.
constexpr int kMaxAncestors = 4;
constexpr int64_t kLaunchNs = 1'000'000'000;  // within which launchers run one another
constexpr size_t kMaxAddresses = 64;          // remembered per process and kind

template <typename T>
bool Remember(std::set<T>& set, const T& value) {
  return set.size() < kMaxAddresses && set.insert(value).second;
}

}  // namespace

ProcessTable::ProcessTable(const Options& options, ProcessReader& reader, std::string own_cgroup)
    : options_(options), reader_(reader), own_cgroup_(std::move(own_cgroup)) {}

ProcessTable::Process& ProcessTable::Find(uint32_t tgid) {
  std::unique_ptr<Process>& slot = processes_[tgid];
  if (slot == nullptr) {
    slot = std::make_unique<Process>();
    slot->facts = reader_.Read(tgid);
    Process& process = *slot;  // Rename() may move the table
    Rename(tgid, process, 0);
    return process;
  }
  if (slot->inherited) {
    slot->inherited = false;
    Process& process = *slot;
    // One that ends while it is read has no program any more.
    if (ProcessFacts facts = reader_.Read(tgid); facts.found && !facts.executable.empty()) {
      process.facts = std::move(facts);
      Rename(tgid, process, 0);
    }
    return process;
  }
  return *slot;
}

// A server may fork a process for one connection, which is gone before it can be read.
void ProcessTable::OnFork(const TaskEvent& event) {
  processes_.erase(event.tgid);  // a reused pid
  const auto parent = processes_.find(event.parent_tgid);
  if (parent == processes_.end() || processes_.size() >= options_.max_processes) return;
  auto child = std::make_unique<Process>();
  child->facts = parent->second->facts;
  child->facts.parent_tgid = event.parent_tgid;
  child->workload = parent->second->workload;
  child->inherited = true;
  processes_[event.tgid] = std::move(child);
}

const ProcessTable::Process& ProcessTable::Get(uint32_t tgid) {
  Process& process = Find(tgid);
  process.used_boot_ns = now_ns_;
  return process;
}

void ProcessTable::Rename(uint32_t tgid, Process& process, int depth) {
  ServedAddress served;
  if (!process.tcp_ports.empty()) served.tcp_port = *process.tcp_ports.begin();
  if (!process.udp_ports.empty()) served.udp_port = *process.udp_ports.begin();
  if (!process.unix_paths.empty()) served.unix_path = *process.unix_paths.begin();
  // A worker serves what its master listens on.
  const bool serves = served.tcp_port != 0 || served.udp_port != 0 || !served.unix_path.empty();
  const uint32_t parent = process.facts.parent_tgid;
  if (!serves && depth < kMaxAncestors && parent > 1 && parent != tgid &&
      !process.facts.executable.empty()) {
    if (const auto known = processes_.find(parent);
        known != processes_.end() && known->second != nullptr &&
        known->second->facts.executable == process.facts.executable) {
      const Process& master = *known->second;
      if (!master.tcp_ports.empty()) served.tcp_port = *master.tcp_ports.begin();
      if (!master.udp_ports.empty()) served.udp_port = *master.udp_ports.begin();
      if (!master.unix_paths.empty()) served.unix_path = *master.unix_paths.begin();
    }
  }
  WorkloadName name = NameWorkload(process.facts, served, own_cgroup_);
  if (name == process.workload) return;
  if (!process.workload.name.empty()) ++names_version_;
  process.workload = std::move(name);
  // Only what a process serves goes into its children's names: a short-lived program costs no walk.
  if (!serves || depth >= kMaxAncestors) return;
  for (auto& [child_tgid, child] : processes_) {
    if (child != nullptr && child->facts.parent_tgid == tgid && child.get() != &process &&
        child->facts.executable == process.facts.executable) {
      Rename(child_tgid, *child, depth + 1);
    }
  }
}

bool ProcessTable::OnTask(const TaskEvent& event) {
  switch (event.kind) {
    case TaskEventKind::kExec: {
      // A new program: what it was and served is over.
      auto process = std::make_unique<Process>();
      process->facts = reader_.Read(event.tgid);
      if (!process->facts.found) {  // gone already: the kernel's word is all there is
        process->facts.comm = event.comm;
        process->facts.parent_tgid = event.parent_tgid;
      }
      process->exec_boot_ns = event.boot_ns;
      std::unique_ptr<Process>& slot = processes_[event.tgid];
      const bool is_news = slot == nullptr || slot->exited_boot_ns != 0 ||
                           event.boot_ns - slot->exec_boot_ns > kLaunchNs ||
                           slot->facts != process->facts;
      const std::unique_ptr<Process> old = std::exchange(slot, std::move(process));
      Process& fresh = *slot;  // Rename() may move the table
      Rename(event.tgid, fresh, 0);
      // Connections stay open over an exec. A name that is inherited still was never asked for.
      if (old != nullptr && !old->inherited && old->workload != fresh.workload) ++names_version_;
      return is_news;
    }
    case TaskEventKind::kFork:
      OnFork(event);
      break;
    case TaskEventKind::kFound:
      Find(event.tgid);
      break;
    case TaskEventKind::kExit:
    case TaskEventKind::kOomKill:
      if (const auto found = processes_.find(event.tgid); found != processes_.end()) {
        found->second->exited_boot_ns = event.boot_ns;
      }
      break;
  }
  return true;
}

void ProcessTable::OnListen(const ListenEvent& event) {
  OnServed(event.tgid, event.transport, event.port, event.unix_path);
}

void ProcessTable::OnServed(uint32_t tgid, model::Transport transport, uint16_t port,
                            const std::string& unix_path) {
  if (tgid == 0) return;
  Process& process = Find(tgid);
  bool changed = false;
  if (transport == model::Transport::kTcp && port != 0) {
    changed = Remember(process.tcp_ports, port);
  } else if (transport == model::Transport::kUdp && port != 0) {
    changed = Remember(process.udp_ports, port);
  } else if (transport == model::Transport::kUnix && !unix_path.empty()) {
    changed = Remember(process.unix_paths, unix_path);
  }
  if (changed) Rename(tgid, process, 0);
}

// Finds those whose exit was not told. By number, so that a replay reads the same ones.
void ProcessTable::CheckSome() {
  if (checks_left_ == 0) return;
  std::vector<uint32_t> alive;
  for (const auto& [tgid, process] : processes_) {
    if (process->exited_boot_ns == 0 && process->facts.found) alive.push_back(tgid);
  }
  checks_left_ = std::min(checks_left_, alive.size());
  if (alive.empty()) return;
  std::ranges::sort(alive);
  auto next = std::ranges::upper_bound(alive, checked_tgid_);
  const size_t checks = std::min(checks_left_, kChecksPerSweep);
  checks_left_ -= checks;
  for (size_t i = 0; i < checks; ++i, ++next) {
    if (next == alive.end()) next = alive.begin();
    checked_tgid_ = *next;
    if (!reader_.Read(*next).found) processes_[*next]->exited_boot_ns = now_ns_;
  }
}

void ProcessTable::OnTick(int64_t boot_ns) {
  now_ns_ = boot_ns;
  if (boot_ns < next_sweep_ns_) return;
  next_sweep_ns_ = boot_ns + kSweepIntervalNs;
  CheckSome();
  absl::erase_if(processes_, [&](const auto& entry) {
    const Process& process = *entry.second;
    if (process.exited_boot_ns != 0) return boot_ns - process.exited_boot_ns > options_.linger_ns;
    // Nothing will tell the end of what was not there to be read.
    return !process.facts.found && !process.inherited &&
           boot_ns - std::max(process.used_boot_ns, process.exec_boot_ns) > options_.linger_ns;
  });
  if (processes_.size() <= options_.max_processes) return;
  absl::erase_if(processes_, [](const auto& entry) { return entry.second->exited_boot_ns != 0; });
  if (processes_.size() > options_.max_processes)
    processes_.clear();  // names are read again on use
}

}  // namespace kindling::agent
