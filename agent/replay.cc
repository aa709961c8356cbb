#include "agent/replay.h"

#include <cstdio>
#include <memory>

#include "absl/strings/str_format.h"
#include "agent/assembly.h"
#include "agent/capture/event_sinks.h"
#include "agent/config.h"
#include "agent/delivery.h"
#include "agent/recording/reader.h"
#include "base/status_macros.h"

namespace kindling::agent {
namespace {

constexpr absl::Duration kAcknowledgeWait = absl::Seconds(60);

// Sees only how far a recording goes.
class LastTick final : public NoSink {
 public:
  void OnTick(int64_t, int64_t wall_ns) override { wall_ns_ = wall_ns; }
  int64_t wall_ns() const { return wall_ns_; }

 private:
  int64_t wall_ns_ = 0;
};

absl::Status PlayAll(RecordingReader& reader, EventSink& sink) {
  while (true) {
    const absl::StatusOr<bool> more = reader.PlayNext(sink);
    if (!more.ok()) return more.status();
    if (!*more) return absl::OkStatus();
  }
}

}  // namespace

absl::Status Replay(const config::v1::AgentConfig& config, const ReplayOptions& options) {
  ASSIGN_OR_RETURN(std::unique_ptr<RecordingReader> reader, RecordingReader::Open(options.path));
  const base::Clock& clock = base::SystemClock();
  int64_t shift_ns = 0;
  if (options.shift_to_now) {
    ASSIGN_OR_RETURN(std::unique_ptr<RecordingReader> ahead, RecordingReader::Open(options.path));
    LastTick last;
    PlayAll(*ahead, last).IgnoreError();  // damage is reported when it is played
    if (last.wall_ns() != 0) shift_ns = clock.WallNs() - last.wall_ns();
  }

  ASSIGN_OR_RETURN(
      config::v1::AgentConfig recorded,
      ParseAgentConfig(reader->header().config_yaml, options.path, /*needs_scope=*/false));
  *recorded.mutable_controller() = config.controller();
  *recorded.mutable_spool() = config.spool();
  recorded.set_agent_id(config.agent_id());
  recorded.set_host(reader->header().host);

  ASSIGN_OR_RETURN(std::unique_ptr<Delivery> delivery,
                   Delivery::Open(recorded,
                                  {.kernel = reader->header().kernel,
                                   .capture_hook = "replay",
                                   .scope = "recording of " + reader->header().host,
                                   .replay = true},
                                  clock, [] { return HealthSample(); }, {}));
  // A fixed seed: the same recording gives the same spans.
  Aggregator aggregator(AggregatorOptionsOf(recorded, /*span_id_seed=*/0), &delivery->sink());
  Pipeline pipeline(PipelineOptionsOf(recorded, reader->header().own_cgroup), *reader, aggregator,
                    [](ConnId, bool) {});
  reader->ShiftWall(shift_ns);
  pipeline.OnTick(reader->header().start_boot_ns, reader->header().start_wall_ns + shift_ns);
  const absl::Status played = PlayAll(*reader, pipeline);
  aggregator.Flush();
  const bool delivered = delivery->Stop(kAcknowledgeWait);
  RETURN_IF_ERROR(played);
  if (delivered) return absl::OkStatus();
  const SenderState state = delivery->state();
  RETURN_IF_ERROR(state.fatal);
  return absl::UnavailableError(
      absl::StrFormat("the controller at %s did not take the recording: %s; is it running?",
                      recorded.controller().address(), state.last_error.message()));
}

}  // namespace kindling::agent
