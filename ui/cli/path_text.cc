#include "ui/cli/path_text.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "ui/cli/format.h"
#include "ui/cli/table.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

constexpr const char* kDropped = "DROPPED";

std::string Padded(const std::string& text, size_t width) {
  const size_t used = DisplayWidth(text);
  return used < width ? text + std::string(width - used, ' ') : text;
}

// "+1.5us"; "" at the first; "?" where the clocks of two hosts would have to tell.
std::string SinceLast(const v1::PacketPath& packet, int i) {
  const v1::PathHop& hop = packet.hops(i);
  if (i == 0) return "";
  if (hop.across_clocks()) return "?";
  return hop.since_last_ms() <= 0 ? "+0" : "+" + FormatMs(hop.since_last_ms());
}

std::string Joined(const std::string& a, const std::string& b, const char* between) {
  return a.empty() ? b : b.empty() ? a : a + between + b;
}

// What else there is to say of a hop.
std::string Remark(const v1::PacketPath& packet, int i) {
  const v1::PathHop& hop = packet.hops(i);
  std::string remark;
  if (hop.translated()) {
    const v1::PathHop& before = packet.hops(i - 1);
    remark = absl::StrFormat("%s -> %s becomes %s -> %s", before.source(), before.destination(),
                             hop.source(), hop.destination());
  }
  remark = Joined(remark, Joined(hop.reason(), hop.location(), " in "), ", ");
  remark = Joined(remark, hop.detail(), ", ");
  return CleanText(Joined(remark, hop.tunnel(), ", in "));
}

struct Line {
  std::string host, where, device, place, since_last, remark;
};

std::string Where(const std::string& host, const std::string& network_namespace, bool with_hosts) {
  return CleanText(with_hosts ? Joined(host, network_namespace, " ") : network_namespace);
}

}  // namespace

std::string PacketText(const v1::PacketPath& packet, int number, bool with_hosts,
                       const Style& style) {
  if (packet.hops().empty()) return "";
  const v1::PathHop& first = packet.hops(0);
  std::string head = absl::StrFormat("#%d %s%s %s -> %s", number, packet.reply() ? "reply, " : "",
                                     packet.protocol(), first.source(), first.destination());
  head = Joined(head, packet.tcp_flags(), ", ");
  if (packet.bytes() > 0) head += absl::StrFormat(", %s", Plural(packet.bytes(), "byte"));
  head = CleanText(head) + ": ";
  const bool is_dropped = packet.outcome() == "dropped";
  std::string text =
      style.Paint(Tone::kBold, head) +
      style.Paint(is_dropped ? Tone::kBad : Tone::kBold, CleanText(packet.outcome())) + "\n";
  if (packet.partial()) text += "    (its beginning was not seen)\n";
  std::vector<Line> lines;
  size_t where = 0, device = 0, place = 0, since_last = 0;
  for (int i = 0; i < packet.hops_size(); ++i) {
    const v1::PathHop& hop = packet.hops(i);
    lines.push_back({.where = Where(hop.host(), hop.network_namespace(), with_hosts),
                     .device = CleanText(hop.device()),
                     .place = CleanText(hop.place()),
                     .since_last = SinceLast(packet, i),
                     .remark = Remark(packet, i)});
    where = std::max(where, DisplayWidth(lines.back().where));
    device = std::max(device, DisplayWidth(lines.back().device));
    place = std::max(place, DisplayWidth(lines.back().place));
    since_last = std::max(since_last, lines.back().since_last.size());
  }
  for (const Line& line : lines) {
    std::string row = "    " + Padded(line.where, where) + "  " + Padded(line.device, device) +
                      "  " + Padded(line.place, place) + "  " +
                      std::string(since_last - line.since_last.size(), ' ') + line.since_last +
                      "  " + line.remark;
    row.erase(row.find_last_not_of(' ') + 1);
    text += style.Paint(line.place == kDropped ? Tone::kBad : Tone::kPlain, row) + "\n";
  }
  if (packet.hops_left_out() > 0) {
    text += absl::StrFormat("    (%s more)\n", Plural(packet.hops_left_out(), "hop"));
  }
  return text;
}

std::string PathTallyText(const v1::PathSummary& summary, const Style& style) {
  std::string outcomes;
  const std::map<std::string, double> sorted(summary.outcomes().begin(), summary.outcomes().end());
  for (const auto& [outcome, count] : sorted) {
    outcomes =
        Joined(outcomes, absl::StrFormat("%s %s", FormatCount(count), CleanText(outcome)), ", ");
  }
  std::string text =
      Plural(summary.packets(), "packet") + (outcomes.empty() ? "" : ": " + outcomes) + "\n";
  for (const v1::PathPlace& place : summary.places()) {
    if (place.place() != kDropped) continue;
    const std::string where =
        Joined(Joined(place.host(), place.network_namespace(), " "), place.device(), " ");
    text += style.Paint(
                Tone::kBad,
                CleanText(absl::StrFormat(
                    "dropped %s: %s at %s%s%s", place.reply() ? "back" : "there",
                    Plural(place.packets(), "packet"), where, place.reason().empty() ? "" : ", ",
                    Joined(place.reason(), place.location(), " in ")))) +
            "\n";
  }
  for (const std::string& note : summary.notes()) text += "note: " + CleanText(note) + "\n";
  return text;
}

std::string PathSummaryText(const v1::PathSummary& summary, bool with_hosts, const Style& style,
                            size_t width) {
  Table table({{.name = "WAY"},
               {.name = "WHERE", .flexible = 10},
               {.name = "DEVICE"},
               {.name = "PLACE"},
               {.name = "PACKETS", .right = true},
               {.name = "P50", .right = true},
               {.name = "P99", .right = true},
               {.name = "MAX", .right = true},
               {.name = "WHY", .flexible = 12}});
  for (const v1::PathPlace& place : summary.places()) {
    table.AddRow({{place.reply() ? "back" : "there"},
                  {Where(place.host(), place.network_namespace(), with_hosts)},
                  {place.device()},
                  {place.place(), BadIf(place.place() == kDropped)},
                  {FormatCount(place.packets())},
                  {FormatMs(place.p50_ms())},
                  {FormatMs(place.p99_ms())},
                  {FormatMs(place.max_ms())},
                  {Joined(place.reason(), place.location(), " in ")}});
  }
  return (table.empty() ? "" : table.Render(style, width)) + PathTallyText(summary, style);
}

}  // namespace kindling::ui
