#include "controller/admin/store_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>

#include "base/testing/fake_clock.h"
#include "base/testing/temp_dir.h"
#include "controller/testing/fake_store_admin.h"
#include "kindling/v1/admin.grpc.pb.h"

namespace kindling::controller {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class StoreServiceTest : public ::testing::Test {
 protected:
  StoreServiceTest()
      : service_(admin_, dir_.path(), access_, clock_),
        root_(std::filesystem::canonical(dir_.path())) {
    grpc::ServerBuilder builder;
    builder.RegisterService(service_.service());
    server_ = builder.BuildAndStart();
    stub_ = v1::StoreService::NewStub(server_->InProcessChannel({}));
  }

  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (v1::StoreService::Stub::*method)(grpc::ClientContext*,
                                                                   const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    return (stub_.get()->*method)(&context, request, response);
  }
  v1::GetStoreStatusResponse Status() {
    v1::GetStoreStatusResponse response;
    EXPECT_TRUE(
        Call(&v1::StoreService::Stub::GetStoreStatus, v1::GetStoreStatusRequest(), &response).ok());
    return response;
  }

  base::TempDir dir_;
  base::FakeClock clock_;
  FakeStoreAdmin admin_;
  Access access_{"default"};
  StoreService service_;
  const std::string root_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::StoreService::Stub> stub_;
};

TEST_F(StoreServiceTest, TheStatusCarriesEveryNumber) {
  admin_.status = {.id = "s",
                   .format = 2,
                   .directory = "/d",
                   .bytes = 1,
                   .max_bytes = 2,
                   .free_bytes = 3,
                   .oldest_ns = 4,
                   .unsealed_batches = 5,
                   .unsealed_bytes = 6,
                   .oldest_unsealed_ns = 7,
                   .late_refused = 8,
                   .write_stalls = 9,
                   .write_stall_seconds = 1.5,
                   .cache_hits = 11,
                   .cache_misses = 12,
                   .memory_bytes = 13,
                   .memory_limit_bytes = 14,
                   .stopped = "the disk is nearly full",
                   .buckets = {{.record_class = "spans",
                                .start_ns = 15,
                                .end_ns = 16,
                                .part = 17,
                                .blocks = 18,
                                .rows = 19,
                                .bytes = 20}},
                   .faults = {"a table"}};
  EXPECT_EQ(Status().ShortDebugString(),
            "store_id: \"s\" format: 2 directory: \"/d\" bytes: 1 max_bytes: 2 free_bytes: 3 "
            "oldest_record_ns: 4 stopped: \"the disk is nearly full\" unsealed_batches: 5 "
            "unsealed_bytes: 6 oldest_unsealed_ns: 7 late_refused: 8 write_stalls: 9 "
            "write_stall_seconds: 1.5 cache_hits: 11 cache_misses: 12 memory_bytes: 13 "
            "memory_limit_bytes: 14 buckets { record_class: \"spans\" start_ns: 15 end_ns: 16 "
            "part: 17 blocks: 18 rows: 19 bytes: 20 } faults: \"a table\"");
}

TEST_F(StoreServiceTest, OneLongOperationAtATime) {
  admin_.Hold();
  v1::CompactStoreResponse compacted;
  grpc::Status compact_status;
  std::thread compact([&] {
    compact_status =
        Call(&v1::StoreService::Stub::CompactStore, v1::CompactStoreRequest(), &compacted);
  });
  admin_.AwaitHeld();
  EXPECT_EQ(Status().running().name(), "compaction");
  v1::VerifyStoreResponse verified;
  const grpc::Status refused =
      Call(&v1::StoreService::Stub::VerifyStore, v1::VerifyStoreRequest(), &verified);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), HasSubstr("a compaction runs since"));
  admin_.Release();
  compact.join();
  EXPECT_TRUE(compact_status.ok()) << compact_status.error_message();
  EXPECT_EQ(admin_.compactions(), 1);
  const v1::GetStoreStatusResponse status = Status();
  EXPECT_FALSE(status.has_running());
  EXPECT_EQ(status.last().name(), "compaction");
  EXPECT_EQ(status.last().error(), "");
  EXPECT_TRUE(Call(&v1::StoreService::Stub::VerifyStore, v1::VerifyStoreRequest(), &verified).ok());
}

TEST_F(StoreServiceTest, AnOperationWhoseCallerLeftEndsAndIsReported) {
  admin_.Hold();
  admin_.FailWith(absl::InternalError("broken"));
  {
    grpc::ClientContext context;
    v1::CompactStoreResponse response;
    std::thread compact(
        [&] { stub_->CompactStore(&context, v1::CompactStoreRequest(), &response); });
    admin_.AwaitHeld();
    context.TryCancel();
    compact.join();
  }
  EXPECT_TRUE(Status().has_running());
  admin_.Release();
  // The next one has to wait for it.
  v1::VerifyStoreResponse verified;
  grpc::Status status;
  do {
    status = Call(&v1::StoreService::Stub::VerifyStore, v1::VerifyStoreRequest(), &verified);
  } while (status.error_code() == grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "broken");
  EXPECT_EQ(Status().last().name(), "verification");
  EXPECT_EQ(Status().last().error(), "broken");
}

TEST_F(StoreServiceTest, ABackupGoesBelowTheConfiguredDirectoryOnly) {
  v1::BackupStoreRequest request;
  v1::BackupStoreResponse response;
  request.set_directory("monday");
  const grpc::Status status = Call(&v1::StoreService::Stub::BackupStore, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.directory(), root_ + "/monday");
  EXPECT_EQ(response.bytes(), FakeStoreAdmin::kBackupBytes);
  EXPECT_EQ(admin_.backups(), std::vector<std::string>{root_ + "/monday"});
  EXPECT_EQ(Status().last().directory(), root_ + "/monday");

  request.set_directory("monday");
  EXPECT_EQ(Call(&v1::StoreService::Stub::BackupStore, request, &response).error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
  request.set_directory("/etc/kindling");
  const grpc::Status refused = Call(&v1::StoreService::Stub::BackupStore, request, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(),
              AllOf(HasSubstr("/etc/kindling"), HasSubstr("storage.backup_directory")));
  EXPECT_EQ(admin_.backups().size(), 1);
}

TEST_F(StoreServiceTest, TheStatusSaysHowFarAVerificationIs) {
  admin_.report = {.blocks = 10};
  admin_.Hold();
  v1::VerifyStoreResponse verified;
  std::thread verify(
      [&] { Call(&v1::StoreService::Stub::VerifyStore, v1::VerifyStoreRequest(), &verified); });
  admin_.AwaitHeld();
  EXPECT_EQ(Status().running().done(), 5);
  EXPECT_EQ(Status().running().total(), 10);
  admin_.Release();
  verify.join();
}

TEST_F(StoreServiceTest, VerifyReportsWhatItFound) {
  admin_.report = {.blocks = 10, .rows = 20, .bytes = 30, .damaged_blocks = 1, .faults = {"bad"}};
  v1::VerifyStoreResponse response;
  ASSERT_TRUE(Call(&v1::StoreService::Stub::VerifyStore, v1::VerifyStoreRequest(), &response).ok());
  EXPECT_EQ(response.blocks(), 10);
  EXPECT_EQ(response.rows(), 20);
  EXPECT_EQ(response.bytes(), 30);
  EXPECT_EQ(response.damaged_blocks(), 1);
  ASSERT_EQ(response.faults_size(), 1);
  EXPECT_EQ(response.faults(0), "bad");
}

}  // namespace
}  // namespace kindling::controller
