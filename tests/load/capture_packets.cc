// Captures packets of network namespaces to a file, with the parts that the agent and kindlingctl
// have for it and nothing between them: for the tests of capture and for its bench.
//
// capture_packets --netns PATH... --out FILE [--filter TEXT] [--snap BYTES] [--for SECONDS]
//     [--ring BYTES] [--stall MS]
// Prints "ready" when packets are kept, and at the end (also on SIGTERM or SIGINT) one JSON object.
// --stall: the sink sleeps this long for each batch, so that the ring runs over.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "agent/packets/packet_batch.h"
#include "agent/packets/packet_capture.h"
#include "base/clock.h"
#include "ui/packets/capture_file.h"
#include "ui/packets/capture_writer.h"

namespace {

using namespace kindling;

std::atomic<bool> stopped = false;

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "capture_packets: %s\n", what.c_str());
  std::exit(1);
}
void Check(const absl::Status& status) {
  if (!status.ok()) Die(std::string(status.message()));
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

agent::CaptureNamespace OpenNamespace(const char* path) {
  agent::CaptureNamespace netns{.fd = base::UniqueFd(open(path, O_RDONLY | O_CLOEXEC)),
                                .name = path};
  struct stat info {};
  if (!netns.fd.valid() || fstat(netns.fd.get(), &info) != 0)
    Die(std::string("cannot open ") + path);
  netns.inode = static_cast<uint32_t>(info.st_ino);
  return netns;
}

}  // namespace

int main(int argc, char** argv) {
  agent::PacketCaptureOptions options;
  std::vector<agent::CaptureNamespace> namespaces;
  std::string out;
  long stall_ms = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const char* value = argv[i + 1];
    if (name == "--netns") {
      namespaces.push_back(OpenNamespace(value));
    } else if (name == "--out") {
      out = value;
    } else if (name == "--filter") {
      options.filter = value;
    } else if (name == "--snap") {
      options.snap_bytes = static_cast<uint32_t>(std::atol(value));
    } else if (name == "--for") {
      options.duration_ns = static_cast<int64_t>(std::atof(value) * 1e9);
    } else if (name == "--ring") {
      options.ring_bytes = static_cast<size_t>(std::atol(value));
    } else if (name == "--stall") {
      stall_ms = std::atol(value);
    } else {
      Die("unknown option " + name);
    }
  }
  std::signal(SIGTERM, [](int) { stopped = true; });
  std::signal(SIGINT, [](int) { stopped = true; });

  auto capture = agent::PacketCapture::Open(options, namespaces, base::SystemClock());
  Check(capture.status());
  auto file = ui::CaptureFile::Open(out);
  Check(file.status());
  ui::CaptureWriter writer({.filter = options.filter,
                            .snap_bytes = options.snap_bytes,
                            .application = "capture_packets"},
                           **file);
  const uint32_t node = writer.BeginNode("here", base::SystemClock().BootNs());
  absl::Status status;
  agent::PacketBatcher batcher(nullptr, [&](v1::PacketCaptureOutput output) {
    const int64_t now_ns = base::SystemClock().BootNs();
    if (stall_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(stall_ms));
    if (status.ok()) status = writer.Take(node, std::move(output), now_ns);
    if (status.ok()) status = writer.Write(now_ns);
  });
  std::puts("ready");
  std::fflush(stdout);
  const double before = CpuSeconds();
  (*capture)->Run(batcher, [&] { return stopped || !status.ok(); });
  writer.EndNode(node, "");
  if (status.ok()) status = writer.Finish();
  if (status.ok()) status = (*file)->Close();
  const ui::CaptureWriter::NodeCounts counts = writer.CountsOf(node);
  std::printf(
      "{\"packets\": %lu, \"bytes\": %lu, \"dropped\": %lu, \"written\": %lu, "
      "\"late\": %lu, \"cpu_s\": %.4f, \"error\": \"%s\"}\n",
      counts.packets, counts.bytes, counts.dropped, writer.packets(), writer.late(),
      CpuSeconds() - before, std::string(status.message()).c_str());
  return status.ok() ? 0 : 3;
}
