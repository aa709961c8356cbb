#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kindling::base {

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct HttpServerOptions {
  std::string listen;  // "127.0.0.1:9500", "[::1]:9500"; port 0: any that is free
  size_t max_connections = 32;
  // For a request to arrive, and for a response to be taken.
  absl::Duration timeout = absl::Seconds(10);
};

// Answers GET and HEAD of fixed paths; for metrics and health, not for the world.
//
// Threads:  one of its own, on which the handlers run one at a time.
// Lifetime: the destructor ends all connections and the thread. What handlers refer to must outlive
//           it.
// Limits:   max_connections, further ones are closed at once; 8 KiB of header, no body.
class HttpServer {
 public:
  using Handler = std::function<HttpResponse()>;

  // By path, such as "/metrics". Errors: INVALID_ARGUMENT `listen` is not an address and a port;
  // UNAVAILABLE the port is taken, or else what the system said.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      HttpServerOptions options, std::map<std::string, Handler, std::less<>> handlers);

  virtual ~HttpServer() = default;
  virtual uint16_t port() const = 0;
};

}  // namespace kindling::base
