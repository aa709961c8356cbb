#include "ui/packets/capture_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "base/read_file.h"
#include "base/testing/pcapng_reader.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace kindling::ui {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint32_t kSection = 0x0A0D0D0A, kInterface = 1, kStatistics = 5, kPacket = 6;
constexpr uint16_t kComment = 1, kName = 2, kDescription = 3, kFlags = 2, kOsDropped = 7;

uint32_t Le32(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

v1::PacketCaptureOutput Interface(uint32_t id, uint32_t source, const std::string& name) {
  v1::PacketCaptureOutput output;
  v1::PacketInterface& interface = *output.mutable_interface();
  interface.set_id(id);
  interface.set_source(source);
  interface.set_netns_name("/run/netns/shop");
  interface.set_name(name);
  interface.set_link_type(1);
  return output;
}
v1::PacketCaptureOutput Progress(uint32_t source, int64_t caught_up_ns, uint64_t dropped = 0) {
  v1::PacketCaptureOutput output;
  v1::PacketSource& out = *output.mutable_progress()->add_sources();
  out.set_source(source);
  out.set_packets(3);
  out.set_bytes(30);
  out.set_dropped(dropped);
  out.set_caught_up_ns(caught_up_ns);
  return output;
}
v1::PacketCaptureOutput Packet(uint32_t interface, int64_t time_ns, const std::string& bytes,
                               uint32_t packet_type = 0, const std::string& sender = "") {
  v1::PacketCaptureOutput output;
  v1::PacketBatch& batch = *output.mutable_batch();
  batch.add_interface(interface);
  batch.add_packet_type(packet_type);
  batch.add_time_delta_ns(time_ns);
  batch.add_original_bytes(100);
  batch.add_captured_bytes(static_cast<uint32_t>(bytes.size()));
  batch.add_sender(sender.empty() ? 0 : 1);
  batch.add_receiver(0);
  batch.set_data(bytes);
  if (!sender.empty()) batch.add_owners(sender);
  return output;
}

class CaptureWriterTest : public testing::Test {
 protected:
  CaptureWriterTest() : file_(*CaptureFile::Open(path_)) {}

  void Begin(const CaptureWriter::Options& options = {}) {
    writer_ = std::make_unique<CaptureWriter>(options, *file_);
  }
  // The blocks of one type, after the end.
  std::vector<base::PcapngBlock> Blocks(uint32_t type) {
    std::vector<base::PcapngBlock> found;
    for (base::PcapngBlock& block : base::ParsePcapng(*base::ReadFile(path_, 1 << 20))) {
      if (block.type == type) found.push_back(std::move(block));
    }
    return found;
  }

  base::TempDir directory_;
  const std::string path_ = directory_.File("out.pcapng");
  std::unique_ptr<CaptureFile> file_;
  std::unique_ptr<CaptureWriter> writer_;
};

TEST_F(CaptureWriterTest, TwoNodesInTheOrderOfTime) {
  Begin({.filter = "tcp", .application = "kindlingctl"});
  const uint32_t a = writer_->BeginNode("host-a", 0), b = writer_->BeginNode("host-b", 0);
  for (const uint32_t node : {a, b}) {
    ASSERT_OK(writer_->Take(node, Progress(0, 0), 0));
    ASSERT_OK(writer_->Take(node, Interface(0, 0, "eth0"), 0));
  }
  ASSERT_OK(writer_->Take(a, Packet(0, 10, "a1", 4, "process curl pid 7"), 0));
  ASSERT_OK(writer_->Take(a, Packet(0, 30, "a2"), 0));
  ASSERT_OK(writer_->Take(b, Packet(0, 20, "b1", 1), 0));
  ASSERT_OK(writer_->Write(0));
  EXPECT_EQ(writer_->packets(), 0) << "neither has said that nothing older comes";
  ASSERT_OK(writer_->Take(a, Progress(0, 40, 5), 0));
  ASSERT_OK(writer_->Take(b, Progress(0, 25), 0));
  ASSERT_OK(writer_->Write(0));
  EXPECT_EQ(writer_->packets(), 2);
  writer_->EndNode(b, "the agent went away");
  writer_->EndNode(a, "");
  ASSERT_OK(writer_->Finish());
  EXPECT_EQ(writer_->packets(), 3);
  EXPECT_EQ(writer_->CountsOf(a).dropped, 5);

  EXPECT_EQ(Blocks(kSection).size(), 1);
  const auto interfaces = Blocks(kInterface);
  ASSERT_EQ(interfaces.size(), 2);
  EXPECT_THAT(interfaces[1].values(kName), ElementsAre("eth0"));
  EXPECT_THAT(interfaces[1].values(kDescription),
              ElementsAre("host-b, network namespace /run/netns/shop"));
  const auto packets = Blocks(kPacket);
  ASSERT_EQ(packets.size(), 3);
  const char* bytes[] = {"a1", "b1", "a2"};
  const uint32_t of_interface[] = {0, 1, 0}, times[] = {10, 20, 30}, flags[] = {2, 13, 5};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(packets[i].body.substr(20, 2), bytes[i]);
    EXPECT_EQ(Le32(packets[i].body, 0), of_interface[i]);
    EXPECT_EQ(Le32(packets[i].body, 8), times[i]);
    EXPECT_EQ(Le32(packets[i].values(kFlags).at(0), 0), flags[i]);
  }
  EXPECT_THAT(packets[0].values(kComment), ElementsAre("sender: process curl pid 7"));
  EXPECT_THAT(packets[1].values(kComment), IsEmpty());
  const auto statistics = Blocks(kStatistics);
  ASSERT_EQ(statistics.size(), 2);
  EXPECT_EQ(Le32(statistics[0].values(kOsDropped).at(0), 0), 5);
  EXPECT_EQ(statistics[1].values(kComment).at(0), "partial: the agent went away");
}

