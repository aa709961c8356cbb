#include "base/http_server.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"

namespace kindling::base {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr uint32_t kMaxHeaderBytes = 8 << 10;

absl::StatusOr<tcp::endpoint> ParseEndpoint(const std::string& listen) {
  const size_t colon = listen.rfind(':');
  uint32_t port = 0;
  boost::system::error_code error;
  if (colon != std::string::npos && absl::SimpleAtoi(listen.substr(colon + 1), &port) &&
      port <= UINT16_MAX) {
    std::string host = listen.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
      host = host.substr(1, host.size() - 2);
    }
    if (host == "localhost") host = "127.0.0.1";
    const asio::ip::address address = asio::ip::make_address(host, error);
    if (!error) return tcp::endpoint(address, static_cast<uint16_t>(port));
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("\"%s\" is not an address to listen on, such as 127.0.0.1:9500", listen));
}

using Handlers = std::map<std::string, HttpServer::Handler, std::less<>>;

// What the connections have in common. Used on the server's thread alone.
struct Shared {
  HttpServerOptions options;
  Handlers handlers;
  size_t connections = 0;
};

// One client, until it or the time-out ends the connection.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, Shared* shared) : stream_(std::move(socket)), shared_(shared) {
    ++shared_->connections;
  }
  ~Connection() { --shared_->connections; }

  void Read() {
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(0);
    SetTimeout();
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](beast::error_code error, size_t /*bytes*/) {
                       self->OnRead(error);
                     });
  }

 private:
  void SetTimeout() {
    stream_.expires_after(
        std::chrono::nanoseconds(absl::ToInt64Nanoseconds(shared_->options.timeout)));
  }

  void OnRead(beast::error_code error) {
    if (error) return;  // closes the connection
    const http::request<http::empty_body>& request = parser_->get();
    HttpResponse answer = Answer(request);
    response_ = {};
    response_.version(request.version());
    response_.result(answer.status);
    response_.keep_alive(request.keep_alive());
    response_.set(http::field::content_type, answer.content_type);
    response_.set(http::field::cache_control, "no-store");
    if (answer.status == 405) response_.set(http::field::allow, "GET, HEAD");
    response_.content_length(answer.body.size());
    if (request.method() != http::verb::head) response_.body() = std::move(answer.body);
    SetTimeout();
    http::async_write(stream_, response_,
                      [self = shared_from_this()](beast::error_code written, size_t /*bytes*/) {
                        if (!written && self->response_.keep_alive()) self->Read();
                      });
  }

  HttpResponse Answer(const http::request<http::empty_body>& request) {
    if (request.method() != http::verb::get && request.method() != http::verb::head) {
      return {.status = 405, .body = "only GET and HEAD\n"};
    }
    const beast::string_view target = request.target();
    const auto handler = shared_->handlers.find(std::string(target.substr(0, target.find('?'))));
    if (handler != shared_->handlers.end()) return handler->second();
    std::string body = "not here; there is:\n";
    for (const auto& [path, unused] : shared_->handlers) body += path + "\n";
    return {.status = 404, .body = std::move(body)};
  }

  beast::tcp_stream stream_;
  Shared* const shared_;
  beast::flat_buffer buffer_{kMaxHeaderBytes + 1024};
  std::optional<http::request_parser<http::empty_body>> parser_;
  http::response<http::string_body> response_;
};

class BeastHttpServer final : public HttpServer {
 public:
  BeastHttpServer(HttpServerOptions options, Handlers handlers)
      : shared_{.options = std::move(options), .handlers = std::move(handlers)} {}

  ~BeastHttpServer() override {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Listen() {
    ASSIGN_OR_RETURN(const tcp::endpoint endpoint, ParseEndpoint(shared_.options.listen));
    boost::system::error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    if (error) {
      return absl::UnavailableError(
          absl::StrFormat("cannot listen on %s: %s", shared_.options.listen, error.message()));
    }
    Accept();
    thread_ = std::thread([this] { io_.run(); });
    return absl::OkStatus();
  }

  uint16_t port() const override { return port_; }

 private:
  void Accept() {
    acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
      if (!error && shared_.connections < shared_.options.max_connections) {
        std::make_shared<Connection>(std::move(socket), &shared_)->Read();
      }
      if (error) return AcceptLater();
      Accept();
    });
  }

  // Out of file descriptors, perhaps: trying at once again would spin.
  void AcceptLater() {
    retry_.expires_after(std::chrono::milliseconds(100));
    retry_.async_wait([this](boost::system::error_code error) {
      if (!error) Accept();
    });
  }

  Shared shared_;  // outlives the connections, which live in io_
  asio::io_context io_{1};
  tcp::acceptor acceptor_{io_};
  asio::steady_timer retry_{io_};
  uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    HttpServerOptions options, std::map<std::string, Handler, std::less<>> handlers) {
  auto server = std::make_unique<BeastHttpServer>(std::move(options), std::move(handlers));
  RETURN_IF_ERROR(server->Listen());
  return server;
}

}  // namespace kindling::base
