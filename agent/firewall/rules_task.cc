#include "agent/firewall/rules_task.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/firewall/namespace_tracer.h"
#include "agent/firewall/trace_selection.h"
#include "agent/firewall/traced_packets.h"
#include "agent/network/host/host_network.h"
#include "base/status_macros.h"
#include "kindling/v1/firewall.pb.h"

namespace kindling::agent {
namespace {

constexpr int kPollMs = 100;
constexpr uint32_t kMaxPackets = 1000;

class RulesTask final : public Task {
 public:
  RulesTask(std::function<ScopeNamespaces()> find, v1::TraceRulesTask task)
      : find_(std::move(find)), task_(std::move(task)) {}

  absl::Status Run(TaskContext& context) override {
    RETURN_IF_ERROR(OpenAll());
    v1::RulesTraced out;
    if (!context.Emit(out)) return absl::OkStatus();  // says that it has begun
    const uint32_t most = std::clamp<uint32_t>(task_.max_packets(), 1, kMaxPackets);
    uint32_t given = 0;
    while (given < most) {
      const bool is_over = context.WaitUntilStopped(absl::ZeroDuration());
      if (!is_over) poll(fds_.data(), fds_.size(), kPollMs);
      for (size_t i = 0; i < tracers_.size(); ++i) Read(i);
      out.Clear();
      for (v1::TracedPacket& packet : packets_.Take(absl::Now(), is_over)) {
        if (given == most) break;
        ++given;
        *out.add_packets() = std::move(packet);
      }
      if (out.packets_size() > 0 && !context.Emit(out)) return absl::OkStatus();
      if (is_over) break;
    }
    out.Clear();
    for (const Tracer& tracer : tracers_) {
      out.set_lost(out.lost() + static_cast<double>(tracer.tracer->lost()));
    }
    context.Emit(out);
    return absl::OkStatus();
  }

 private:
  struct Tracer {
    std::string netns;
    std::unique_ptr<NamespaceTracer> tracer;
  };

  absl::Status OpenAll() {
    static std::atomic<int> runs = 0;
    const std::string table = absl::StrFormat("kindling_trace_%d_%d", getpid(), ++runs);
    // This thread has no other business and ends with the task.
    for (const NamespaceRef& name_space : find_().found) {
      if (!EnterNamespace(name_space.fd.get())) continue;  // it is gone
      absl::StatusOr<std::unique_ptr<NamespaceTracer>> tracer =
          NamespaceTracer::Open(task_.selection(), table);
      if (!tracer.ok()) {
        return absl::Status(
            tracer.status().code(),
            absl::StrFormat("in %s: %s", name_space.name, std::string(tracer.status().message())));
      }
      fds_.push_back({.fd = (*tracer)->fd(), .events = POLLIN, .revents = 0});
      tracers_.push_back({name_space.name, *std::move(tracer)});
    }
    if (!tracers_.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError("there is no network namespace in the agent's scope");
  }

  void Read(size_t place) {
    NamespaceTracer& tracer = *tracers_[place].tracer;
    tracer.Read([&](const TraceMessage& message) {
      const auto [packet, step] = packets_.Add(place, message, absl::Now());
      packet->set_netns(tracers_[place].netns);
      if (packet->input_device().empty()) {
        packet->set_input_device(tracer.DeviceName(message.input_device));
      }
      if (packet->output_device().empty()) {
        packet->set_output_device(tracer.DeviceName(message.output_device));
      }
      if (step != nullptr) step->set_rule(tracer.RuleText(*step));
    });
  }

  const std::function<ScopeNamespaces()> find_;
  const v1::TraceRulesTask task_;
  std::vector<Tracer> tracers_;
  std::vector<pollfd> fds_;
  TracedPackets packets_;
};

}  // namespace

TaskKind RulesTaskKind(std::function<ScopeNamespaces()> find) {
  return MakeTaskKind<v1::TraceRulesTask>(
      "rule_trace",
      [find = std::move(find)](
          const v1::TraceRulesTask& task) -> absl::StatusOr<std::unique_ptr<Task>> {
        RETURN_IF_ERROR(MarkCommands(task.selection(), "checked").status());
        return std::make_unique<RulesTask>(find, task);
      });
}

}  // namespace kindling::agent
