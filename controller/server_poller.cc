#include "controller/server_poller.h"

namespace kindling::controller {

ServerPoller::ServerPoller(grpc::ServerBuilder& builder) : queue_(builder.AddCompletionQueue()) {}

ServerPoller::~ServerPoller() {
  queue_->Shutdown();
  if (thread_.joinable()) {
    thread_.join();
  } else {
    Poll();  // gRPC wants a queue empty
  }
}

void ServerPoller::Start() {
  thread_ = std::thread([this] { Poll(); });
}

void ServerPoller::Poll() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
  }
}

}  // namespace kindling::controller
