#include "controller/ingest/session.h"

#include <glog/logging.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "kindling/v1/ingest.pb.h"
#include "storage/store.h"

namespace kindling::controller {
namespace {

constexpr size_t kMaxNameBytes = 128;
constexpr size_t kMaxDescriptionBytes = 1024;
// Runs of one agent whose sequences a Welcome names, newest first.
constexpr size_t kMaxEpochs = 1024;
// A clock that is further ahead is wrong.
constexpr int64_t kMaxAheadNs = int64_t{24} * 3600 * 1'000'000'000;

// Names go into keys, logs and terminals.
absl::Status CheckName(std::string_view field, std::string_view value, size_t max_bytes) {
  const bool printable = std::all_of(value.begin(), value.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  });
  if (printable && value.size() <= max_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("hello: %s must be at most %d printable characters", field, max_bytes));
}

absl::Status CheckHello(const v1::Hello& hello, const std::string& cluster) {
  RETURN_IF_ERROR(
      base::CheckIngestVersions(hello.protocol_version(), base::kIngestProtocolVersion));
  RETURN_IF_ERROR(CheckName("agent_id", hello.agent_id(), kMaxNameBytes));
  RETURN_IF_ERROR(CheckName("host", hello.host(), kMaxNameBytes));
  RETURN_IF_ERROR(CheckName("tenant", hello.tenant(), kMaxNameBytes));
  RETURN_IF_ERROR(CheckName("cluster", hello.cluster(), kMaxNameBytes));
  RETURN_IF_ERROR(CheckName("software_version", hello.software_version(), kMaxNameBytes));
  RETURN_IF_ERROR(CheckName("kernel", hello.kernel(), kMaxDescriptionBytes));
  RETURN_IF_ERROR(CheckName("capture_hook", hello.capture_hook(), kMaxNameBytes));
  RETURN_IF_ERROR(CheckName("scope", hello.scope(), kMaxDescriptionBytes));
  if (hello.agent_id().empty()) return absl::InvalidArgumentError("hello: agent_id is empty");
  if (hello.boot_epoch() == 0) return absl::InvalidArgumentError("hello: boot_epoch is 0");
  if (!hello.cluster().empty() && hello.cluster() != cluster) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "this is the controller of cluster \"%s\" and the agent's configuration says \"%s\": "
        "correct its cluster, or its controller.address",
        cluster, hello.cluster()));
  }
  return absl::OkStatus();
}

}  // namespace

Session::Session(storage::Store& store, AgentRegistry& registry, const base::Clock& clock,
                 Caller caller)
    : store_(store), registry_(registry), clock_(clock), caller_(std::move(caller)) {}

Session::~Session() {
  if (agent_id_.empty()) return;
  registry_.Disconnect(agent_id_, lease_, clock_.WallNs());
  LOG(INFO) << "agent " << agent_id_ << " has gone";
}

absl::Status Session::OnHello(const v1::Hello& hello, std::function<void()> evict,
                              v1::Welcome* welcome) {
  if (!agent_id_.empty()) return absl::InvalidArgumentError("a second hello");
  RETURN_IF_ERROR(CheckHello(hello, caller_.cluster));
  const int64_t now_ns = clock_.WallNs();
  AgentInfo info{.id = hello.agent_id(),
                 .boot_epoch = hello.boot_epoch(),
                 .host = hello.host(),
                 .version = hello.software_version(),
                 .kernel = hello.kernel(),
                 .capture_hook = hello.capture_hook(),
                 .scope = hello.scope(),
                 .replay = hello.replay()};
  if (hello.sent_time_ns() > 0) info.clock_offset_ns = hello.sent_time_ns() - now_ns;
  ASSIGN_OR_RETURN(lease_, registry_.Connect(std::move(info), now_ns, std::move(evict)));
  agent_id_ = hello.agent_id();
  boot_epoch_ = hello.boot_epoch();
  tenant_ = hello.tenant().empty() ? caller_.tenant : hello.tenant();
  LOG(INFO) << "agent " << agent_id_ << " on " << hello.host() << " has connected";

  welcome->set_protocol_version(base::kIngestProtocolVersion);
  welcome->set_software_version(std::string(base::kSoftwareVersion));
  welcome->set_store_id(store_.id());
  welcome->set_credit(kIngestCredit);
  welcome->set_received_time_ns(now_ns);
  ASSIGN_OR_RETURN(std::vector<storage::Store::Durable> durable,
                   store_.DurableSequences(agent_id_));
  if (durable.size() > kMaxEpochs) durable.erase(durable.begin(), durable.end() - kMaxEpochs);
  for (const auto& [epoch, sequence] : durable) {
    v1::EpochSequence* out = welcome->add_durable();
    out->set_boot_epoch(epoch);
    out->set_sequence(sequence);
    if (epoch == boot_epoch_) registry_.SetDurable(agent_id_, lease_, sequence);
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Session::OnBatch() {
  if (agent_id_.empty()) return absl::InvalidArgumentError("a batch before hello");
  const int64_t now_ns = clock_.WallNs();
  registry_.Seen(agent_id_, lease_, now_ns);
  return now_ns + kMaxAheadNs;
}

absl::Status Session::Label(model::Batch& batch) {
  batch.id.agent_id = agent_id_;
  batch.tenant = tenant_;
  batch.cluster = caller_.cluster;
  if (last_sequence_.size() >= kMaxEpochs && !last_sequence_.contains(batch.id.boot_epoch)) {
    return absl::ResourceExhaustedError("batches of too many runs in one stream");
  }
  // The store keeps the last sequence only: one that comes late would be taken for a repetition.
  uint64_t& last = last_sequence_[batch.id.boot_epoch];
  if (batch.id.sequence <= last) {
    return absl::InvalidArgumentError(
        absl::StrFormat("batch: sequence %d after %d of the same run", batch.id.sequence, last));
  }
  last = batch.id.sequence;
  return absl::OkStatus();
}

absl::Status Session::OnHealth(const v1::Health& health) {
  if (agent_id_.empty()) return absl::InvalidArgumentError("health before hello");
  registry_.SetHealth(agent_id_, lease_,
                      {.rung = health.rung(),
                       .rss_bytes = health.rss_bytes(),
                       .bpf_bytes = health.bpf_bytes(),
                       .cpu_seconds = health.cpu_seconds(),
                       .connections = health.connections(),
                       .spool_bytes = health.spool_bytes(),
                       .unacknowledged_batches = health.unacknowledged_batches(),
                       .events = health.events(),
                       .lost_events = health.lost_events()},
                      clock_.WallNs());
  return absl::OkStatus();
}

void Session::OnDurable(uint64_t boot_epoch, uint64_t sequence) {
  if (boot_epoch == boot_epoch_) registry_.SetDurable(agent_id_, lease_, sequence);
}

}  // namespace kindling::controller
