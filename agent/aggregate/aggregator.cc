#include "agent/aggregate/aggregator.h"

#include <algorithm>

#include "base/errno_status.h"
#include "glog/logging.h"

namespace kindling::agent {
namespace {

// Windows between two sweeps of names: one unused for an hour or two is forgotten.
constexpr uint64_t kSweepWindows = 360;

int64_t Duration(int64_t from_ns, int64_t to_ns) { return std::max<int64_t>(to_ns - from_ns, 0); }

// The workload that the observer is.
const std::string& OwnWorkload(const Edge& edge) {
  return edge.observer == model::Side::kServer ? edge.server.workload : edge.client.workload;
}

int64_t FloorTo(int64_t value, int64_t step) { return value - value % step; }

}  // namespace

Aggregator::Aggregator(AggregatorOptions options, BatchSink* sink)
    : options_(std::move(options)),
      sink_(sink),
      edges_(options_.names),
      span_ids_(options_.span_id_seed),
      random_state_(options_.span_id_seed | 1) {}

Row*& Aggregator::Recent(const RowKey& key) {
  size_t hash = reinterpret_cast<uintptr_t>(key.edge) / alignof(InternedEdge) +
                key.endpoint.size() * 3 + static_cast<size_t>(key.outcome) * 5;
  if (!key.endpoint.empty()) {
    hash += static_cast<uint8_t>(key.endpoint.front()) * 7u;
    hash += static_cast<uint8_t>(key.endpoint.back());
  }
  return recent_[hash % recent_.size()];
}

Row* Aggregator::FindRow(const RowKey& key) {
  Row*& recent = Recent(key);
  if (recent != nullptr && recent->key() == key) return recent;
  const auto found = rows_.find(key);
  if (found == rows_.end()) return nullptr;
  (*found)->used = true;
  return recent = found->get();
}

Row* Aggregator::AddRow(const RowKey& key, size_t limit) {
  if (rows_.size() >= limit) return nullptr;
  Row* row = rows_.insert(std::make_unique<Row>(key)).first->get();
  row->used = true;
  return row;
}

Row* Aggregator::FindOrAddRow(const RowKey& wanted, uint64_t requests) {
  if (Row* row = FindRow(wanted)) return row;
  const RowKey capped{wanted.edge, wanted.outcome,
                      edges_.CappedEndpoint(*wanted.edge, wanted.endpoint),
                      edges_.CappedStatus(*wanted.edge, wanted.status_code)};
  Row* row = capped == wanted ? nullptr : FindRow(capped);
  if (row == nullptr) row = AddRow(capped, options_.max_rows);
  if (row != nullptr) {
    if (capped != wanted) tally_.folded_requests += requests;
    return row;
  }
  const RowKey folded{wanted.edge, wanted.outcome, model::kOtherName, ""};
  row = FindRow(folded);
  if (row == nullptr) row = AddRow(folded, options_.max_rows + options_.max_rows / 10);
  if (row != nullptr) {
    tally_.folded_requests += requests;
    return row;
  }
  tally_.lost_requests += requests;
  model::Loss loss;
  loss.stage = model::LossStage::kCap;
  loss.workload = OwnWorkload(wanted.edge->edge);
  loss.requests = requests;
  loss.events = 1;
  OnLoss(loss);
  return nullptr;
}

Row* Aggregator::EdgeRow(const EdgeContext& context, uint64_t requests) {
  return FindOrAddRow({context.edge.get(), model::Outcome::kUnset, "", ""}, requests);
}

void Aggregator::OnRequest(const EdgeContext& context, const Record& record) {
  DCHECK(thread_.CalledOnOwner());
  const uint64_t requests = record.requests();
  tally_.requests += requests;
  Row* row = FindOrAddRow({context.edge.get(), record.outcome, record.endpoint, record.status_code},
                          requests);
  if (row == nullptr) return;
  row->count += requests;
  row->sent_bytes += record.request_bytes + record.more_request_bytes;
  row->received_bytes += record.response_bytes + record.more_response_bytes;
  const bool answered = record.response_end_ns != 0;
  bool slow = false;
  if (answered) {
    const int64_t duration_ns = Duration(record.request_start_ns, record.response_end_ns);
    slow = duration_ns > options_.slow.Ns(context.edge->edge.protocol);
    row->slow_count += slow ? requests : 0;
    row->latency.Record(duration_ns, requests);
  }
  const int64_t end_ns = answered ? record.response_end_ns : record.request_end_ns;
  if (end_ns < window_start_boot_ns_) tally_.late_requests += requests;
  if (keep_spans_) OfferSpan(context, record, slow, *row);
}

void Aggregator::OfferSpan(const EdgeContext& context, const Record& record, bool slow, Row& row) {
  if (options_.keep_all_spans) {
    spans_.push_back(MakeSpan(context, record, slow, row));
    if (spans_.size() >= options_.max_spans) EmitSpansNow();
    return;
  }
  const bool notable = slow || model::IsError(row.outcome);
  SpanSample& sample = notable ? row.notable : row.ordinary;
  const uint32_t limit = notable ? options_.notable_spans : options_.sampled_spans;
  sample.seen += record.requests();
  if (sample.kept.size() < limit) {
    if (spans_.size() >= options_.max_spans) {
      ++tally_.spans_without_room;
      return;
    }
    sample.kept.push_back(static_cast<uint32_t>(spans_.size()));
    spans_.push_back(MakeSpan(context, record, slow, row));
    return;
  }
  // Reservoir sampling (algorithm R), where each request of a run has a try and its first stands
  // for whichever is drawn.
  const uint64_t slot = Random(sample.seen) / record.requests();
  if (slot < sample.kept.size()) {
    spans_[sample.kept[slot]] = MakeSpan(context, record, slow, row);
  }
}

model::Span Aggregator::MakeSpan(const EdgeContext& context, const Record& record, bool slow,
                                 const Row& row) {
  const Edge& edge = context.edge->edge;
  model::Span span;
  span.start_ns = clock_.ToWallNs(record.request_start_ns);
  span.id = span_ids_.Next(span.start_ns);
  span.side = edge.observer;
  span.protocol = edge.protocol;
  span.transport = edge.transport;
  span.outcome = record.outcome;
  span.slow = slow;
  span.client = edge.client;
  span.server = edge.server;
  span.client_port = context.client_port;
  span.endpoint = row.endpoint;
  span.status_code = row.status_code;
  span.request_duration_ns = Duration(record.request_start_ns, record.request_end_ns);
  if (record.response_end_ns != 0) {
    // A response that began before the request was complete leaves no time to wait.
    const int64_t response_start_ns = std::max(record.response_start_ns, record.request_end_ns);
    span.wait_duration_ns = Duration(record.request_end_ns, response_start_ns);
    span.response_duration_ns = Duration(response_start_ns, record.response_end_ns);
  }
  span.connect_duration_ns = context.connect_duration_ns;
  span.request_bytes = record.request_bytes;
  span.response_bytes = record.response_bytes;
  span.request_tcp_seq = record.request_tcp_seq;
  span.response_tcp_seq = record.response_tcp_seq;
  span.stream_id = record.stream_id;
  span.pid = context.pid;
  span.request_tid = record.request_tid;
  span.response_tid = record.response_tid;
  span.attributes.reserve(record.attributes.size());
  for (const auto& [key, value] : record.attributes) {
    span.attributes.emplace_back(key,
                                 std::string_view(value).substr(0, options_.max_attribute_bytes));
  }
  return span;
}

void Aggregator::OnConnection(const EdgeContext& context) {
  Row* row = EdgeRow(context, 0);
  if (row == nullptr) return;
  ++row->connections;
  row->AddConnectTime(context.connect_duration_ns);
}

void Aggregator::OnConnectFailure(const EdgeContext& context, int error, int64_t duration_ns) {
  const std::string name = base::ErrnoName(error);
  Row* row = FindOrAddRow({context.edge.get(), model::Outcome::kConnectFailed, "", name}, 0);
  if (row == nullptr) return;
  ++row->connect_failures;
  row->AddConnectTime(duration_ns);
  row->latency.Record(duration_ns);
}

void Aggregator::OnBytes(const EdgeContext& context, uint64_t sent, uint64_t received,
                         int64_t duration_ns) {
  Row* row = EdgeRow(context, 0);
  if (row == nullptr) return;
  row->sent_bytes += sent;
  row->received_bytes += received;
  if (duration_ns > 0) row->latency.Record(duration_ns);
}

void Aggregator::OnLost(const EdgeContext& context, uint64_t requests) {
  if (Row* row = EdgeRow(context, requests)) row->lost += requests;
}

void Aggregator::OnLoss(const model::Loss& loss) {
  const auto found = losses_.find({loss.stage, loss.workload});
  const bool room = found != losses_.end() || losses_.size() < options_.max_rows;
  model::Loss& sum = room ? losses_[{loss.stage, loss.workload}] : losses_[{loss.stage, ""}];
  sum.requests += loss.requests;
  sum.events += loss.events;
  sum.bytes += loss.bytes;
}

void Aggregator::OnProcess(model::ProcessEvent event) {
  if (processes_.size() >= options_.max_processes) {
    OnLoss({.stage = model::LossStage::kCap, .events = 1});
    return;
  }
  event.host = options_.host;
  processes_.push_back(std::move(event));
}

void Aggregator::OnAddress(model::AddressBinding binding) {
  if (addresses_.size() >= options_.max_processes) {
    OnLoss({.stage = model::LossStage::kCap, .events = 1});
    return;
  }
  if (binding.host.empty()) binding.host = options_.host;
  addresses_.push_back(std::move(binding));
}

void Aggregator::OnTick(int64_t boot_ns, int64_t wall_ns) {
  DCHECK(thread_.CalledOnOwner());
  clock_.Update(boot_ns, wall_ns);
  if (window_start_ns_ == 0) {
    OpenWindow(wall_ns);
  } else if (wall_ns >= window_start_ns_ + options_.window_ns || wall_ns < window_start_ns_) {
    CloseWindow();
    OpenWindow(wall_ns);
  }
  PublishCounters();
}

void Aggregator::Flush() {
  DCHECK(thread_.CalledOnOwner());
  if (window_start_ns_ == 0) return;
  CloseWindow();
  PublishCounters();
}

void Aggregator::OpenWindow(int64_t wall_ns) {
  const int64_t old_start_ns = window_start_ns_;
  window_start_ns_ = FloorTo(wall_ns, options_.window_ns);
  if (old_start_ns != window_start_ns_) {
    window_start_boot_ns_ = clock_.ToBootNs(window_start_ns_);
  }
}

void Aggregator::CloseWindow() {
  model::Batch batch;
  batch.first_ns = window_start_ns_;
  batch.last_ns = window_start_ns_ + options_.window_ns;
  WeighSpans();
  recent_.fill(nullptr);
  EmitRows(batch);
  batch.spans = std::move(spans_);
  spans_.clear();
  batch.processes = std::move(processes_);
  processes_.clear();
  batch.addresses = std::move(addresses_);
  addresses_.clear();
  for (auto& [key, loss] : losses_) {
    loss.time_ns = window_start_ns_;
    loss.stage = key.first;
    loss.workload = key.second;
    loss.host = options_.host;
    batch.losses.push_back(std::move(loss));
  }
  losses_.clear();
  for (WindowSource* source : sources_) source->EmitWindow(window_start_ns_, batch);
  HandOver(std::move(batch));
  edges_.DropUnreferenced(rows_);
  if (++tally_.windows % kSweepWindows == 0) {
    // Rows that live on have not asked for their names since they were made.
    for (const std::unique_ptr<Row>& row : rows_) {
      edges_.CappedEndpoint(*row->edge, row->endpoint);
      edges_.CappedStatus(*row->edge, row->status_code);
    }
    edges_.SweepNames();
  }
}

void Aggregator::WeighSpans() {
  for (const std::unique_ptr<Row>& row : rows_) {
    for (const SpanSample* sample : {&row->ordinary, &row->notable}) {
      for (const uint32_t index : sample->kept) {
        spans_[index].sample_weight =
            static_cast<float>(sample->seen) / static_cast<float>(sample->kept.size());
      }
    }
  }
}

// Moves the rows' sums to the batch. A row that was used stays, empty, for the next window.
void Aggregator::EmitRows(model::Batch& batch) {
  uint64_t used = 0;
  for (const std::unique_ptr<Row>& row : rows_) used += row->used ? 1 : 0;
  counters_.rows.store(used, std::memory_order_relaxed);
  batch.edges.reserve(used);
  absl::erase_if(rows_, [&](const std::unique_ptr<Row>& row) {
    if (!row->used) return true;
    const Edge& edge = row->edge->edge;
    model::EdgeStats& stats = batch.edges.emplace_back();
    stats.window_start_ns = window_start_ns_;
    stats.window_ns = options_.window_ns;
    stats.observer = edge.observer;
    stats.client = edge.client;
    stats.server = edge.server;
    stats.protocol = edge.protocol;
    stats.transport = edge.transport;
    stats.endpoint = row->endpoint;
    stats.outcome = row->outcome;
    stats.status_code = row->status_code;
    row->MoveSumsTo(stats);
    return false;
  });
}

// With every span kept they do not wait for the window to end.
void Aggregator::EmitSpansNow() {
  model::Batch batch;
  batch.first_ns = window_start_ns_;
  batch.last_ns = window_start_ns_ + options_.window_ns;
  batch.spans = std::move(spans_);
  spans_.clear();
  spans_.reserve(options_.max_spans);
  HandOver(std::move(batch));
}

void Aggregator::HandOver(model::Batch batch) {
  if (batch.empty()) return;
  batch.rule_version = options_.rule_version;
  for (const model::Span& span : batch.spans) {
    batch.first_ns = std::min(batch.first_ns, span.start_ns);
    batch.last_ns = std::max(batch.last_ns, span.start_ns + span.duration_ns());
  }
  tally_.spans += batch.spans.size();
  sink_->OnBatch(std::move(batch));
}

void Aggregator::PublishCounters() {
  const auto store = [](std::atomic<uint64_t>& to, uint64_t value) {
    to.store(value, std::memory_order_relaxed);
  };
  store(counters_.requests, tally_.requests);
  store(counters_.late_requests, tally_.late_requests);
  store(counters_.lost_requests, tally_.lost_requests);
  store(counters_.folded_requests, tally_.folded_requests);
  store(counters_.spans, tally_.spans);
  store(counters_.spans_without_room, tally_.spans_without_room);
  store(counters_.windows, tally_.windows);
  store(counters_.edges, edges_.size());
}

uint64_t Aggregator::Random(uint64_t below) {
  // xorshift64*
  random_state_ ^= random_state_ >> 12;
  random_state_ ^= random_state_ << 25;
  random_state_ ^= random_state_ >> 27;
  return static_cast<uint64_t>(
      (static_cast<unsigned __int128>(random_state_ * 0x2545f4914f6cdd1dULL) * below) >> 64);
}

}  // namespace kindling::agent
