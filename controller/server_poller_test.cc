#include "controller/server_poller.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "kindling/v1/query.grpc.pb.h"

namespace kindling::controller {
namespace {

TEST(ServerPollerTest, GoesAfterItsServer) {
  v1::QueryService::Service service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  ServerPoller poller(builder);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  poller.Start();
  const auto channel =
      grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
  const auto stub = v1::QueryService::NewStub(channel);
  grpc::ClientContext context;
  v1::GetServerInfoResponse response;
  EXPECT_EQ(stub->GetServerInfo(&context, {}, &response).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  server->Shutdown();
  server->Wait();
}

TEST(ServerPollerTest, NeedsNoServer) {
  grpc::ServerBuilder builder;
  ServerPoller poller(builder);
}

}  // namespace
}  // namespace kindling::controller
