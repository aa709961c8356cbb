#include "controller/ingest/batch_reader.h"
#include "controller/ingest/decode_tables.h"
#include "kindling/v1/ingest.pb.h"

namespace kindling::controller {

void DecodeProcesses(BatchReader& in, const v1::ProcessColumns& c,
                     std::vector<model::ProcessEvent>& out) {
  const int rows =
      in.Rows("processes", {c.time_delta_ns_size(), c.kind_size(), c.host_size(), c.workload_size(),
                            c.workload_kind_size(), c.executable_size(), c.command_size(),
                            c.pid_size(), c.parent_pid_size(), c.code_size()});
  int64_t time_ns = in.first_ns();
  for (int i = 0; i < rows && in.ok(); ++i) {
    model::ProcessEvent& event = out.emplace_back();
    event.time_ns = in.Later(time_ns, At(c.time_delta_ns(), i), "time_delta_ns");
    event.kind = in.Enum<model::ProcessEventKind>(At(c.kind(), i), "kind");
    in.Text(At(c.host(), i), event.host);
    in.Text(At(c.workload(), i), event.workload);
    in.Text(At(c.workload_kind(), i), event.workload_kind);
    in.Text(At(c.executable(), i), event.executable);
    in.Text(At(c.command(), i), event.command);
    event.pid = At(c.pid(), i);
    event.parent_pid = At(c.parent_pid(), i);
    event.code = At(c.code(), i);
  }
}

void DecodeAddresses(BatchReader& in, const v1::AddressColumns& c,
                     std::vector<model::AddressBinding>& out) {
  const int rows = in.Rows(
      "addresses", {c.first_time_delta_ns_size(), c.address_size(), c.port_size(),
                    c.transport_size(), c.workload_size(), c.workload_kind_size(), c.host_size()});
  int64_t first_ns = in.first_ns();
  for (int i = 0; i < rows && in.ok(); ++i) {
    model::AddressBinding& binding = out.emplace_back();
    binding.first_ns = in.Later(first_ns, At(c.first_time_delta_ns(), i), "first_time_delta_ns");
    in.Address(At(c.address(), i), binding.address);
    binding.port = in.Port(At(c.port(), i));
    binding.transport = in.Enum<model::Transport>(At(c.transport(), i), "transport");
    in.Text(At(c.workload(), i), binding.workload);
    in.Text(At(c.workload_kind(), i), binding.workload_kind);
    in.Text(At(c.host(), i), binding.host);
  }
}

void DecodeLosses(BatchReader& in, const v1::LossColumns& c, std::vector<model::Loss>& out) {
  const int rows =
      in.Rows("losses", {c.time_delta_ns_size(), c.stage_size(), c.host_size(), c.workload_size(),
                         c.requests_size(), c.events_size(), c.bytes_size()});
  int64_t time_ns = in.first_ns();
  for (int i = 0; i < rows && in.ok(); ++i) {
    model::Loss& loss = out.emplace_back();
    loss.time_ns = in.Later(time_ns, At(c.time_delta_ns(), i), "time_delta_ns");
    loss.stage = in.Enum<model::LossStage>(At(c.stage(), i), "stage");
    in.Text(At(c.host(), i), loss.host);
    in.Text(At(c.workload(), i), loss.workload);
    loss.requests = in.Number(At(c.requests(), i), "requests");
    loss.events = in.Number(At(c.events(), i), "events");
    loss.bytes = in.Number(At(c.bytes(), i), "bytes");
  }
}

}  // namespace kindling::controller
