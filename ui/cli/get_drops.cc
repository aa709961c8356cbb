#include <algorithm>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/completeness.h"
#include "ui/cli/format.h"
#include "ui/cli/rows.h"
#include "ui/cli/session.h"
#include "ui/cli/table.h"

namespace kindling::ui {
namespace {

std::vector<Column> Columns(bool is_wide) {
  std::vector<Column> columns = {{.name = "CLIENT", .flexible = 10},
                                 {.name = "SERVER", .flexible = 10},
                                 {.name = "SEEN BY"},
                                 {.name = "HOST"},
                                 {.name = "PLACE"},
                                 {.name = "REASON"},
                                 {.name = "PACKETS", .right = true},
                                 {.name = "BYTES", .right = true},
                                 {.name = "LAST"}};
  if (!is_wide) return columns;
  for (const char* name : {"TRANSPORT", "DIRECTION", "ADDRESS"}) columns.push_back({.name = name});
  return columns;
}

std::string OrDash(const std::string& text) { return text.empty() ? "-" : text; }

std::string ClientText(const v1::DroppedPackets& drop) {
  const bool is_socket = drop.direction().empty() && drop.client().empty();
  return is_socket ? "(any)" : OrDash(drop.client());
}

std::vector<Cell> Row(const v1::DroppedPackets& drop, const Session& session) {
  std::vector<Cell> row = {{ClientText(drop)},
                           {OrDash(drop.server())},
                           {drop.observer() == "unknown" ? "-" : drop.observer()},
                           {drop.host()},
                           {drop.place()},
                           {drop.reason()},
                           {FormatCount(drop.packets()), BadIf(drop.packets() > 0)},
                           {drop.bytes() == 0 ? "-" : base::FormatBytes(drop.bytes())},
                           {drop.last_ns() == 0 ? "-"
                                                : FormatTimeShort(drop.last_ns(), session.now_ns(),
                                                                  session.globals().zone)}};
  if (!session.is_wide()) return row;
  row.emplace_back(drop.transport());
  row.emplace_back(OrDash(drop.direction()));
  row.emplace_back(OrDash(drop.server_address()));
  return row;
}

absl::StatusOr<ExitCode> Run(Session& session) {
  v1::ListDropsRequest request;
  *request.mutable_time() = session.time_range();
  request.set_filter(session.globals().filter);
  v1::ListDropsResponse response;
  RETURN_IF_ERROR(session.Ask(request, &response));
  const size_t total = LimitRows(session, response.mutable_drops());
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) {
    return IsPartial(response.completeness()) ? ExitCode::kPartial : ExitCode::kOk;
  }
  if (response.drops().empty()) {
    session.out() << NothingFound(session, "dropped packets");
  } else {
    Table table(Columns(session.is_wide()));
    for (const v1::DroppedPackets& drop : response.drops()) table.AddRow(Row(drop, session));
    session.out() << table.Render(session.style(), session.width());
  }
  session.out() << LimitNote(response.drops_size(), total, "rows");
  return session.PrintCompleteness(response.completeness());
}

}  // namespace

Command GetDropsCommand() {
  return {
      .name = "get drops",
      .summary = "packets that kernels threw away, by edge, host and reason",
      .details =
          "Each row is what one host's kernel dropped of one edge for one reason. SEEN BY is the "
          "end that is on that host, - where neither is. REASON is the kernel's own name, PLACE "
          "the part of the kernel that it stands for. Often met: netfilter_drop, a firewall rule; "
          "no_socket, nobody listens on the port; socket_rcvbuff, the program reads too slowly; "
          "qdisc_drop, the sending device's queue is full; neigh_failed, the next host does not "
          "answer ARP; tcp_csum, udp_csum, damaged on the way; tcp_reset, tcp_old_data and other "
          "tcp_*, what TCP itself had no use for. not_specified: the kernel gave no reason, as "
          "before Linux 5.17. listen_queue and receive_queue are what a listener and a UDP socket "
          "counted themselves, less what has a row of its own. BYTES are from the IP header on, "
          "LAST is when the last window with any began.",
      .formats = {"table", "wide", "json", "yaml"},
      .takes_time = true,
      .takes_filter = true,
      .takes_limit = true,
      .examples = {{"kindlingctl get drops", "everything dropped in the last 15 minutes"},
                   {"kindlingctl get drops -f service=shop:8080", "of one workload's packets"},
                   {"kindlingctl get drops --since 1h -o wide -f host=node-7",
                    "with transport, direction and address"}},
      .run = Run};
}

}  // namespace kindling::ui
