#include "controller/packets/capture_service.h"

#include <atomic>

#include "controller/packets/capture_call.h"
#include "kindling/v1/packets.grpc.pb.h"

namespace kindling::controller {

class CaptureService::Impl final : public v1::CaptureService::CallbackService {
 public:
  Impl(const QuerySources& sources, TaskHub& hub, const Access& access)
      : parts_{sources, hub, calls_}, access_(access) {}

  grpc::ServerBidiReactor<v1::CapturePacketsRequest, v1::CapturePacketsResponse>* CapturePackets(
      grpc::CallbackServerContext* context) override {
    return new CaptureCall(parts_, access_.Admit(*context));
  }

 private:
  std::atomic<int> calls_ = 0;
  const CaptureParts parts_;
  const Access& access_;
};

CaptureService::CaptureService(const QuerySources& sources, TaskHub& hub, const Access& access)
    : impl_(std::make_unique<Impl>(sources, hub, access)) {}
CaptureService::~CaptureService() = default;

grpc::Service* CaptureService::service() { return impl_.get(); }

}  // namespace kindling::controller
