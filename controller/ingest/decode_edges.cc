#include "controller/ingest/batch_reader.h"
#include "controller/ingest/decode_tables.h"
#include "kindling/v1/ingest.pb.h"

namespace kindling::controller {

void DecodeEdges(BatchReader& in, const v1::EdgeColumns& c, std::vector<model::EdgeStats>& out) {
  const int rows = in.Rows("edges", {c.window_start_delta_ns_size(),
                                     c.window_ns_size(),
                                     c.observer_size(),
                                     c.client_size(),
                                     c.server_size(),
                                     c.protocol_size(),
                                     c.transport_size(),
                                     c.endpoint_size(),
                                     c.outcome_size(),
                                     c.status_code_size(),
                                     c.count_size(),
                                     c.slow_count_size(),
                                     c.sent_bytes_size(),
                                     c.received_bytes_size(),
                                     c.connections_size(),
                                     c.connect_failures_size(),
                                     c.connect_count_size(),
                                     c.connect_sum_ns_size(),
                                     c.lost_size(),
                                     c.latency_offset_size(),
                                     c.latency_bucket_count_size(),
                                     c.latency_zero_count_size(),
                                     c.latency_sum_ns_size(),
                                     c.latency_min_ns_size(),
                                     c.latency_max_ns_size(),
                                     in.RowsOf(c.blame_ns_size(), model::kCauseCount)});
  out.reserve(rows);
  int64_t window_ns = in.first_ns();
  int bucket = 0;
  for (int i = 0; i < rows && in.ok(); ++i) {
    model::EdgeStats& edge = out.emplace_back();
    edge.window_start_ns = in.Later(window_ns, At(c.window_start_delta_ns(), i), "window_start");
    edge.window_ns = in.Duration(At(c.window_ns(), i), "window_ns");
    edge.observer = in.Enum<model::Side>(At(c.observer(), i), "observer");
    in.Party(At(c.client(), i), edge.client);
    in.Party(At(c.server(), i), edge.server);
    edge.protocol = in.Enum<model::Protocol>(At(c.protocol(), i), "protocol");
    edge.transport = in.Enum<model::Transport>(At(c.transport(), i), "transport");
    in.Text(At(c.endpoint(), i), edge.endpoint);
    edge.outcome = in.Enum<model::Outcome>(At(c.outcome(), i), "outcome");
    in.Text(At(c.status_code(), i), edge.status_code);
    edge.count = in.Number(At(c.count(), i), "count");
    edge.slow_count = in.Number(At(c.slow_count(), i), "slow_count");
    edge.sent_bytes = in.Number(At(c.sent_bytes(), i), "sent_bytes");
    edge.received_bytes = in.Number(At(c.received_bytes(), i), "received_bytes");
    edge.connections = in.Number(At(c.connections(), i), "connections");
    edge.connect_failures = in.Number(At(c.connect_failures(), i), "connect_failures");
    edge.connect_count = in.Number(At(c.connect_count(), i), "connect_count");
    edge.connect_sum_ns = in.Number(At(c.connect_sum_ns(), i), "connect_sum_ns");
    edge.lost = in.Number(At(c.lost(), i), "lost");
    in.Latency(c, i, bucket, edge.latency);
    in.Blame(c.blame_ns(), i, edge.blame);
  }
  if (bucket != c.latency_buckets_size()) in.Fail("latency_bucket_count does not add up");
}

}  // namespace kindling::controller
