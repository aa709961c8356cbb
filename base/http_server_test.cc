#include "base/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "base/unique_fd.h"

namespace kindling::base {
namespace {

std::unique_ptr<HttpServer> MustStart(HttpServerOptions options = {}) {
  options.listen = "127.0.0.1:0";
  absl::StatusOr<std::unique_ptr<HttpServer>> server = HttpServer::Start(
      options, {{"/metrics", [] { return HttpResponse{.body = "a 1\n"}; }},
                {"/healthz", [] { return HttpResponse{.status = 503, .body = "no\n"}; }}});
  EXPECT_OK(server);
  return server.ok() ? *std::move(server) : nullptr;
}

UniqueFd Connect(const HttpServer& server) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

// Everything until the server closes.
std::string ReadToEnd(const UniqueFd& fd) {
  std::string all;
  char buffer[4096];
  ssize_t got = 0;
  while ((got = read(fd.get(), buffer, sizeof(buffer))) > 0) all.append(buffer, got);
  return all;
}

std::string Exchange(const HttpServer& server, const std::string& request) {
  const UniqueFd fd = Connect(server);
  EXPECT_EQ(send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  return ReadToEnd(fd);
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(HttpServerTest, AnswersItsPaths) {
  const auto server = MustStart();
  const std::string metrics =
      Exchange(*server, "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(metrics.starts_with("HTTP/1.1 200 OK\r\n")) << metrics;
  EXPECT_TRUE(metrics.ends_with("\r\n\r\na 1\n")) << metrics;
  EXPECT_TRUE(Exchange(*server, "GET /healthz HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 503"));
  const std::string head = Exchange(*server, "HEAD /metrics HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(Has(head, "Content-Length: 4\r\n")) << head;
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
  const std::string missing = Exchange(*server, "GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(missing.starts_with("HTTP/1.0 404")) << missing;
  EXPECT_TRUE(Has(missing, "/metrics\n")) << missing;
  EXPECT_TRUE(Exchange(*server, "POST /metrics HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 405"));
}

TEST(HttpServerTest, KeepsAConnectionForMoreRequests) {
  const auto server = MustStart();
  const std::string both =
      Exchange(*server,
               "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
               "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(both.find("HTTP/1.1 200"), 0u);
  EXPECT_NE(both.rfind("HTTP/1.1 200"), 0u);
}

TEST(HttpServerTest, GarbageAndEndlessHeadersEndTheConnection) {
  const auto server = MustStart();
  EXPECT_EQ(Exchange(*server, std::string("\x16\x03\x01\0\0\r\n\r\n", 9)), "");
  EXPECT_EQ(Exchange(*server, "GET /metrics HTTP/1.1\r\nX: " + std::string(9000, 'x')), "");
  EXPECT_EQ(Exchange(*server, "GET /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"), "");
  EXPECT_TRUE(Has(Exchange(*server, "GET /metrics HTTP/1.0\r\n\r\n"), "a 1"));
}

TEST(HttpServerTest, ASilentClientIsDropped) {
  const auto server = MustStart({.timeout = absl::Milliseconds(50)});
  const UniqueFd fd = Connect(*server);
  EXPECT_EQ(send(fd.get(), "GET", 3, MSG_NOSIGNAL), 3);
  EXPECT_EQ(ReadToEnd(fd), "");
}

TEST(HttpServerTest, ConnectionsBeyondTheLimitAreClosed) {
  const auto server = MustStart({.max_connections = 2});
  std::vector<UniqueFd> held;
  for (int i = 0; i < 2; ++i) held.push_back(Connect(*server));
  const UniqueFd third = Connect(*server);
  EXPECT_EQ(ReadToEnd(third), "");
  const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
  EXPECT_GT(send(held[0].get(), request.data(), request.size(), MSG_NOSIGNAL), 0);
  EXPECT_TRUE(Has(ReadToEnd(held[0]), "a 1"));
}

TEST(HttpServerTest, SaysWhyItCannotListen) {
  const auto server = MustStart();
  const std::string taken = "127.0.0.1:" + std::to_string(server->port());
  const auto second = HttpServer::Start({.listen = taken}, {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(second.status().message(), "cannot listen on " + taken + ": Address already in use");
  for (const char* wrong : {"", "9500", "host.example:1", "127.0.0.1:99999", "[::1:5"}) {
    EXPECT_EQ(HttpServer::Start({.listen = wrong}, {}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << wrong;
  }
}

}  // namespace
}  // namespace kindling::base
