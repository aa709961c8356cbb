#include "agent/packets/packet_task.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "agent/packets/packet_batch.h"
#include "agent/packets/packet_capture.h"
#include "base/clock.h"
#include "base/status_macros.h"

namespace kindling::agent {
namespace {

// The events that tell whose a packet is are read every 10 ms, usually.
constexpr int64_t kSettleNs = 40'000'000;

PacketCaptureOptions OptionsOf(const v1::PacketCapture& request) {
  return {.filter = request.filter(),
          .snap_bytes = request.snap_bytes(),
          .max_bytes = request.max_bytes(),
          .max_packets = request.max_packets(),
          .duration_ns = request.duration_ns(),
          .bytes_per_second = request.bytes_per_second(),
          .settle_ns = kSettleNs};
}

const char* NameOf(PacketCapture::End end) {
  switch (end) {
    case PacketCapture::End::kMaxBytes:
      return "max_bytes";
    case PacketCapture::End::kMaxPackets:
      return "max_packets";
    default:
      return "";
  }
}

class PacketCaptureTask final : public Task {
 public:
  PacketCaptureTask(v1::PacketCapture request, const CaptureScope& scope, PacketOwners& owners)
      : request_(std::move(request)), scope_(scope), owners_(owners) {}

  absl::Status Run(TaskContext& context) override {
    ASSIGN_OR_RETURN(const std::vector<CaptureNamespace> namespaces, scope_.Namespaces());
    const PacketOwners::Use use(owners_);
    ASSIGN_OR_RETURN(const std::unique_ptr<PacketCapture> capture,
                     PacketCapture::Open(OptionsOf(request_), namespaces, base::SystemClock()));
    bool is_wanted = true;
    PacketBatcher batcher(&owners_, [&](const v1::PacketCaptureOutput& output) {
      is_wanted = is_wanted && context.Emit(output);
    });
    v1::PacketCaptureOutput end;
    end.mutable_end()->set_cap(
        NameOf(capture->Run(batcher, [&] { return !is_wanted || context.stopped(); })));
    if (is_wanted) context.Emit(end);
    return absl::OkStatus();
  }

 private:
  const v1::PacketCapture request_;
  const CaptureScope& scope_;
  PacketOwners& owners_;
};

}  // namespace

TaskKind PacketCaptureKind(const CaptureScope& scope, PacketOwners& owners) {
  return MakeTaskKind<v1::PacketCapture>(
      "packet_capture",
      [&scope, &owners](v1::PacketCapture request) -> absl::StatusOr<std::unique_ptr<Task>> {
        return std::make_unique<PacketCaptureTask>(std::move(request), scope, owners);
      });
}

}  // namespace kindling::agent
