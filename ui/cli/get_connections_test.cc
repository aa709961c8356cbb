#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/testing/fake_clock.h"
#include "kindling/v1/connections.grpc.pb.h"
#include "ui/cli/cli.h"
#include "ui/cli/session.h"

namespace kindling::ui {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kNow = 1'700'000'000 * kSecond;

class FakeConnections final : public v1::ConnectionService::Service {
 public:
  FakeConnections() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address = "127.0.0.1:" + std::to_string(port);
  }
  ~FakeConnections() override {
    server_->Shutdown();
    server_->Wait();
  }

  std::string address;
  std::string filter;  // of the last question
  v1::ListConnectionsResponse response;

 private:
  grpc::Status ListConnections(grpc::ServerContext*, const v1::ListConnectionsRequest* request,
                               v1::ListConnectionsResponse* out) override {
    filter = request->filter();
    *out = response;
    return grpc::Status::OK;
  }

  std::unique_ptr<grpc::Server> server_;
};

class GetConnectionsTest : public ::testing::Test {
 protected:
  int Run(std::vector<std::string> args) {
    std::ostringstream out, err;
    Environment environment{
        .out = out,
        .err = err,
        .clock = clock_,
        .variables = {{"LANG", "C.UTF-8"}, {"KINDLING_CONTROLLER", service_.address}},
        .zone = absl::UTCTimeZone()};
    const ExitCode code = RunCli(args, environment);
    out_ = out.str();
    return static_cast<int>(code);
  }

  // With one space between columns.
  std::string Squeezed() const {
    std::string text;
    for (const char c : out_) {
      if (c != ' ' || !text.ends_with(' ')) text.push_back(c);
    }
    return text;
  }

  base::FakeClock clock_{kSecond, kNow};
  FakeConnections service_;
  std::string out_;
};

TEST_F(GetConnectionsTest, EachEndHasARow) {
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"pb(
        connections {
          host: "a"
          pid: 42
          client: "curl"
          server: "shop:80"
          side: "client"
          transport: "tcp"
          protocol: "http"
          local_address: "10.0.0.1:4000"
          remote_address: "10.0.0.2:80"
          opened_ns: 1699999998000000000
          last_used_ns: 1700000000000000000
          requests: 12
          tcp {
            bytes_sent: 2000
            bytes_received: 4000
            rtt_ms: 1.5
            retransmits: 3
            congestion: "loss"
          }
        }
        connections {
          host: "a"
          client: "dig"
          server: "dns:53"
          side: "client"
          transport: "udp"
          protocol: "unknown"
          remote_address: "10.0.0.3:53"
        }
        completeness { captured: 2 fraction: 1 }
      )pb",
      &service_.response));
  EXPECT_EQ(Run({"get", "connections", "-f", "service=shop:80"}), 0);
  EXPECT_EQ(service_.filter, "service=shop:80");
  EXPECT_THAT(Squeezed(), HasSubstr("curl shop:80 client 42 10.0.0.1:4000 10.0.0.2:80 http "
                                    "2s now 12 1.5ms 3 2.0KB/4.0KB\n"));
  EXPECT_THAT(Squeezed(), HasSubstr("dig dns:53 client - 10.0.0.3:53 udp - - 0 - - -\n"));
  EXPECT_EQ(Run({"get", "connections", "-o", "wide"}), 0);
  EXPECT_THAT(out_, HasSubstr("loss"));
}

TEST_F(GetConnectionsTest, APartialAnswerIsSaidToBe) {
  service_.response.mutable_completeness()->set_fraction(0.5);
  service_.response.mutable_completeness()->set_lost_other(1);
  service_.response.mutable_completeness()->add_notes("Agent b did not answer.");
  EXPECT_EQ(Run({"get", "connections"}), 3);
  EXPECT_THAT(out_, HasSubstr("no open connections"));
  EXPECT_THAT(out_, HasSubstr("Agent b did not answer."));
}

}  // namespace
}  // namespace kindling::ui
