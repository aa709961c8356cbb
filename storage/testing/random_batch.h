#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "model/records.h"

namespace kindling::storage {

// Records with every field set to something, from a seed.
class RandomRecords {
 public:
  explicit RandomRecords(uint64_t seed, int64_t around_ns = 1'700'000'000'000'000'000)
      : random_(seed), around_ns_(around_ns) {}

  model::Batch Batch(const model::BatchId& id, int rows) {
    model::Batch batch;
    batch.id = id;
    batch.tenant = "default";
    batch.cluster = "test";
    for (int i = 0; i < rows; ++i) {
      batch.spans.push_back(Span());
      batch.edges.push_back(Edge());
      batch.processes.push_back(Process());
      batch.losses.push_back(Loss());
    }
    return batch;
  }

  model::Span Span() {
    model::Span span;
    span.id = Any();
    span.trace_id = {Any(), Any()};
    span.parent_id = Any();
    span.side = static_cast<model::Side>(Below(3));
    span.protocol = static_cast<model::Protocol>(Below(9));
    span.transport = static_cast<model::Transport>(Below(4));
    span.outcome = static_cast<model::Outcome>(Below(6));
    span.slow = Below(2) == 1;
    span.client = Party();
    span.server = Party();
    span.client_port = static_cast<uint16_t>(Any());
    span.endpoint = Text();
    span.status_code = Text();
    span.start_ns = Time();
    span.request_duration_ns = Duration();
    span.wait_duration_ns = Duration();
    span.response_duration_ns = Duration();
    span.connect_duration_ns = Duration();
    span.request_bytes = Any();
    span.response_bytes = Any();
    span.request_tcp_seq = static_cast<uint32_t>(Any());
    span.response_tcp_seq = static_cast<uint32_t>(Any());
    span.stream_id = static_cast<uint32_t>(Any());
    span.pid = static_cast<uint32_t>(Any());
    span.request_tid = static_cast<uint32_t>(Any());
    span.response_tid = static_cast<uint32_t>(Any());
    span.execution_unit = Any();
    span.sample_weight = static_cast<float>(Below(1000)) / 8;
    for (uint64_t& ns : span.blame.ns) ns = Below(3) == 0 ? Any() : 0;
    for (uint64_t n = Below(4); n > 0; --n) span.attributes.emplace_back(Text(), Text());
    return span;
  }

  // With ids as agents mint them, parents among `others`, and ids of another tracer.
  model::Span LinkedSpan(const std::vector<model::Span>& others) {
    model::Span span = Span();
    if (Below(8) > 0) span.id = static_cast<uint64_t>(span.start_ns) >> 20 << 22 | ++counter_;
    if (Below(4) > 0 && !others.empty()) {
      const model::Span& other = others[Below(others.size())];
      span.parent_id = other.id;
      if (Below(4) > 0) span.trace_id = other.trace_id;
      if (Below(2) > 0) {
        span.client = other.client;
        span.server = other.server;
        span.side = other.side;
        span.pid = other.pid;
        span.client_port = other.client_port;
      }
      if (Below(2) > 0) {
        span.alias_trace_id = other.alias_trace_id;
        if (Below(2) > 0) span.alias_parent_id = other.alias_parent_id;
      }
    } else {
      span.trace_id = Below(2) > 0 ? model::TraceId{span.id, Below(3)} : model::TraceId{};
      span.parent_id = Below(2) * Any();
      if (Below(2) > 0) span.alias_trace_id = {random_(), random_()};
      if (Below(2) > 0) span.alias_parent_id = random_();
    }
    return span;
  }

  model::EdgeStats Edge() {
    model::EdgeStats edge;
    edge.window_start_ns = Time();
    edge.window_ns = 10'000'000'000;
    edge.observer = static_cast<model::Side>(Below(3));
    edge.client = Party();
    edge.server = Party();
    edge.protocol = static_cast<model::Protocol>(Below(9));
    edge.transport = static_cast<model::Transport>(Below(4));
    edge.endpoint = Text();
    edge.outcome = static_cast<model::Outcome>(Below(6));
    edge.status_code = Text();
    edge.count = Any();
    edge.slow_count = Any();
    edge.sent_bytes = Any();
    edge.received_bytes = Any();
    edge.connections = Any();
    edge.connect_failures = Any();
    edge.connect_count = Any();
    edge.connect_sum_ns = Any();
    edge.lost = Any();
    for (uint64_t n = Below(20); n > 0; --n) edge.latency.Record(Duration());
    for (uint64_t& ns : edge.blame.ns) ns = Below(3) == 0 ? Any() : 0;
    return edge;
  }

  model::ProcessEvent Process() {
    return {.time_ns = Time(),
            .kind = static_cast<model::ProcessEventKind>(Below(6)),
            .host = Text(),
            .workload = Text(),
            .workload_kind = Text(),
            .executable = Text(),
            .command = Text(),
            .pid = static_cast<uint32_t>(Any()),
            .parent_pid = static_cast<uint32_t>(Any()),
            .code = static_cast<int32_t>(Any())};
  }

  model::Loss Loss() {
    return {.time_ns = Time(),
            .stage = static_cast<model::LossStage>(Below(9)),
            .host = Text(),
            .workload = Text(),
            .requests = Any(),
            .events = Any(),
            .bytes = Any()};
  }

  uint64_t Below(uint64_t bound) { return random_() % bound; }

 private:
  // Small and large numbers alike.
  uint64_t Any() { return random_() >> Below(64); }
  int64_t Time() { return around_ns_ + static_cast<int64_t>(Below(3'600'000'000'000)); }
  int64_t Duration() { return static_cast<int64_t>(Any() >> 2); }
  std::string Text() {
    if (Below(3) == 0) return "";
    std::string text = absl::StrFormat("text-%d", Below(50));
    if (Below(20) == 0) text.append(Below(300), static_cast<char>(Below(256)));
    return text;
  }
  model::Party Party() {
    return {.workload = Text(),
            .workload_kind = Text(),
            .host = Text(),
            .address = Text(),
            .port = static_cast<uint16_t>(Any()),
            .dns_name = Text()};
  }

  std::mt19937_64 random_;
  uint64_t counter_ = 0;
  const int64_t around_ns_;
};

}  // namespace kindling::storage
