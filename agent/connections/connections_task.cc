#include "agent/connections/connections_task.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "model/edge_labels.h"

namespace kindling::agent {
namespace {

constexpr int kPerMessage = 500;

std::string AddressText(const IpAddress& address, uint16_t port) {
  if (address.size == 0) return "";
  const std::string text = ToString(address);
  return absl::StrFormat(text.find(':') == std::string::npos ? "%s:%d" : "[%s]:%d", text, port);
}

double Ms(int64_t ns) { return static_cast<double>(ns) / 1e6; }
double Seconds(int64_t ns) { return static_cast<double>(ns) / 1e9; }

void WriteTcp(const TcpSample& sample, v1::TcpState* out) {
  out->set_bytes_sent(static_cast<double>(sample.sent_bytes));
  out->set_bytes_received(static_cast<double>(sample.received_bytes));
  out->set_rtt_ms(Ms(sample.srtt_ns));
  out->set_min_rtt_ms(Ms(sample.min_rtt_ns));
  out->set_sent_segments(sample.sent_segments);
  out->set_received_segments(sample.received_segments);
  out->set_retransmits(sample.retransmits);
  out->set_lost_segments(sample.lost_segments);
  out->set_out_of_order_segments(sample.out_of_order);
  out->set_congestion(std::string(Name(sample.congestion)));
  out->set_zero_window(sample.zero_window);
  out->set_busy_seconds(Seconds(sample.busy_ns));
  out->set_receiver_limited_seconds(Seconds(sample.receiver_limited_ns));
  out->set_sender_limited_seconds(Seconds(sample.sender_limited_ns));
}

class ConnectionsTask final : public Task {
 public:
  ConnectionsTask(ListConnections list, size_t most) : list_(std::move(list)), most_(most) {}

  absl::Status Run(TaskContext& context) override {
    ASSIGN_OR_RETURN(const OpenConnections open, list_(most_));
    v1::ConnectionsFound found;
    found.set_left_out(static_cast<double>(open.left_out));
    for (const OpenConnection& connection : open.connections) {
      *found.add_connections() = ToProto(connection);
      if (found.connections_size() < kPerMessage) continue;
      if (!context.Emit(found)) return absl::CancelledError("nobody reads on");
      found.Clear();
    }
    if (!context.Emit(found)) return absl::CancelledError("nobody reads on");
    return absl::OkStatus();
  }

 private:
  const ListConnections list_;
  const size_t most_;
};

}  // namespace

v1::FoundConnection ToProto(const OpenConnection& connection) {
  v1::FoundConnection found;
  for (const auto& [name, value] : model::LabelsOf(connection.ends)) {
    (*found.mutable_ends())[name] = value;
  }
  const ConnOpen& open = connection.open;
  v1::Connection& out = *found.mutable_connection();
  out.set_pid(open.tgid);
  out.set_side(std::string(model::Name(connection.ends.observer)));
  out.set_transport(std::string(model::Name(open.transport)));
  out.set_protocol(std::string(model::Name(connection.protocol)));
  if (open.transport == model::Transport::kUnix) {
    out.set_local_address(open.unix_path);
  } else {
    out.set_local_address(AddressText(open.local, open.local_port));
    out.set_remote_address(AddressText(open.remote, open.remote_port));
  }
  out.set_opened_ns(connection.opened_ns);
  out.set_last_used_ns(connection.last_used_ns);
  out.set_requests(static_cast<double>(connection.requests));
  if (connection.tcp.has_value()) WriteTcp(*connection.tcp, out.mutable_tcp());
  return found;
}

TaskKind ConnectionsTaskKind(ListConnections list) {
  return MakeTaskKind<v1::ListConnectionsTask>(
      "connections",
      [list = std::move(list)](
          const v1::ListConnectionsTask& task) -> absl::StatusOr<std::unique_ptr<Task>> {
        const size_t most = task.max_connections() == 0
                                ? kMaxListedConnections
                                : std::min<size_t>(task.max_connections(), kMaxListedConnections);
        return std::make_unique<ConnectionsTask>(list, most);
      });
}

}  // namespace kindling::agent
