// send_load --address HOST:PORT --ca FILE --load FILE[,rate=ITEMS/S][,name=PREFIX] [--load ...]
//     [--seconds S] [--acknowledged FILE]
// Speaks for the agents of load files: a connection with TLS for each agent, Hello, Welcome,
// batches within the credit, acknowledgements. Without a rate it sends as fast as it is
// acknowledged; with one each batch is due at its time and its latency runs from then. --seconds
// ends it early: what was sent is still waited for. Prints rates and latencies as JSON, one object
// for each load, and writes what was acknowledged: "AGENT EPOCH SEQUENCE" for every run of an
// agent.
//
// The messages go out as they are in the file, which is in memory: nothing is encoded.

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/version.h"
#include "kindling/v1/ingest.grpc.pb.h"
#include "tests/load/store/flags.h"
#include "tests/load/store/load_file.h"

namespace {

using kindling::load::Flags;
using kindling::load::LoadFile;
using kindling::load::LoadRecord;
namespace v1 = kindling::v1;

int64_t NowNs() { return kindling::base::SystemClock().BootNs(); }

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "send_load: %s\n", what.c_str());
  std::fflush(stderr);
  std::_Exit(1);
}

struct Acked {
  int64_t at_ns = 0;
  int64_t latency_ns = 0;
  const LoadRecord* record = nullptr;
};

grpc::ByteBuffer Pack(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

// One agent's stream. Threads: gRPC's and the pacer's.
class AgentStream final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  AgentStream(std::string id, std::shared_ptr<grpc::Channel> channel)
      : id_(std::move(id)), stub_(std::move(channel)) {}

  void Add(const LoadRecord* record) { records_.push_back(record); }

  // Opens the stream and returns once the controller has welcomed it.
  void Open() {
    stub_.PrepareBidiStreamingCall(&context_, "/kindling.v1.IngestService/Ingest", {}, this);
    v1::IngestRequest request;
    v1::Hello* hello = request.mutable_hello();
    hello->set_protocol_version(kindling::base::kIngestProtocolVersion);
    hello->set_software_version(std::string(kindling::base::kSoftwareVersion));
    hello->set_agent_id(id_);
    hello->set_host(id_);
    uint64_t epoch = 0;
    for (const LoadRecord* record : records_) epoch = std::max(epoch, record->boot_epoch);
    hello->set_boot_epoch(epoch);
    hello->set_capture_hook("replay");
    hello->set_replay(true);
    hello->set_sent_time_ns(kindling::base::SystemClock().WallNs());
    AddHold();
    {
      absl::MutexLock lock(&mu_);
      writing_ = true;
    }
    buffer_ = Pack(request);
    StartRead(&response_);
    StartWrite(&buffer_);
    StartCall();
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &AgentStream::OpenOrOver));
    if (credit_ == 0) Fail(id_ + ": " + error_);
  }

  // One more record may be sent; it was due at `due_ns`.
  void Release(int64_t due_ns) {
    {
      absl::MutexLock lock(&mu_);
      due_ns_.push_back(due_ns);
    }
    Pump();
  }
  // No record is sent any more.
  void Stop() {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
  }

  void AwaitAcknowledged() {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &AgentStream::Drained));
    if (over_) Fail(id_ + ": the stream ended early: " + error_);
  }
  void Close() {
    StartWritesDone();
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(&over_));
  }

  size_t records() const { return records_.size(); }
  const LoadRecord& record(size_t i) const { return *records_[i]; }
  const std::string& id() const { return id_; }
  // After AwaitAcknowledged.
  const std::vector<Acked>& acked() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return acked_; }
  const std::map<uint64_t, uint64_t>& last() const ABSL_NO_THREAD_SAFETY_ANALYSIS { return last_; }

 private:
  struct InFlight {
    const LoadRecord* record;
    int64_t due_ns;
  };

  bool OpenOrOver() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return credit_ > 0 || over_; }
  bool Drained() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const bool all = stopped_ || next_ == records_.size();
    return over_ || (all && in_flight_.empty() && !writing_);
  }

  void Pump() {
    {
      absl::MutexLock lock(&mu_);
      if (writing_ || over_ || stopped_ || next_ >= due_ns_.size() || in_flight_.size() >= credit_)
        return;
      writing_ = true;
      const LoadRecord* record = records_[next_];
      in_flight_.push_back({record, due_ns_[next_]});
      ++next_;
      const grpc::Slice slice(record->message.data(), record->message.size(),
                              grpc::Slice::STATIC_SLICE);
      buffer_ = grpc::ByteBuffer(&slice, 1);
    }
    StartWrite(&buffer_);
  }

  void OnWriteDone(bool ok) override {
    {
      absl::MutexLock lock(&mu_);
      writing_ = !ok;  // after a failed write the call is over
    }
    if (ok) Pump();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      {
        absl::MutexLock lock(&mu_);
        writing_ = true;  // no write may begin any more
      }
      RemoveHold();  // OnDone() tells why
      return;
    }
    v1::IngestResponse response;
    if (!grpc::SerializationTraits<v1::IngestResponse>::Deserialize(&response_, &response).ok()) {
      Fail("a response that cannot be parsed");
    }
    Handle(response);
    StartRead(&response_);
    Pump();
  }

  void Handle(const v1::IngestResponse& response) {
    const int64_t now_ns = NowNs();
    absl::MutexLock lock(&mu_);
    if (response.has_welcome()) {
      credit_ = response.welcome().credit();
      return;
    }
    if (!response.has_ack()) return;
    const v1::Ack& ack = response.ack();
    credit_ = ack.credit();
    last_[ack.boot_epoch()] = std::max(last_[ack.boot_epoch()], ack.sequence());
    std::erase_if(in_flight_, [&](const InFlight& each) {
      if (each.record->boot_epoch != ack.boot_epoch() || each.record->sequence > ack.sequence())
        return false;
      acked_.push_back(
          {.at_ns = now_ns, .latency_ns = now_ns - each.due_ns, .record = each.record});
      return true;
    });
  }

  void OnDone(const grpc::Status& status) override {
    absl::MutexLock lock(&mu_);
    over_ = true;
    error_ = status.error_message();
  }

  const std::string id_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::ByteBuffer buffer_;
  grpc::ByteBuffer response_;
  std::vector<const LoadRecord*> records_;

  mutable absl::Mutex mu_;
  std::deque<int64_t> due_ns_ ABSL_GUARDED_BY(mu_);
  size_t next_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<InFlight> in_flight_ ABSL_GUARDED_BY(mu_);
  size_t credit_ ABSL_GUARDED_BY(mu_) = 0;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  bool over_ ABSL_GUARDED_BY(mu_) = false;
  std::string error_ ABSL_GUARDED_BY(mu_);
  std::vector<Acked> acked_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, uint64_t> last_ ABSL_GUARDED_BY(mu_);
};

