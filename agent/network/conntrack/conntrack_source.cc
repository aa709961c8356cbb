#include "agent/network/conntrack/conntrack_source.h"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_compat.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/sock_diag.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "agent/network/conntrack/nat_message.h"
#include "agent/network/host/host_network.h"
#include "agent/network/host/kernel_answers.h"
#include "base/errno_status.h"

namespace kindling::agent {
namespace {

constexpr absl::Duration kListInterval = absl::Seconds(60);
constexpr absl::Duration kListAfterLoss = absl::Seconds(2);
constexpr absl::Duration kListPatience = absl::Seconds(10);
constexpr int kWaitMs = 100;      // how long the end of a run may have to wait
constexpr size_t kMessages = 64;  // read at once
constexpr size_t kMessageBytes = 4096;
// Of one namespace at a time, so that another's are not forgotten.
constexpr int kMaxRounds = 256;

base::UniqueFd OpenEvents(int socket_bytes) {
  base::UniqueFd fd(
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  if (!fd.valid()) return fd;
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &socket_bytes, sizeof(socket_bytes));
  const sockaddr_nl address{.nl_family = AF_NETLINK,
                            .nl_groups = NF_NETLINK_CONNTRACK_NEW | NF_NETLINK_CONNTRACK_DESTROY};
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    fd.reset();
  }
  return fd;
}

// Messages that found the socket's buffer full, since it was opened.
uint32_t DropsOf(int fd) {
  std::array<uint32_t, SK_MEMINFO_VARS> info{};
  socklen_t size = sizeof(info);
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info.data(), &size) != 0) return 0;
  return info[SK_MEMINFO_DROPS];
}

}  // namespace

struct ConntrackSource::Feed {
  uint32_t netns = 0;
  base::UniqueFd fd;
  uint32_t drops = 0;
  // Between the word that the buffer was full and its being empty more may be lost without a word.
  bool is_full = false;
};

absl::StatusOr<std::unique_ptr<ConntrackSource>> ConntrackSource::Start(Find find,
                                                                        int socket_bytes) {
  std::unique_ptr<ConntrackSource> source(new ConntrackSource(std::move(find), socket_bytes));
  if (!source->ready_.valid()) return base::ErrnoStatus(errno, "conntrack: epoll");
  source->thread_ = std::thread([raw = source.get()] { raw->Run(); });
  absl::MutexLock lock(&source->mu_);
  source->mu_.Await(absl::Condition(&source->is_started_));
  if (source->feeds_.empty()) {
    return absl::UnavailableError("conntrack: the kernel gives no events here");
  }
  return source;
}

ConntrackSource::ConntrackSource(Find find, int socket_bytes)
    : find_(std::move(find)), socket_bytes_(socket_bytes), ready_(epoll_create1(EPOLL_CLOEXEC)) {}

