#include "storage/blocks/row_columns.h"

#include <type_traits>

#include "absl/status/status.h"
#include "storage/columns.h"

namespace kindling::storage {
namespace {

#define FIELD(name) \
  [](auto& row) -> auto& { return row.name; }

// The columns of a row, in this order.
template <typename Archive>
void Describe(Archive& a, std::type_identity<model::Span>) {
  a.Delta(FIELD(id));
  a.Number(FIELD(trace_id.high));
  a.Number(FIELD(trace_id.low));
  a.Number(FIELD(parent_id));
  a.Number(FIELD(side));
  a.Number(FIELD(protocol));
  a.Number(FIELD(transport));
  a.Number(FIELD(outcome));
  a.Number(FIELD(slow));
  a.Party(FIELD(client));
  a.Party(FIELD(server));
  a.Number(FIELD(client_port));
  a.Text(FIELD(endpoint));
  a.Text(FIELD(status_code));
  a.Delta(FIELD(start_ns));
  a.Number(FIELD(request_duration_ns));
  a.Number(FIELD(wait_duration_ns));
  a.Number(FIELD(response_duration_ns));
  a.Number(FIELD(connect_duration_ns));
  a.Number(FIELD(request_bytes));
  a.Number(FIELD(response_bytes));
  a.Number(FIELD(request_tcp_seq));
  a.Number(FIELD(response_tcp_seq));
  a.Number(FIELD(stream_id));
  a.Number(FIELD(pid));
  a.Number(FIELD(request_tid));
  a.Number(FIELD(response_tid));
  a.Number(FIELD(execution_unit));
  a.Number(FIELD(sample_weight));
  a.Blame(FIELD(blame));
  a.Number(FIELD(alias_trace_id.high));
  a.Number(FIELD(alias_trace_id.low));
  a.Number(FIELD(alias_parent_id));
  a.Attributes(FIELD(attributes));
}

template <typename Archive>
void Describe(Archive& a, std::type_identity<model::EdgeStats>) {
  a.Delta(FIELD(window_start_ns));
  a.Number(FIELD(window_ns));
  a.Number(FIELD(observer));
  a.Party(FIELD(client));
  a.Party(FIELD(server));
  a.Number(FIELD(protocol));
  a.Number(FIELD(transport));
  a.Text(FIELD(endpoint));
  a.Number(FIELD(outcome));
  a.Text(FIELD(status_code));
  a.Number(FIELD(count));
  a.Number(FIELD(slow_count));
  a.Number(FIELD(sent_bytes));
  a.Number(FIELD(received_bytes));
  a.Number(FIELD(connections));
  a.Number(FIELD(connect_failures));
  a.Number(FIELD(lost));
  a.Histogram(FIELD(latency));
  a.Blame(FIELD(blame));
  a.Number(FIELD(connect_count));
  a.Number(FIELD(connect_sum_ns));
}

template <typename Archive>
void Describe(Archive& a, std::type_identity<model::ProcessEvent>) {
  a.Delta(FIELD(time_ns));
  a.Number(FIELD(kind));
  a.Text(FIELD(host));
  a.Text(FIELD(workload));
  a.Text(FIELD(workload_kind));
  a.Text(FIELD(executable));
  a.Text(FIELD(command));
  a.Number(FIELD(pid));
  a.Number(FIELD(parent_pid));
  a.Number(FIELD(code));
}

template <typename Archive>
void Describe(Archive& a, std::type_identity<model::Loss>) {
  a.Delta(FIELD(time_ns));
  a.Number(FIELD(stage));
  a.Text(FIELD(host));
  a.Text(FIELD(workload));
  a.Number(FIELD(requests));
  a.Number(FIELD(events));
  a.Number(FIELD(bytes));
}

template <typename Archive>
void Describe(Archive& a, std::type_identity<model::AddressBinding>) {
  a.Delta(FIELD(first_ns));
  a.Text(FIELD(address));
  a.Number(FIELD(port));
  a.Number(FIELD(transport));
  a.Text(FIELD(workload));
  a.Text(FIELD(workload_kind));
  a.Text(FIELD(host));
}

template <typename Archive>
void Describe(Archive& a, std::type_identity<model::MetricSeries>) {
  a.Text(FIELD(name));
  a.Number(FIELD(kind));
  a.Attributes(FIELD(labels));
}

template <typename Archive>
void Describe(Archive& a, std::type_identity<model::MetricPoint>) {
  a.Number(FIELD(series));
  a.Delta(FIELD(time_ns));
  a.Number(FIELD(value));
  a.Histogram(FIELD(histogram));
}

template <typename Archive>
void Describe(Archive& a, std::type_identity<model::Chunk>) {
  a.Number(FIELD(kind));
  a.Delta(FIELD(span_id));
  a.Delta(FIELD(first_ns));
  a.Delta(FIELD(last_ns));
  a.Text(FIELD(host));
  a.Number(FIELD(pid));
  a.Number(FIELD(tid));
  a.Text(FIELD(bytes));
}

template <typename Archive>
void Describe(Archive& a, std::type_identity<model::Content>) {
  a.Number(FIELD(hash.high));
  a.Number(FIELD(hash.low));
  a.Delta(FIELD(time_ns));
  a.Text(FIELD(bytes));
}

#undef FIELD

}  // namespace

template <typename Row>
void EncodeRows(const std::vector<const Row*>& rows, std::string& out) {
  const ColumnEncoder<Row> encoder(
      rows, [](ColumnEncoder<Row>& archive) { Describe(archive, std::type_identity<Row>()); });
  encoder.Finish(out);
}

template <typename Row>
std::string EncodeRows(const std::vector<const Row*>& rows) {
  std::string out;
  EncodeRows(rows, out);
  return out;
}

template <typename Row>
absl::StatusOr<std::vector<Row>> DecodeRows(std::string_view columns) {
  ColumnDecoder<Row> decoder(columns);
  Describe(decoder, std::type_identity<Row>());
  if (!decoder.Finished()) return absl::DataLossError("columns are inconsistent");
  return std::move(decoder.rows());
}

template std::string EncodeRows(const std::vector<const model::Span*>&);
template void EncodeRows(const std::vector<const model::Span*>&, std::string&);
template absl::StatusOr<std::vector<model::Span>> DecodeRows(std::string_view);
template std::string EncodeRows(const std::vector<const model::EdgeStats*>&);
template void EncodeRows(const std::vector<const model::EdgeStats*>&, std::string&);
template absl::StatusOr<std::vector<model::EdgeStats>> DecodeRows(std::string_view);
template std::string EncodeRows(const std::vector<const model::ProcessEvent*>&);
template void EncodeRows(const std::vector<const model::ProcessEvent*>&, std::string&);
template absl::StatusOr<std::vector<model::ProcessEvent>> DecodeRows(std::string_view);
template std::string EncodeRows(const std::vector<const model::Loss*>&);
template void EncodeRows(const std::vector<const model::Loss*>&, std::string&);
template absl::StatusOr<std::vector<model::Loss>> DecodeRows(std::string_view);
template std::string EncodeRows(const std::vector<const model::AddressBinding*>&);
template void EncodeRows(const std::vector<const model::AddressBinding*>&, std::string&);
template absl::StatusOr<std::vector<model::AddressBinding>> DecodeRows(std::string_view);
template std::string EncodeRows(const std::vector<const model::MetricSeries*>&);
template void EncodeRows(const std::vector<const model::MetricSeries*>&, std::string&);
template absl::StatusOr<std::vector<model::MetricSeries>> DecodeRows(std::string_view);
template std::string EncodeRows(const std::vector<const model::MetricPoint*>&);
template void EncodeRows(const std::vector<const model::MetricPoint*>&, std::string&);
template absl::StatusOr<std::vector<model::MetricPoint>> DecodeRows(std::string_view);
template std::string EncodeRows(const std::vector<const model::Chunk*>&);
template void EncodeRows(const std::vector<const model::Chunk*>&, std::string&);
template absl::StatusOr<std::vector<model::Chunk>> DecodeRows(std::string_view);
template std::string EncodeRows(const std::vector<const model::Content*>&);
template void EncodeRows(const std::vector<const model::Content*>&, std::string&);
template absl::StatusOr<std::vector<model::Content>> DecodeRows(std::string_view);

}  // namespace kindling::storage
