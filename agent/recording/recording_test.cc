#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_format.h"
#include "agent/recording/reader.h"
#include "agent/recording/writer.h"
#include "base/byte_reader.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"

namespace kindling::agent {
namespace {

// Writes down what it is given; asks about the process of every task event.
class Transcript final : public EventSink {
 public:
  void OnConnOpen(const ConnOpen& e) override {
    Add(absl::StrFormat("open %d %s:%d %s", e.id, ToString(e.remote), e.remote_port, e.unix_path));
  }
  void OnConnectFailure(const ConnectFailure& e) override {
    Add(absl::StrFormat("fail %d", e.error));
  }
  void OnConnCounters(const ConnCounters& e) override {
    Add(absl::StrFormat("counters %d %d %d", e.id, e.sent_bytes, e.closed));
  }
  void OnTcp(const TcpSample& s) override { tcp.push_back(s); }
  void OnListener(const ListenerSample& s) override { listeners.push_back(s); }
  void OnDrop(const DropSample& s) override { drops.push_back(s); }
  void OnDatagrams(const DatagramSample& s) override { datagrams.push_back(s); }
  void OnData(const DataEvent& e) override {
    Add(absl::StrFormat("data %d %d %s", e.id, e.position, std::string(base::AsText(e.bytes))));
  }
  void OnListen(const ListenEvent& e) override { Add(absl::StrFormat("listen %d", e.port)); }
  void OnTask(const TaskEvent& e) override {
    const ProcessFacts facts = reader->Read(e.tgid);
    Add(absl::StrFormat("task %d %s %s", e.tgid, facts.executable, facts.arguments.back()));
  }
  void OnKernelLoss(const KernelLoss& l) override {
    Add(absl::StrFormat("loss %d", l.data_ring_events));
  }
  void OnNat(const NatEvent& e) override { nat.push_back(e); }
  void OnNetwork(const NetworkReading& r) override { readings.push_back(r); }
  void OnTick(int64_t boot_ns, int64_t wall_ns) override {
    Add(absl::StrFormat("tick %d %d", boot_ns, wall_ns));
  }
  void Add(std::string line) { lines.push_back(std::move(line)); }

  ProcessReader* reader = nullptr;
  std::vector<std::string> lines;
  std::vector<TcpSample> tcp;
  std::vector<ListenerSample> listeners;
  std::vector<NetworkReading> readings;
  std::vector<NatEvent> nat;
  std::vector<DropSample> drops;
  std::vector<DatagramSample> datagrams;
};

// Another number in every field.
TcpSample ATcpSample() {
  return {.id = 1,
          .boot_ns = 2,
          .sent_bytes = 3,
          .received_bytes = 4,
          .sent_segments = 5,
          .received_segments = 6,
          .retransmits = 7,
          .timeout_retransmits = 8,
          .fast_retransmits = 9,
          .syn_retransmits = 10,
          .lost_segments = 11,
          .out_of_order = 12,
          .srtt_ns = 13,
          .min_rtt_ns = 14,
          .busy_ns = 15,
          .receiver_limited_ns = 16,
          .sender_limited_ns = 17,
          .resets_sent = 19,
          .resets_received = 20,
          .reset_reason = "abort_on_close",
          .congestion = CongestionState::kRecovery,
          .zero_window = true,
          .ended = true,
          .error = 21};
}

ListenerSample AListenerSample() {
  return {.id = 1,
          .boot_ns = 2,
          .netns = 3,
          .local = {.bytes = {10, 0, 0, 3}, .size = 4},
          .port = 4,
          .tgid = 5,
          .drops = 6,
          .queued = 7,
          .queue_max = 8,
          .synack_retransmits = 9,
          .resets_sent = 10,
          .reset_reason = "invalid_syn",
          .ended = true};
}

NatEvent ANatEvent() {
  const auto endpoint = [](uint8_t number) {
    return Endpoint{.address = {.bytes = {10, 0, 0, number}, .size = 4}, .port = number};
  };
  return {.kind = NatEventKind::kLost,
          .netns = 1,
          .transport = model::Transport::kUdp,
          .client = endpoint(2),
          .asked = endpoint(3),
          .server = endpoint(4),
          .seen_as = endpoint(5),
          .lost = 6};
}

NetworkReading AReading() {
  return {.netns = 1,
          .name_space = "shop",
          .figures = {{.metric = model::host::Metric::kQdiscDrops,
                       .device = "eth0",
                       .detail = "tbf 8001: root",
                       .value = 2.5}}};
}

DropSample ADropSample() {
  return {.boot_ns = 1,
          .netns = 2,
          .direction = Direction::kSent,
          .reason = "netfilter_drop",
          .ethertype = 0x86dd,
          .protocol = 6,
          .source = {.bytes = {0xfd, 1}, .size = 16},
          .destination = {.bytes = {0xfd, 2}, .size = 16},
          .source_port = 3,
          .destination_port = 4,
          .without_ends = true,
          .packets = 5,
          .bytes = 6};
}

DatagramSample ADatagramSample() {
  return {.id = 1,
          .boot_ns = 2,
          .netns = 3,
          .local = {.bytes = {10, 0, 0, 3}, .size = 4},
          .remote = {.bytes = {10, 0, 0, 4}, .size = 4},
          .local_port = 5,
          .remote_port = 6,
          .tgid = 7,
          .drops = 8};
}

class CountingReader final : public ProcessReader {
 public:
  ProcessFacts Read(uint32_t tgid) override {
    return {.found = true,
            .executable = absl::StrFormat("/bin/%d-%d", tgid, ++reads),
            .arguments = {"app", "--password=hunter2"}};
  }
  int reads = 0;
};

void PlayEvents(EventSink& sink) {
  IpAddress remote{.bytes = {10, 0, 0, 2}, .size = 4};
  sink.OnConnOpen(
      {.id = 1, .transport = model::Transport::kTcp, .remote = remote, .remote_port = 80});
  sink.OnConnOpen(
      {.id = 2, .transport = model::Transport::kUnix, .unix_path = std::string("@a\0b", 4)});
  sink.OnData({.id = 1, .position = 5, .size = 9, .bytes = base::AsBytes("secret")});
  sink.OnTask({.kind = TaskEventKind::kExec, .tgid = 7});
  sink.OnTask({.kind = TaskEventKind::kExec, .tgid = 7});
  sink.OnListen({.port = 8080});
  sink.OnConnectFailure({.remote = remote, .error = 111});
  sink.OnTcp(ATcpSample());
  sink.OnListener(AListenerSample());
  sink.OnDrop(ADropSample());
  sink.OnDatagrams(ADatagramSample());
  sink.OnConnCounters({.id = 1, .sent_bytes = 14, .closed = true});
  sink.OnKernelLoss({.data_ring_events = 3});
  sink.OnNat(ANatEvent());
  sink.OnNetwork(AReading());
  sink.OnTick(100, 2000);
}

class RecordingTest : public testing::Test {
 protected:
  // Records PlayEvents() and returns what the pipeline behind the writer was given.
  std::vector<std::string> Record(PayloadMask mask) {
    CountingReader reader;
    Transcript transcript;
    auto writer = RecordingWriter::Open(path, {.host = "a", .config_yaml = "window_s: 5"},
                                        transcript, reader, std::move(mask));
    EXPECT_OK(writer);
    transcript.reader = writer->get();
    PlayEvents(**writer);
    EXPECT_OK((*writer)->Finish());
    return transcript.lines;
  }
  // Replays the file; an error ends the transcript with its text.
  std::vector<std::string> Replay(int64_t shift_ns = 0) {
    Transcript transcript;
    auto reader = RecordingReader::Open(path);
    if (!reader.ok()) return {std::string(reader.status().message())};
    EXPECT_EQ((*reader)->header().config_yaml, "window_s: 5");
    (*reader)->ShiftWall(shift_ns);
    transcript.reader = reader->get();
    while (true) {
      const absl::StatusOr<bool> more = (*reader)->PlayNext(transcript);
      if (!more.ok()) transcript.Add(std::string(more.status().message()));
      if (!more.ok() || !*more) return transcript.lines;
    }
  }

