#include "ui/cli/packet_request.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/packet_filter.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "base/utf8.h"
#include "kindling/v1/query.pb.h"

namespace kindling::ui {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kDefaultDurationNs = 30 * kSecondNs;
constexpr int64_t kMaxDurationNs = 3600 * kSecondNs;
constexpr int64_t kDefaultMaxBytes = 100'000'000;
constexpr int64_t kLeastMaxBytes = 10'000;
constexpr int64_t kMaxSnapBytes = 256 << 10;

absl::StatusOr<int64_t> Option(const Session& session, const char* name, int64_t least,
                               int64_t most, int64_t fallback,
                               std::optional<int64_t> (*parse)(std::string_view),
                               const char* example) {
  const auto text = session.args().value(name);
  if (!text) return fallback;
  const std::optional<int64_t> value = parse(*text);
  if (!value || *value < least || *value > most) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--%s: \"%s\" is out of range or not understood; write %s", name, *text, example));
  }
  return *value;
}

std::optional<int64_t> ParseNumber(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

absl::Status AskFor(const Session& session, v1::CapturePacketsRequest& request) {
  const ParsedArgs& args = session.args();
  request.set_service(args.value("service").value_or(""));
  if (const auto edge = args.value("edge")) {
    const size_t comma = edge->find(',');
    if (comma == std::string::npos || comma == 0 || comma + 1 == edge->size() ||
        edge->find(',', comma + 1) != std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrFormat("--edge: \"%s\" is no pair; write CLIENT,SERVER", *edge));
    }
    request.set_client(edge->substr(0, comma));
    request.set_server(edge->substr(comma + 1));
  }
  if (args.has("service") && args.has("edge")) {
    return absl::InvalidArgumentError("--service or --edge, not both");
  }
  if (const auto found = args.options.find("node"); found != args.options.end()) {
    for (const std::string& node : found->second) request.add_nodes(node);
  }
  *request.mutable_time() = session.time_range();
  for (const std::string& text : {request.service(), request.client(), request.server(),
                                  absl::StrJoin(request.nodes(), ",")}) {
    if (!base::IsValidUtf8(text)) return absl::InvalidArgumentError("a name is not valid UTF-8");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<OptionSpec> PacketOptions() {
  return {{.name = "service", .value = "NAME", .help = "only from or to this workload"},
          {.name = "edge", .value = "CLIENT,SERVER", .help = "only between these two workloads"},
          {.name = "filter",
           .letter = 'f',
           .value = "FILTER",
           .help = "only what matches, as tcpdump has it: 'tcp port 80 and host 10.0.0.2'",
           .repeats = true},
          {.name = "node",
           .value = "HOST",
           .help = "only on this host; may be given several times",
           .repeats = true},
          {.name = "for", .value = "DURATION", .help = "end after this (default 30s)"},
          {.name = "max", .value = "SIZE", .help = "of the file (default 100MB)"},
          {.name = "packets", .value = "N", .help = "end a node after N packets"},
          {.name = "snap", .value = "SIZE", .help = "only the first bytes of each packet"},
          {.name = "rate", .value = "SIZE", .help = "at most so much a second of each node"},
          {.name = "write",
           .letter = 'w',
           .value = "FILE",
           .help = "where packets go; - is standard output"}};
}

absl::StatusOr<PacketRequest> ParsePacketRequest(const Session& session) {
  PacketRequest asked;
  const ParsedArgs& args = session.args();
  RETURN_IF_ERROR(AskFor(session, asked.request));
  v1::PacketCapture& capture = *asked.request.mutable_capture();
  if (const auto found = args.options.find("filter"); found != args.options.end()) {
    // Each in parentheses, so that an "or" inside one stays inside; and each must be whole.
    for (const std::string& part : found->second) {
      RETURN_IF_ERROR(base::CompilePacketFilter(part, 1).status());
    }
    asked.filter = found->second.size() == 1 ? found->second[0]
                                             : "(" + absl::StrJoin(found->second, ") and (") + ")";
    RETURN_IF_ERROR(base::CompilePacketFilter(asked.filter, 1).status());
  }
  capture.set_filter(asked.filter);
  ASSIGN_OR_RETURN(const int64_t duration_ns,
                   Option(session, "for", 1, kMaxDurationNs, kDefaultDurationNs,
                          base::ParseDurationNs, "30s, up to 1h"));
  ASSIGN_OR_RETURN(const int64_t snap_bytes, Option(session, "snap", 1, kMaxSnapBytes, 0,
                                                    base::ParseBytes, "128B, up to 256KiB"));
  ASSIGN_OR_RETURN(const int64_t max_bytes,
                   Option(session, "max", kLeastMaxBytes, INT64_MAX, kDefaultMaxBytes,
                          base::ParseBytes, "100MB, from 10KB"));
  ASSIGN_OR_RETURN(const int64_t rate,
                   Option(session, "rate", 1, INT64_MAX, 0, base::ParseBytes, "10MB, a second"));
  ASSIGN_OR_RETURN(const int64_t packets,
                   Option(session, "packets", 1, INT64_MAX, 0, ParseNumber, "1000"));
  capture.set_duration_ns(duration_ns);
  capture.set_snap_bytes(static_cast<uint32_t>(snap_bytes));
  capture.set_max_bytes(static_cast<uint64_t>(max_bytes));
  capture.set_bytes_per_second(static_cast<uint64_t>(rate));
  capture.set_max_packets(static_cast<uint64_t>(packets));
  asked.max_bytes = static_cast<uint64_t>(max_bytes);
  const auto path = args.value("write");
  if (!path || path->empty()) {
    return absl::InvalidArgumentError("-w FILE says where packets go; \"-w -\" is standard output");
  }
  asked.path = *path;
  if (asked.path == "-" && session.environment().out_is_terminal) {
    return absl::InvalidArgumentError("packets do not go to a terminal: give -w FILE, or a pipe");
  }
  return asked;
}

}  // namespace kindling::ui
