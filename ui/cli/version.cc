#include "base/version.h"

#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/query.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/format.h"
#include "ui/cli/session.h"
#include "ui/cli/text.h"

namespace kindling::ui {
namespace {

absl::StatusOr<ExitCode> Run(Session& session) {
  const bool is_table = session.format() == "table";
  if (is_table) session.out() << "kindlingctl " << base::kSoftwareVersion << "\n" << std::flush;
  if (session.args().has("client")) return ExitCode::kOk;
  v1::GetServerInfoResponse info;
  RETURN_IF_ERROR(session.Ask(v1::GetServerInfoRequest(), &info));
  if (!is_table) {
    ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(info));
    return is_printed ? ExitCode::kOk : ExitCode::kError;
  }
  session.out() << "controller " << CleanText(info.version()) << " at "
                << CleanText(session.globals().client.address) << "\n"
                << "cluster " << CleanText(info.cluster()) << ", store "
                << CleanText(info.store_id()) << ", " << base::FormatBytes(info.store_bytes());
  if (info.oldest_record_ns() > 0) {
    session.out() << ", since " << FormatTime(info.oldest_record_ns(), session.globals().zone);
  }
  session.out() << "\n";
  return ExitCode::kOk;
}

}  // namespace

Command VersionCommand() {
  return {.name = "version",
          .summary = "versions of kindlingctl and of the controller",
          .details = "-o json and yaml print what the controller says of itself.",
          .options = {{.name = "client", .help = "do not ask the controller"}},
          .formats = {"table", "json", "yaml"},
          .examples = {{"kindlingctl version", "both"},
                       {"kindlingctl version --client", "works without a controller"}},
          .run = Run};
}

}  // namespace kindling::ui