// A load file and the streams of its agents.
struct Load {
  std::string path;
  double rate = 0;  // items a second; 0: as fast as it goes
  std::string prefix;
  std::unique_ptr<LoadFile> file;
  std::map<uint32_t, std::unique_ptr<AgentStream>> streams;
  std::vector<AgentStream*> order;  // whose each record is
  int64_t began_ns = 0;
};

uint64_t Items(const LoadRecord& record) {
  return uint64_t{record.spans} + record.histograms + record.points;
}

Load ParseLoad(const std::string& text) {
  Load load;
  std::stringstream parts(text);
  std::getline(parts, load.path, ',');
  for (std::string part; std::getline(parts, part, ',');) {
    if (part.starts_with("rate=")) {
      load.rate = std::atof(part.c_str() + 5);
    } else if (part.starts_with("name=")) {
      load.prefix = part.substr(5);
    } else {
      Fail("--load: unknown " + part);
    }
  }
  return load;
}

void Connect(Load& load, const std::string& address, const std::string& ca) {
  absl::StatusOr<std::unique_ptr<LoadFile>> file = LoadFile::Open(load.path);
  if (!file.ok()) Fail(std::string(file.status().message()));
  load.file = *std::move(file);
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (!ca.empty()) {
    std::ifstream in(ca);
    std::stringstream pem;
    pem << in.rdbuf();
    credentials = grpc::SslCredentials({.pem_root_certs = pem.str()});
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
  for (const LoadRecord& record : load.file->records()) {
    std::unique_ptr<AgentStream>& stream = load.streams[record.agent];
    if (stream == nullptr) {
      stream =
          std::make_unique<AgentStream>(absl::StrFormat("%snode-%03d", load.prefix, record.agent),
                                        grpc::CreateCustomChannel(address, credentials, arguments));
    }
    stream->Add(&record);
    load.order.push_back(stream.get());
  }
  for (const auto& [agent, stream] : load.streams) stream->Open();
}

// Releases every record when it is due.
void Pace(Load& load, const std::atomic<bool>& stop) {
  load.began_ns = NowNs();
  uint64_t items = 0;
  const std::vector<LoadRecord>& records = load.file->records();
  for (size_t i = 0; i < records.size() && !stop; ++i) {
    int64_t due_ns = NowNs();
    if (load.rate > 0) {
      due_ns = load.began_ns + static_cast<int64_t>(static_cast<double>(items) / load.rate * 1e9);
      for (int64_t wait_ns = due_ns - NowNs(); wait_ns > 0 && !stop; wait_ns = due_ns - NowNs()) {
        std::this_thread::sleep_for(
            std::chrono::nanoseconds(std::min<int64_t>(wait_ns, 50'000'000)));
      }
      if (stop) return;
    }
    load.order[i]->Release(load.rate > 0 ? due_ns : 0);
    items += Items(records[i]);
  }
}

double Quantile(const std::vector<int64_t>& sorted, double q) {
  if (sorted.empty()) return 0;
  const auto at = static_cast<size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5);
  return static_cast<double>(sorted[at]) / 1e6;
}

