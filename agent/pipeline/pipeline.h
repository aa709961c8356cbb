#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "agent/aggregate/aggregator.h"
#include "agent/capture/conn_table.h"
#include "agent/capture/conversation.h"
#include "agent/capture/events.h"
#include "agent/connections/open_connection.h"
#include "agent/identity/dns_names.h"
#include "agent/identity/process_table.h"
#include "agent/network/dns_stats.h"
#include "agent/network/drop_stats.h"
#include "agent/network/host_stats.h"
#include "agent/network/nat_stats.h"
#include "agent/network/tcp_stats.h"
#include "agent/pipeline/packet_ends.h"
#include "agent/pipeline/socket_index.h"

namespace kindling::agent {

// From events to the aggregator: gives every conversation its two parties by name and turns what
// happens in it into the aggregator's calls. Driven by the kernel or by a recording alike.
//
// Threads: the capture thread only.
class Pipeline final : public EventSink, private ConversationSink {
 public:
  struct Options {
    std::string host;
    std::string own_cgroup;
    ConnTable::Options conns;
    ProcessTable::Options processes;
    DnsNames::Options dns_names;
    TcpStats::Options tcp;
    DnsStats::Options dns;
    DropStats::Options drops;
    bool keep_values = false;  // do not redact command lines
  };

  // `reader` and `aggregator` must outlive this.
  Pipeline(const Options& options, ProcessReader& reader, Aggregator& aggregator,
           ConnTable::SetPayload set_payload);
  ~Pipeline() override;

  void OnConnOpen(const ConnOpen& event) override;
  void OnConnectFailure(const ConnectFailure& event) override;
  void OnConnCounters(const ConnCounters& event) override;
  void OnTcp(const TcpSample& sample) override;
  void OnListener(const ListenerSample& sample) override;
  void OnDrop(const DropSample& sample) override;
  void OnDatagrams(const DatagramSample& sample) override;
  void OnData(const DataEvent& event) override;
  void OnListen(const ListenEvent& event) override;
  void OnTask(const TaskEvent& event) override;
  void OnKernelLoss(const KernelLoss& loss) override;
  void OnNat(const NatEvent& event) override;
  void OnNetwork(const NetworkReading& reading) override;
  void OnTick(int64_t boot_ns, int64_t wall_ns) override;

  size_t connections() const { return conns_.size(); }
  uint64_t events() const { return events_; }
  // Kernel events that found a ring or map full, so far.
  uint64_t lost_events() const {
    return kernel_loss_.control_ring_events + kernel_loss_.data_ring_events + kernel_loss_.map_full;
  }
  const ConnTable& conns() const { return conns_; }
  // The connections that are open now, at most so many; without TCP's state of them.
  OpenConnections ListConnections(size_t most);
  const SocketIndex& sockets() const { return sockets_; }
  // Valid until the next call of a non-const method.
  const ProcessTable::Process& ProcessOf(uint32_t tgid) { return processes_.Get(tgid); }
  // Grows whenever a process gets another name.
  uint64_t names_version() const { return processes_.names_version(); }

 private:
  class EdgeAttachment;

  void OnRequest(Conversation& conversation, const Record& record) override;
  bool takes_runs() const override { return aggregator_.takes_runs(); }
  void OnDnsQuery(Conversation& conversation, const dns::QueryEvent& event) override;
  void OnBytes(Conversation& conversation, uint64_t sent, uint64_t received) override;
  void OnLost(Conversation& conversation, uint64_t requests) override;
  void OnUnparsed(Conversation& conversation, uint64_t bytes, uint64_t requests) override;
  void OnClosed(Conversation& conversation, int64_t boot_ns) override;

  std::array<WindowSource*, 5> WindowSources();
  EdgeAttachment& EdgeOf(Conversation& conversation);
  // The end this is, guessed from the ports where neither the kernel nor the bytes tell.
  model::Side SideOf(const Conversation& conversation);
  // What NAT makes of a connection.
  std::optional<NatView> NatOf(const Conversation& conversation);
  // `tgid`: the process at this end.
  Edge MakeEdge(const Conversation& conversation, uint32_t tgid, const std::optional<NatView>& nat);
  // The process at the other end.
  uint32_t PeerOf(const Conversation& conversation, model::Side side,
                  const std::optional<NatView>& nat) const;
  // The ends by its edge, or as EndsOf() where no process has used it yet.
  model::EdgeEnds KnownEndsOf(Conversation& conversation);
  // The ends before anything was said; of a connection that no process has used yet the server's
  // are those of whoever listens. Keeps no edge.
  model::EdgeEnds EndsOf(const Conversation& conversation);
  model::Party PartyOf(uint32_t tgid);
  void Bind(uint32_t netns, model::Transport transport, const model::Party& server);
  void BindAddress(const std::string& address, uint16_t port, model::Transport transport,
                   const model::Party& server);
  void CountConnection(Conversation& conversation, EdgeAttachment& attachment);
  void ReportTableLosses();

  const Options options_;
  Aggregator& aggregator_;
  ProcessTable processes_;
  SocketIndex sockets_;
  DnsNames dns_names_;
  TcpStats tcp_;
  DnsStats dns_;
  HostStats host_stats_;
  NatStats nat_;
  DropStats drops_;
  PacketEnds packet_ends_;
  KernelLoss kernel_loss_;        // as last reported
  ConnTable::Stats table_stats_;  // as last reported
  int64_t wall_ns_ = 0;
  int64_t rebind_wall_ns_ = 0;
  uint64_t events_ = 0;
  base::StringMap<std::string> bindings_;  // "tcp 10.0.0.1:80" -> workload, as already told
  ConnTable conns_;                        // last: its conversations call back into the rest
};

}  // namespace kindling::agent
