#include "agent/export/sender.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/export/controller_channel.h"
#include "agent/export/ingest_stream.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "glog/logging.h"
#include "kindling/v1/ingest.grpc.pb.h"

namespace kindling::agent {

struct Sender::Channel {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::IngestService::Stub> stub;
};

namespace {

constexpr int kTriesOfAMalformedBatch = 3;
constexpr absl::Duration kSteadyConnection = absl::Seconds(10);

}  // namespace

absl::StatusOr<std::unique_ptr<Sender>> Sender::Create(SenderOptions options, Spool* spool,
                                                       const base::Clock* clock,
                                                       std::function<HealthSample()> health) {
  auto channel = std::make_unique<Channel>();
  ASSIGN_OR_RETURN(channel->channel, OpenControllerChannel(options.controller));
  channel->stub = v1::IngestService::NewStub(channel->channel);
  return std::unique_ptr<Sender>(
      new Sender(std::move(options), spool, clock, std::move(health), std::move(channel)));
}

Sender::Sender(SenderOptions options, Spool* spool, const base::Clock* clock,
               std::function<HealthSample()> health, std::unique_ptr<Channel> channel)
    : options_(std::move(options)),
      spool_(spool),
      clock_(clock),
      health_(std::move(health)),
      channel_(std::move(channel)),
      retry_(options_.first_retry),
      random_(static_cast<uint32_t>(options_.boot_epoch ^
                                    std::hash<std::string>()(options_.agent_id))) {}

Sender::~Sender() { Stop(absl::ZeroDuration()); }

void Sender::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Sender::Wake() {
  absl::MutexLock lock(&mu_);
  woken_ = true;
}

bool Sender::Stop(absl::Duration wait) {
  {
    absl::MutexLock lock(&mu_);
    if (!stop_by_.has_value()) stop_by_ = absl::Now() + wait;
    woken_ = true;
  }
  if (thread_.joinable()) thread_.join();
  return spool_->unacknowledged() == 0;
}

SenderState Sender::state() const {
  absl::MutexLock lock(&mu_);
  return state_;
}

bool Sender::StopRequested() const {
  absl::MutexLock lock(&mu_);
  return stop_by_.has_value();
}

void Sender::WaitUntil(absl::Time deadline) {
  absl::MutexLock lock(&mu_);
  if (stop_by_.has_value() && *stop_by_ > absl::Now()) deadline = std::min(deadline, *stop_by_);
  mu_.AwaitWithDeadline(absl::Condition(&woken_), deadline);
  woken_ = false;
}

void Sender::Run() {
  while (true) {
    const absl::Time begin = absl::Now();
    const absl::Status end = Converse();
    if (welcomed_ && absl::Now() - begin > kSteadyConnection) retry_ = options_.first_retry;
    OnEnd(end);
    absl::Time next_try = absl::Now() + NextRetry();
    while (absl::Now() < next_try) {
      {
        absl::MutexLock lock(&mu_);
        if (!state_.fatal.ok()) return;
        if (stop_by_.has_value()) {
          if (Drained() || absl::Now() >= *stop_by_) return;
          next_try = std::min(next_try, absl::Now() + options_.first_retry);
        }
      }
      WaitUntil(next_try);
    }
  }
}

absl::Duration Sender::NextRetry() {
  const absl::Duration retry = retry_;
  retry_ = std::min(retry_ * 1.6, options_.last_retry);
  return retry * std::uniform_real_distribution<double>(0.7, 1.3)(random_);
}

bool Sender::Drained() const { return spool_->unacknowledged() == 0; }

absl::Status Sender::Converse() {
  cursor_ = Spool::Cursor();
  in_flight_.clear();
  welcomed_ = false;
  last_heard_ = absl::Now();
  IngestStream stream(channel_->stub.get(), [this] { Wake(); });
  stream.Start();
  stream.Write(MakeHello());
  absl::Status reason;  // why this side ends the stream, if it does
  bool closed = false;
  bool cancelled = false;
  while (true) {
    while (const std::optional<v1::IngestResponse> response = stream.Take()) {
      last_heard_ = absl::Now();
      OnResponse(*response, &reason);
    }
    if (const std::optional<absl::Status> done = stream.done()) {
      return reason.ok() ? *done : reason;
    }
    const absl::Time now = absl::Now();
    const bool owes_answer = !welcomed_ || !in_flight_.empty();
    if (owes_answer && now - last_heard_ > options_.answer_timeout && reason.ok()) {
      reason = absl::UnavailableError(
          absl::StrFormat("no answer for %d s", absl::ToInt64Seconds(options_.answer_timeout)));
    }
    std::optional<absl::Time> stop_by;
    {
      absl::MutexLock lock(&mu_);
      stop_by = stop_by_;
    }
    const bool stop_now = stop_by.has_value() && now >= *stop_by;
    if ((!reason.ok() || stop_now) && !cancelled) {
      stream.Cancel();
      cancelled = true;
    }
    if (!cancelled && !closed && stream.CanWrite()) {
      if (WriteNext(stream)) continue;
      if (stop_by.has_value() && Drained()) {
        stream.CloseWrites();
        closed = true;
      }
    }
    // Whatever changes wakes this thread; only the passing of time does not.
    absl::Time deadline = now + absl::Seconds(1);
    if (welcomed_ && next_health_ > now) deadline = std::min(deadline, next_health_);
    WaitUntil(deadline);
  }
}

bool Sender::WriteNext(IngestStream& stream) {
  if (!welcomed_) return false;
  // Something must be under way for an acknowledgement to raise a credit of 0.
  if (in_flight_.size() < std::max<size_t>(credit_, 1)) {
    while (std::optional<Spool::Item> item = spool_->Next(&cursor_)) {
      v1::IngestRequest request;
      if (!request.mutable_batch()->ParseFromString(item->payload)) {
        // Its checksum is right, so it was written like this.
        LOG(ERROR) << "spool: a batch is not a batch; left out";
        spool_->Refuse(item->record.epoch, item->record.sequence);
        continue;
      }
      if (in_flight_.empty()) last_heard_ = absl::Now();
      in_flight_.push_back({item->record.epoch, item->record.sequence});
      stream.Write(std::move(request));
      absl::MutexLock lock(&mu_);
      ++state_.batches_sent;
      return true;
    }
  }
  if (absl::Now() >= next_health_) {
    next_health_ = absl::Now() + options_.health_interval;
    stream.Write(MakeHealth());
    return true;
  }
  return false;
}

void Sender::OnResponse(const v1::IngestResponse& response, absl::Status* bad) {
  switch (response.message_case()) {
    case v1::IngestResponse::kWelcome:
      OnWelcome(response, bad);
      break;
    case v1::IngestResponse::kAck:
      OnAck(response);
      break;
    case v1::IngestResponse::kKeep:            // reserved
    case v1::IngestResponse::MESSAGE_NOT_SET:  // of a newer controller
      break;
  }
}

void Sender::OnWelcome(const v1::IngestResponse& response, absl::Status* bad) {
  const v1::Welcome& welcome = response.welcome();
  if (absl::Status versions =
          base::CheckIngestVersions(base::kIngestProtocolVersion, welcome.protocol_version());
      !versions.ok()) {
    *bad = std::move(versions);
    return;
  }
  std::map<uint64_t, uint64_t> durable;
  for (const v1::EpochSequence& epoch : welcome.durable()) {
    uint64_t& sequence = durable[epoch.boot_epoch()];
    sequence = std::max(sequence, epoch.sequence());
  }
  // Another store, or this one as it was earlier: what it lacks is sent again as far as it is here.
  bool other_store = !store_id_.empty() && store_id_ != welcome.store_id();
  for (const auto& [epoch, sequence] : acknowledged_) {
    if (const auto kept = durable.find(epoch); kept != durable.end() && kept->second < sequence) {
      other_store = true;
    }
  }
  if (other_store) {
    LOG(WARNING) << "controller " << options_.controller.address
                 << " has another store than before: sending the whole spool again";
    spool_->ForgetAcknowledgements();
    acknowledged_.clear();
  }
  for (const auto& [epoch, sequence] : durable) {
    spool_->Acknowledge(epoch, sequence);
    acknowledged_[epoch] = sequence;
  }
  store_id_ = welcome.store_id();
  credit_ = welcome.credit();
  welcomed_ = true;
  ever_welcomed_ = true;
  id_held_since_.reset();
  next_health_ = absl::Now();
  LOG(INFO) << "connected to controller " << options_.controller.address << ", version "
            << welcome.software_version() << "; " << spool_->unacknowledged()
            << " batches wait in the spool";
  logged_ = absl::StatusCode::kOk;
  absl::MutexLock lock(&mu_);
  state_.connected = true;
  state_.last_error = absl::OkStatus();
  state_.store_id = store_id_;
  ++state_.connections;
}

void Sender::OnAck(const v1::IngestResponse& response) {
  const v1::Ack& ack = response.ack();
  credit_ = ack.credit();
  uint64_t& acknowledged = acknowledged_[ack.boot_epoch()];
  acknowledged = std::max(acknowledged, ack.sequence());
  spool_->Acknowledge(ack.boot_epoch(), ack.sequence());
  const auto known =
      std::remove_if(in_flight_.begin(), in_flight_.end(), [&](const InFlight& batch) {
        return batch.epoch == ack.boot_epoch() && batch.sequence <= ack.sequence();
      });
  const auto count = static_cast<uint64_t>(in_flight_.end() - known);
  in_flight_.erase(known, in_flight_.end());
  retry_ = options_.first_retry;
  absl::MutexLock lock(&mu_);
  state_.batches_acknowledged += count;
}

void Sender::OnEnd(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kInvalidArgument && !in_flight_.empty()) {
    const InFlight& first = in_flight_.front();
    const bool same = first.epoch == suspect_.epoch && first.sequence == suspect_.sequence;
    suspicions_ = same ? suspicions_ + 1 : 1;
    suspect_ = first;
    if (suspicions_ >= kTriesOfAMalformedBatch) {
      LOG(ERROR) << "controller " << options_.controller.address << " refuses batch "
                 << first.sequence << " of run " << first.epoch << ": " << status.message()
                 << "; it is left out";
      spool_->Refuse(first.epoch, first.sequence);
      suspicions_ = 0;
    }
  }
  absl::Status fatal;
  if (status.code() == absl::StatusCode::kAlreadyExists && !ever_welcomed_) {
    if (!id_held_since_.has_value()) id_held_since_ = absl::Now();
    if (absl::Now() - *id_held_since_ >= options_.held_id_grace) fatal = status;
    retry_ = std::min(retry_, options_.held_id_grace / 8);
  }
  if (status.code() == absl::StatusCode::kFailedPrecondition) fatal = status;
  const bool quiet = StopRequested() && (status.ok() || Drained());
  if (!quiet && (!fatal.ok() || status.code() != logged_)) {
    logged_ = status.code();
    const std::string text =
        absl::StrFormat("controller %s: %s", options_.controller.address,
                        status.ok() ? "ended the connection" : std::string(status.message()));
    if (!fatal.ok()) {
      LOG(ERROR) << text;
    } else {
      LOG(WARNING) << text << "; batches wait in the spool and are sent when it can be reached";
    }
  }
  absl::MutexLock lock(&mu_);
  state_.connected = false;
  state_.last_error =
      status.ok() ? absl::UnavailableError("the controller ended the connection") : status;
  state_.fatal = fatal;
}

