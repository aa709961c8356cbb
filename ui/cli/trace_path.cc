#include <charconv>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/paths.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/format.h"
#include "ui/cli/path_text.h"
#include "ui/cli/session.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

constexpr int64_t kDefaultNs = 10'000'000'000;
constexpr int64_t kLongestNs = 600'000'000'000;
constexpr uint32_t kDefaultPackets = 20;
// Printed as one document where they are not printed one by one.
constexpr uint32_t kMostPackets = 10'000;

absl::StatusOr<uint32_t> NumberOption(const Session& session, const char* name, uint32_t least,
                                      uint32_t most, uint32_t fallback) {
  const auto text = session.args().value(name);
  if (!text) return fallback;
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size() || number < least ||
      number > most) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--%s: \"%s\" is no number from %d to %d", name, *text, least, most));
  }
  return number;
}

absl::StatusOr<v1::TracePathRequest> RequestOf(const Session& session) {
  v1::TracePathRequest request;
  const auto from = session.args().value("from");
  const auto to = session.args().value("to");
  if (!from || !to) {
    return absl::InvalidArgumentError(
        "--from and --to name the two ends: an address, workload, service, host or DNS name");
  }
  request.set_from(*from);
  request.set_to(*to);
  ASSIGN_OR_RETURN(const uint32_t port, NumberOption(session, "port", 1, 65535, 0));
  request.set_port(port);
  request.set_protocol(session.args().value("protocol").value_or(""));
  int64_t limit_ns = kDefaultNs;
  if (const auto text = session.args().value("for")) {
    const auto ns = base::ParseDurationNs(*text);
    if (!ns || *ns < 1'000'000 || *ns > kLongestNs) {
      return absl::InvalidArgumentError(
          absl::StrFormat("--for: \"%s\" is no duration up to 10m; write 30s", *text));
    }
    limit_ns = *ns;
  }
  request.set_limit_ms(static_cast<uint32_t>(limit_ns / 1'000'000));
  request.set_summary_only(session.args().has("summary"));
  ASSIGN_OR_RETURN(const uint32_t packets,
                   NumberOption(session, "packets", 1, kMostPackets,
                                request.summary_only() ? 0 : kDefaultPackets));
  request.set_max_packets(packets);
  ASSIGN_OR_RETURN(const uint32_t rate, NumberOption(session, "rate", 1, 100'000, 0));
  request.set_packets_per_second(rate);
  return request;
}

std::string Heading(const v1::TracePathRequest& request, const v1::PathBegun& begun) {
  const auto end = [](const std::string& name, const auto& addresses) {
    const std::string text = absl::StrJoin(addresses, ", ");
    return text == name ? text : absl::StrFormat("%s (%s)", name, text);
  };
  return CleanText(absl::StrFormat(
             "following packets from %s to %s%s, for %s on %s",
             end(request.from(), begun.from_addresses()), end(request.to(), begun.to_addresses()),
             request.port() == 0 ? "" : absl::StrFormat(" port %d", request.port()),
             FormatMs(request.limit_ms()), absl::StrJoin(begun.hosts(), ", "))) +
         "\n";
}

absl::StatusOr<ExitCode> Run(Session& session) {
  ASSIGN_OR_RETURN(const v1::TracePathRequest request, RequestOf(session));
  const bool is_text = session.format() == "text";
  v1::PathReport report;
  int packets = 0;
  const Client::PathVisitor visit = [&](const v1::TracePathResponse& part) {
    if (part.has_begun()) {
      *report.mutable_begun() = part.begun();
      if (is_text) session.out() << Heading(request, part.begun()) << std::flush;
    } else if (part.has_summary()) {
      *report.mutable_summary() = part.summary();
    } else if (part.has_packet() && is_text) {
      session.out() << PacketText(part.packet(), ++packets, report.begun().hosts_size() > 1,
                                  session.style())
                    << std::flush;
    } else if (part.has_packet()) {
      *report.add_packets() = part.packet();
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(session.Ask(request, visit));
  const v1::PathSummary& summary = report.summary();
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(report));
  if (!is_printed) {
    if (summary.packets() == 0) {
      session.out() << "no packet passed: is there traffic, and is it in the agents' scope?\n";
    }
    session.out() << (request.summary_only()
                          ? PathSummaryText(summary, report.begun().hosts_size() > 1,
                                            session.style(), session.width())
                          : PathTallyText(summary, session.style()));
  }
  return summary.partial() ? ExitCode::kPartial : ExitCode::kOk;
}

}  // namespace

Command TracePathCommand() {
  return {
      .name = "trace path",
      .summary = "the way of packets through devices, namespaces and hosts, hop by hop",
      .details =
          "Follows the packets between two ends, there and back, through the kernels of all hosts "
          "with an agent, and prints each as it ends: a line for every place where it was seen, "
          "with network namespace, device, the time since the place before, what its addresses "
          "became, and where and why it was dropped. An end is an address, or a workload, "
          "service, host or DNS name of the last hour. Only network namespaces in the agents' "
          "scope are looked at. Nothing is stored, and the programs that follow packets are in "
          "the kernels only while this runs. Times between two hosts are not shown, for their "
          "clocks differ.",
      .options = {{.name = "from", .value = "END", .help = "the end that began the conversation"},
                  {.name = "to", .value = "END", .help = "the other end"},
                  {.name = "port", .value = "PORT", .help = "of the end --to; any if not given"},
                  {.name = "protocol",
                   .value = "NAME",
                   .help = "any if not given",
                   .choices = {"tcp", "udp", "icmp"}},
                  {.name = "for", .value = "TIME", .help = "how long at most, 10s if not given"},
                  {.name = "packets",
                   .value = "N",
                   .help = "end after so many, 20 if not given; with --summary without limit"},
                  {.name = "rate",
                   .value = "N",
                   .help = "packets a second that each agent follows at most, 1000 if not given"},
                  {.name = "summary", .help = "the places on the way with times, no packets"}},
      .formats = {"text", "json", "yaml"},
      .examples = {{"kindlingctl trace path --from shop --to db --port 3306",
                    "the next 20 packets between shop and its database"},
                   {"kindlingctl trace path --from 10.0.0.2 --to 10.96.0.1 --port 80 --summary "
                    "--for 30s",
                    "how long packets took from place to place"}},
      .run = Run};
}

}  // namespace kindling::ui
