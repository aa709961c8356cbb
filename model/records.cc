#include "model/records.h"

namespace kindling::model {

std::string_view Name(ProcessEventKind kind) {
  switch (kind) {
    case ProcessEventKind::kUnset:
      break;
    case ProcessEventKind::kStart:
      return "start";
    case ProcessEventKind::kExit:
      return "exit";
    case ProcessEventKind::kCrash:
      return "crash";
    case ProcessEventKind::kOomKill:
      return "oom_kill";
    case ProcessEventKind::kFound:
      return "found";
  }
  return "unknown";
}

std::string_view Name(LossStage stage) {
  switch (stage) {
    case LossStage::kUnset:
      break;
    case LossStage::kKernelRing:
      return "kernel_ring";
    case LossStage::kKernelMap:
      return "kernel_map";
    case LossStage::kByteGap:
      return "byte_gap";
    case LossStage::kParserResync:
      return "parser_resync";
    case LossStage::kCap:
      return "cap";
    case LossStage::kSpoolOverflow:
      return "spool_overflow";
    case LossStage::kLateData:
      return "late_data";
    case LossStage::kAgentSilent:
      return "agent_silent";
  }
  return "unknown";
}

void AddNumbers(const EdgeStats& from, EdgeStats& to) {
  to.count += from.count;
  to.slow_count += from.slow_count;
  to.sent_bytes += from.sent_bytes;
  to.received_bytes += from.received_bytes;
  to.connections += from.connections;
  to.connect_failures += from.connect_failures;
  to.connect_count += from.connect_count;
  to.connect_sum_ns += from.connect_sum_ns;
  to.lost += from.lost;
  to.latency.Merge(from.latency);
  to.blame += from.blame;
}

size_t MemoryBytes(const Batch& batch) {
  // A text beyond what a string holds within itself, with what its allocation takes beside it.
  const auto text = [](const std::string& value) {
    return value.size() <= 15 ? 0 : value.size() + 16;
  };
  const auto party = [&](const Party& value) {
    return text(value.workload) + text(value.host) + text(value.address) + text(value.dns_name);
  };
  size_t bytes = sizeof(batch);
  for (const Span& span : batch.spans) {
    bytes += sizeof(span) + party(span.client) + party(span.server) + text(span.endpoint);
    for (const auto& [key, value] : span.attributes) {
      bytes += sizeof(key) + sizeof(value) + text(key) + text(value);
    }
  }
  for (const EdgeStats& edge : batch.edges) {
    bytes += sizeof(edge) + party(edge.client) + party(edge.server) + text(edge.endpoint) +
             sizeof(uint64_t) * edge.latency.counts().size();
  }
  for (const MetricSeries& series : batch.series) {
    bytes += sizeof(series) + text(series.name);
    for (const auto& [name, value] : series.labels) {
      bytes += sizeof(name) + sizeof(value) + text(name) + text(value);
    }
  }
  for (const MetricPoint& point : batch.points) {
    bytes += sizeof(point) + sizeof(uint64_t) * point.histogram.counts().size();
  }
  for (const Chunk& chunk : batch.chunks) bytes += sizeof(chunk) + text(chunk.bytes);
  for (const Content& content : batch.contents) bytes += sizeof(content) + text(content.bytes);
  for (const ProcessEvent& event : batch.processes) bytes += sizeof(event) + text(event.command);
  return bytes + batch.addresses.size() * sizeof(AddressBinding) +
         batch.losses.size() * sizeof(Loss);
}

}  // namespace kindling::model
