#include "agent/recording/reader.h"

#include <fcntl.h>
#include <google/protobuf/io/gzip_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/util/delimited_message_util.h>

#include <utility>

#include "absl/strings/str_format.h"
#include "agent/recording/format.h"
#include "agent/recording/frames.h"
#include "base/errno_status.h"
#include "base/unique_fd.h"

namespace kindling::agent {
namespace {

template <typename Event, typename Recorded>
absl::StatusOr<Event> DecodeFrame(const Recorded& recorded, uint64_t frame) {
  Event event;
  if (!Decode(recorded, &event)) {
    return absl::DataLossError(absl::StrFormat("recording is damaged at frame %d", frame));
  }
  return event;
}

}  // namespace

struct RecordingReader::Input {
  explicit Input(base::UniqueFd file) : fd(std::move(file)), stream(fd.get()), gzip(&stream) {}
  base::UniqueFd fd;
  google::protobuf::io::FileInputStream stream;
  google::protobuf::io::GzipInputStream gzip;
  recorded::Frame frame;
  uint64_t frames = 0;

  absl::StatusOr<bool> Next() {
    bool clean_eof = false;
    frame.Clear();
    if (google::protobuf::util::ParseDelimitedFromZeroCopyStream(&frame, &gzip, &clean_eof)) {
      if (frame.has_end() && frame.end().frames() == frames) return false;
      ++frames;
      return true;
    }
    return absl::DataLossError(
        absl::StrFormat("recording is damaged or cut short after frame %d", frames));
  }
};

RecordingReader::RecordingReader() = default;
RecordingReader::~RecordingReader() = default;

absl::StatusOr<std::unique_ptr<RecordingReader>> RecordingReader::Open(const std::string& path) {
  base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return base::ErrnoStatus(errno, "open recording " + path);
  char magic[kRecordingMagic.size()];
  if (::read(fd.get(), magic, sizeof(magic)) != static_cast<ssize_t>(sizeof(magic)) ||
      std::string_view(magic, sizeof(magic)) != kRecordingMagic) {
    return absl::InvalidArgumentError(path + " is not a Kindling recording");
  }
  std::unique_ptr<RecordingReader> reader(new RecordingReader());
  reader->input_ = std::make_unique<Input>(std::move(fd));
  const absl::StatusOr<bool> first = reader->input_->Next();
  if (!first.ok()) return first.status();
  if (!*first || !reader->input_->frame.has_header()) {
    return absl::DataLossError("recording has no header: " + path);
  }
  const recorded::Header& header = reader->input_->frame.header();
  if (header.version() > kRecordingVersion) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s has recording format %d, made by version %s; this agent reads up to %d: upgrade it",
        path, header.version(), header.software_version(), kRecordingVersion));
  }
  reader->header_ = {.software_version = header.software_version(),
                     .host = header.host(),
                     .kernel = header.kernel(),
                     .hook = header.hook(),
                     .config_yaml = header.config_yaml(),
                     .own_cgroup = header.own_cgroup(),
                     .start_boot_ns = header.start_boot_ns(),
                     .start_wall_ns = header.start_wall_ns(),
                     .raw = header.raw()};
  return reader;
}

ProcessFacts RecordingReader::Read(uint32_t tgid) {
  const auto found = answers_.find(tgid);
  if (found == answers_.end() || found->second.empty()) return {};
  ProcessFacts facts = std::move(found->second.front());
  found->second.pop_front();
  return facts;
}

absl::StatusOr<bool> RecordingReader::PlayNext(EventSink& sink) {
  using recorded::Frame;
  answers_.clear();
  while (true) {
    absl::StatusOr<bool> more = input_->Next();
    if (!more.ok() || !*more) return more;
    if (!input_->frame.has_process_facts()) break;
    const recorded::ProcessFacts& recorded_facts = input_->frame.process_facts();
    ProcessFacts facts;
    Decode(recorded_facts, &facts);
    answers_[recorded_facts.tgid()].push_back(std::move(facts));
  }
  const Frame& frame = input_->frame;
  const uint64_t number = input_->frames;
  switch (frame.frame_case()) {
    case Frame::kConnOpen: {
      auto event = DecodeFrame<ConnOpen>(frame.conn_open(), number);
      if (!event.ok()) return event.status();
      sink.OnConnOpen(*event);
      return true;
    }
    case Frame::kConnectFailure: {
      auto event = DecodeFrame<ConnectFailure>(frame.connect_failure(), number);
      if (!event.ok()) return event.status();
      sink.OnConnectFailure(*event);
      return true;
    }
    case Frame::kConnCounters: {
      auto event = DecodeFrame<ConnCounters>(frame.conn_counters(), number);
      if (!event.ok()) return event.status();
      sink.OnConnCounters(*event);
      return true;
    }
    case Frame::kTcpSample: {
      auto sample = DecodeFrame<TcpSample>(frame.tcp_sample(), number);
      if (!sample.ok()) return sample.status();
      sink.OnTcp(*sample);
      return true;
    }
    case Frame::kListenerSample: {
      auto sample = DecodeFrame<ListenerSample>(frame.listener_sample(), number);
      if (!sample.ok()) return sample.status();
      sink.OnListener(*sample);
      return true;
    }
    case Frame::kDropSample: {
      auto sample = DecodeFrame<DropSample>(frame.drop_sample(), number);
      if (!sample.ok()) return sample.status();
      sink.OnDrop(*sample);
      return true;
    }
    case Frame::kDatagramSample: {
      auto sample = DecodeFrame<DatagramSample>(frame.datagram_sample(), number);
      if (!sample.ok()) return sample.status();
      sink.OnDatagrams(*sample);
      return true;
    }
    case Frame::kData: {
      auto event = DecodeFrame<DataEvent>(frame.data(), number);
      if (!event.ok()) return event.status();
      sink.OnData(*event);
      return true;
    }
    case Frame::kListen: {
      auto event = DecodeFrame<ListenEvent>(frame.listen(), number);
      if (!event.ok()) return event.status();
      sink.OnListen(*event);
      return true;
    }
    case Frame::kTask: {
      auto event = DecodeFrame<TaskEvent>(frame.task(), number);
      if (!event.ok()) return event.status();
      sink.OnTask(*event);
      return true;
    }
    case Frame::kKernelLoss: {
      auto loss = DecodeFrame<KernelLoss>(frame.kernel_loss(), number);
      if (!loss.ok()) return loss.status();
      sink.OnKernelLoss(*loss);
      return true;
    }
    case Frame::kNat: {
      auto event = DecodeFrame<NatEvent>(frame.nat(), number);
      if (!event.ok()) return event.status();
      sink.OnNat(*event);
      return true;
    }
    case Frame::kNetworkReading: {
      auto reading = DecodeFrame<NetworkReading>(frame.network_reading(), number);
      if (!reading.ok()) return reading.status();
      sink.OnNetwork(*reading);
      return true;
    }
    case Frame::kTick:
      sink.OnTick(frame.tick().boot_ns(), frame.tick().wall_ns() + wall_shift_ns_);
      return true;
    case Frame::kHeader:
    case Frame::kEnd:
    case Frame::kProcessFacts:
    case Frame::FRAME_NOT_SET:
      break;
  }
  return absl::DataLossError(absl::StrFormat("recording is damaged at frame %d", number));
}

}  // namespace kindling::agent
