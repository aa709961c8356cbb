#include "controller/ingest/batch_reader.h"
#include "controller/ingest/decode.h"
#include "controller/ingest/decode_tables.h"
#include "kindling/v1/ingest.pb.h"

namespace kindling::controller {
namespace {

// `at` is the place of the first attribute that no row before has taken.
void DecodeAttributes(BatchReader& in, const v1::SpanColumns& c, int row, int& at,
                      model::Span& span) {
  const uint32_t count = At(c.attribute_count(), row);
  if (count > kMaxAttributes || static_cast<int>(count) > c.attribute_key_size() - at) {
    return in.Fail("attribute_count does not add up");
  }
  span.attributes.resize(count);
  for (auto& [key, value] : span.attributes) {
    in.Text(c.attribute_key(at), key);
    in.Text(c.attribute_value(at), value);
    ++at;
  }
}

}  // namespace

void DecodeSpans(BatchReader& in, const v1::SpanColumns& c, std::vector<model::Span>& out) {
  const int rows = in.Rows("spans", {c.id_size(),
                                     c.trace_id_high_size(),
                                     c.trace_id_low_size(),
                                     c.parent_id_size(),
                                     c.side_size(),
                                     c.protocol_size(),
                                     c.transport_size(),
                                     c.outcome_size(),
                                     c.slow_size(),
                                     c.client_size(),
                                     c.server_size(),
                                     c.client_port_size(),
                                     c.endpoint_size(),
                                     c.status_code_size(),
                                     c.start_delta_ns_size(),
                                     c.request_duration_ns_size(),
                                     c.wait_duration_ns_size(),
                                     c.response_duration_ns_size(),
                                     c.connect_duration_ns_size(),
                                     c.request_bytes_size(),
                                     c.response_bytes_size(),
                                     c.request_tcp_seq_size(),
                                     c.response_tcp_seq_size(),
                                     c.stream_id_size(),
                                     c.pid_size(),
                                     c.request_tid_size(),
                                     c.response_tid_size(),
                                     c.execution_unit_size(),
                                     c.sample_weight_size(),
                                     in.RowsOf(c.blame_ns_size(), model::kCauseCount),
                                     c.attribute_count_size(),
                                     c.alias_trace_id_high_size(),
                                     c.alias_trace_id_low_size(),
                                     c.alias_parent_id_size()});
  if (c.attribute_key_size() != c.attribute_value_size()) in.Fail("attributes lack keys or values");
  out.reserve(rows);
  int64_t start_ns = in.first_ns();
  int attribute = 0;
  for (int i = 0; i < rows && in.ok(); ++i) {
    model::Span& span = out.emplace_back();
    span.id = At(c.id(), i);
    span.trace_id = {At(c.trace_id_high(), i), At(c.trace_id_low(), i)};
    span.parent_id = At(c.parent_id(), i);
    span.side = in.Enum<model::Side>(At(c.side(), i), "side");
    span.protocol = in.Enum<model::Protocol>(At(c.protocol(), i), "protocol");
    span.transport = in.Enum<model::Transport>(At(c.transport(), i), "transport");
    span.outcome = in.Enum<model::Outcome>(At(c.outcome(), i), "outcome");
    span.slow = At(c.slow(), i);
    in.Party(At(c.client(), i), span.client);
    in.Party(At(c.server(), i), span.server);
    span.client_port = in.Port(At(c.client_port(), i));
    in.Text(At(c.endpoint(), i), span.endpoint);
    in.Text(At(c.status_code(), i), span.status_code);
    span.start_ns = in.Later(start_ns, At(c.start_delta_ns(), i), "start_delta_ns");
    span.request_duration_ns = in.Duration(At(c.request_duration_ns(), i), "request_duration_ns");
    span.wait_duration_ns = in.Duration(At(c.wait_duration_ns(), i), "wait_duration_ns");
    span.response_duration_ns =
        in.Duration(At(c.response_duration_ns(), i), "response_duration_ns");
    span.connect_duration_ns = in.Duration(At(c.connect_duration_ns(), i), "connect_duration_ns");
    span.request_bytes = in.Number(At(c.request_bytes(), i), "request_bytes");
    span.response_bytes = in.Number(At(c.response_bytes(), i), "response_bytes");
    span.request_tcp_seq = At(c.request_tcp_seq(), i);
    span.response_tcp_seq = At(c.response_tcp_seq(), i);
    span.stream_id = At(c.stream_id(), i);
    span.pid = At(c.pid(), i);
    span.request_tid = At(c.request_tid(), i);
    span.response_tid = At(c.response_tid(), i);
    span.execution_unit = At(c.execution_unit(), i);
    // The default is one request.
    const float weight = At(c.sample_weight(), i);
    if (!(weight >= 0 && weight <= static_cast<float>(kMaxNumber)))
      in.Fail("sample_weight is wrong");
    span.sample_weight = weight == 0 ? 1 : weight;
    in.Blame(c.blame_ns(), i, span.blame);
    span.alias_trace_id = {At(c.alias_trace_id_high(), i), At(c.alias_trace_id_low(), i)};
    span.alias_parent_id = At(c.alias_parent_id(), i);
    DecodeAttributes(in, c, i, attribute, span);
  }
  if (attribute != c.attribute_key_size()) in.Fail("attribute_count does not add up");
}

}  // namespace kindling::controller
