#include "agent/delivery.h"

#include <utility>

#include "agent/assembly.h"
#include "base/status_macros.h"

namespace kindling::agent {

absl::StatusOr<std::unique_ptr<Delivery>> Delivery::Open(const config::v1::AgentConfig& config,
                                                         const RunIdentity& identity,
                                                         const base::Clock& clock,
                                                         std::function<HealthSample()> health,
                                                         std::vector<Exporter::Tap> taps) {
  std::unique_ptr<Delivery> delivery(new Delivery());
  ASSIGN_OR_RETURN(
      delivery->spool_,
      Spool::Open({.directory = config.spool().directory(),
                   .max_bytes = config.spool().max_bytes(),
                   .max_age_ns = static_cast<int64_t>(config.spool().max_age_s()) * 1'000'000'000},
                  clock.WallNs()));
  const auto epoch = static_cast<uint64_t>(clock.WallNs());
  ASSIGN_OR_RETURN(delivery->sender_,
                   Sender::Create({.controller = ControllerAddressOf(config),
                                   .agent_id = config.agent_id(),
                                   .boot_epoch = epoch,
                                   .host = config.host(),
                                   .cluster = config.cluster(),
                                   .kernel = identity.kernel,
                                   .capture_hook = identity.capture_hook,
                                   .scope = identity.scope,
                                   .replay = identity.replay},
                                  delivery->spool_.get(), &clock, std::move(health)));
  Sender* sender = delivery->sender_.get();
  delivery->exporter_ = std::make_unique<Exporter>(
      ExporterOptions{.host = config.host(), .boot_epoch = epoch}, delivery->spool_.get(), &clock,
      std::move(taps), [sender] { sender->Wake(); });
  delivery->exporter_->Start();
  sender->Start();
  return delivery;
}

bool Delivery::Stop(absl::Duration wait) {
  exporter_->Stop();
  return sender_->Stop(wait);
}

}  // namespace kindling::agent