TEST_F(CaptureWriterTest, SourcesOfOneNodeAreMergedToo) {
  Begin();
  const uint32_t node = writer_->BeginNode("host-a", 0);
  ASSERT_OK(writer_->Take(node, Progress(0, 0), 0));
  ASSERT_OK(writer_->Take(node, Progress(1, 0), 0));
  ASSERT_OK(writer_->Take(node, Interface(0, 0, "eth0"), 0));
  ASSERT_OK(writer_->Take(node, Interface(1, 1, "eth0"), 0));
  ASSERT_OK(writer_->Take(node, Packet(0, 20, "late"), 0));
  auto early = Packet(1, 10, "early");
  early.mutable_batch()->set_source(1);
  ASSERT_OK(writer_->Take(node, early, 0));
  ASSERT_OK(writer_->Finish());
  const auto packets = Blocks(kPacket);
  ASSERT_EQ(packets.size(), 2);
  EXPECT_EQ(packets[0].body.substr(20, 5), "early");
}

TEST_F(CaptureWriterTest, CapOfTheFile) {
  Begin({.max_bytes = 20'000});
  const uint32_t node = writer_->BeginNode("host-a", 0);
  ASSERT_OK(writer_->Take(node, Progress(0, 0), 0));
  ASSERT_OK(writer_->Take(node, Interface(0, 0, "eth0"), 0));
  int sent = 0;
  for (; !writer_->is_full(); ++sent) {
    ASSERT_LT(sent, 1000);
    ASSERT_OK(writer_->Take(node, Packet(0, sent, std::string(1000, 'x')), 0));
    ASSERT_OK(writer_->Take(node, Progress(0, sent + 1), 0));
    ASSERT_OK(writer_->Write(0));
  }
  ASSERT_OK(writer_->Finish());
  EXPECT_LE(base::ReadFile(path_, 1 << 20)->size(), 20'000);
  EXPECT_EQ(Blocks(kPacket).size(), sent - 1);
  EXPECT_EQ(Blocks(kStatistics).size(), 1);
}

TEST_F(CaptureWriterTest, WhatCannotBeReadIsLeftOut) {
  Begin();
  const uint32_t node = writer_->BeginNode("host-a", 0);
  EXPECT_TRUE(absl::IsInvalidArgument(writer_->Take(node, Packet(0, 1, "x"), 0))) << "no source";
  ASSERT_OK(writer_->Take(node, Progress(0, 0), 0));
  EXPECT_TRUE(absl::IsInvalidArgument(writer_->Take(node, Packet(0, 1, "x"), 0))) << "no interface";
  ASSERT_OK(writer_->Take(node, Interface(0, 0, "eth0"), 0));
  EXPECT_TRUE(absl::IsInvalidArgument(writer_->Take(node, Interface(0, 0, "eth1"), 0)));
  auto broken = Packet(0, 1, "x");
  broken.mutable_batch()->set_data("");
  EXPECT_TRUE(absl::IsInvalidArgument(writer_->Take(node, broken, 0)));
  EXPECT_OK(writer_->Take(node, {}, 0)) << "of a newer agent";
  for (uint32_t source = 0; source < 2000; ++source) {
    ASSERT_OK(writer_->Take(node, Progress(source, 0), 0));
  }
  ASSERT_OK(writer_->Take(node, Packet(0, 1, "x"), 0));
  ASSERT_OK(writer_->Finish());
  EXPECT_EQ(Blocks(kPacket).size(), 1);
  EXPECT_EQ(writer_->CountsOf(node).packets, 3 * CaptureWriter::kMaxSources);
}

TEST_F(CaptureWriterTest, TellsOfAFullDisk) {
  auto full = CaptureFile::Open("/dev/full");
  ASSERT_OK(full);
  CaptureWriter writer({}, **full);
  const uint32_t node = writer.BeginNode("host-a", 0);
  ASSERT_OK(writer.Take(node, Progress(0, 0), 0));
  ASSERT_OK(writer.Take(node, Interface(0, 0, "eth0"), 0));
  absl::Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) {
    status = writer.Take(node, Packet(0, i, std::string(100'000, 'x')), 0);
    if (status.ok()) status = writer.Take(node, Progress(0, i + 1), 0);
    if (status.ok()) status = writer.Write(0);
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(writer.Finish(), status);
}

}  // namespace
}  // namespace kindling::ui
