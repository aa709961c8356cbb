#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <thread>

namespace kindling::controller {

// A thread that looks for what comes in on a server's connections, all the time.
//
// A server with streams that are called back is polled by the threads of gRPC (1.51) that call
// back, and each of these, when nothing has come for it within a second, sleeps for a tenth of one.
// They do so at once, and calls of all services lie there meanwhile.
//
// Lifetime: the server must have been shut down before this goes, or never been started.
class ServerPoller {
 public:
  // Before builder.BuildAndStart().
  explicit ServerPoller(grpc::ServerBuilder& builder);
  ~ServerPoller();
  ServerPoller(const ServerPoller&) = delete;
  ServerPoller& operator=(const ServerPoller&) = delete;

  // After it.
  void Start();

 private:
  void Poll();

  // Of no call: to wait for one here is what polls.
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::thread thread_;
};

}  // namespace kindling::controller
