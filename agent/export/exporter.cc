#include "agent/export/exporter.h"

#include <utility>

#include "agent/export/encode.h"
#include "agent/export/split.h"
#include "glog/logging.h"
#include "kindling/v1/ingest.pb.h"

namespace kindling::agent {

Exporter::Exporter(ExporterOptions options, Spool* spool, const base::Clock* clock,
                   std::vector<Tap> taps, std::function<void()> wake)
    : options_(std::move(options)),
      spool_(spool),
      clock_(clock),
      taps_(std::move(taps)),
      wake_(std::move(wake)) {}

Exporter::~Exporter() { Stop(); }

void Exporter::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Exporter::OnBatch(model::Batch batch) {
  const size_t bytes = ApproximateBytes(batch);
  {
    absl::MutexLock lock(&mu_);
    if (!stopping_ && (queue_.empty() || queued_bytes_ + bytes <= options_.max_queued_bytes)) {
      queued_bytes_ += bytes;
      queue_.push_back({std::move(batch), bytes});
      return;
    }
  }
  Drop(RequestsOf(batch), batch.spans.size());
}

void Exporter::Drop(uint64_t requests, uint64_t spans) {
  counters_.dropped_requests += requests;
  counters_.dropped_spans += spans;
  absl::MutexLock lock(&mu_);
  untold_requests_ += requests;
  untold_spans_ += spans;
}

bool Exporter::Stopping() const {
  absl::MutexLock lock(&mu_);
  return stopping_;
}

void Exporter::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Exporter::Run() {
  while (true) {
    Queued next;
    {
      absl::MutexLock lock(&mu_);
      const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return stopping_ || !queue_.empty();
      };
      mu_.AwaitWithTimeout(absl::Condition(&ready), absl::Seconds(10));
      if (queue_.empty() && stopping_) return;
      if (!queue_.empty()) {
        next = std::move(queue_.front());
        queue_.pop_front();
      }
    }
    spool_->DropOld(clock_->WallNs());
    if (next.batch.empty()) continue;
    Export(std::move(next.batch));
    absl::MutexLock lock(&mu_);
    queued_bytes_ -= next.bytes;
  }
}

void Exporter::Export(model::Batch batch) {
  AddLosses(batch);
  for (const Tap& tap : taps_) tap(batch);
  for (const SpoolLane lane : {SpoolLane::kAggregates, SpoolLane::kSpans}) {
    for (model::Batch& part : TakeLane(batch, lane, options_.batch_bytes)) {
      Write(lane, std::move(part));
    }
  }
}

void Exporter::AddLosses(model::Batch& batch) {
  const Spool::Dropped spool = spool_->TakeDropped();
  model::Loss loss;
  loss.time_ns = batch.first_ns;
  loss.host = options_.host;
  if (spool.batches > 0) {
    loss.stage = model::LossStage::kSpoolOverflow;
    loss.requests = spool.requests;
    loss.events = spool.spans;
    loss.bytes = spool.bytes;
    batch.losses.push_back(loss);
  }
  absl::MutexLock lock(&mu_);
  if (untold_requests_ > 0 || untold_spans_ > 0) {
    loss.stage = model::LossStage::kCap;
    loss.requests = std::exchange(untold_requests_, 0);
    loss.events = std::exchange(untold_spans_, 0);
    loss.bytes = 0;
    batch.losses.push_back(loss);
  }
}

void Exporter::Write(SpoolLane lane, model::Batch part) {
  SpoolRecord record;
  record.lane = lane;
  record.epoch = lane == SpoolLane::kSpans ? options_.boot_epoch - 1 : options_.boot_epoch;
  record.sequence = ++sequences_[static_cast<size_t>(lane)];
  record.time_ns = clock_->WallNs();
  record.requests = RequestsOf(part);
  record.spans = part.spans.size();
  part.id.boot_epoch = record.epoch;
  part.id.sequence = record.sequence;
  v1::Batch encoded;
  EncodeBatch(part, &encoded);
  const std::string payload = encoded.SerializeAsString();
  while (true) {
    const absl::Status status = spool_->Append(record, payload);
    if (status.ok()) break;
    ++counters_.failed_writes;
    const bool give_up = Stopping();
    if (!write_fails_ || give_up) {
      LOG(ERROR) << "spool: " << status.message()
                 << (give_up ? "; a batch is lost" : "; trying again until it can be written");
    }
    write_fails_ = true;
    if (give_up) return Drop(record.requests, record.spans);
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithTimeout(absl::Condition(&stopping_), options_.retry);
  }
  if (write_fails_) LOG(INFO) << "spool: can be written again";
  write_fails_ = false;
  ++counters_.batches;
  counters_.bytes += payload.size();
  wake_();
}

}  // namespace kindling::agent
