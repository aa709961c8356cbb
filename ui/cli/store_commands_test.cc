#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/testing/fake_clock.h"
#include "ui/cli/cli.h"
#include "ui/cli/session.h"
#include "ui/cli/testing/fake_store_service.h"

namespace kindling::ui {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kNow = 1'700'000'000 * kSecond;  // 2023-11-14 22:13:20 UTC

constexpr char kStatus[] = R"pb(
  store_id: "7f3a9c0211"
  format: 2
  directory: "/var/lib/kindling/controller/store"
  bytes: 1288490188
  max_bytes: 10737418240
  free_bytes: 42949672960
  oldest_record_ns: 1699390800000000000
  unsealed_batches: 12
  unsealed_bytes: 262144
  oldest_unsealed_ns: 1699999990000000000
  late_refused: 3
  write_stalls: 2
  write_stall_seconds: 0.4
  cache_hits: 982
  cache_misses: 18
  memory_bytes: 327155712
  memory_limit_bytes: 1073741824
  buckets {
    record_class: "series_10s"
    start_ns: 1699995600000000000
    end_ns: 1699999200000000000
    blocks: 4
    rows: 120000
    bytes: 1048576
  }
  buckets {
    record_class: "spans"
    start_ns: 1699992000000000000
    end_ns: 1699995600000000000
    blocks: 61
    rows: 1000000
    bytes: 33554432
  }
  buckets {
    record_class: "spans"
    start_ns: 1699995600000000000
    end_ns: 1699999200000000000
    blocks: 30
    rows: 500000
    bytes: 16777216
  }
  buckets {
    record_class: "spans"
    start_ns: 1699995600000000000
    end_ns: 1699999200000000000
    part: 1
    blocks: 2
    rows: 10000
    bytes: 524288
  }
  last {
    name: "backup"
    directory: "/backups/monday"
    started_ns: 1699999000000000000
    ended_ns: 1699999700000000000
    error: "write /backups/monday/000012.sst: No space left on device"
  }
)pb";

class StoreCommandsTest : public ::testing::Test {
 protected:
  struct Result {
    int code;
    std::string out;
    std::string err;
  };

  Result Run(std::vector<std::string> args, bool err_is_terminal = false) {
    std::ostringstream out, err;
    Environment environment{
        .out = out,
        .err = err,
        .clock = clock_,
        .variables = {{"LANG", "C.UTF-8"}, {"KINDLING_CONTROLLER", service_.address()}},
        .zone = absl::UTCTimeZone(),
        .err_is_terminal = err_is_terminal,
        .columns = 100};
    const ExitCode code = RunCli(args, environment);
    return {static_cast<int>(code), out.str(), err.str()};
  }

  // `actual` is what the file of this name holds. What differs is written beside the test's log.
  void ExpectGolden(const std::string& name, const std::string& actual) {
    std::ifstream file("ui/cli/testdata/" + name);
    const std::string expected((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(actual, expected) << name;
    if (const char* outputs = std::getenv("TEST_UNDECLARED_OUTPUTS_DIR");
        outputs != nullptr && actual != expected) {
      std::ofstream(std::string(outputs) + "/" + name) << actual;
    }
  }

  base::FakeClock clock_{kSecond, kNow};
  FakeStoreService service_;
};

TEST_F(StoreCommandsTest, Status) {
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(kStatus, &service_.status));
  const Result table = Run({"store", "status"});
  ExpectGolden("store_status.txt", table.out);
  EXPECT_EQ(table.code, 0);
  EXPECT_EQ(table.err, "");
  ExpectGolden("store_status_wide.txt", Run({"store", "status", "-o", "wide"}).out);
  ExpectGolden("store_status.yaml", Run({"store", "status", "-o", "yaml"}).out);
  v1::GetStoreStatusResponse parsed;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(
                  Run({"store", "status", "-o", "json"}).out, &parsed)
                  .ok());
  EXPECT_EQ(parsed.DebugString(), service_.status.DebugString());
}

TEST_F(StoreCommandsTest, WhyIngestHasStoppedAndWhatRuns) {
  service_.status.set_stopped("the disk is nearly full");
  service_.status.add_faults("a table");
  service_.status.mutable_running()->set_name("backup");
  service_.status.mutable_running()->set_directory("/backups/\x1b[31m");
  service_.status.mutable_running()->set_started_ns(kNow - 10 * kSecond);
  const Result result = Run({"store", "status"});
  EXPECT_THAT(result.out, HasSubstr("ingest    stopped: the disk is nearly full\n"
                                    "damage    cannot read a table\n"));
  EXPECT_THAT(result.out, HasSubstr("running   backup to /backups/\\x1b[31m, since 22:13:10"));
  EXPECT_THAT(result.out, HasSubstr("records   none\n"));
}

