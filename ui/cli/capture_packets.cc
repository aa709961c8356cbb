#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "base/version.h"
#include "kindling/v1/packets.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/format.h"
#include "ui/cli/packet_request.h"
#include "ui/cli/session.h"
#include "ui/cli/table.h"
#include "ui/cli/text.h"
#include "ui/packets/capture_file.h"
#include "ui/packets/capture_writer.h"

namespace kindling::ui {
namespace {

// Where the live line is painted anew.
constexpr int64_t kPaintNs = 200'000'000;

// One capture, from the first answer to the file's end.
class Capture {
 public:
  Capture(const Session& session, PacketRequest asked, PacketStream& stream)
      : session_(session), asked_(std::move(asked)), stream_(stream) {}

  absl::StatusOr<ExitCode> Run() {
    const std::atomic<bool>& interrupted = session_.environment().catch_interrupts();
    v1::CapturePacketsResponse response;
    while (stream_.Next(&response)) {
      RETURN_IF_ERROR(Take(response));
      Paint();
      const bool is_enough =
          interrupted || (writer_ != nullptr && (writer_->is_full() || !file_->status().ok()));
      if (is_enough && !std::exchange(is_stopped_, true)) stream_.Stop();
    }
    const absl::Status ended = stream_.Finish();
    if (file_ == nullptr) {
      return ended.ok() ? absl::InternalError("the controller ended the capture at once") : ended;
    }
    for (Node& node : nodes_) {
      if (!node.has_ended) End(node, "the controller went away: " + std::string(ended.message()));
    }
    const absl::Status finished = writer_->Finish();
    const absl::Status written = finished.ok() ? file_->Close() : finished;
    return Summarize(written);
  }

 private:
  struct Node {
    std::string name;
    std::string filter;
    uint32_t number = 0;
    bool has_ended = false;
    std::string why;  // it ended, where that is not what was asked for
    std::string cap;  // that it reached
  };

  std::ostream& messages() const {
    return asked_.path == "-" ? session_.environment().err : session_.out();
  }
  int64_t now_ns() const { return session_.environment().clock.BootNs(); }

  absl::Status Take(v1::CapturePacketsResponse& response) {
    switch (response.message_case()) {
      case v1::CapturePacketsResponse::kNodes:
        return Open(response.nodes());
      case v1::CapturePacketsResponse::kOutput:
        if (response.output().node() < nodes_.size()) TakeOutput(*response.mutable_output());
        return absl::OkStatus();
      case v1::CapturePacketsResponse::kEnd:
        if (response.end().node() < nodes_.size()) {
          End(nodes_[response.end().node()],
              response.end().code() == 0 ? "" : response.end().message());
        }
        return absl::OkStatus();
      default:
        return absl::OkStatus();  // of a newer controller
    }
  }

  // Only now is it sure that there will be something to write.
  absl::Status Open(const v1::PacketCaptureNodes& nodes) {
    if (file_ != nullptr) return absl::InternalError("the controller named the nodes twice");
    ASSIGN_OR_RETURN(file_, CaptureFile::Open(asked_.path));
    writer_ = std::make_unique<CaptureWriter>(
        CaptureWriter::Options{
            .filter = asked_.filter,
            .snap_bytes = asked_.request.capture().snap_bytes(),
            .max_bytes = asked_.max_bytes,
            .application = absl::StrFormat("kindlingctl %s", base::kSoftwareVersion)},
        *file_);
    for (const v1::PacketCaptureNode& node : nodes.nodes()) {
      nodes_.push_back({.name = node.host(),
                        .filter = node.filter(),
                        .number = writer_->BeginNode(node.host(), now_ns())});
    }
    // With every packet's head at once, for who reads on.
    return asked_.path == "-" ? file_->Flush() : absl::OkStatus();
  }

  void TakeOutput(v1::PacketNodeOutput& from) {
    Node& node = nodes_[from.node()];
    v1::PacketCaptureOutput output;
    if (!from.output().UnpackTo(&output)) {
      node.why = "the agent sent what cannot be read";
      return;
    }
    if (output.has_end()) node.cap = output.end().cap();
    absl::Status status = writer_->Take(node.number, std::move(output), now_ns());
    if (absl::IsInvalidArgument(status)) node.why = std::string(status.message());
    (void)writer_->Write(now_ns());  // the file's status is looked at by Run()
    if (asked_.path == "-") (void)file_->Flush();
  }

  void End(Node& node, const std::string& why) {
    node.has_ended = true;
    if (!why.empty()) node.why = why;
    writer_->EndNode(node.number, node.why);
  }