  base::TempDir directory;
  const std::string path = directory.File("a.krec");
};

TEST_F(RecordingTest, ReplayGivesTheSameEventsAndAnswers) {
  const std::vector<std::string> recorded = Record(nullptr);
  ASSERT_EQ(recorded.size(), 10u);
  EXPECT_EQ(Replay(), recorded);
  EXPECT_EQ(Replay(50).back(), "tick 100 2050");
}

TEST_F(RecordingTest, ReplayGivesSamplesWhole) {
  Record(nullptr);
  Transcript transcript;
  auto reader = RecordingReader::Open(path);
  ASSERT_OK(reader);
  transcript.reader = reader->get();
  while (true) {
    const absl::StatusOr<bool> more = (*reader)->PlayNext(transcript);
    ASSERT_OK(more);
    if (!*more) break;
  }
  EXPECT_EQ(transcript.tcp, std::vector<TcpSample>{ATcpSample()});
  EXPECT_EQ(transcript.listeners, std::vector<ListenerSample>{AListenerSample()});
  EXPECT_EQ(transcript.readings, std::vector<NetworkReading>{AReading()});
  EXPECT_EQ(transcript.nat, std::vector<NatEvent>{ANatEvent()});
  EXPECT_EQ(transcript.drops, std::vector<DropSample>{ADropSample()});
  EXPECT_EQ(transcript.datagrams, std::vector<DatagramSample>{ADatagramSample()});
}

TEST_F(RecordingTest, MaskChangesTheFileNotThePipeline) {
  const std::vector<std::string> recorded =
      Record([](const DataEvent&, std::span<std::byte> bytes) {
        for (std::byte& byte : bytes) byte = std::byte{'x'};
      });
  EXPECT_EQ(recorded[2], "data 1 5 secret");
  EXPECT_EQ(recorded[3], "task 7 /bin/7-1 --password=hunter2");
  const std::vector<std::string> replayed = Replay();
  EXPECT_EQ(replayed[2], "data 1 5 xxxxxx");
  EXPECT_EQ(replayed[3], "task 7 /bin/7-1 --password=*");
}

TEST_F(RecordingTest, ACutFileGivesAnErrorAfterWhatWasWhole) {
  Record(nullptr);
  // After the last frame come the end of the deflate block (one byte at the most) and gzip's
  // trailer.
  constexpr uintmax_t kAfterFrames = 9;
  const uintmax_t size = std::filesystem::file_size(path) - kAfterFrames;
  for (uintmax_t cut = 0; cut < size; ++cut) {
    Record(nullptr);
    std::filesystem::resize_file(path, cut);
    const std::vector<std::string> lines = Replay();
    ASSERT_FALSE(lines.empty());
    EXPECT_EQ(lines.back().find("tick"), std::string::npos) << "cut at " << cut;
  }
}

TEST_F(RecordingTest, RefusesWhatIsNotARecording) {
  std::ofstream(path) << "hello, this is text";
  EXPECT_NE(Replay().front().find("is not a Kindling recording"), std::string::npos);
}

}  // namespace
}  // namespace kindling::agent
