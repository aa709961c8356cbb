#include "agent/pipeline/pipeline.h"

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include "agent/protocols/dns/resolution.h"
#include "model/redact.h"

namespace kindling::agent {
namespace {

constexpr int64_t kRebindIntervalNs = 1'800'000'000'000;  // half the store's shortest usual bucket
constexpr size_t kMaxCommandBytes = 512;

bool IsCrash(int signal) {
  switch (signal) {  // signals whose default action is to dump core, signal(7)
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGQUIT:
    case SIGSEGV:
    case SIGSYS:
    case SIGTRAP:
    case SIGXCPU:
    case SIGXFSZ:
      return true;
    default:
      return false;
  }
}

std::string Join(const std::vector<std::string>& arguments) {
  std::string line;
  for (const std::string& argument : arguments) {
    if (!line.empty()) line.push_back(' ');
    line.append(argument);
  }
  line.resize(std::min(line.size(), kMaxCommandBytes));
  return line;
}

model::Loss LossOf(model::LossStage stage, uint64_t events, uint64_t bytes) {
  model::Loss loss;
  loss.stage = stage;
  loss.events = events;
  loss.bytes = bytes;
  return loss;
}

}  // namespace

// The edge of a conversation, as long as the names it was made of hold.
class Pipeline::EdgeAttachment final : public ConversationAttachment {
 public:
  EdgeContext context;
  uint64_t names_version = 0;
  model::Protocol protocol = model::Protocol::kUnknown;
  model::Side side = model::Side::kUnknown;
  bool connection_counted = false;
  // Kept with the conversation: the flow may be forgotten before it.
  std::optional<NatView> nat;
  bool nat_counted = false;
  bool is_stale = false;
};

Pipeline::Pipeline(const Options& options, ProcessReader& reader, Aggregator& aggregator,
                   ConnTable::SetPayload set_payload)
    : options_(options),
      aggregator_(aggregator),
      processes_(options.processes, reader, options.own_cgroup),
      dns_names_(options.dns_names),
      tcp_(options.tcp),
      dns_(options.dns),
      host_stats_({.host = options.host}),
      nat_({.host = options.host}),
      drops_(options.drops),
      packet_ends_(sockets_, {.of_conversation = [this](Conversation& c) { return KnownEndsOf(c); },
                              .of_process = [this](uint32_t tgid) { return PartyOf(tgid); },
                              .of_address =
                                  [this](const std::string& address) {
                                    return std::string(dns_names_.NameOf(address));
                                  }}),
      conns_(options.conns, *this, std::move(set_payload)) {
  for (WindowSource* source : WindowSources()) aggregator_.AddWindowSource(source);
}

Pipeline::~Pipeline() {
  for (WindowSource* source : WindowSources()) aggregator_.RemoveWindowSource(source);
}

std::array<WindowSource*, 5> Pipeline::WindowSources() {
  return {&tcp_, &dns_, &host_stats_, &nat_, &drops_};
}

void Pipeline::OnConnOpen(const ConnOpen& event) {
  ++events_;
  Conversation* conversation = conns_.Open(event);
  if (conversation != nullptr) {
    sockets_.Add(*conversation);
    if (event.origin == ConnOrigin::kConnect && event.transport == model::Transport::kTcp) {
      tcp_.OnConnect(EndsOf(*conversation), 0, event.connect_duration_ns);
    }
  } else if (event.transport == model::Transport::kUdp) {
    sockets_.AddDatagramSocket(event, event.tgid);
  }
  if (event.side == model::Side::kServer && event.tgid != 0) {
    processes_.OnServed(event.tgid, event.transport, event.local_port, event.unix_path);
  }
}

void Pipeline::OnConnectFailure(const ConnectFailure& event) {
  ++events_;
  Edge edge{.observer = model::Side::kClient, .transport = event.transport};
  edge.client = PartyOf(event.tgid);
  edge.client.address = ToString(event.local);
  edge.server.address = ToString(event.remote);
  edge.server.port = event.remote_port;
  edge.server.dns_name = dns_names_.NameOf(edge.server.address);
  const EdgeContext context{.edge = aggregator_.Intern(edge), .pid = event.tgid};
  aggregator_.OnConnectFailure(context, event.error, event.duration_ns);
  if (event.transport != model::Transport::kTcp) return;
  tcp_.OnConnectFailure({edge.observer, edge.client, edge.server}, event);
}

void Pipeline::OnConnCounters(const ConnCounters& event) {
  ++events_;
  conns_.OnCounters(event);
}

void Pipeline::OnData(const DataEvent& event) {
  ++events_;
  conns_.OnData(event);
}

void Pipeline::OnListen(const ListenEvent& event) {
  ++events_;
  processes_.OnListen(event);
  sockets_.AddListener(event);
}

void Pipeline::OnTask(const TaskEvent& event) {
  ++events_;
  model::ProcessEvent out;
  switch (event.kind) {
    case TaskEventKind::kFork:
      processes_.OnTask(event);
      return;  // the program it will run is told by exec
    case TaskEventKind::kExec:
      out.kind = model::ProcessEventKind::kStart;
      break;
    case TaskEventKind::kFound:
      out.kind = model::ProcessEventKind::kFound;
      break;
    case TaskEventKind::kOomKill:
      if (!processes_.Knows(event.tgid)) return;  // the kernel tells of every one, in scope or not
      out.kind = model::ProcessEventKind::kOomKill;
      break;
    case TaskEventKind::kExit:
      if (WIFSIGNALED(event.wait_status)) {
        const int signal = WTERMSIG(event.wait_status);
        out.kind =
            IsCrash(signal) ? model::ProcessEventKind::kCrash : model::ProcessEventKind::kExit;
        out.code = IsCrash(signal) ? signal : 128 + signal;  // as a shell reports it
      } else {
        out.kind = model::ProcessEventKind::kExit;
        out.code = WEXITSTATUS(event.wait_status);
      }
      break;
  }
  if (!processes_.OnTask(event)) return;
  const ProcessTable::Process& process = processes_.Get(event.tgid);
  out.time_ns = aggregator_.clock().ToWallNs(event.boot_ns);
  out.workload = process.workload.name;
  out.workload_kind = process.workload.kind;
  out.executable = process.facts.executable.empty() ? event.comm : process.facts.executable;
  std::string arguments;
  for (const std::string& argument : process.facts.arguments) {
    arguments.append(argument).push_back('\0');
  }
  out.command = options_.keep_values ? Join(process.facts.arguments)
                                     : model::RedactCommandLine(arguments, kMaxCommandBytes);
  out.pid = event.tgid;
  out.parent_pid = event.parent_tgid != 0 ? event.parent_tgid : process.facts.parent_tgid;
  aggregator_.OnProcess(std::move(out));
}

void Pipeline::OnKernelLoss(const KernelLoss& loss) {
  const uint64_t events = loss.control_ring_events - kernel_loss_.control_ring_events +
                          loss.data_ring_events - kernel_loss_.data_ring_events;
  const uint64_t bytes = loss.data_ring_bytes - kernel_loss_.data_ring_bytes;
  if (events > 0) aggregator_.OnLoss(LossOf(model::LossStage::kKernelRing, events, bytes));
  if (loss.control_ring_events != kernel_loss_.control_ring_events) processes_.OnEventsLost();
  const uint64_t map_full = loss.map_full - kernel_loss_.map_full;
  if (map_full > 0) aggregator_.OnLoss(LossOf(model::LossStage::kKernelMap, map_full, 0));
  kernel_loss_ = loss;
}

void Pipeline::OnNat(const NatEvent& event) {
  ++events_;
  nat_.OnEvent(event);
  if (event.kind == NatEventKind::kLost) {
    aggregator_.OnLoss(LossOf(model::LossStage::kKernelRing, event.lost, 0));
  }
  if (event.kind != NatEventKind::kNew && event.kind != NatEventKind::kFound) return;
  // Told late, as after a loss: what a conversation does from now on has its true ends.
  const auto look_again = [this](Conversation& conversation) {
    auto* attachment = static_cast<EdgeAttachment*>(conversation.attachment.get());
    if (attachment == nullptr || attachment->nat) return;
    attachment->nat = NatOf(conversation);
    attachment->is_stale = attachment->nat.has_value();
  };
  sockets_.ForEach(event.transport, event.client, event.asked, look_again);
  sockets_.ForEach(event.transport, event.server, event.seen_as, look_again);
}

void Pipeline::OnNetwork(const NetworkReading& reading) { host_stats_.OnReading(reading); }

void Pipeline::ReportTableLosses() {
  const ConnTable::Stats& now = conns_.stats();
  const uint64_t refused =
      now.refused - table_stats_.refused + now.refused_peers - table_stats_.refused_peers;
  if (refused > 0) aggregator_.OnLoss(LossOf(model::LossStage::kCap, refused, 0));
  const uint64_t unknown = now.unknown_events - table_stats_.unknown_events;
  if (unknown > 0) {
    aggregator_.OnLoss(LossOf(model::LossStage::kKernelRing, unknown,
                              now.unknown_bytes - table_stats_.unknown_bytes));
  }
  const uint64_t no_peer = now.unknown_peers - table_stats_.unknown_peers;
  if (no_peer > 0) {
    aggregator_.OnLoss(LossOf(model::LossStage::kKernelRing, no_peer,
                              now.unknown_peer_bytes - table_stats_.unknown_peer_bytes));
  }
  table_stats_ = now;
}

OpenConnections Pipeline::ListConnections(size_t most) {
  OpenConnections out;
  conns_.ForEach([&](const Conversation& conversation) {
    if (out.connections.size() >= most) {
      ++out.left_out;
      return;
    }
    const ConnOpen& open = conversation.open();
    const auto to_wall = [this](int64_t boot_ns) {
      return boot_ns == 0 ? 0 : aggregator_.clock().ToWallNs(boot_ns);
    };
    out.connections.push_back(
        {.open = open,
         .ends = EndsOf(conversation),
         .protocol = conversation.protocol(),
         .opened_ns = open.origin == ConnOrigin::kFound ? 0 : to_wall(open.boot_ns),
         .last_used_ns = to_wall(conversation.last_boot_ns()),
         .requests = conversation.records()});
  });
  return out;
}

void Pipeline::OnTick(int64_t boot_ns, int64_t wall_ns) {
  wall_ns_ = wall_ns;
  if (wall_ns >= rebind_wall_ns_) {  // retention may drop the bucket that told them first
    bindings_.clear();
    rebind_wall_ns_ = wall_ns + kRebindIntervalNs;
  }
  conns_.OnTick(boot_ns);
  processes_.OnTick(boot_ns);
  packet_ends_.OnTick(boot_ns);
  ReportTableLosses();
  aggregator_.OnTick(boot_ns, wall_ns);
}

model::Party Pipeline::PartyOf(uint32_t tgid) {
  model::Party party;
  if (tgid == 0) return party;
  const ProcessTable::Process& process = processes_.Get(tgid);
  party.workload = process.workload.name;
  party.workload_kind = process.workload.kind;
  party.host = options_.host;
  return party;
}

model::Side Pipeline::SideOf(const Conversation& conversation) {
  if (conversation.side() != model::Side::kUnknown) return conversation.side();
  const ConnOpen& open = conversation.open();
  if (open.transport == model::Transport::kUnix || open.local_port == 0)
    return model::Side::kClient;
  const ProcessTable::Process& process = processes_.Get(open.tgid);
  const auto& ports =
      open.transport == model::Transport::kTcp ? process.tcp_ports : process.udp_ports;
  if (ports.contains(open.local_port)) return model::Side::kServer;
  // Servers have the lower port, nearly always.
  return open.local_port < open.remote_port ? model::Side::kServer : model::Side::kClient;
}

model::EdgeEnds Pipeline::KnownEndsOf(Conversation& conversation) {
  if (conversation.open().tgid == 0) return EndsOf(conversation);
  const Edge& edge = EdgeOf(conversation).context.edge->edge;
  return {edge.observer, edge.client, edge.server};
}

model::EdgeEnds Pipeline::EndsOf(const Conversation& conversation) {
  const uint32_t user = conversation.open().tgid;
  Edge edge = MakeEdge(conversation, user != 0 ? user : sockets_.ListenerOf(conversation.open()),
                       NatOf(conversation));
  return {edge.observer, std::move(edge.client), std::move(edge.server)};
}

std::optional<NatView> Pipeline::NatOf(const Conversation& conversation) {
  const ConnOpen& open = conversation.open();
  if (open.transport == model::Transport::kUnix || nat_.table().size() == 0) return std::nullopt;
  const Endpoint local{open.local, open.local_port};
  const Endpoint remote{open.remote, open.remote_port};
  return SideOf(conversation) == model::Side::kServer
             ? nat_.table().OfServer(open.transport, open.netns, local, remote)
             : nat_.table().OfClient(open.transport, open.netns, local, remote);
}

uint32_t Pipeline::PeerOf(const Conversation& conversation, model::Side side,
                          const std::optional<NatView>& nat) const {
  if (!nat) return sockets_.PeerOf(conversation);
  // As the other end has it.
  const bool is_server = side == model::Side::kServer;
  const Endpoint& local = is_server ? nat->asked : nat->seen_as;
  const Endpoint& remote = is_server ? nat->client : nat->server;
  ConnOpen open = conversation.open();
  open.local = local.address;
  open.local_port = local.port;
  open.remote = remote.address;
  open.remote_port = remote.port;
  return sockets_.PeerOf(open, side);
}

Edge Pipeline::MakeEdge(const Conversation& conversation, uint32_t tgid,
                        const std::optional<NatView>& nat) {
  const ConnOpen& open = conversation.open();
  const model::Side side = SideOf(conversation);
  const bool is_server = side == model::Side::kServer;
  Edge edge{.observer = side, .protocol = conversation.protocol(), .transport = open.transport};
  model::Party& local = is_server ? edge.server : edge.client;
  model::Party& remote = is_server ? edge.client : edge.server;
  if (is_server && tgid != 0) {
    processes_.OnServed(tgid, open.transport, open.local_port, open.unix_path);
  }
  local = PartyOf(tgid);
  remote = PartyOf(PeerOf(conversation, side, nat));
  if (open.transport == model::Transport::kUnix) {
    edge.server.address = open.unix_path;
    return edge;
  }
  if (!IsWildcard(open.local)) local.address = ToString(open.local);
  const std::string asked = ToString(open.remote);  // which the resolver gave
  remote.address = !nat ? asked : ToString(is_server ? nat->client.address : nat->server.address);
  edge.server.port = is_server ? open.local_port : nat ? nat->server.port : open.remote_port;
  if (remote.workload.empty()) remote.dns_name = dns_names_.NameOf(asked);
  return edge;
}

Pipeline::EdgeAttachment& Pipeline::EdgeOf(Conversation& conversation) {
  auto* attachment = static_cast<EdgeAttachment*>(conversation.attachment.get());
  if (attachment == nullptr) {
    auto fresh = std::make_unique<EdgeAttachment>();
    attachment = fresh.get();
    attachment->context.connect_duration_ns = conversation.open().connect_duration_ns;
    conversation.attachment = std::move(fresh);
  } else if (!attachment->is_stale && attachment->protocol == conversation.protocol() &&
             attachment->side == conversation.side() &&
             (attachment->names_version == processes_.names_version() ||
              !processes_.Knows(conversation.open().tgid))) {
    return *attachment;  // of a process that is gone nothing better will be known
  }
  if (!attachment->nat) attachment->nat = NatOf(conversation);
  const Edge edge = MakeEdge(conversation, conversation.open().tgid, attachment->nat);
  attachment->is_stale = false;
  attachment->names_version = processes_.names_version();
  attachment->protocol = conversation.protocol();
  attachment->side = conversation.side();
  attachment->context.edge = aggregator_.Intern(edge);
  const ConnOpen& open = conversation.open();
  attachment->context.client_port =
      edge.observer == model::Side::kServer ? open.remote_port : open.local_port;
  attachment->context.pid = open.tgid;
  if (edge.observer == model::Side::kServer) Bind(open.netns, open.transport, edge.server);
  if (attachment->nat && !std::exchange(attachment->nat_counted, true)) {
    nat_.OnConnection({edge.observer, edge.client, edge.server}, *attachment->nat, open.transport);
  }
  return *attachment;
}

void Pipeline::CountConnection(Conversation& conversation, EdgeAttachment& attachment) {
  if (attachment.connection_counted) return;
  attachment.connection_counted = true;
  const ConnOpen& open = conversation.open();
  if (open.origin == ConnOrigin::kFound || open.transport == model::Transport::kUdp) return;
  aggregator_.OnConnection(attachment.context);
}

void Pipeline::OnRequest(Conversation& conversation, const Record& record) {
  if (conversation.protocol() == model::Protocol::kDns) {
    if (const auto resolution = dns::ResolutionOf(record)) {
      for (const std::string_view address : resolution->addresses) {
        dns_names_.Learn(resolution->name, address);
      }
    }
  }
  EdgeAttachment& attachment = EdgeOf(conversation);
  CountConnection(conversation, attachment);
  aggregator_.OnRequest(attachment.context, record);
  attachment.context.connect_duration_ns = 0;
}

void Pipeline::OnDnsQuery(Conversation& conversation, const dns::QueryEvent& event) {
  const Edge& edge = EdgeOf(conversation).context.edge->edge;
  const ConnOpen& open = conversation.open();
  dns_.OnQuery({edge.observer, edge.client, edge.server}, open.transport,
               {.observer = edge.observer,
                .owner = edge.observer == model::Side::kServer ? open.netns : open.tgid,
                .peer = open.remote,
                .port = edge.server.port},
               event);
}

void Pipeline::OnBytes(Conversation& conversation, uint64_t sent, uint64_t received) {
  EdgeAttachment& attachment = EdgeOf(conversation);
  CountConnection(conversation, attachment);
  const bool is_server = attachment.context.edge->edge.observer == model::Side::kServer;
  aggregator_.OnBytes(attachment.context, is_server ? received : sent, is_server ? sent : received,
                      0);
}

void Pipeline::OnLost(Conversation& conversation, uint64_t requests) {
  aggregator_.OnLost(EdgeOf(conversation).context, requests);
}

void Pipeline::OnUnparsed(Conversation& conversation, uint64_t bytes, uint64_t requests) {
  // Requests are told with their edge, where the two observers' losses stay apart as their counts
  // do.
  if (requests > 0) aggregator_.OnLost(EdgeOf(conversation).context, requests);
  model::Loss loss = LossOf(model::LossStage::kParserResync, 1, bytes);
  loss.workload = PartyOf(conversation.open().tgid).workload;
  aggregator_.OnLoss(loss);
}

void Pipeline::OnClosed(Conversation& conversation, int64_t boot_ns) {
  // A parsed conversation is in its records; of any other only bytes and the time it took are
  // known.
  if (conversation.records() == 0 && conversation.open().tgid != 0 &&
      conversation.open().transport != model::Transport::kUdp) {
    EdgeAttachment& attachment = EdgeOf(conversation);
    CountConnection(conversation, attachment);
    const int64_t duration_ns = boot_ns - conversation.open().boot_ns;
    if (conversation.open().origin != ConnOrigin::kFound && duration_ns > 0) {
      aggregator_.OnBytes(attachment.context, 0, 0, duration_ns);
    }
  }
  if (const auto* attachment = static_cast<EdgeAttachment*>(conversation.attachment.get())) {
    packet_ends_.OnEnded(conversation.open(), attachment->context.edge);
  }
  tcp_.Forget(conversation.open().id);
  sockets_.Remove(conversation);
}

}  // namespace kindling::agent