v1::IngestRequest Sender::MakeHello() const {
  v1::IngestRequest request;
  v1::Hello* hello = request.mutable_hello();
  hello->set_protocol_version(base::kIngestProtocolVersion);
  hello->set_software_version(std::string(base::kSoftwareVersion));
  hello->set_agent_id(options_.agent_id);
  hello->set_boot_epoch(options_.boot_epoch);
  hello->set_host(options_.host);
  hello->set_cluster(options_.cluster);
  hello->set_tenant(options_.tenant);
  hello->set_kernel(options_.kernel);
  hello->set_sent_time_ns(clock_->WallNs());
  hello->set_capture_hook(options_.capture_hook);
  hello->set_scope(options_.scope);
  hello->set_replay(options_.replay);
  return request;
}

v1::IngestRequest Sender::MakeHealth() const {
  const HealthSample sample = health_();
  v1::IngestRequest request;
  v1::Health* health = request.mutable_health();
  health->set_time_ns(clock_->WallNs());
  health->set_rung(sample.rung);
  health->set_rss_bytes(sample.rss_bytes);
  health->set_bpf_bytes(sample.bpf_bytes);
  health->set_cpu_seconds(sample.cpu_seconds);
  health->set_connections(sample.connections);
  health->set_spool_bytes(spool_->bytes());
  health->set_unacknowledged_batches(spool_->unacknowledged());
  health->set_events(sample.events);
  health->set_lost_events(sample.lost_events);
  return request;
}

}  // namespace kindling::agent
