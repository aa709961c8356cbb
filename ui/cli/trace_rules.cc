#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/firewall.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/format.h"
#include "ui/cli/session.h"
#include "ui/cli/style.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

absl::StatusOr<uint32_t> Number(const Session& session, const char* name, uint32_t most) {
  const std::optional<std::string> text = session.args().value(name);
  if (!text.has_value()) return 0;
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value == 0 || value > most) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--%s: \"%s\" is no number from 1 to %d", name, *text, most));
  }
  return value;
}

absl::StatusOr<v1::TraceRulesRequest> Request(const Session& session) {
  v1::TraceRulesRequest request;
  v1::PacketSelection& selection = *request.mutable_selection();
  selection.set_source(session.args().value("from").value_or(""));
  selection.set_destination(session.args().value("to").value_or(""));
  selection.set_protocol(session.args().value("protocol").value_or(""));
  ASSIGN_OR_RETURN(const uint32_t port, Number(session, "port", 65535));
  selection.set_port(port);
  if (selection.source().empty() && selection.destination().empty() && port == 0) {
    return absl::InvalidArgumentError("say which packets: give --from, --to or --port");
  }
  ASSIGN_OR_RETURN(const uint32_t packets, Number(session, "packets", 1000));
  request.set_max_packets(packets);
  if (const auto text = session.args().value("for")) {
    const std::optional<int64_t> ns = base::ParseDurationNs(*text);
    if (!ns.has_value() || *ns < 1'000'000 || *ns > int64_t{600} * 1'000'000'000) {
      return absl::InvalidArgumentError(
          absl::StrFormat("--for: \"%s\" is no duration from 1ms to 10m", *text));
    }
    request.set_limit_ms(static_cast<uint64_t>(*ns / 1'000'000));
  }
  if (const auto nodes = session.args().options.find("node");
      nodes != session.args().options.end()) {
    for (const std::string& node : nodes->second) request.add_hosts(node);
  }
  return request;
}

// A packet as a block: what it is, then the rules that it met.
void Print(const Session& session, const v1::TracedPacket& packet) {
  const bool is_dropped = packet.verdict() == "drop";
  std::string line =
      absl::StrFormat("%s  %s %s  %s", FormatTime(packet.time_ns(), session.globals().zone),
                      CleanText(packet.host()), CleanText(packet.netns()),
                      packet.flow().empty() ? "a packet" : CleanText(packet.flow()));
  if (packet.bytes() > 0) line += absl::StrFormat("  %d bytes", packet.bytes());
  if (!packet.input_device().empty()) line += "  in " + CleanText(packet.input_device());
  if (!packet.output_device().empty()) line += "  out " + CleanText(packet.output_device());
  session.out() << session.style().Paint(is_dropped ? Tone::kBad : Tone::kPlain, line) << "\n";
  for (const v1::RuleStep& step : packet.steps()) {
    const std::string what = step.type() != "rule" ? step.type()
                             : step.rule().empty()
                                 ? absl::StrFormat("rule %.0f, which is gone", step.handle())
                                 : step.rule();
    session.out() << "  "
                  << CleanText(absl::StrFormat("%s %s %s: %s", step.family(), step.table(),
                                               step.chain(), what));
    // A rule says its verdict itself, unless it has none.
    if (step.type() != "rule") session.out() << " " << CleanText(step.verdict());
    session.out() << "\n";
  }
  session.out() << "  " << (is_dropped ? "dropped" : "goes on") << "\n";
}

// Whether all of it was seen.
bool PrintEnds(const Session& session, const v1::TraceRulesResponse& all) {
  bool is_complete = true;
  for (const v1::NodeEnd& end : all.ends()) {
    if (!end.error().empty()) {
      is_complete = false;
      session.out() << session.style().Paint(
                           Tone::kWarning,
                           CleanText(absl::StrFormat("%s: %s", end.host(), end.error())))
                    << "\n";
    }
    if (end.lost() > 0) {
      is_complete = false;
      session.out() << session.style().Paint(
                           Tone::kWarning,
                           CleanText(absl::StrFormat(
                               "%s: the kernel's messages found no room at least %.0f times",
                               end.host(), end.lost())))
                    << "\n";
    }
  }
  return is_complete;
}

absl::StatusOr<ExitCode> Run(Session& session) {
  ASSIGN_OR_RETURN(const v1::TraceRulesRequest request, Request(session));
  const bool is_text = session.format() == "text";
  v1::TraceRulesResponse all;
  RETURN_IF_ERROR(session.Ask(request, [&](const v1::TraceRulesResponse& part) {
    if (is_text) {
      for (const v1::TracedPacket& packet : part.packets()) Print(session, packet);
      session.out().flush();
    }
    all.MergeFrom(part);
    return absl::OkStatus();
  }));
  if (!is_text) {
    RETURN_IF_ERROR(session.PrintMessage(all).status());
    for (const v1::NodeEnd& end : all.ends()) {
      if (!end.error().empty() || end.lost() > 0) return ExitCode::kPartial;
    }
    return ExitCode::kOk;
  }
  if (all.packets().empty()) {
    session.out() << "no such packet came by: a packet that was not sent, or goes another way\n";
  }
  return PrintEnds(session, all) ? ExitCode::kOk : ExitCode::kPartial;
}

}  // namespace

Command TraceRulesCommand() {
  return {
      .name = "trace rules",
      .summary = "which firewall rules packets meet, and which one drops them",
      .details =
          "Marks the packets that fit, of both directions, for tracing in nftables (iptables-nft "
          "included), in every network namespace that the agents watch, and shows each with the "
          "rules that matched it. The mark is a rule in a table of its own; the kernel removes it "
          "at the end, also when the agent is killed. At most 50 packets a second are marked. "
          "Rules of the legacy iptables are not seen.",
      .options = {{.name = "from", .value = "IP", .help = "source address"},
                  {.name = "to", .value = "IP", .help = "destination address"},
                  {.name = "port", .value = "PORT", .help = "destination port, of TCP and UDP"},
                  {.name = "protocol",
                   .value = "NAME",
                   .help = "tcp, udp or icmp",
                   .choices = {"tcp", "udp", "icmp"}},
                  {.name = "for", .value = "DURATION", .help = "ends after so long (10s)"},
                  {.name = "packets", .value = "N", .help = "ends after so many packets (20)"},
                  {.name = "node",
                   .value = "HOST",
                   .help = "only there; may be given several times",
                   .repeats = true}},
      .formats = {"text", "json", "yaml"},
      .examples = {{"kindlingctl trace rules --to 10.0.0.2 --port 80",
                    "what becomes of packets to one port"},
                   {"kindlingctl trace rules --from 10.0.0.1 --protocol icmp --for 30s",
                    "of the pings of one machine"}},
      .run = Run};
}

}  // namespace kindling::ui