std::string Report(const Load& load) {
  uint64_t spans = 0;
  uint64_t histograms = 0;
  uint64_t points = 0;
  uint64_t bytes = 0;
  std::vector<int64_t> latencies;
  std::vector<int64_t> times;
  for (const auto& [agent, stream] : load.streams) {
    for (const Acked& acked : stream->acked()) {
      spans += acked.record->spans;
      histograms += acked.record->histograms;
      points += acked.record->points;
      bytes += acked.record->message.size();
      latencies.push_back(acked.latency_ns);
      times.push_back(acked.at_ns);
    }
  }
  std::sort(latencies.begin(), latencies.end());
  std::sort(times.begin(), times.end());
  int64_t pause_ns = times.empty() ? 0 : times.front() - load.began_ns;
  for (size_t i = 1; i < times.size(); ++i) pause_ns = std::max(pause_ns, times[i] - times[i - 1]);
  const double seconds =
      times.empty() ? 0 : static_cast<double>(times.back() - load.began_ns) / 1e9;
  const auto per_second = [&](uint64_t count) {
    return seconds > 0 ? static_cast<double>(count) / seconds : 0;
  };
  std::string out = absl::StrFormat(
      R"("agents": %d, "batches": %d, "spans": %d, "histograms": %d, "points": %d, "bytes": %d, )"
      R"("seconds": %.3f, "spans_per_s": %.0f, "histograms_per_s": %.0f, "points_per_s": %.0f, )"
      R"("longest_pause_ms": %.1f, "rate": %.0f)",
      load.streams.size(), times.size(), spans, histograms, points, bytes, seconds,
      per_second(spans), per_second(histograms), per_second(points),
      static_cast<double>(pause_ns) / 1e6, load.rate);
  // At full speed a batch waits for those before it: that is no latency.
  if (load.rate > 0) {
    absl::StrAppendFormat(&out, R"(, "ack_p50_ms": %.2f, "ack_p99_ms": %.2f, "ack_max_ms": %.2f)",
                          Quantile(latencies, 0.5), Quantile(latencies, 0.99),
                          Quantile(latencies, 1));
  }
  return "{" + out + "}";
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv);
  const std::string address = flags.Text("address");
  const std::string ca = flags.Text("ca");
  const double seconds = flags.Number("seconds", 0);
  const std::string acknowledged = flags.Text("acknowledged");
  std::vector<Load> loads;
  for (const std::string& text : flags.Texts("load")) loads.push_back(ParseLoad(text));
  flags.CheckAllUsed();
  if (address.empty() || loads.empty()) flags.Fail("--address and --load are needed");

  for (Load& load : loads) Connect(load, address, ca);
  std::atomic<bool> stop = false;
  const double cpu_before = CpuSeconds();
  const int64_t began_ns = NowNs();
  std::vector<std::thread> pacers;
  for (Load& load : loads) pacers.emplace_back([&load, &stop] { Pace(load, stop); });
  std::thread timer;
  if (seconds > 0) {
    timer = std::thread([&] {
      const int64_t end_ns = began_ns + static_cast<int64_t>(seconds * 1e9);
      while (NowNs() < end_ns && !stop) std::this_thread::sleep_for(std::chrono::milliseconds(10));
      stop = true;
      for (Load& load : loads) {
        for (const auto& [agent, stream] : load.streams) stream->Stop();
      }
    });
  }
  for (std::thread& pacer : pacers) pacer.join();
  for (Load& load : loads) {
    for (const auto& [agent, stream] : load.streams) stream->AwaitAcknowledged();
  }
  stop = true;
  if (timer.joinable()) timer.join();
  const double cpu = CpuSeconds() - cpu_before;
  const double wall = static_cast<double>(NowNs() - began_ns) / 1e9;

  std::string reports;
  std::ofstream list;
  if (!acknowledged.empty()) list.open(acknowledged);
  for (Load& load : loads) {
    reports += (reports.empty() ? "" : ", ") + Report(load);
    for (const auto& [agent, stream] : load.streams) {
      stream->Close();
      for (const auto& [epoch, sequence] : stream->last()) {
        if (list.is_open()) list << stream->id() << ' ' << epoch << ' ' << sequence << '\n';
      }
    }
  }
  std::printf("{\"wall_seconds\": %.3f, \"sender_cpu_seconds\": %.3f, \"loads\": [%s]}\n", wall,
              cpu, reports.c_str());
  return 0;
}
