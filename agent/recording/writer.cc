#include "agent/recording/writer.h"

#include <fcntl.h>
#include <google/protobuf/io/gzip_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/util/delimited_message_util.h>

#include <utility>
#include <vector>

#include "agent/recording/format.h"
#include "agent/recording/frames.h"
#include "base/errno_status.h"
#include "base/unique_fd.h"
#include "model/redact.h"

namespace kindling::agent {

struct RecordingWriter::Output {
  explicit Output(base::UniqueFd file, std::string path)
      : fd(std::move(file)), path(std::move(path)), stream(fd.get()), gzip(&stream) {}
  base::UniqueFd fd;
  const std::string path;
  google::protobuf::io::FileOutputStream stream;
  google::protobuf::io::GzipOutputStream gzip;
  recorded::Frame frame;  // reused
};

RecordingWriter::RecordingWriter(EventSink& next, ProcessReader& reader, PayloadMask mask)
    : next_(next), reader_(reader), mask_(std::move(mask)) {}

RecordingWriter::~RecordingWriter() { Finish().IgnoreError(); }

absl::StatusOr<std::unique_ptr<RecordingWriter>> RecordingWriter::Open(
    const std::string& path, const RecordingHeader& header, EventSink& next, ProcessReader& reader,
    PayloadMask mask) {
  base::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.valid()) return base::ErrnoStatus(errno, "create recording " + path);
  if (::write(fd.get(), kRecordingMagic.data(), kRecordingMagic.size()) !=
      static_cast<ssize_t>(kRecordingMagic.size())) {
    return base::ErrnoStatus(errno, "write recording " + path);
  }
  std::unique_ptr<RecordingWriter> writer(new RecordingWriter(next, reader, std::move(mask)));
  writer->output_ = std::make_unique<Output>(std::move(fd), path);
  recorded::Header* out = writer->output_->frame.mutable_header();
  out->set_version(kRecordingVersion);
  out->set_software_version(header.software_version);
  out->set_host(header.host);
  out->set_kernel(header.kernel);
  out->set_hook(header.hook);
  out->set_config_yaml(header.config_yaml);
  out->set_own_cgroup(header.own_cgroup);
  out->set_start_boot_ns(header.start_boot_ns);
  out->set_start_wall_ns(header.start_wall_ns);
  out->set_raw(header.raw);
  writer->Write();
  return writer;
}

void RecordingWriter::Write() {
  if (google::protobuf::util::SerializeDelimitedToZeroCopyStream(output_->frame, &output_->gzip)) {
    ++frames_;
    return;
  }
  const int error = output_->stream.GetErrno();
  status_ = base::ErrnoStatus(error != 0 ? error : EIO, "write recording " + output_->path);
  output_.reset();
}

absl::Status RecordingWriter::Finish() {
  if (output_ == nullptr) return status_;
  output_->frame.Clear();
  output_->frame.mutable_end()->set_frames(frames_);
  Write();
  if (output_ == nullptr) return status_;
  if (!output_->gzip.Close() || !output_->stream.Close()) {
    status_ = base::ErrnoStatus(EIO, "close recording " + output_->path);
  }
  output_->fd.release();  // FileOutputStream::Close() closed it
  output_.reset();
  return status_;
}

ProcessFacts RecordingWriter::Read(uint32_t tgid) {
  ProcessFacts facts = reader_.Read(tgid);
  if (output_ != nullptr) {
    output_->frame.Clear();
    if (mask_ == nullptr) {
      Encode(tgid, facts, output_->frame.mutable_process_facts());
    } else {
      ProcessFacts masked = facts;
      masked.arguments = model::RedactArguments(facts.arguments);
      Encode(tgid, masked, output_->frame.mutable_process_facts());
    }
    Write();
  }
  return facts;
}

void RecordingWriter::OnConnOpen(const ConnOpen& event) {
  next_.OnConnOpen(event);
  if (output_ == nullptr) return;
  output_->frame.Clear();
  Encode(event, output_->frame.mutable_conn_open());
  Write();
}

void RecordingWriter::OnConnectFailure(const ConnectFailure& event) {
  next_.OnConnectFailure(event);
  if (output_ == nullptr) return;
  output_->frame.Clear();
  Encode(event, output_->frame.mutable_connect_failure());
  Write();
}

void RecordingWriter::OnConnCounters(const ConnCounters& event) {
  next_.OnConnCounters(event);
  if (output_ == nullptr) return;
  output_->frame.Clear();
  Encode(event, output_->frame.mutable_conn_counters());
  Write();
}

void RecordingWriter::OnTcp(const TcpSample& sample) {
  next_.OnTcp(sample);
  if (output_ == nullptr) return;
  output_->frame.Clear();
  Encode(sample, output_->frame.mutable_tcp_sample());
  Write();
}

void RecordingWriter::OnListener(const ListenerSample& sample) {
  next_.OnListener(sample);
  if (output_ == nullptr) return;
  output_->frame.Clear();
  Encode(sample, output_->frame.mutable_listener_sample());
  Write();
}

void RecordingWriter::OnDrop(const DropSample& sample) {
  next_.OnDrop(sample);
  if (output_ == nullptr) return;
  output_->frame.Clear();
  Encode(sample, output_->frame.mutable_drop_sample());
  Write();
}

void RecordingWriter::OnDatagrams(const DatagramSample& sample) {
  next_.OnDatagrams(sample);
  if (output_ == nullptr) return;
  output_->frame.Clear();
  Encode(sample, output_->frame.mutable_datagram_sample());
  Write();
}

void RecordingWriter::OnData(const DataEvent& event) {
  next_.OnData(event);
  if (output_ == nullptr) return;
  output_->frame.Clear();
  recorded::Data* data = output_->frame.mutable_data();
  Encode(event, data);
  if (mask_ != nullptr) {
    std::string& payload = *data->mutable_payload();
    mask_(event, {reinterpret_cast<std::byte*>(payload.data()), payload.size()});
  }
  Write();
}

void RecordingWriter::OnListen(const ListenEvent& event) {
  next_.OnListen(event);
  if (output_ == nullptr) return;
  output_->frame.Clear();
  Encode(event, output_->frame.mutable_listen());
  Write();
}

void RecordingWriter::OnTask(const TaskEvent& event) {
  next_.OnTask(event);
  if (output_ == nullptr) return;
  output_->frame.Clear();
  Encode(event, output_->frame.mutable_task());
  Write();
}

void RecordingWriter::OnKernelLoss(const KernelLoss& loss) {
  next_.OnKernelLoss(loss);
  if (output_ == nullptr) return;
  output_->frame.Clear();
  Encode(loss, output_->frame.mutable_kernel_loss());
  Write();
}

void RecordingWriter::OnNat(const NatEvent& event) {
  next_.OnNat(event);
  if (output_ == nullptr) return;
  output_->frame.Clear();
  Encode(event, output_->frame.mutable_nat());
  Write();
}

void RecordingWriter::OnNetwork(const NetworkReading& reading) {
  next_.OnNetwork(reading);
  if (output_ == nullptr) return;
  output_->frame.Clear();
  Encode(reading, output_->frame.mutable_network_reading());
  Write();
}

void RecordingWriter::OnTick(int64_t boot_ns, int64_t wall_ns) {
  next_.OnTick(boot_ns, wall_ns);
  if (output_ == nullptr) return;
  output_->frame.Clear();
  output_->frame.mutable_tick()->set_boot_ns(boot_ns);
  output_->frame.mutable_tick()->set_wall_ns(wall_ns);
  Write();
}

}  // namespace kindling::agent