ConntrackSource::~ConntrackSource() {
  {
    absl::MutexLock lock(&mu_);
    is_done_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

uint64_t ConntrackSource::lost() const {
  absl::MutexLock lock(&mu_);
  return lost_;
}

void ConntrackSource::Run() {
  absl::Time next = absl::InfinitePast();
  absl::Time next_after_loss = absl::InfinitePast();
  while (true) {
    bool is_due = absl::Now() >= next;
    {
      absl::MutexLock lock(&mu_);
      if (is_done_) return;
      if (needs_list_ && absl::Now() >= next_after_loss) is_due = true;
      if (is_due) needs_list_ = false;
    }
    if (is_due) {
      OpenNew();
      next = absl::Now() + kListInterval;
      next_after_loss = absl::Now() + kListAfterLoss;
      absl::MutexLock lock(&mu_);
      is_started_ = true;
    }
    epoll_event event;
    epoll_wait(ready_.get(), &event, 1, kWaitMs);
    absl::MutexLock lock(&mu_);
    ReadAll();
  }
}

void ConntrackSource::OpenNew() {
  const base::UniqueFd own(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  const ScopeNamespaces namespaces = find_();
  std::map<uint32_t, const NamespaceRef*> found;
  for (const NamespaceRef& name_space : namespaces.found) {
    found[name_space.inode] = &name_space;
  }
  {
    absl::MutexLock lock(&mu_);
    for (auto feed = feeds_.begin(); feed != feeds_.end();) {
      if (found.contains(feed->first)) {
        ++feed;
        continue;
      }
      // All its flows are gone with it: as a list without any.
      Push({.kind = NatEventKind::kListBegin, .netns = feed->first});
      Push({.kind = NatEventKind::kListEnd, .netns = feed->first});
      feed = feeds_.erase(feed);
    }
  }
  for (const auto& [inode, name_space] : found) {
    if (!EnterNamespace(name_space->fd.get())) continue;
    bool is_open = false;
    {
      absl::MutexLock lock(&mu_);
      is_open = feeds_.contains(inode);
    }
    if (!is_open) {
      auto feed = std::make_unique<Feed>();
      feed->netns = inode;
      feed->fd = OpenEvents(socket_bytes_);
      if (!feed->fd.valid()) continue;
      absl::MutexLock lock(&mu_);
      epoll_event event{.events = EPOLLIN, .data = {.ptr = feed.get()}};
      epoll_ctl(ready_.get(), EPOLL_CTL_ADD, feed->fd.get(), &event);
      feeds_[inode] = std::move(feed);
    }
    List(*name_space);
  }
  EnterNamespace(own.get());
}

void ConntrackSource::List(const NamespaceRef& name_space) {
  struct {
    nlmsghdr header;
    nfgenmsg body;
  } request{.header = {.nlmsg_len = sizeof(request),
                       .nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
                       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
            .body = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0}};
  {
    absl::MutexLock lock(&mu_);
    Push({.kind = NatEventKind::kListBegin, .netns = name_space.inode});
  }
  RunningKernel kernel(kListPatience);
  const bool is_whole = kernel.Dump(NETLINK_NETFILTER, std::as_bytes(std::span(&request, 1)),
                                    [&](const nlmsghdr& message) {
                                      std::optional<NatEvent> event = ReadNatMessage(message);
                                      if (!event) return;
                                      event->kind = NatEventKind::kFound;
                                      event->netns = name_space.inode;
                                      absl::MutexLock lock(&mu_);
                                      Push(*event);
                                    });
  absl::MutexLock lock(&mu_);
  // Of a list that is not whole, what is missing from it may be there.
  if (is_whole) Push({.kind = NatEventKind::kListEnd, .netns = name_space.inode});
}

void ConntrackSource::ReadAll() {
  std::array<epoll_event, 32> events;
  // A socket that is not empty is given again.
  for (int round = 0; round < kMaxRounds; ++round) {
    const int count = epoll_wait(ready_.get(), events.data(), events.size(), 0);
    if (count <= 0) return;
    for (int i = 0; i < count; ++i) Read(*static_cast<Feed*>(events[i].data.ptr));
  }
}

void ConntrackSource::Read(Feed& feed) {
  static thread_local std::vector<std::array<char, kMessageBytes>> buffers(kMessages);
  std::array<mmsghdr, kMessages> headers{};
  std::array<iovec, kMessages> parts{};
  std::array<sockaddr_nl, kMessages> senders{};
  for (size_t i = 0; i < kMessages; ++i) {
    parts[i] = {.iov_base = buffers[i].data(), .iov_len = kMessageBytes};
    headers[i].msg_hdr = {.msg_name = &senders[i],
                          .msg_namelen = sizeof(sockaddr_nl),
                          .msg_iov = &parts[i],
                          .msg_iovlen = 1};
  }
  const int count = recvmmsg(feed.fd.get(), headers.data(), kMessages, MSG_DONTWAIT, nullptr);
  const bool is_full_now = count < 0 && errno == ENOBUFS;
  if (is_full_now || feed.is_full) {
    const uint32_t drops = DropsOf(feed.fd.get());
    const uint32_t fresh = drops - std::exchange(feed.drops, drops);
    if (fresh > 0 || is_full_now) CountLost(feed.netns, std::max(fresh, is_full_now ? 1u : 0u));
    feed.is_full = is_full_now || count == static_cast<int>(kMessages);
  }
  for (int i = 0; i < count; ++i) {
    if (senders[i].nl_pid != 0) continue;  // not the kernel
    int left = static_cast<int>(headers[i].msg_len);
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffers[i].data());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      std::optional<NatEvent> event = ReadNatMessage(*message);
      if (!event) continue;
      event->netns = feed.netns;
      Push(*event);
    }
  }
}

void ConntrackSource::CountLost(uint32_t netns, uint64_t count) {
  lost_ += count;
  unqueued_ += count;
  needs_list_ = true;
  if (queue_.size() >= kMaxQueued) return;  // it is told with the next one
  queue_.push_back(
      {.kind = NatEventKind::kLost, .netns = netns, .lost = std::exchange(unqueued_, 0)});
}

void ConntrackSource::Push(NatEvent event) {
  if (queue_.size() >= kMaxQueued) return CountLost(event.netns, 1);
  if (unqueued_ > 0) {
    queue_.push_back(
        {.kind = NatEventKind::kLost, .netns = event.netns, .lost = std::exchange(unqueued_, 0)});
  }
  queue_.push_back(std::move(event));
}

void ConntrackSource::Deliver(EventSink& sink) {
  std::deque<NatEvent> events;
  {
    absl::MutexLock lock(&mu_);
    ReadAll();
    events.swap(queue_);
  }
  for (const NatEvent& event : events) sink.OnNat(event);
}

}  // namespace kindling::agent
