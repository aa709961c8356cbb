#include "controller/fleet/agent_registry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"

namespace kindling::controller {

absl::StatusOr<AgentRegistry::Lease> AgentRegistry::Connect(AgentInfo info, int64_t now_ns,
                                                            std::function<void()> evict) {
  std::function<void()> evicted;
  Lease lease = 0;
  {
    absl::MutexLock lock(&mu_);
    auto it = agents_.find(info.id);
    if (it == agents_.end()) {
      RETURN_IF_ERROR(MakeRoom());
      it = agents_.try_emplace(info.id).first;
    }
    Entry& entry = it->second;
    const bool same_run = entry.info.boot_epoch == info.boot_epoch && entry.info.host == info.host;
    if (entry.lease != 0 && !same_run) {
      return absl::AlreadyExistsError(absl::StrFormat(
          "agent id \"%s\" is held by an agent on host \"%s\": give this one another agent_id, or "
          "stop the other",
          info.id, entry.info.host));
    }
    if (entry.lease != 0) evicted = std::move(entry.evict);
    if (same_run) info.last_sequence = entry.info.last_sequence;
    if (same_run) info.health = entry.info.health;
    lease = ++last_lease_;
    info.connected = true;
    info.last_seen_ns = now_ns;
    entry = {std::move(info), lease, std::move(evict)};
  }
  if (evicted) evicted();
  return lease;
}

absl::Status AgentRegistry::MakeRoom() {
  if (agents_.size() < kMaxAgents) return absl::OkStatus();
  auto oldest = agents_.end();
  for (auto it = agents_.begin(); it != agents_.end(); ++it) {
    if (it->second.lease != 0) continue;
    if (oldest == agents_.end() ||
        it->second.info.last_seen_ns < oldest->second.info.last_seen_ns) {
      oldest = it;
    }
  }
  if (oldest == agents_.end()) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("%d agents are connected: this controller takes no more", kMaxAgents));
  }
  agents_.erase(oldest);
  return absl::OkStatus();
}

AgentRegistry::Entry* AgentRegistry::Held(const std::string& id, Lease lease) {
  const auto it = agents_.find(id);
  return it != agents_.end() && it->second.lease == lease ? &it->second : nullptr;
}

void AgentRegistry::Seen(const std::string& id, Lease lease, int64_t now_ns) {
  absl::MutexLock lock(&mu_);
  if (Entry* entry = Held(id, lease)) entry->info.last_seen_ns = now_ns;
}

void AgentRegistry::SetHealth(const std::string& id, Lease lease, const AgentHealth& health,
                              int64_t now_ns) {
  absl::MutexLock lock(&mu_);
  if (Entry* entry = Held(id, lease)) {
    entry->info.health = health;
    entry->info.last_seen_ns = now_ns;
  }
}

void AgentRegistry::SetDurable(const std::string& id, Lease lease, uint64_t sequence) {
  absl::MutexLock lock(&mu_);
  if (Entry* entry = Held(id, lease)) {
    entry->info.last_sequence = std::max(entry->info.last_sequence, sequence);
  }
}

void AgentRegistry::Disconnect(const std::string& id, Lease lease, int64_t now_ns) {
  absl::MutexLock lock(&mu_);
  if (Entry* entry = Held(id, lease)) {
    entry->lease = 0;
    entry->evict = nullptr;
    entry->info.connected = false;
    entry->info.last_seen_ns = now_ns;
  }
}

std::vector<AgentInfo> AgentRegistry::List() const {
  std::vector<AgentInfo> out;
  {
    absl::MutexLock lock(&mu_);
    out.reserve(agents_.size());
    for (const auto& [id, entry] : agents_) out.push_back(entry.info);
  }
  std::sort(out.begin(), out.end(),
            [](const AgentInfo& a, const AgentInfo& b) { return a.id < b.id; });
  return out;
}

}  // namespace kindling::controller
