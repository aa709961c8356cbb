#include "agent/packets/owner_tap.h"

#include <memory>
#include <string_view>

#include "absl/strings/str_format.h"
#include "agent/identity/workload_name.h"

namespace kindling::agent {
namespace {

constexpr size_t kShownIdBytes = 12;

std::string Describe(uint32_t tgid, const ProcessTable::Process& process,
                     std::string_view own_cgroup) {
  std::string text = absl::StrFormat("process %s pid %d", ProgramName(process.facts), tgid);
  if (!process.workload.name.empty()) {
    absl::StrAppendFormat(&text, " workload %s", process.workload.name);
  }
  const std::string_view container = ContainerIdOf(process.facts.cgroup);
  if (!container.empty() && container != ContainerIdOf(own_cgroup)) {
    absl::StrAppendFormat(&text, " container %s", container.substr(0, kShownIdBytes));
  }
  return text;
}

}  // namespace

PacketOwners::Owner OwnerTap::OwnerOf(uint32_t tgid) {
  if (pipeline_.names_version() != names_version_ || names_.size() >= kMaxUnowned) {
    names_.clear();
    names_version_ = pipeline_.names_version();
  }
  if (const auto found = names_.find(tgid); found != names_.end()) return found->second;
  const PacketOwners::Owner owner =
      std::make_shared<const std::string>(Describe(tgid, pipeline_.ProcessOf(tgid), own_cgroup_));
  names_.emplace(tgid, owner);
  return owner;
}

void OwnerTap::Tell(const ConnOpen& socket, uint32_t tgid) {
  if (socket.transport == model::Transport::kUnix) return;
  if (tgid == 0) {
    if (unowned_.size() < kMaxUnowned) unowned_.insert(socket.id);
    return;
  }
  owners_.Add(socket, OwnerOf(tgid));
}

void OwnerTap::TellAll() {
  pipeline_.conns().ForEach([this](const Conversation& conversation) {
    Tell(conversation.open(), conversation.open().tgid);
  });
  pipeline_.sockets().ForEachListener(
      [this](model::Transport transport, uint32_t netns, uint16_t port, uint32_t tgid) {
        Tell({.transport = transport, .netns = netns, .local_port = port}, tgid);
      });
}

void OwnerTap::OnConnOpen(const ConnOpen& event) {
  next_.OnConnOpen(event);
  if (is_telling_) Tell(event, event.tgid);
}

void OwnerTap::OnConnCounters(const ConnCounters& event) {
  if (is_telling_ && event.closed) {
    unowned_.erase(event.id);
    if (const Conversation* conversation = pipeline_.conns().Find(event.id)) {
      owners_.Close(conversation->open(), event.boot_ns);
    }
  }
  next_.OnConnCounters(event);
}

void OwnerTap::OnData(const DataEvent& event) {
  next_.OnData(event);
  if (!is_telling_ || unowned_.empty() || event.tgid == 0) return;
  if (unowned_.erase(event.id) == 0) return;
  if (const Conversation* conversation = pipeline_.conns().Find(event.id)) {
    Tell(conversation->open(), event.tgid);
  }
}

void OwnerTap::OnListen(const ListenEvent& event) {
  next_.OnListen(event);
  if (!is_telling_) return;
  Tell({.transport = event.transport,
        .netns = event.netns,
        .local = event.local,
        .local_port = event.port},
       event.tgid);
}

void OwnerTap::OnTick(int64_t boot_ns, int64_t wall_ns) {
  next_.OnTick(boot_ns, wall_ns);
  if (owners_.is_used() != is_telling_) {
    is_telling_ = !is_telling_;
    if (is_telling_) {
      TellAll();
    } else {
      owners_.Clear();
      unowned_.clear();
      names_.clear();
    }
  }
  if (is_telling_) owners_.OnTick(boot_ns);
}

}  // namespace kindling::agent