TEST_F(StoreCommandsTest, CompactSaysWhatItSaved) {
  service_.compacted.set_bytes_before(2e6);
  service_.compacted.set_bytes_after(1e6);
  service_.compacted.set_seconds(1.5);
  const Result result = Run({"store", "compact"});
  EXPECT_EQ(result.out, "compacted in 1.5s: 2.0MB before, 1.0MB now\n");
  EXPECT_EQ(result.code, 0);
  // It may take long.
  EXPECT_GT(service_.last_deadline_s(), 3000);
  Run({"store", "compact", "--timeout", "20s"});
  EXPECT_LT(service_.last_deadline_s(), 21);
  Run({"store", "status"});
  EXPECT_LT(service_.last_deadline_s(), 11);
}

TEST_F(StoreCommandsTest, BackupNamesTheDirectory) {
  service_.backed_up.set_directory("/backups/monday");
  service_.backed_up.set_bytes(3e6);
  service_.backed_up.set_seconds(0.25);
  const Result result = Run({"store", "backup", "monday"});
  EXPECT_EQ(service_.asked_directory(), "monday");
  EXPECT_EQ(result.out, "wrote 3.0MB to /backups/monday on the controller's machine in 250ms\n");
  EXPECT_EQ(Run({"store", "backup", "-o", "json"}).code, 0);
  EXPECT_EQ(service_.asked_directory(), "");
  EXPECT_EQ(Run({"store", "backup", "a", "b"}).code, 2);
}

TEST_F(StoreCommandsTest, WhatTheControllerRefusesIsSaid) {
  service_.FailWith(
      {grpc::StatusCode::FAILED_PRECONDITION, "a verification runs since 10:00:00 UTC"});
  const Result result = Run({"store", "compact"});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.err, "kindlingctl: a verification runs since 10:00:00 UTC\n");
}

TEST_F(StoreCommandsTest, VerifyFailsWhenSomethingIsDamaged) {
  service_.verified.set_blocks(10);
  service_.verified.set_rows(1);
  service_.verified.set_bytes(1e6);
  service_.verified.set_seconds(2);
  Result result = Run({"store", "verify"});
  EXPECT_EQ(result.out, "read 10 blocks, 1 row, 1.0MB in 2s\nno damage\n");
  EXPECT_EQ(result.code, 0);
  service_.verified.set_damaged_blocks(1);
  service_.verified.add_faults("spans 2023-11-14 22:00: block 7: checksum");
  result = Run({"store", "verify"});
  EXPECT_EQ(result.out,
            "read 10 blocks, 1 row, 1.0MB in 2s\n1 block damaged\n"
            "fault: spans 2023-11-14 22:00: block 7: checksum\n");
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(Run({"store", "verify", "-o", "yaml"}).code, 1);
}

TEST_F(StoreCommandsTest, HelpAndCompletionKnowThem) {
  const Result help = Run({"help", "store"});
  for (const char* what : {"status", "compact", "backup", "verify"}) {
    EXPECT_THAT(help.out, HasSubstr(what));
  }
  EXPECT_EQ(Run({"__complete", "store", ""}).out, "status\ncompact\nbackup\nverify\n");
  EXPECT_THAT(Run({"store", "restore"}).err, HasSubstr("cannot store \"restore\""));
  EXPECT_THAT(Run({"help", "store", "backup"}).out, HasSubstr("default 1h"));
}

TEST_F(StoreCommandsTest, VerifySaysOnATerminalHowFarItIs) {
  service_.status.mutable_running()->set_name("verification");
  service_.status.mutable_running()->set_done(5);
  service_.status.mutable_running()->set_total(1000);
  service_.verified.set_blocks(1000);
  service_.statuses_before_verified = 2;
  const Result result = Run({"store", "verify"}, /*err_is_terminal=*/true);
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.err, HasSubstr("\r5 of 1000 blocks read"));
  EXPECT_THAT(result.err, EndsWith("\r\x1b[K"));
  service_.statuses_before_verified = 0;
  EXPECT_EQ(Run({"store", "verify"}).err, "");
}

}  // namespace
}  // namespace kindling::ui
