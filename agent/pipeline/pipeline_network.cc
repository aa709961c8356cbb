// What the pipeline does with what the kernel tells of TCP, of dropped packets and of addresses.
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/pipeline/pipeline.h"

namespace kindling::agent {
namespace {

constexpr size_t kMaxBindings = 20'000;

}  // namespace

void Pipeline::OnTcp(const TcpSample& sample) {
  ++events_;
  // One that is not there was refused, or its announcement was lost: counted there.
  Conversation* conversation = conns_.Find(sample.id);
  if (conversation == nullptr) return;
  const ConnOrigin origin = conversation->open().origin;
  tcp_.OnSample(KnownEndsOf(*conversation),
                {.since_start = origin == ConnOrigin::kConnect || origin == ConnOrigin::kAccept,
                 .accepted = origin == ConnOrigin::kAccept},
                sample);
}

void Pipeline::OnListener(const ListenerSample& sample) {
  ++events_;
  model::EdgeEnds ends{.observer = model::Side::kServer, .server = PartyOf(sample.tgid)};
  if (!IsWildcard(sample.local)) ends.server.address = ToString(sample.local);
  ends.server.port = sample.port;
  // Also of who has never accepted anything: its clients know no more than the address.
  if (!sample.ended) Bind(sample.netns, model::Transport::kTcp, ends.server);
  tcp_.OnListener(ends, sample);
}

void Pipeline::OnDrop(const DropSample& sample) {
  ++events_;
  drops_.OnDrop(packet_ends_.Of(sample), sample);
}

void Pipeline::OnDatagrams(const DatagramSample& sample) {
  ++events_;
  drops_.OnDatagrams(packet_ends_.Of(sample), sample);
}

void Pipeline::Bind(uint32_t netns, model::Transport transport, const model::Party& server) {
  if (server.workload.empty() || transport == model::Transport::kUnix) return;
  if (!server.address.empty()) {
    return BindAddress(server.address, server.port, transport, server);
  }
  sockets_.ForEachLocalAddress(netns, [&](const IpAddress& address) {
    BindAddress(ToString(address), server.port, transport, server);
  });
}

void Pipeline::BindAddress(const std::string& address, uint16_t port, model::Transport transport,
                           const model::Party& server) {
  if (address.starts_with("127.") || address == "::1") return;  // names nothing elsewhere
  std::string place = absl::StrFormat("%s %s:%d", model::Name(transport), address, port);
  const auto told = bindings_.find(place);
  if (told != bindings_.end()) {
    if (told->second == server.workload) return;
    told->second = server.workload;
  } else {
    if (bindings_.size() >= kMaxBindings) return;
    bindings_.emplace(std::move(place), server.workload);
  }
  aggregator_.OnAddress({.first_ns = wall_ns_,
                         .address = address,
                         .port = port,
                         .transport = transport,
                         .workload = server.workload,
                         .workload_kind = server.workload_kind,
                         .host = server.host});
}

}  // namespace kindling::agent
