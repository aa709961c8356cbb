#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/read_file.h"
#include "base/testing/fake_clock.h"
#include "base/testing/pcapng_reader.h"
#include "base/testing/temp_dir.h"
#include "kindling/v1/packets.grpc.pb.h"
#include "ui/cli/cli.h"
#include "ui/cli/session.h"

namespace kindling::ui {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint32_t kPacketBlock = 6;

// Answers with what it was given, then waits for the client's end if it is told to.
class FakeCaptureService final : public v1::CaptureService::Service {
 public:
  FakeCaptureService() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    address = "127.0.0.1:" + std::to_string(port);
  }
  ~FakeCaptureService() override { server_->Shutdown(); }

  grpc::Status CapturePackets(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::CapturePacketsResponse, v1::CapturePacketsRequest>* stream)
      override {
    if (!stream->Read(&asked)) return grpc::Status::OK;
    for (const v1::CapturePacketsResponse& answer : answers) stream->Write(answer);
    v1::CapturePacketsRequest more;
    while (waits_for_stop && stream->Read(&more)) {
    }
    for (const v1::CapturePacketsResponse& answer : after_stop) stream->Write(answer);
    return status;
  }

  std::string address;
  std::vector<v1::CapturePacketsResponse> answers, after_stop;
  bool waits_for_stop = false;
  grpc::Status status;
  v1::CapturePacketsRequest asked;

 private:
  std::unique_ptr<grpc::Server> server_;
};

v1::CapturePacketsResponse Nodes(const std::vector<std::string>& hosts) {
  v1::CapturePacketsResponse response;
  for (const std::string& host : hosts) response.mutable_nodes()->add_nodes()->set_host(host);
  return response;
}
v1::CapturePacketsResponse Output(uint32_t node, const v1::PacketCaptureOutput& output) {
  v1::CapturePacketsResponse response;
  response.mutable_output()->set_node(node);
  response.mutable_output()->mutable_output()->PackFrom(output);
  return response;
}
v1::CapturePacketsResponse End(uint32_t node, const std::string& why = "") {
  v1::CapturePacketsResponse response;
  response.mutable_end()->set_node(node);
  response.mutable_end()->set_code(why.empty() ? 0 : 14);
  response.mutable_end()->set_message(why);
  return response;
}
v1::PacketCaptureOutput Progress(uint64_t packets, uint64_t dropped = 0) {
  v1::PacketCaptureOutput output;
  v1::PacketSource& source = *output.mutable_progress()->add_sources();
  source.set_packets(packets);
  source.set_bytes(packets * 3);
  source.set_dropped(dropped);
  return output;
}
v1::PacketCaptureOutput Interface() {
  v1::PacketCaptureOutput output;
  output.mutable_interface()->set_name("eth0");
  output.mutable_interface()->set_link_type(1);
  return output;
}
v1::PacketCaptureOutput Packet(int64_t time_ns) {
  v1::PacketCaptureOutput output;
  v1::PacketBatch& batch = *output.mutable_batch();
  batch.add_interface(0);
  batch.add_packet_type(0);
  batch.add_time_delta_ns(time_ns);
  batch.add_original_bytes(3);
  batch.add_captured_bytes(3);
  batch.add_sender(0);
  batch.add_receiver(0);
  batch.set_data("abc");
  return output;
}

class CapturePacketsTest : public testing::Test {
 protected:
  // All that a node says of `packets` packets.
  void Captures(uint32_t node, int packets, uint64_t dropped = 0) {
    service_.answers.push_back(Output(node, Progress(0)));
    service_.answers.push_back(Output(node, Interface()));
    for (int i = 0; i < packets; ++i) service_.answers.push_back(Output(node, Packet(i)));
    service_.answers.push_back(Output(node, Progress(static_cast<uint64_t>(packets), dropped)));
  }
  int Run(std::vector<std::string> args) {
    out_.str("");
    err_.str("");
    args.insert(args.begin(), {"--controller", service_.address, "capture", "packets"});
    Environment environment{.out = out_, .err = err_, .clock = clock_, .zone = absl::UTCTimeZone()};
    environment.catch_interrupts = [this]() -> const std::atomic<bool>& { return interrupted_; };
    return static_cast<int>(RunCli(args, environment));
  }
  size_t PacketsIn(const std::string& path) {
    size_t packets = 0;
    for (const auto& block : base::ParsePcapng(base::ReadFile(path, 1 << 20).value_or(""))) {
      packets += block.type == kPacketBlock ? 1 : 0;
    }
    return packets;
  }
  bool IsThere(const std::string& path) { return base::ReadFile(path, 1 << 20).ok(); }

  FakeCaptureService service_;
  base::TempDir directory_;
  const std::string path_ = directory_.File("out.pcapng");
  base::FakeClock clock_;
  std::atomic<bool> interrupted_ = false;
  std::ostringstream out_, err_;
};

