#include "base/status_macros.h"
#include "base/units.h"
#include "kindling/v1/admin.pb.h"
#include "ui/cli/commands.h"
#include "ui/cli/session.h"

namespace kindling::ui {
namespace {

absl::StatusOr<ExitCode> Run(Session& session) {
  v1::CompactStoreResponse response;
  RETURN_IF_ERROR(session.Ask(v1::CompactStoreRequest(), &response));
  ASSIGN_OR_RETURN(const bool is_printed, session.PrintMessage(response));
  if (is_printed) return ExitCode::kOk;
  session.out() << "compacted in " << base::FormatDurationNs(response.seconds() * 1e9) << ": "
                << base::FormatBytes(response.bytes_before()) << " before, "
                << base::FormatBytes(response.bytes_after()) << " now\n";
  return ExitCode::kOk;
}

}  // namespace

Command StoreCompactCommand() {
  return {
      .name = "store compact",
      .summary = "seal and merge everything now",
      .details =
          "The store does this by itself; now and then, and only for what has ended. Ingest and "
          "questions go on meanwhile. It runs to its end even when kindlingctl is interrupted.",
      .formats = {"table", "json", "yaml"},
      .timeout = absl::Hours(1),
      .examples = {{"kindlingctl store compact", "before a backup that should be small"}},
      .run = Run};
}

}  // namespace kindling::ui
