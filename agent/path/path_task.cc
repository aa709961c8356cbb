#include "agent/path/path_task.h"

#include <arpa/inet.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/path/path_trace.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/utf8.h"

namespace kindling::agent {
namespace {

constexpr int kHopsPerMessage = 500;
constexpr uint32_t kMaxPacketsPerS = 100'000;
// A ring of 1 MiB holds what a thousand packets do in so long.
constexpr absl::Duration kPollInterval = absl::Milliseconds(20);

absl::StatusOr<IpAddress> ParseAddress(const std::string& text) {
  IpAddress address;
  if (inet_pton(AF_INET, text.c_str(), address.bytes.data()) == 1) {
    address.size = 4;
  } else if (inet_pton(AF_INET6, text.c_str(), address.bytes.data()) == 1) {
    address.size = 16;
  } else {
    return absl::InvalidArgumentError("the task names something that is no address");
  }
  return address;
}

class PathTask final : public Task {
 public:
  PathTask(PathSourceOptions options, std::string node)
      : options_(std::move(options)), node_(std::move(node)) {}

  absl::Status Run(TaskContext& context) override {
    ASSIGN_OR_RETURN(const std::unique_ptr<PathTrace> trace,
                     PathTrace::Open(options_, node_, base::SystemClock()));
    v1::PathHops message;
    for (const MissingHook& hook : trace->missing()) {
      message.add_not_seen(absl::StrFormat("without %s (%s): %s", hook.hook, hook.why, hook.lost));
    }
    message.set_began_ns(base::SystemClock().WallNs());
    if (!context.Emit(message)) return absl::OkStatus();
    while (true) {
      const bool is_last = context.WaitUntilStopped(kPollInterval);
      if (!Tell(*trace, context, is_last) || is_last) return absl::OkStatus();
    }
  }

 private:
  // False: nobody wants more.
  static bool Tell(PathTrace& trace, TaskContext& context, bool always) {
    v1::PathHops message;
    bool is_wanted = true;
    trace.Poll([&](const model::PathHop& hop) {
      if (!is_wanted) return;
      *message.add_hops() = ToProto(hop);
      if (message.hops_size() < kHopsPerMessage) return;
      is_wanted = context.Emit(message);
      message.Clear();
    });
    if (!is_wanted || (message.hops().empty() && !always)) return is_wanted;
    const PathLoss loss = trace.loss();
    message.set_lost_hops(static_cast<double>(loss.hops));
    message.set_packets_passed_over(static_cast<double>(loss.packets));
    message.set_unread_packets(static_cast<double>(loss.unread));
    return context.Emit(message);
  }

  const PathSourceOptions options_;
  const std::string node_;
};

void WriteTuple(const model::PathTuple& tuple, v1::TracedTuple* out) {
  out->set_source(tuple.source);
  out->set_destination(tuple.destination);
  out->set_source_port(tuple.source_port);
  out->set_destination_port(tuple.destination_port);
  out->set_protocol(tuple.protocol);
}

}  // namespace

v1::TracedHop ToProto(const model::PathHop& hop) {
  v1::TracedHop out;
  out.set_packet(hop.packet);
  out.set_wall_ns(hop.wall_ns);
  out.set_place(static_cast<uint32_t>(hop.place));
  WriteTuple(hop.tuple, out.mutable_tuple());
  if (!hop.carrier.empty()) {
    WriteTuple(hop.carrier, out.mutable_carrier());
    out.set_vni(hop.vni);
  }
  // Devices, processes and namespaces have any bytes for a name.
  out.set_network_namespace(base::ToValidUtf8(hop.network_namespace));
  out.set_device(base::ToValidUtf8(hop.device));
  out.set_detail(base::ToValidUtf8(hop.detail));
  out.set_reason(hop.reason);
  out.set_location(hop.location);
  out.set_sequence(hop.sequence);
  out.set_payload_bytes(hop.payload_bytes);
  out.set_ip_id(hop.ip_id);
  out.set_tcp_flags(hop.tcp_flags);
  out.set_mark(hop.mark);
  out.set_is_reply(hop.is_reply);
  out.set_is_new(hop.is_new);
  out.set_of_socket(hop.of_socket);
  out.set_is_fragment(hop.is_fragment);
  return out;
}

TaskKind PathTaskKind(PathTaskOptions options) {
  return MakeTaskKind<v1::TracePathTask>(
      "path_trace",
      [options = std::move(options)](
          const v1::TracePathTask& task) -> absl::StatusOr<std::unique_ptr<Task>> {
        PathSourceOptions source{.scope = options.scope, .disable = options.disable};
        for (const std::string& text : task.from_addresses()) {
          ASSIGN_OR_RETURN(source.from.emplace_back(), ParseAddress(text));
        }
        for (const std::string& text : task.to_addresses()) {
          ASSIGN_OR_RETURN(source.to.emplace_back(), ParseAddress(text));
        }
        if (task.port() > 65535 || task.protocol() > 255) {
          return absl::InvalidArgumentError("the task's port or protocol is none");
        }
        source.port = static_cast<uint16_t>(task.port());
        source.protocol = static_cast<uint8_t>(task.protocol());
        if (task.packets_per_second() != 0) {
          source.packets_per_s = std::min(task.packets_per_second(), kMaxPacketsPerS);
        }
        return std::make_unique<PathTask>(std::move(source), options.node);
      });
}

}  // namespace kindling::agent
