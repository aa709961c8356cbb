#include "agent/firewall/namespace_tracer.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/firewall/rule_texts.h"
#include "agent/firewall/trace_selection.h"
#include "base/errno_status.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"

namespace kindling::agent {
namespace {

constexpr int kReceiveBytes = 4 << 20;
// A table is listed again no sooner, whatever handles are not in it.
constexpr absl::Duration kListAgain = absl::Seconds(1);
constexpr size_t kMaxMessageBytes = 65536;

using Nft = std::unique_ptr<nft_ctx, decltype([](nft_ctx* context) { nft_ctx_free(context); })>;
using Netlink =
    std::unique_ptr<mnl_socket, decltype([](mnl_socket* socket) { mnl_socket_close(socket); })>;

absl::Status RunNft(nft_ctx& nft, const std::string& command) {
  if (nft_run_cmd_from_buffer(&nft, command.c_str()) == 0) return absl::OkStatus();
  std::string why = nft_ctx_get_error_buffer(&nft);
  why = why.substr(0, why.find('\n'));
  return absl::FailedPreconditionError(
      absl::StrFormat("nftables refuses to mark packets: %s", why));
}

}  // namespace

struct NamespaceTracer::Rep {
  Nft nft;
  Netlink netlink;
  base::UniqueFd names;  // asked for the names of devices
  std::string table;
};

NamespaceTracer::NamespaceTracer(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
NamespaceTracer::~NamespaceTracer() = default;

absl::StatusOr<std::unique_ptr<NamespaceTracer>> NamespaceTracer::Open(
    const v1::PacketSelection& selection, const std::string& table) {
  ASSIGN_OR_RETURN(const std::vector<std::string> commands, MarkCommands(selection, table));
  auto rep = std::make_unique<Rep>();
  rep->table = table;
  rep->names = base::UniqueFd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!rep->names.valid()) return base::ErrnoStatus(errno, "socket");
  rep->netlink.reset(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK));
  int group = NFNLGRP_NFTRACE;
  if (rep->netlink == nullptr || mnl_socket_bind(rep->netlink.get(), 0, MNL_SOCKET_AUTOPID) != 0 ||
      mnl_socket_setsockopt(rep->netlink.get(), NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) !=
          0) {
    return base::ErrnoStatus(errno, "netlink for traces of nftables");
  }
  setsockopt(mnl_socket_get_fd(rep->netlink.get()), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBytes,
             sizeof(kReceiveBytes));
  rep->nft.reset(nft_ctx_new(NFT_CTX_DEFAULT));
  if (rep->nft == nullptr || nft_ctx_buffer_output(rep->nft.get()) != 0 ||
      nft_ctx_buffer_error(rep->nft.get()) != 0) {
    return absl::InternalError("nftables cannot be used");
  }
  // Without what counters said when they were listed.
  nft_ctx_output_set_flags(rep->nft.get(), NFT_CTX_OUTPUT_HANDLE | NFT_CTX_OUTPUT_STATELESS);
  // Marks nothing before somebody listens.
  for (const std::string& command : commands) RETURN_IF_ERROR(RunNft(*rep->nft, command));
  return std::unique_ptr<NamespaceTracer>(new NamespaceTracer(std::move(rep)));
}

int NamespaceTracer::fd() const { return mnl_socket_get_fd(rep_->netlink.get()); }

void NamespaceTracer::Read(const std::function<void(const TraceMessage&)>& visit) {
  std::vector<char> buffer(kMaxMessageBytes);
  while (true) {
    const ssize_t got = mnl_socket_recvfrom(rep_->netlink.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == ENOBUFS) {
      ++lost_;  // at least one
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    int left = static_cast<int>(got);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
         mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      if (std::optional<TraceMessage> trace = ParseTraceMessage(*message)) {
        trace->is_mark = trace->step.table() == rep_->table;
        visit(*trace);
      }
    }
  }
}

std::string NamespaceTracer::RuleText(const v1::RuleStep& step) {
  if (step.type() != "rule") return "";
  Listed& listed = tables_[{step.family(), step.table()}];
  const auto handle = static_cast<uint64_t>(step.handle());
  const absl::Time now = absl::Now();
  if (!listed.rules.contains(handle) && now - listed.at >= kListAgain) {
    listed.at = now;
    // Names of tables come from the kernel, where they are identifiers.
    if (RunNft(*rep_->nft, absl::StrFormat("list table %s %s", step.family(), step.table())).ok()) {
      listed.rules = ParseRuleTexts(nft_ctx_get_output_buffer(rep_->nft.get()));
    }
  }
  const auto found = listed.rules.find(handle);
  return found == listed.rules.end() ? "" : found->second;
}

std::string NamespaceTracer::DeviceName(uint32_t index) {
  if (index == 0) return "";
  ifreq request{};
  request.ifr_ifindex = static_cast<int>(index);
  if (ioctl(rep_->names.get(), SIOCGIFNAME, &request) != 0) return "";
  return {request.ifr_name, strnlen(request.ifr_name, IFNAMSIZ)};
}

}  // namespace kindling::agent