TEST_F(CapturePacketsTest, AsksForWhatItWasAskedFor) {
  service_.answers = {Nodes({"host-a"}), End(0)};
  ASSERT_EQ(Run({"--edge",    "shop:80,mysqld",
                 "-f",        "tcp port 80 or udp",
                 "-f",        "host 10.0.0.1",
                 "--node",    "host-a",
                 "--node",    "host-b",
                 "--for",     "5s",
                 "--max",     "1MB",
                 "--snap",    "128B",
                 "--rate",    "2MB",
                 "--packets", "9",
                 "-w",        path_}),
            0)
      << err_.str();
  const v1::PacketCapture& capture = service_.asked.capture();
  EXPECT_EQ(capture.filter(), "(tcp port 80 or udp) and (host 10.0.0.1)");
  EXPECT_EQ(capture.duration_ns(), 5'000'000'000);
  EXPECT_EQ(capture.max_bytes(), 1'000'000);
  EXPECT_EQ(capture.snap_bytes(), 128);
  EXPECT_EQ(capture.bytes_per_second(), 2'000'000);
  EXPECT_EQ(capture.max_packets(), 9);
  EXPECT_EQ(service_.asked.client(), "shop:80");
  EXPECT_EQ(service_.asked.server(), "mysqld");
  EXPECT_THAT(service_.asked.nodes(), ElementsAre("host-a", "host-b"));
  EXPECT_GT(service_.asked.time().start_ns(), 0) << "the last 15 minutes";
}

TEST_F(CapturePacketsTest, WritesWhatTwoNodesCapture) {
  service_.answers = {Nodes({"host-a", "host-b"})};
  Captures(0, 3);
  Captures(1, 2);
  service_.answers.push_back(End(0));
  service_.answers.push_back(End(1));
  ASSERT_EQ(Run({"-w", path_}), 0) << err_.str();
  EXPECT_EQ(PacketsIn(path_), 5);
  EXPECT_THAT(out_.str(), HasSubstr("5 packets in " + path_));
  EXPECT_THAT(out_.str(), HasSubstr("host-b"));
  EXPECT_EQ(err_.str(), "");
}

TEST_F(CapturePacketsTest, ANodeThatGoesAwayLeavesWhatItSent) {
  service_.answers = {Nodes({"host-a", "host-b"})};
  Captures(0, 3);
  service_.answers.push_back(End(0, "the agent \x1b[31mwent away"));
  service_.answers.push_back(End(1));
  EXPECT_EQ(Run({"-w", path_}), 3);
  EXPECT_EQ(PacketsIn(path_), 3);
  EXPECT_THAT(out_.str(), HasSubstr("the agent \\x1b[31mwent away"));
  EXPECT_THAT(out_.str(), HasSubstr("; partial"));
}

TEST_F(CapturePacketsTest, LostPacketsAreSaid) {
  service_.answers = {Nodes({"host-a"})};
  Captures(0, 3, 17);
  service_.answers.push_back(End(0));
  EXPECT_EQ(Run({"-w", path_}), 3);
  EXPECT_THAT(out_.str(), HasSubstr(" 17 "));
}

TEST_F(CapturePacketsTest, AControllerThatGoesAwayLeavesWhatItSent) {
  service_.answers = {Nodes({"host-a"})};
  Captures(0, 3);
  service_.status = {grpc::StatusCode::UNAVAILABLE, "shutting down"};
  EXPECT_EQ(Run({"-w", path_}), 3);
  EXPECT_EQ(PacketsIn(path_), 3);
  EXPECT_THAT(out_.str(), HasSubstr("the controller went away"));
}

TEST_F(CapturePacketsTest, AnInterruptAsksForTheEnd) {
  service_.answers = {Nodes({"host-a"})};
  Captures(0, 3);
  service_.waits_for_stop = true;
  service_.after_stop = {Output(0, Packet(9)), End(0)};
  interrupted_ = true;
  EXPECT_EQ(Run({"-w", path_}), 0) << err_.str();
  EXPECT_EQ(PacketsIn(path_), 4) << "what comes after that is kept";
  EXPECT_THAT(out_.str(), HasSubstr("stopped"));
}

TEST_F(CapturePacketsTest, AFullDiskEndsIt) {
  service_.answers = {Nodes({"host-a"})};
  Captures(0, 3);
  service_.answers.push_back(End(0));
  EXPECT_EQ(Run({"-w", "/dev/full"}), 3);
  EXPECT_THAT(err_.str(), HasSubstr("No space left on device"));
}

TEST_F(CapturePacketsTest, WhatIsRefusedMakesNoFile) {
  service_.status = {grpc::StatusCode::NOT_FOUND, "nothing was seen of service x"};
  EXPECT_EQ(Run({"--service", "x", "-w", path_}), 1);
  EXPECT_THAT(err_.str(), HasSubstr("nothing was seen of service x"));
  EXPECT_FALSE(IsThere(path_));
}

TEST_F(CapturePacketsTest, WrongUsage) {
  const auto usage = [this](const std::vector<std::string>& args) {
    EXPECT_EQ(Run(args), 2);
    return err_.str();
  };
  EXPECT_THAT(usage({"-w", path_, "-f", "tcp prot 80"}), HasSubstr("syntax error"));
  EXPECT_THAT(usage({"-w", path_, "-f", "tcp) or (udp"}), HasSubstr("syntax error"));
  EXPECT_THAT(usage({"-w", path_, "--edge", "a"}), HasSubstr("write CLIENT,SERVER"));
  EXPECT_THAT(usage({"-w", path_, "--edge", "a,b", "--service", "c"}), HasSubstr("not both"));
  EXPECT_THAT(usage({"-w", path_, "--for", "2h"}), HasSubstr("up to 1h"));
  EXPECT_THAT(usage({"-w", path_, "--max", "1B"}), HasSubstr("from 10KB"));
  EXPECT_THAT(usage({"-w", path_, "--packets", "-1"}), HasSubstr("write 1000"));
  EXPECT_THAT(usage({}), HasSubstr("-w FILE"));
  EXPECT_FALSE(IsThere(path_));
}

}  // namespace
}  // namespace kindling::ui
