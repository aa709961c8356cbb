#include "controller/firewall/firewall_service.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/rpc_status.h"
#include "base/status_macros.h"
#include "controller/tasks/connected_agents.h"
#include "kindling/v1/firewall.grpc.pb.h"

namespace kindling::controller {
namespace {

constexpr uint64_t kDefaultLimitMs = 10'000;
constexpr uint64_t kMaxLimitMs = 600'000;
constexpr uint32_t kDefaultPackets = 20;
constexpr uint32_t kMaxPackets = 1000;
// Between two looks at whether the caller is still there.
constexpr absl::Duration kLook = absl::Milliseconds(100);
// For agents to tell of their ends once the time is over.
constexpr absl::Duration kGrace = absl::Seconds(5);

// One call: what has been told of each agent, and how many packets there were.
class Trace {
 public:
  using Write = std::function<bool(const v1::TraceRulesResponse&)>;

  Trace(std::vector<AgentInfo> agents, uint32_t most, Write write)
      : agents_(std::move(agents)),
        counts_(agents_.size()),
        most_(most),
        write_(std::move(write)) {}

  // False: the caller takes no more.
  bool Take(TaskQueue::Event& event) {
    Counts& counts = counts_[event.agent];
    v1::TraceRulesResponse response;
    if (event.output.has_value()) {
      v1::RulesTraced traced;
      if (!event.output->UnpackTo(&traced)) return true;
      counts.lost += traced.lost();
      for (v1::TracedPacket& packet : *traced.mutable_packets()) {
        if (total_ == most_) break;
        ++total_;
        ++counts.packets;
        packet.set_host(agents_[event.agent].host);
        *response.add_packets() = std::move(packet);
      }
      return response.packets().empty() || write_(response);
    }
    counts.ended = true;
    WriteEnd(event.agent, std::string(event.end.message()), response);
    return write_(response);
  }

  // Tells of those that have not ended.
  bool Finish() {
    v1::TraceRulesResponse response;
    for (size_t i = 0; i < agents_.size(); ++i) {
      if (!counts_[i].ended) WriteEnd(i, "the agent did not end in time", response);
    }
    return response.ends().empty() || write_(response);
  }

  bool has_enough() const { return total_ == most_; }

 private:
  struct Counts {
    uint32_t packets = 0;
    double lost = 0;
    bool ended = false;
  };

  void WriteEnd(size_t agent, std::string error, v1::TraceRulesResponse& response) const {
    v1::NodeEnd* end = response.add_ends();
    end->set_host(agents_[agent].host);
    end->set_error(std::move(error));
    end->set_packets(counts_[agent].packets);
    end->set_lost(counts_[agent].lost);
  }

  const std::vector<AgentInfo> agents_;
  std::vector<Counts> counts_;
  const uint32_t most_;
  const Write write_;
  uint32_t total_ = 0;
};

}  // namespace

class FirewallService::Impl final : public v1::FirewallService::Service {
 public:
  Impl(const AgentRegistry& registry, TaskHub& tasks, const Access& access)
      : registry_(registry), tasks_(tasks), access_(access) {}

  grpc::Status TraceRules(grpc::ServerContext* context, const v1::TraceRulesRequest* request,
                          grpc::ServerWriter<v1::TraceRulesResponse>* writer) override {
    absl::Status status = access_.Admit(*context).status();
    if (status.ok()) status = Run(*context, *request, *writer);
    return base::ToRpcStatus(status);
  }

 private:
  absl::Status Run(const grpc::ServerContext& context, const v1::TraceRulesRequest& request,
                   grpc::ServerWriter<v1::TraceRulesResponse>& writer) {
    const absl::Duration limit = absl::Milliseconds(
        std::min(request.limit_ms() == 0 ? kDefaultLimitMs : request.limit_ms(), kMaxLimitMs));
    const uint32_t most =
        std::min(request.max_packets() == 0 ? kDefaultPackets : request.max_packets(), kMaxPackets);
    v1::TraceRulesTask task;
    *task.mutable_selection() = request.selection();
    task.set_max_packets(most);
    ASSIGN_OR_RETURN(std::vector<AgentInfo> agents,
                     ConnectedAgents(registry_, {request.hosts().begin(), request.hosts().end()}));
    ASSIGN_OR_RETURN(const std::unique_ptr<TaskRun> run,
                     tasks_.Start(AssignToAll(agents, task), limit));
    Trace trace(std::move(agents), most,
                [&](const v1::TraceRulesResponse& response) { return writer.Write(response); });
    const absl::Time end = absl::Now() + limit + kGrace;
    bool is_stopping = false;
    while (!run->done() && absl::Now() < end) {
      if (context.IsCancelled()) return absl::CancelledError("the caller is gone");
      std::optional<TaskQueue::Event> event = run->Next(absl::Now() + kLook);
      // What one agent cannot select, none can.
      if (event.has_value() && absl::IsInvalidArgument(event->end)) return event->end;
      if (event.has_value() && !trace.Take(*event)) {
        return absl::CancelledError("the caller is gone");
      }
      if (trace.has_enough() && !std::exchange(is_stopping, true)) run->Stop();
    }
    trace.Finish();
    return absl::OkStatus();
  }

  const AgentRegistry& registry_;
  TaskHub& tasks_;
  const Access& access_;
};

FirewallService::FirewallService(const AgentRegistry& registry, TaskHub& tasks,
                                 const Access& access)
    : impl_(std::make_unique<Impl>(registry, tasks, access)) {}
FirewallService::~FirewallService() = default;

grpc::Service* FirewallService::service() { return impl_.get(); }

}  // namespace kindling::controller