  // "host-a 1234 packets 1.2MB, 5 dropped | host-b ...", over the line before.
  void Paint() {
    const Environment& environment = session_.environment();
    if (!environment.err_is_terminal || writer_ == nullptr || now_ns() < next_paint_ns_) return;
    next_paint_ns_ = now_ns() + kPaintNs;
    std::string line;
    for (const Node& node : nodes_) {
      const CaptureWriter::NodeCounts counts = writer_->CountsOf(node.number);
      absl::StrAppendFormat(&line, "%s%s %d packets %s, %d dropped", line.empty() ? "" : " | ",
                            CleanText(node.name), counts.packets,
                            base::FormatBytes(static_cast<double>(counts.bytes)), counts.dropped);
    }
    const size_t columns = environment.columns > 0 ? static_cast<size_t>(environment.columns) : 80;
    environment.err << "\r" << Truncate(line, columns - 1, session_.style().ellipsis()) << "\x1b[K"
                    << std::flush;
    is_painted_ = true;
  }

  absl::StatusOr<ExitCode> Summarize(const absl::Status& written) {
    if (is_painted_) session_.environment().err << "\r\x1b[K" << std::flush;
    Table table({{.name = "NODE", .flexible = 12},
                 {.name = "PACKETS", .right = true},
                 {.name = "BYTES", .right = true},
                 {.name = "DROPPED", .right = true},
                 {.name = "LEFT OUT", .right = true},
                 {.name = "END", .flexible = 24}});
    bool is_partial = !written.ok();
    for (const Node& node : nodes_) {
      const CaptureWriter::NodeCounts counts = writer_->CountsOf(node.number);
      is_partial = is_partial || !node.why.empty() || counts.dropped > 0;
      table.AddRow({{node.name},
                    {FormatCount(static_cast<double>(counts.packets))},
                    {base::FormatBytes(static_cast<double>(counts.bytes))},
                    {FormatCount(static_cast<double>(counts.dropped)), BadIf(counts.dropped > 0)},
                    {FormatCount(static_cast<double>(counts.left_out))},
                    {EndOf(node), BadIf(!node.why.empty())}});
    }
    std::ostream& out = messages();
    out << table.Render(session_.style(), session_.width());
    out << absl::StrFormat(
        "%s in %s, %s%s\n", Plural(static_cast<double>(writer_->packets()), "packet"),
        asked_.path == "-" ? "standard output" : CleanText(asked_.path),
        base::FormatBytes(static_cast<double>(file_->bytes())), is_partial ? "; partial" : "");
    if (writer_->late() > 0) {
      out << Plural(static_cast<double>(writer_->late()), "packet")
          << " came too late to stand in the order of time\n";
    }
    if (!written.ok()) {
      session_.environment().err << "kindlingctl: " << CleanText(std::string(written.message()))
                                 << "; what was written until then is whole\n";
    }
    return is_partial ? ExitCode::kPartial : ExitCode::kOk;
  }

  std::string EndOf(const Node& node) const {
    if (!node.why.empty()) return node.why;
    if (writer_->is_full()) return "--max";
    if (node.cap == "max_bytes") return "--max";
    if (node.cap == "max_packets") return "--packets";
    return is_stopped_ ? "stopped" : "--for";
  }

  const Session& session_;
  const PacketRequest asked_;
  PacketStream& stream_;
  std::unique_ptr<CaptureFile> file_;
  std::unique_ptr<CaptureWriter> writer_;
  std::vector<Node> nodes_;
  bool is_stopped_ = false;
  bool is_painted_ = false;
  int64_t next_paint_ns_ = 0;
};

absl::StatusOr<ExitCode> Run(Session& session) {
  ASSIGN_OR_RETURN(PacketRequest asked, ParsePacketRequest(session));
  ASSIGN_OR_RETURN(Client * client, session.client());
  const absl::Duration duration = absl::Nanoseconds(asked.request.capture().duration_ns());
  const std::unique_ptr<PacketStream> stream = client->CapturePackets(asked.request, duration);
  return Capture(session, std::move(asked), *stream).Run();
}

}  // namespace

Command CapturePacketsCommand() {
  return {
      .name = "capture packets",
      .summary = "packets of several nodes at once, in one pcapng file",
      .details =
          "Agents capture on all interfaces of the network namespaces that they watch, as long as "
          "--for says or until Ctrl-C; the file has their packets in the order of time, for "
          "tshark or Wireshark. --service and --edge take what Kindling saw in the last 15 "
          "minutes (--since, --from, --to) of the addresses and ports that those names stand for; "
          "without them everything is captured that --filter lets through, in the language of "
          "tcpdump (pcap-filter(7)), which the kernel runs. Each packet says its interface and "
          "direction and, where the agent knows it, the process that sends or receives it. "
          "DROPPED are packets lost because the way from the kernel to the file was too slow, "
          "LEFT OUT those beyond --rate. Status 3: some packets are missing, or a node did not "
          "come to its end; the file has the others. Clocks of hosts are not compared.",
      .options = PacketOptions(),
      .takes_time = true,
      .examples = {{"kindlingctl capture packets --service shop:8080 -w shop.pcapng",
                    "what a service sends and receives"},
                   {"kindlingctl capture packets --edge shop:8080,mysqld --for 1m --snap 128B -w "
                    "edge.pcapng",
                    "heads of packets between two workloads"},
                   {"kindlingctl capture packets --node host-a -f 'tcp port 80' -w - | tshark -r -",
                    "live"}},
      .run = Run};
}

}  // namespace kindling::ui
